//! Connections by what the kernel says.

use std::collections::BTreeSet;
use std::fs;

/// What the kernel's table calls a connection whose both ends are open.
const ESTABLISHED: &str = "01";

/// The ports of clients that are connected to one of these ports of this machine.
///
/// # Errors
/// When the kernel has no such table.
pub fn open_to(ports: &BTreeSet<u16>) -> anyhow::Result<BTreeSet<u16>> {
    let table = fs::read_to_string("/proc/net/tcp")?;
    Ok(table
        .lines()
        .skip(1)
        .filter_map(|row| client_of(row, ports))
        .collect())
}

fn client_of(row: &str, ports: &BTreeSet<u16>) -> Option<u16> {
    let mut fields = row.split_whitespace().skip(1);
    let (here, there, state) = (fields.next()?, fields.next()?, fields.next()?);
    let is_one = state == ESTABLISHED && ports.contains(&port(there)?);
    if is_one { port(here) } else { None }
}

fn port(address: &str) -> Option<u16> {
    let (_, port) = address.split_once(':')?;
    u16::from_str_radix(port, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_found_while_it_is_connected() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ports = BTreeSet::from([address.port()]);
        assert_eq!(open_to(&ports).unwrap(), BTreeSet::new());
        let client = std::net::TcpStream::connect(address).unwrap();
        let port = client.local_addr().unwrap().port();
        assert_eq!(open_to(&ports).unwrap(), BTreeSet::from([port]));
        drop(listener.accept().unwrap());
        // The other end may hear of it a moment later.
        let is_gone = (0..1_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            open_to(&ports).unwrap().is_empty()
        });
        assert!(is_gone, "one end closed");
    }
}
