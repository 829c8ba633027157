//! Keys that were accepted here a moment ago: between the 202 and the router's row, so that a producer that
//! repeats at once is told of its first. Never the guarantee; that is the router.

use std::collections::{BTreeMap, VecDeque};

use projections_port::{First, KeyScope};
use schemas::ids::EndpointId;

/// What was accepted under a key, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Earlier {
    pub(crate) first: First,
    pub(crate) endpoints: Vec<EndpointId>,
}

/// The latest of each key, the oldest forgotten first.
#[derive(Debug)]
pub(crate) struct Recent {
    most: usize,
    found: BTreeMap<KeyScope, Earlier>,
    /// Each entry with the offset that it was put in with: one that was replaced since goes by itself.
    order: VecDeque<(KeyScope, u64)>,
}

impl Recent {
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            most,
            found: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(crate) fn get(&self, scope: &KeyScope) -> Option<&Earlier> {
        self.found.get(scope)
    }

    /// Remembers what was accepted under a key, in place of what was there.
    pub(crate) fn put(&mut self, scope: KeyScope, earlier: Earlier) {
        let offset = earlier.first.offset;
        self.order.push_back((scope.clone(), offset));
        self.found.insert(scope, earlier);
        while self.order.len() > self.most {
            let Some((scope, offset)) = self.order.pop_front() else {
                return;
            };
            let is_latest = self
                .found
                .get(&scope)
                .is_some_and(|earlier| earlier.first.offset == offset);
            if is_latest {
                self.found.remove(&scope);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::Timestamp;

    fn scope(key: &str) -> KeyScope {
        KeyScope {
            tenant: "t".parse().unwrap(),
            partition: 0,
            key: key.parse().unwrap(),
        }
    }

    fn at(offset: u64) -> Earlier {
        Earlier {
            first: First {
                offset,
                appended_at: Timestamp::default(),
                payload_sha256: [0; 32],
                event: "e".parse().unwrap(),
            },
            endpoints: Vec::new(),
        }
    }

    #[test]
    fn the_oldest_go_first_and_a_key_has_its_latest() {
        let mut recent = Recent::new(2);
        recent.put(scope("a"), at(1));
        recent.put(scope("a"), at(2));
        recent.put(scope("b"), at(3));
        assert_eq!(recent.get(&scope("a")), Some(&at(2)));
        recent.put(scope("c"), at(4));
        assert_eq!(recent.get(&scope("a")), None);
        assert_eq!(recent.get(&scope("b")), Some(&at(3)));
        assert_eq!((recent.found.len(), recent.order.len()), (2, 2));
    }
}
