//! A history by hand in which all is well.

mod around;
mod log;
mod views;

use checker::history::*;

pub(crate) const A: &str = "ep_019b7ca9-8f2e-7000-8000-00000000000a";
pub(crate) const B: &str = "ep_019b7ca9-8f2e-7000-8000-00000000000b";
const ADDRESSED: &str = "evt_019b7ca9-8f2e-7000-8000-000000000001";
const SPREAD: &str = "evt_019b7ca9-8f2e-7000-8000-000000000002";
const AGAIN: &str = "evt_019b7ca9-8f2e-7000-8000-000000000003";
const NOWHERE: &str = "evt_019b7ca9-8f2e-7000-8000-000000000004";

/// The delivery ids, as the checker's own test knows them to be derived.
pub(crate) struct Ids {
    pub(crate) addressed: String,
    pub(crate) spread_a: String,
    pub(crate) spread_b: String,
}

pub(crate) fn ids() -> Ids {
    // Taken from the protocol's derivation by another program.
    Ids {
        addressed: "dlv_00000000-000a-85a7-a57c-17437ef89c4e".to_owned(),
        spread_a: "dlv_00000000-000b-8401-90fc-bca2ab986f77".to_owned(),
        spread_b: "dlv_00000000-000b-81ed-9256-c18ca8da4c35".to_owned(),
    }
}

/// All is well: delivered at once, after a failure and a takeover that repeats one, dead-lettered; a
/// repeat, an event that goes nowhere, a request that was refused.
pub(crate) fn history() -> History {
    let mut history = History::default();
    log::written(&mut history);
    around::clients(&mut history);
    around::receivers(&mut history);
    history.views.push(views::views());
    for (life, at, what) in [
        (1, 0, Became::Started),
        (1, 30, Became::Crashed),
        (2, 40, Became::Started),
    ] {
        let name = "n1".to_owned();
        history.processes.push(ProcessLine {
            at,
            life,
            name,
            what,
        });
    }
    history
}
