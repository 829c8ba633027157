//! What an onlooker sees who knows the log and every request that was sent, and what he objects to.

use super::world::{Offsets, RECORDS, World};

/// What was promised and not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breach {
    /// A record, or the request, has a second outcome.
    EndsTwice = 1,
    /// A record was sent after its end was durable.
    SentAfterEnd = 2,
    /// A record was sent again that was not in flight at an interruption.
    SentAgain = 4,
    /// A strict key's record was sent before an earlier one was through, or after a later one.
    OutOfOrder = 8,
    /// A failed one was sent before its due time, or its number was spent twice.
    Early = 16,
    /// A reader handed a lane a record that it has.
    HandedTwice = 32,
}

/// How far a record has come, as the log and the receivers have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Fate {
    /// Not sent, or nobody knows.
    #[default]
    Accepted,
    /// Sent, the outcome not durable.
    InFlight,
    /// Its last attempt failed, durably.
    Failed,
    /// It has its outcome, durably.
    Ended,
}

/// The onlooker's notes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Journal {
    fates: [Fate; RECORDS],
    /// Durable notes of failure.
    failures: [u8; RECORDS],
    /// Those of a strict key that were ever sent.
    sent: Offsets,
    /// Failed ones whose due time has come.
    pub(super) due: Offsets,
    answered: bool,
    breaches: u8,
}

impl Journal {
    pub(super) fn fate(&self, offset: u8) -> Fate {
        self.fates[usize::from(offset)]
    }

    /// How many attempts have failed, durably.
    pub(super) fn failures(&self, offset: u8) -> u8 {
        self.failures[usize::from(offset)]
    }

    pub(super) fn is_broken(&self, breach: Breach) -> bool {
        self.breaches & breach as u8 != 0
    }

    pub(super) fn is_clean(&self) -> bool {
        self.breaches == 0
    }

    pub(super) fn object(&mut self, breach: Breach) {
        self.breaches |= breach as u8;
    }

    /// Whether each record, and the request if there is one, has its outcome.
    pub(super) fn all_ended(&self, world: &World) -> bool {
        world.offsets().all(|at| self.fate(at) == Fate::Ended)
            && (self.answered || world.cancel.is_none())
    }

    /// A request goes out, by an owner that knows of `failures` failed attempts.
    pub(super) fn send(&mut self, world: &World, offset: u8, failures: u8) {
        match self.fate(offset) {
            Fate::Accepted => {}
            Fate::Failed if self.due.contains(offset) => {}
            Fate::Failed => self.object(Breach::Early),
            Fate::InFlight => self.object(Breach::SentAgain),
            Fate::Ended => self.object(Breach::SentAfterEnd),
        }
        if failures < self.failures[usize::from(offset)] {
            self.object(Breach::Early);
        }
        if self.is_out_of_order(world, offset) {
            self.object(Breach::OutOfOrder);
        }
        if world.record(offset).orders(world.record(offset)) {
            self.sent.insert(offset);
        }
        self.fates[usize::from(offset)] = Fate::InFlight;
    }

    fn is_out_of_order(&self, world: &World, offset: u8) -> bool {
        let record = world.record(offset);
        let overtakes = (0..offset).any(|earlier| {
            world.record(earlier).orders(record)
                && !matches!(self.fate(earlier), Fate::InFlight | Fate::Ended)
        });
        let comes_late = (offset + 1..world.end())
            .any(|later| record.orders(world.record(later)) && self.sent.contains(later));
        overtakes || comes_late
    }

    /// An outcome of the record is durable.
    pub(super) fn end(&mut self, offset: u8) {
        if self.fate(offset) == Fate::Ended {
            self.object(Breach::EndsTwice);
        }
        self.fates[usize::from(offset)] = Fate::Ended;
        self.due.remove(offset);
    }

    /// A note of failure is durable.
    pub(super) fn fail(&mut self, offset: u8) {
        if self.fate(offset) == Fate::Ended {
            self.object(Breach::EndsTwice);
            return;
        }
        self.fates[usize::from(offset)] = Fate::Failed;
        self.failures[usize::from(offset)] += 1;
        self.due.remove(offset);
    }

    /// The request's answer is durable.
    pub(super) fn answer(&mut self) {
        if self.answered {
            self.object(Breach::EndsTwice);
        }
        self.answered = true;
    }

    /// The owner is gone, and with it what it had in flight: that may be sent once more, as it
    /// might have been at first.
    pub(super) fn hide(&mut self) {
        for (fate, failures) in self.fates.iter_mut().zip(self.failures) {
            match (*fate, failures) {
                (Fate::InFlight, 0) => *fate = Fate::Accepted,
                (Fate::InFlight, _) => *fate = Fate::Failed,
                (Fate::Accepted | Fate::Failed | Fate::Ended, _) => {}
            }
        }
    }

    /// The due time of a failed one comes.
    pub(super) fn comes_due(&mut self, offset: u8) {
        self.due.insert(offset);
    }

    /// Whether it waits for a due time that has not come.
    pub(super) fn is_waiting(&self, offset: u8) -> bool {
        self.failures[usize::from(offset)] > 0
            && self.fate(offset) != Fate::Ended
            && !self.due.contains(offset)
    }
}
