//! Which of a lane's records are done.

use std::collections::VecDeque;

use eventlog_port::Offset;

/// The records that a lane was handed and that are not below its resume offset, ascending, each
/// done or not. The first is never done.
#[derive(Debug, Default)]
pub(crate) struct Window(VecDeque<(Offset, bool)>);

impl Window {
    /// How many it holds, done ones included (L2).
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The oldest that is not done.
    pub(crate) fn oldest(&self) -> Option<Offset> {
        self.0.front().map(|(offset, _)| *offset)
    }

    /// Whether it holds the record, and that is not done.
    pub(crate) fn is_undone(&self, offset: Offset) -> bool {
        let found = self.0.binary_search_by_key(&offset, |(other, _)| *other);
        found.is_ok_and(|at| !self.0[at].1)
    }

    /// Takes a record above all that it has.
    pub(crate) fn push(&mut self, offset: Offset, done: bool) {
        debug_assert!(self.0.back().is_none_or(|(last, _)| *last < offset));
        if !(done && self.0.is_empty()) {
            self.0.push_back((offset, done));
        }
    }

    /// The record is done. False when it isn't here.
    pub(crate) fn done(&mut self, offset: Offset) -> bool {
        let Ok(at) = self.0.binary_search_by_key(&offset, |(other, _)| *other) else {
            return false;
        };
        self.0[at].1 = true;
        while self.0.front().is_some_and(|(_, done)| *done) {
            self.0.pop_front();
        }
        if self.0.is_empty() && self.0.capacity() > 64 {
            self.0.shrink_to(16);
        }
        true
    }

    /// The done ones above the oldest that is not.
    pub(crate) fn done_above(&self) -> impl Iterator<Item = Offset> + '_ {
        let done = self.0.iter().filter(|(_, done)| *done);
        done.map(|(offset, _)| *offset)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the naive: a map of everything.
        #[test]
        fn it_knows_what_is_done(steps in prop::collection::vec((0_u64..5, any::<bool>()), 1..80)) {
            let (mut window, mut all) = (Window::default(), BTreeMap::new());
            let mut next = 0;
            for (n, push) in steps {
                if push {
                    next += n + 1;
                    window.push(next, n == 0);
                    all.insert(next, n == 0);
                } else {
                    let undone: Vec<u64> =
                        all.iter().filter(|(_, done)| !**done).map(|(at, _)| *at).collect();
                    if let Some(at) = undone.get(n as usize) {
                        prop_assert!(window.done(*at));
                        all.insert(*at, true);
                    }
                }
                let oldest = all.iter().find(|(_, done)| !**done).map(|(at, _)| *at);
                prop_assert_eq!(window.oldest(), oldest);
                for (at, done) in &all {
                    prop_assert_eq!(window.is_undone(*at), !done);
                }
                let above = all.iter().filter(|(at, done)| **done && oldest.is_some_and(|o| **at > o));
                let above: Vec<u64> = above.map(|(at, _)| *at).collect();
                prop_assert_eq!(window.done_above().collect::<Vec<_>>(), above);
            }
        }
    }
}
