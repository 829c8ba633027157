//! A bounded cache that keeps what is used.

use std::collections::BTreeMap;

/// Two maps: what was used lately, and what was used before that. When the first is full it takes
/// the place of the second, which is dropped. So something used within the last half of the capacity is
/// always found, and nothing has to be ordered by age.
#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    young: BTreeMap<K, V>,
    old: BTreeMap<K, V>,
    half: usize,
}

impl<K: Ord + Clone, V> Generations<K, V> {
    /// An empty one of at most `capacity` entries, two at the least.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            young: BTreeMap::new(),
            old: BTreeMap::new(),
            half: (capacity / 2).max(1),
        }
    }

    /// What `key` has.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        if !self.young.contains_key(key) {
            let value = self.old.remove(key)?;
            self.insert(key.clone(), value);
        }
        self.young.get(key)
    }

    /// `key` has `value` from now on.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_is_used_and_no_more_than_it_may() {
        let mut cache = Generations::new(8);
        cache.insert(0, 0);
        for n in 1..100 {
            cache.insert(n, n);
            assert_eq!(cache.get(&0), Some(&0), "used every time");
            assert_eq!(cache.get(&n), Some(&n));
            assert!(cache.young.len() + cache.old.len() <= 8);
        }
        assert_eq!(cache.get(&50), None);
        cache.insert(99, 7);
        assert_eq!(cache.get(&99), Some(&7));
    }
}
