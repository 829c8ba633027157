//! Who should hold which partition: as even as whole numbers allow, moving as few as possible
//! (Kafka's sticky assignor, KIP-54, in its cooperative form, KIP-429).

use std::collections::{BTreeMap, BTreeSet};

/// Shares `partitions` (0 to n-1) among the members of `held`, keyed by name, given what each holds
/// now. Every partition goes to exactly one member; shares differ by one at most; a member keeps
/// what it holds up to its share. Empty when nobody is there.
pub(super) fn assign(
    partitions: u32,
    held: &BTreeMap<&str, &BTreeSet<u32>>,
) -> BTreeMap<String, BTreeSet<u32>> {
    let members = u32::try_from(held.len()).unwrap_or(u32::MAX);
    if members == 0 {
        return BTreeMap::new();
    }
    let (share, spare) = (partitions / members, partitions % members);
    // Those who hold the most get the spare ones: fewer partitions move.
    let mut order: Vec<(&str, &BTreeSet<u32>)> = held.iter().map(|(n, h)| (*n, *h)).collect();
    order.sort_by_key(|(name, held)| (std::cmp::Reverse(held.len()), *name));
    let mut free: BTreeSet<u32> = (0..partitions).collect();
    let mut shares = BTreeMap::new();
    let mut room = BTreeMap::new();
    for (rank, (name, held)) in order.into_iter().enumerate() {
        let most = share + u32::from(u32::try_from(rank).is_ok_and(|rank| rank < spare));
        let kept: BTreeSet<u32> = held
            .iter()
            .copied()
            .filter(|p| free.contains(p))
            .take(most as usize)
            .collect();
        free.retain(|p| !kept.contains(p));
        room.insert(name.to_owned(), most as usize - kept.len());
        shares.insert(name.to_owned(), kept);
    }
    for (name, share) in &mut shares {
        for _ in 0..room[name] {
            share.extend(free.pop_first());
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(partitions: u32, held: &[(&str, &[u32])]) -> Vec<(String, Vec<u32>)> {
        let held: Vec<(&str, BTreeSet<u32>)> = held
            .iter()
            .map(|(n, h)| (*n, h.iter().copied().collect()))
            .collect();
        let held = held.iter().map(|(n, h)| (*n, h)).collect();
        let shared = assign(partitions, &held);
        shared
            .into_iter()
            .map(|(n, h)| (n, h.into_iter().collect()))
            .collect()
    }

    fn is(name: &str, held: &[u32]) -> (String, Vec<u32>) {
        (name.to_owned(), held.to_vec())
    }

    #[test]
    fn shares_are_even_and_little_moves() {
        assert_eq!(shares(3, &[]), []);
        assert_eq!(shares(3, &[("a", &[])]), [is("a", &[0, 1, 2])]);
        assert_eq!(
            shares(4, &[("a", &[0, 1, 2, 3]), ("b", &[])]),
            [is("a", &[0, 1]), is("b", &[2, 3])]
        );
        assert_eq!(
            shares(5, &[("a", &[0, 1]), ("b", &[2, 3, 4]), ("c", &[])]),
            [is("a", &[0, 1]), is("b", &[2, 3]), is("c", &[4])]
        );
        assert_eq!(
            shares(1, &[("a", &[]), ("b", &[0])]),
            [is("a", &[]), is("b", &[0])]
        );
        assert_eq!(
            shares(2, &[("a", &[]), ("b", &[]), ("c", &[])])
                .iter()
                .map(|(_, h)| h.len())
                .sum::<usize>(),
            2
        );
    }

    #[test]
    fn whatever_is_held_every_partition_has_one_holder() {
        for partitions in 0..7 {
            for cut in 0..=partitions {
                let a: Vec<u32> = (0..cut).collect();
                let b: Vec<u32> = (cut..partitions).collect();
                let shared = shares(partitions, &[("a", &a), ("b", &b), ("c", &[])]);
                let mut all: Vec<u32> = shared.iter().flat_map(|(_, h)| h.clone()).collect();
                all.sort_unstable();
                assert_eq!(all, (0..partitions).collect::<Vec<_>>());
                let sizes: Vec<usize> = shared.iter().map(|(_, h)| h.len()).collect();
                assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            }
        }
    }
}
