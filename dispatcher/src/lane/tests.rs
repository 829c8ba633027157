use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn a_live_lane_takes_what_passes_and_lags_once_it_cannot() {
    let mut lane = Lane::new(5, 5, 1);
    assert!(lane.is_live());
    assert_eq!(lane.pass(5, true, 2), Passed::Handed);
    lane.take(5, false);
    assert_eq!(lane.pass(7, false, 2), Passed::Noted);
    assert_eq!(lane.pass(8, true, 2), Passed::Noted, "it lags now");
    assert_eq!(lane.pass(9, true, 2), Passed::LeftOut, "no room");
    assert_eq!(lane.pass(10, true, 2), Passed::LeftOut);
    assert_eq!((lane.notes(), lane.resume(11)), (2, 5));
    assert!(lane.catch_up(7));
    lane.take(7, false);
    assert!(lane.catch_up(8));
    lane.take(8, false);
    assert!(!lane.settle(11));
    assert_eq!(lane.wants_more(11, 2), Some(9));
    assert!(lane.is_wanted(9) && !lane.is_wanted(8));
    assert!(lane.extend(9, 2) && lane.extend(10, 2));
    lane.extended(11, 11);
    assert!(!lane.settle(11), "there are notes left");
    for offset in [9, 10] {
        assert!(lane.catch_up(offset));
        lane.take(offset, false);
    }
    assert!(lane.settle(11));
    assert!(lane.is_live());
}

#[test]
fn one_that_is_behind_after_a_takeover_reads_the_log_again() {
    let mut lane = Lane::new(3, 10, 1);
    assert!(!lane.is_live());
    assert_eq!(lane.wants_more(10, 8), Some(3));
    assert!(lane.extend(4, 8));
    lane.extended(10, 12);
    assert_eq!(lane.wants_more(12, 8), Some(10), "the cursor has gone on");
    lane.lost();
    assert_eq!(lane.wants_more(12, 8), Some(3), "from its next, all of it");
}

/// One step of a lane's life.
#[derive(Clone, Debug)]
enum Step {
    /// The cursor passes a record; whether it is the lane's, and whether the lane could take it.
    Pass(bool, bool),
    CatchUp(usize),
    Done(usize),
    Sweep(usize),
    Lost,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<bool>(), any::<bool>()).prop_map(|(own, takes)| Step::Pass(own, takes)),
        2 => (1_usize..4).prop_map(Step::CatchUp),
        2 => (0_usize..8).prop_map(Step::Done),
        2 => (1_usize..6).prop_map(Step::Sweep),
        1 => Just(Step::Lost),
    ];
    prop::collection::vec(step, 1..120)
}

/// The shell around a lane, as simple as can be: a log, an index, and what was handed.
struct World {
    lane: Lane,
    own: Vec<u64>,
    cursor: u64,
    index: BTreeSet<u64>,
    handed: Vec<u64>,
    done: BTreeSet<u64>,
}

const ROOM: usize = 3;

impl World {
    fn hand(&mut self, offset: u64) {
        self.lane.take(offset, false);
        self.handed.push(offset);
    }

    fn pass(&mut self, own: bool, takes: bool) {
        let offset = self.cursor;
        if own {
            self.own.push(offset);
            match self.lane.pass(offset, takes, ROOM) {
                Passed::Handed => self.hand(offset),
                Passed::Noted => {
                    self.index.insert(offset);
                }
                Passed::LeftOut | Passed::Below => {}
            }
        }
        self.cursor += 1;
        self.lane.settle(self.cursor);
    }

    fn catch_up(&mut self, most: usize) {
        if self.lane.is_live() || self.lane.notes() == 0 {
            self.lane.settle(self.cursor);
            return;
        }
        let from = self.lane.next(self.cursor);
        let found: Vec<u64> = self.index.range(from..).take(most).copied().collect();
        for offset in found {
            assert!(self.lane.catch_up(offset));
            self.hand(offset);
        }
        self.lane.settle(self.cursor);
    }

    fn sweep(&mut self, block: usize) {
        let Some(from) = self.lane.wants_more(self.cursor, ROOM) else {
            return;
        };
        let end = (from + block as u64).min(self.cursor);
        for offset in self.own.clone() {
            if offset < end && self.lane.is_wanted(offset) {
                if !self.lane.extend(offset, ROOM) {
                    return;
                }
                self.index.insert(offset);
            }
        }
        self.lane.extended(end, self.cursor);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Pass(own, takes) => self.pass(*own, *takes),
            Step::CatchUp(most) => self.catch_up(*most),
            Step::Done(at) => {
                let open: Vec<u64> = self
                    .handed
                    .iter()
                    .filter(|o| !self.done.contains(o))
                    .copied()
                    .collect();
                if let Some(offset) = open.get(*at) {
                    assert!(self.lane.done(*offset));
                    self.done.insert(*offset);
                }
            }
            Step::Sweep(block) => self.sweep(*block),
            Step::Lost => {
                self.index.clear();
                self.lane.lost();
            }
        }
    }
}

proptest! {
    /// Whatever happens, a lane is handed each of its records once, in order, and all of them in
    /// the end; its resume offset is never above one that is not done.
    #[test]
    fn every_record_is_handed_once(steps in steps()) {
        let mut world = World {
            lane: Lane::new(0, 0, 1),
            own: Vec::new(),
            cursor: 0,
            index: BTreeSet::new(),
            handed: Vec::new(),
            done: BTreeSet::new(),
        };
        for step in &steps {
            world.step(step);
            prop_assert!(world.handed.is_sorted_by(|a, b| a < b));
            let undone = world.own.iter().find(|offset| !world.done.contains(offset));
            if let Some(undone) = undone {
                prop_assert!(world.lane.resume(world.cursor) <= *undone);
            }
        }
        for _ in 0..400 {
            world.sweep(3);
            world.catch_up(2);
        }
        prop_assert!(world.lane.is_live());
        prop_assert_eq!(&world.handed, &world.own);
    }
}
