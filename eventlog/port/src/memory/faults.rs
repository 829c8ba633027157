//! What may go wrong with an append, and how often.

use std::time::Duration;

use domain::chance::Chance;

/// What goes wrong, each once in so many appends on average; zero is never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// An append becomes durable after up to this long.
    pub latency: Duration,
    /// The append is refused; nothing is appended.
    pub refuse_one_in: u64,
    /// The record lands, and its answer is lost.
    pub lose_answer_one_in: u64,
    /// The record is lost, and so is the answer that would say so.
    pub vanish_one_in: u64,
    /// The answer is lost, and the record lands up to `late_by` after that was told.
    pub late_one_in: u64,
    /// How late such a record may be.
    pub late_by: Duration,
}

/// What becomes of one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Land,
    Refuse,
    LoseAnswer,
    Vanish,
    /// Told as unknown when due, lands that much later.
    Late(Duration),
}

impl Faults {
    pub(super) fn latency(&self, chance: &mut dyn Chance) -> Duration {
        up_to(self.latency, chance)
    }

    pub(super) fn fate(&self, chance: &mut dyn Chance) -> Fate {
        if chance.one_in(self.refuse_one_in) {
            Fate::Refuse
        } else if chance.one_in(self.lose_answer_one_in) {
            Fate::LoseAnswer
        } else if chance.one_in(self.vanish_one_in) {
            Fate::Vanish
        } else if chance.one_in(self.late_one_in) {
            Fate::Late(up_to(self.late_by, chance))
        } else {
            Fate::Land
        }
    }
}

fn up_to(most: Duration, chance: &mut dyn Chance) -> Duration {
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(if micros == 0 {
        0
    } else {
        chance.below(micros) + 1
    })
}
