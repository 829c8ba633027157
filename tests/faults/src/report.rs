//! What is told of each fault, in the order in which they were played.

use std::fmt;

/// What came of a fault.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number and name.
    pub fault: String,
    /// How often.
    pub rounds: u64,
    /// `202`s.
    pub accepted: usize,
    /// Deliveries that arrived.
    pub arrived: usize,
    /// Requests beyond the first of an attempt, and how many there may be.
    pub repeats: (usize, usize),
    /// Seconds until everything had ended, and until views said so, since clients had ended.
    pub settled: (f64, f64),
    /// What else was seen.
    pub seen: String,
    /// What should not have been; empty when all is well.
    pub wrong: Vec<String>,
}

/// The first line of a table.
pub const HEAD: &str = "| fault | rounds | accepted | deliveries arrived | repeats / bound | ended after | views after | seen |\n|---|---|---|---|---|---|---|---|";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fault,
            rounds,
            accepted,
            arrived,
            repeats: (repeats, bound),
            settled: (ended, folded),
            seen,
            wrong,
        } = self;
        let wrong = match wrong.len() {
            0 => String::new(),
            count => format!(" **{count} wrong**"),
        };
        write!(
            f,
            "| {fault} | {rounds} | {accepted} | {arrived} | {repeats} / {bound} | {ended:.1} s | {folded:.1} s | {seen}{wrong} |"
        )
    }
}
