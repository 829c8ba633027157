//! A circuit breaker: a dead endpoint costs one request every now and then, and no attempt.
//!
//! ```text
//!            failures in a row within the window
//!   closed ────────────────────────────────────────► open ◄──────────┐
//!     ▲                                               │ open_seconds │ the probe
//!     │ the probe's answer is good                    ▼              │ fails
//!     └─────────────────────────────────────────── half-open ────────┘
//! ```
//!
//! All in log time. Failures count in a row: one answer that is good forgets them, so an endpoint
//! that fails now and then under load is not cut off for it, and one that flaps doesn't make the
//! breaker flap with it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::MAX_CIRCUIT_FAILURES;
use crate::time::Timestamp;

/// When a circuit opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// So many failures in a row
    pub failures: u32,
    /// within this long open it
    pub window: Duration,
    /// for this long.
    pub open: Duration,
}

impl Default for Settings {
    /// 5 within a minute, for five minutes.
    fn default() -> Self {
        Self {
            failures: 5,
            window: Duration::from_secs(60),
            open: Duration::from_secs(300),
        }
    }
}

/// Where a circuit stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Requests go out.
    #[default]
    Closed,
    /// None does until `probe_at`.
    Open,
    /// One is out to see.
    HalfOpen,
}

/// Leave to send one request. It is given back with the answer, or withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a probe that is not answered for keeps its circuit half-open"]
pub enum Grant {
    /// As any.
    Free,
    /// The one that tells whether the endpoint is back; which one, by its number.
    Probe(u64),
}

/// What asking for leave comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Send.
    Granted(Grant),
    /// Not before this moment.
    NotBefore(Timestamp),
    /// Not before the probe that is out has its answer.
    Probing,
}

/// What an answer changed, to be noted in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It opened, or opened again.
    Opened {
        /// When the next probe may go out.
        probe_at: Timestamp,
    },
    /// It closed.
    Closed,
}

/// The breaker of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circuit {
    /// `None`: it never opens.
    settings: Option<Settings>,
    state: State,
    /// The number of the last probe.
    probes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// When the last failures were, none of them followed by a good answer; fewer than open it.
    Closed(VecDeque<Timestamp>),
    Open {
        probe_at: Timestamp,
    },
    /// Since when a probe might go out: should this one be withdrawn, that is still so.
    HalfOpen {
        probe_at: Timestamp,
    },
}

impl State {
    const CLOSED: Self = Self::Closed(VecDeque::new());
}

impl Circuit {
    /// A closed one. Without settings it stays closed.
    #[must_use]
    pub const fn new(settings: Option<Settings>) -> Self {
        Self {
            settings,
            state: State::CLOSED,
            probes: 0,
        }
    }

    /// One as it was noted. A half-open one is due: who waited for its probe's answer is gone. An
    /// open one of which it isn't known until when is due as well.
    #[must_use]
    pub fn restored(settings: Option<Settings>, phase: Phase, probe_at: Option<Timestamp>) -> Self {
        let state = match (settings, phase) {
            (None, _) | (_, Phase::Closed) => State::CLOSED,
            (Some(_), Phase::Open | Phase::HalfOpen) => State::Open {
                probe_at: probe_at.unwrap_or(Timestamp::from_millis(i64::MIN)),
            },
        };
        Self {
            settings,
            state,
            probes: 0,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self.state {
            State::Closed(_) => Phase::Closed,
            State::Open { .. } => Phase::Open,
            State::HalfOpen { .. } => Phase::HalfOpen,
        }
    }

    /// From when on a probe may go out, or might; `None` while it is closed.
    #[must_use]
    pub const fn probe_at(&self) -> Option<Timestamp> {
        match self.state {
            State::Closed(_) => None,
            State::Open { probe_at } | State::HalfOpen { probe_at } => Some(probe_at),
        }
    }

    /// Takes on other settings. What is open stays so, unless it never may be now.
    pub fn set(&mut self, settings: Option<Settings>) -> Option<Change> {
        self.settings = settings;
        match settings {
            Some(_) => None,
            None => self.close(),
        }
    }

    /// Closes it by hand. `None` when it was closed; its failures are forgotten all the same.
    pub fn close(&mut self) -> Option<Change> {
        let was = self.phase();
        self.state = State::CLOSED;
        (was != Phase::Closed).then_some(Change::Closed)
    }

    /// What [`ask`](Self::ask) would say, without asking: whether a request may go out at `now`.
    #[must_use]
    pub fn may_send(&self, now: Timestamp) -> bool {
        match self.state {
            State::Closed(_) => true,
            State::Open { probe_at } => now >= probe_at,
            State::HalfOpen { .. } => false,
        }
    }

    /// Asks for leave to send one request at `now`. In a circuit whose time has come, whoever asks
    /// first gets the probe, and nobody else anything.
    pub fn ask(&mut self, now: Timestamp) -> Asked {
        match self.state {
            State::Closed(_) => Asked::Granted(Grant::Free),
            State::HalfOpen { .. } => Asked::Probing,
            State::Open { probe_at } if now < probe_at => Asked::NotBefore(probe_at),
            State::Open { probe_at } => {
                self.state = State::HalfOpen { probe_at };
                self.probes += 1;
                Asked::Granted(Grant::Probe(self.probes))
            }
        }
    }

    /// The request of `grant` was not sent after all. Its probe may be made by another.
    pub fn withdraw(&mut self, grant: Grant) {
        if let State::HalfOpen { probe_at } = self.state
            && self.is_current(grant)
        {
            self.state = State::Open { probe_at };
        }
    }

    /// The request of `grant` has its answer at `now`, which counts against the circuit or doesn't
    /// ([`Judgement`](crate::outcome::Judgement)). Answers to requests that went out before it
    /// opened change nothing while it is open.
    pub fn answered(
        &mut self,
        grant: Grant,
        counts_against: bool,
        now: Timestamp,
    ) -> Option<Change> {
        let settings = self.settings?;
        let is_probe = self.is_current(grant);
        match &mut self.state {
            State::HalfOpen { .. } if is_probe && counts_against => Some(self.open(settings, now)),
            State::HalfOpen { .. } if is_probe => self.close(),
            State::Closed(failures) if counts_against => {
                let since = now.saturating_sub(settings.window);
                failures.retain(|at| *at > since);
                failures.push_back(now);
                let enough = settings.failures.clamp(1, MAX_CIRCUIT_FAILURES);
                let is_enough = failures.len() >= usize::try_from(enough).unwrap_or(usize::MAX);
                is_enough.then(|| self.open(settings, now))
            }
            State::Closed(failures) => {
                failures.clear();
                None
            }
            State::Open { .. } | State::HalfOpen { .. } => None,
        }
    }

    fn open(&mut self, settings: Settings, now: Timestamp) -> Change {
        let probe_at = now.saturating_add(settings.open);
        self.state = State::Open { probe_at };
        Change::Opened { probe_at }
    }

    /// Whether `grant` is the probe that is out, and not one from before a reset.
    fn is_current(&self, grant: Grant) -> bool {
        grant == Grant::Probe(self.probes) && self.phase() == Phase::HalfOpen
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: Settings = Settings {
        failures: 3,
        window: Duration::from_secs(10),
        open: Duration::from_secs(60),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn opened() -> Circuit {
        let mut circuit = Circuit::new(Some(SETTINGS));
        for second in 0..2 {
            assert_eq!(circuit.answered(Grant::Free, true, at(second)), None);
        }
        let change = circuit.answered(Grant::Free, true, at(2));
        assert_eq!(change, Some(Change::Opened { probe_at: at(62) }));
        circuit
    }

    fn probe(circuit: &mut Circuit, now: Timestamp) -> Grant {
        let asked = circuit.ask(now);
        let Asked::Granted(grant @ Grant::Probe(_)) = asked else {
            panic!("{asked:?} in place of a probe");
        };
        grant
    }

    #[test]
    fn failures_open_it_when_they_are_in_a_row_and_close_together() {
        for (what, answers, opens) in [
            ("in a row", &[(0, true), (1, true), (2, true)][..], true),
            (
                "a good one between",
                &[(0, true), (1, true), (2, false), (3, true)],
                false,
            ),
            (
                "too far apart",
                &[(0, true), (6, true), (12, true), (18, true)],
                false,
            ),
            (
                "the first just out",
                &[(0, true), (9, true), (10, true)],
                false,
            ),
            (
                "the last three of four",
                &[(0, true), (10, true), (11, true), (12, true)],
                true,
            ),
        ] {
            let mut circuit = Circuit::new(Some(SETTINGS));
            for (second, counts) in answers {
                let _ = circuit.answered(Grant::Free, *counts, at(*second));
            }
            assert_eq!(circuit.phase() == Phase::Open, opens, "{what}");
        }
    }

    #[test]
    fn an_open_one_lets_one_probe_through_when_its_time_has_come() {
        let mut circuit = opened();
        assert_eq!(circuit.ask(at(61)), Asked::NotBefore(at(62)));
        assert!(!circuit.may_send(at(61)) && circuit.may_send(at(62)));
        let grant = probe(&mut circuit, at(62));
        assert_eq!(circuit.ask(at(1_000)), Asked::Probing);
        let change = circuit.answered(grant, true, at(70));
        assert_eq!(change, Some(Change::Opened { probe_at: at(130) }));
        let grant = probe(&mut circuit, at(130));
        assert_eq!(
            circuit.answered(grant, false, at(131)),
            Some(Change::Closed)
        );
        assert_eq!(circuit.ask(at(131)), Asked::Granted(Grant::Free));
    }

    #[test]
    fn who_went_out_before_says_nothing_about_an_open_one() {
        let mut circuit = opened();
        for counts in [true, false] {
            assert_eq!(circuit.answered(Grant::Free, counts, at(3)), None);
        }
        let grant = probe(&mut circuit, at(62));
        assert_eq!(circuit.answered(Grant::Free, false, at(63)), None);
        assert_eq!(circuit.phase(), Phase::HalfOpen);
        circuit.withdraw(Grant::Free);
        assert_eq!(circuit.phase(), Phase::HalfOpen);
        circuit.withdraw(grant);
        assert_ne!(probe(&mut circuit, at(62)), grant);
        assert_eq!(circuit.answered(grant, false, at(64)), None, "withdrawn");
    }

    #[test]
    fn a_probe_of_before_a_reset_is_none_after_it() {
        let mut circuit = opened();
        let old = probe(&mut circuit, at(62));
        assert_eq!(circuit.close(), Some(Change::Closed));
        assert_eq!(circuit.close(), None);
        for second in 63..66 {
            let _ = circuit.answered(Grant::Free, true, at(second));
        }
        let new = probe(&mut circuit, at(200));
        assert_eq!(circuit.answered(old, false, at(201)), None);
        assert_eq!(circuit.answered(new, false, at(202)), Some(Change::Closed));
    }

    #[test]
    fn without_settings_it_never_opens_and_a_change_of_them_binds() {
        let mut circuit = Circuit::new(None);
        for second in 0..1_000 {
            assert_eq!(circuit.answered(Grant::Free, true, at(second)), None);
        }
        assert_eq!(circuit.ask(at(0)), Asked::Granted(Grant::Free));
        let mut circuit = opened();
        assert_eq!(circuit.set(Some(Settings::default())), None);
        assert_eq!(circuit.phase(), Phase::Open);
        assert_eq!(circuit.set(None), Some(Change::Closed));
    }

    #[test]
    fn it_is_restored_as_it_was_noted() {
        let restored = |phase, probe_at| Circuit::restored(Some(SETTINGS), phase, probe_at);
        assert_eq!(restored(Phase::Closed, None), Circuit::new(Some(SETTINGS)));
        let mut open = restored(Phase::Open, Some(at(9)));
        assert_eq!(open.ask(at(8)), Asked::NotBefore(at(9)));
        assert_eq!(open.probe_at(), Some(at(9)));
        let mut half_open = restored(Phase::HalfOpen, None);
        let _ = probe(&mut half_open, at(0));
        let off = Circuit::restored(None, Phase::Open, Some(at(9)));
        assert_eq!(off, Circuit::new(None));
    }

    proptest! {
        /// Whatever is asked and answered: at most one probe is out, none before its time, and what
        /// is kept is bounded.
        #[test]
        fn one_probe_at_a_time(steps in prop::collection::vec((0..4_u8, 0..40_i64), 1..200)) {
            let mut circuit = Circuit::new(Some(SETTINGS));
            let mut now = 0;
            let mut out: Vec<Grant> = Vec::new();
            for (step, pass) in steps {
                now += pass;
                let due = circuit.probe_at();
                match step {
                    0 => if let Asked::Granted(grant) = circuit.ask(at(now)) {
                        if matches!(grant, Grant::Probe(_)) {
                            prop_assert!(due.is_some_and(|due| due <= at(now)));
                            prop_assert_eq!(circuit.phase(), Phase::HalfOpen);
                        }
                        out.push(grant);
                    },
                    1 => if let Some(grant) = out.pop() {
                        let _ = circuit.answered(grant, true, at(now));
                    },
                    2 => if !out.is_empty() {
                        let _ = circuit.answered(out.remove(0), false, at(now));
                    },
                    _ => if let Some(grant) = out.pop() {
                        circuit.withdraw(grant);
                    },
                }
                let probes = out.iter().filter(|grant| matches!(grant, Grant::Probe(_))).count();
                prop_assert_eq!(probes, usize::from(circuit.phase() == Phase::HalfOpen));
                if let State::Closed(failures) = &circuit.state {
                    prop_assert!(failures.len() < 3);
                }
            }
        }
    }
}
