//! Ports that nobody has. A broker tells its clients where it is, so the port has to be known before it starts.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::Context as _;

/// Where blocks are looked for: below the range from which the system takes ports for outgoing connections.
const FROM: u16 = 10_000;
const TO: u16 = 32_000;

/// The first of `count` free ports in a row. Processes begin to look at different places.
pub(crate) fn free_block(count: u16) -> anyhow::Result<u16> {
    let places = (TO - FROM) / count;
    let begin = u16::try_from(std::process::id() % u32::from(places))?;
    (0..places)
        .map(|place| FROM + (begin + place) % places * count)
        .find(|first| (*first..first + count).all(is_free))
        .with_context(|| format!("no {count} ports in a row are free between {FROM} and {TO}"))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_with_a_port_that_is_taken_is_passed_over() {
        let first = free_block(4).unwrap();
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first + 3)).unwrap();
        let other = free_block(4).unwrap();
        assert_ne!(first, other);
        assert!((FROM..TO).contains(&other));
        drop(taken);
    }
}
