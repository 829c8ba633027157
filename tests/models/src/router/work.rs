//! What a router does: decide, route, commit, start again.

use super::Routers;
use super::inbox::{Decided, Decision, Endpoint, Offset, Record, Route, partition_of};
use super::keys::Verdict;
use super::lacking::Lacking;
use super::state::{Commit, Router, State};

impl Routers {
    /// Whether router `who` may decide about the record at its `asked`: with a key, only when
    /// every record below that has one is settled and its row written.
    pub(super) fn may_decide(&self, state: &State, who: usize) -> bool {
        let router = &state.routers[who];
        let mut open = router.next..router.asked;
        let keyed = |offset| self.scenario.record(offset).key.is_some();
        let in_turn = self.lacking == Lacking::LookUpInTurn || !open.any(keyed);
        router.asked < self.scenario.end()
            && router.held.is_none()
            && (in_turn || !keyed(router.asked))
    }

    /// Router `who` decides about the record at its `asked`, as far as that is still to be done.
    pub(super) fn decide(&self, state: &mut State, who: usize) {
        let offset = state.routers[who].asked;
        let record = self.scenario.record(offset);
        let verdict = self.look_up(state, who, offset);
        if record.routes.is_some() && verdict == Verdict::First {
            hold_first(&mut state.routers[who], offset, record);
        } else if state
            .decided(offset, state.routers[who].read_from)
            .is_none()
        {
            self.accept_decision(state, who, offset, verdict);
        }
        state.routers[who].asked += 1;
    }

    fn accept_decision(&self, state: &mut State, who: usize, offset: Offset, verdict: Verdict) {
        let record = self.scenario.record(offset);
        let decision = verdict
            .ends()
            .unwrap_or_else(|| Decision::First(self.subscribed(state)));
        let first = verdict == Verdict::First && record.key.is_some();
        if first && self.lacking == Lacking::RowAfterDecision {
            self.keep_row(state, offset);
        }
        if self.lacking == Lacking::ReadBack {
            state.routers[who].held = Some(Decided {
                offset,
                decision: decision.clone(),
            });
        }
        state.routers[who]
            .deciding
            .push(Decided { offset, decision });
    }

    fn subscribed(&self, state: &State) -> Vec<Endpoint> {
        self.scenario.control[usize::from(state.control)].to_vec()
    }

    /// What router `who` may act on for the record at its `next`, once that is settled.
    pub(super) fn settled(&self, state: &State, who: usize) -> Option<Decision> {
        let router = &state.routers[who];
        let offset = router.next;
        let record = self.scenario.inbox.get(usize::from(offset))?;
        if offset >= router.asked {
            return None;
        }
        let held = router.held.as_ref().filter(|held| held.offset == offset);
        let on_the_way = || {
            router
                .deciding
                .iter()
                .any(|decided| decided.offset == offset)
        };
        match (record.routes, held) {
            (_, Some(held)) => Some(held.decision.clone()),
            (Some(routes), None) if record.key.is_none() => Some(Decision::First(routes.to_vec())),
            _ if on_the_way() => None,
            _ => Some(self.read_decision(state, offset, router.read_from)),
        }
    }

    fn read_decision(&self, state: &State, offset: Offset, from: u8) -> Decision {
        let decision = match self.lacking == Lacking::FirstWins {
            true => state
                .read_back(from)
                .rfind(|found| found.offset == offset)
                .map(|found| &found.decision),
            false => state.decided(offset, from),
        };
        decision
            .expect("what is durable in `routed` is read back")
            .clone()
    }

    /// Router `who` acts on what is settled about the record at its `next`.
    pub(super) fn route(&self, state: &mut State, who: usize, decision: &Decision) {
        let offset = self.taken_up(state.routers[who].next);
        if let Decision::First(endpoints) = decision {
            self.keep_first(state, who, offset);
            let endpoints = match offset == state.routers[who].next {
                true => endpoints.as_slice(),
                false => self.scenario.record(offset).routes.unwrap_or_default(),
            };
            self.accept_routes(&mut state.routers[who], offset, endpoints);
        }
        let router = &mut state.routers[who];
        router.next += 1;
        router.held.take_if(|held| held.offset < router.next);
    }

    /// The offset that a router works on in its turn: the turn's own.
    fn taken_up(&self, turn: Offset) -> Offset {
        match (self.lacking == Lacking::InputOrder, turn) {
            (true, 0) => 1,
            (true, 1) => 0,
            (_, turn) => turn,
        }
    }

    fn keep_first(&self, state: &mut State, who: usize, offset: Offset) {
        if self.scenario.record(offset).key.is_none() {
            return;
        }
        if self.lacking == Lacking::RowFirst {
            state.routers[who].unkept.push(offset);
        } else {
            self.keep_row(state, offset);
        }
    }

    fn accept_routes(&self, router: &mut Router, offset: Offset, endpoints: &[Endpoint]) {
        let mut routes: Vec<_> = endpoints
            .iter()
            .map(|&endpoint| Route { offset, endpoint })
            .collect();
        if self.lacking == Lacking::EndpointOrder {
            routes.reverse();
        }
        for route in routes {
            router.routing[partition_of(route.endpoint)].push(route);
        }
    }

    /// What router `who` would commit now.
    pub(super) fn commit(&self, state: &State, who: usize) -> Commit {
        let router = &state.routers[who];
        let offset = match self.lacking == Lacking::DurableCommit {
            true => router.next,
            false => router.durable(),
        };
        let open = state
            .routed
            .iter()
            .position(|decided| decided.offset >= offset);
        let place = match self.lacking == Lacking::RoutedOfCommit {
            true => state.routed.len(),
            false => open.unwrap_or(state.routed.len()),
        };
        Commit {
            offset,
            routed: u8::try_from(place).expect("a log of a few records"),
        }
    }

    /// Router `who` crashes, or its writer fails: it starts from the commit with a new writer, and
    /// what the old one had accepted is nobody's.
    pub(super) fn restart(&self, state: &mut State, who: usize) {
        let fresh = Router::at(state.commit);
        let mut old = std::mem::replace(&mut state.routers[who], fresh);
        if self.lacking == Lacking::StartFromCommit {
            state.routers[who].next = old.next;
            state.routers[who].asked = old.next;
        }
        old.unkept.clear();
        state.strays.extend(old.into_strays());
        state.restarts -= 1;
    }
}

fn hold_first(router: &mut Router, offset: Offset, record: &Record) {
    if let (Some(_), Some(routes)) = (record.key, record.routes) {
        let decision = Decision::First(routes.to_vec());
        router.held = Some(Decided { offset, decision });
    }
}
