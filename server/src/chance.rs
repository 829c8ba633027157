//! Chance from the operating system, fit for keys.

use domain::chance::Chance;

/// Numbers fetched at once: one call of the system's for many draws.
const FETCHED: usize = 512;

/// The operating system's own source, a page at a time. No generator of ours stands between.
pub(crate) struct SystemChance {
    numbers: Box<[u64; FETCHED]>,
    /// How many of them are used up.
    used: usize,
}

impl Default for SystemChance {
    fn default() -> Self {
        Self {
            numbers: Box::new([0; FETCHED]),
            used: FETCHED,
        }
    }
}

impl SystemChance {
    fn fetch(&mut self) {
        let mut bytes = [0_u8; FETCHED * 8];
        // There is nothing sensible to do without: ids would repeat and keys be guessed.
        #[expect(
            clippy::expect_used,
            reason = "on Linux, getrandom(2) does not fail once the machine has booted"
        )]
        getrandom::fill(&mut bytes).expect("the operating system has a source of chance");
        for (number, eight) in self.numbers.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *number = u64::from_le_bytes(*eight);
        }
        self.used = 0;
    }
}

impl Chance for SystemChance {
    fn next_u64(&mut self) -> u64 {
        if self.used == FETCHED {
            self.fetch();
        }
        let number = std::mem::take(&mut self.numbers[self.used]);
        self.used += 1;
        number
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_number_comes_twice() {
        let mut chance = SystemChance::default();
        let drawn: BTreeSet<u64> = (0..3 * FETCHED).map(|_| chance.next_u64()).collect();
        assert_eq!(drawn.len(), 3 * FETCHED);
    }
}
