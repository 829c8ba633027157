//! Chance, handed in: ids, nonces, jitter and faults all come from one seed in a simulation.

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A source of random numbers.
pub trait Chance: Send {
    /// The next 64 random bits.
    fn next_u64(&mut self) -> u64;

    /// A whole number below `bound`, every one as likely as any other up to a bias of
    /// `bound / 2^64` (Lemire 2019, without its rejection step). Zero when `bound` is zero.
    fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// True once in `n` times on average; never when `n` is zero.
    fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.below(n) == 0
    }
}

/// Chance that repeats: the same seed gives the same numbers, on every machine (xoshiro256++).
/// Fit for faults, jitter and tests; not for keys.
#[derive(Clone, Debug)]
pub struct Seeded(Xoshiro256PlusPlus);

impl Seeded {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }
}

impl Chance for Seeded {
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_no_other() {
        let draw = |seed| {
            let mut chance = Seeded::new(seed);
            (0..8).map(|_| chance.next_u64()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut chance = Seeded::new(1);
        let mut seen = [0_u32; 5];
        for _ in 0..5_000 {
            seen[usize::try_from(chance.below(5)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|&n| (800..1_200).contains(&n)), "{seen:?}");
        assert_eq!(chance.below(0), 0);
        assert!(!chance.one_in(0));
    }
}
