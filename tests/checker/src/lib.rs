//! Reads a history from outside and says what should not have happened.
//!
//! A history is what can be seen of a system without asking it to explain itself: every record of
//! every topic, what clients sent and were told, what receivers got and said, every row of the views.
//! The checker makes its own fold of the log, by its own reading of bytes, and joins the rest to it.
//! It knows nothing of the product's code: what it shares with it is `docs/protocol.md`.

mod fold;
pub mod history;
mod read;
mod rules;
mod text;

pub use history::{History, Limits, Problem};

use fold::Folded;

/// Everything in `history` that should not be there, or is missing, in the order of the rules.
#[must_use]
pub fn check(history: &History, limits: &Limits) -> Vec<Problem> {
    let mut of_others = Vec::new();
    rules::foreign::check(history, &mut of_others);
    let history = &*rules::foreign::set_aside(history);
    let (folded, mut problems) = Folded::new(history);
    problems.append(&mut of_others);
    rules::chains::check(&folded, limits, &mut problems);
    rules::ends::check(&folded, history, limits, &mut problems);
    rules::clients::check(&folded, history, &mut problems);
    rules::arrivals::check(&folded, history, limits, &mut problems);
    rules::repeats::check(&folded, history, limits, &mut problems);
    rules::checkpoints::check(&folded, history, &mut problems);
    rules::views::check(&folded, history, &mut problems);
    problems
}
