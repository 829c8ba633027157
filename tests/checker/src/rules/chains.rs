//! I1, and what of the protocol shows in the log: from its record in `events` to its end, each
//! delivery is one chain of outcomes, each naming the one before, and nothing lies beside a chain.

use std::collections::{BTreeMap, BTreeSet};

use crate::fold::{Delivery, Folded, Kind, Outcome};
use crate::history::{Found, Limits, Problem};
use crate::read::{count, header, payload, text, time};

pub(crate) fn check(folded: &Folded<'_>, limits: &Limits, problems: &mut Vec<Problem>) {
    let mut walked = BTreeSet::new();
    let mut inputs = BTreeMap::new();
    for delivery in folded.deliveries.values() {
        let mut walk = Walk {
            folded,
            delivery,
            made: 0,
            step: 0,
        };
        walk.along(limits, &mut walked, &mut inputs, problems);
    }
    for outcome in &folded.outcomes {
        if outcome.kind != Kind::Discarded && !walked.contains(outcome.place.as_str()) {
            let what = format!("its origin {} is no input that waits", outcome.origin);
            problems.found("O1", &outcome.place, what);
        }
    }
    for start in &folded.starts {
        let expected = inputs.get(&(start.delivery.as_str(), start.origin.as_str()));
        if expected != Some(&start.number) {
            let what = format!(
                "attempt {} of {} began from {}, where {expected:?} was next",
                start.number, start.delivery, start.origin
            );
            problems.found("O10", &start.place, what);
        }
    }
}

struct Walk<'f, 'h> {
    folded: &'f Folded<'h>,
    delivery: &'f Delivery<'h>,
    /// Attempts made so far.
    made: u64,
    step: u64,
}

impl<'f> Walk<'f, '_> {
    /// Follows the chain, noting what it passes: outcomes, and which attempt is next at each input.
    fn along(
        &mut self,
        limits: &Limits,
        walked: &mut BTreeSet<&'f str>,
        inputs: &mut BTreeMap<(&'f str, &'f str), u64>,
        problems: &mut Vec<Problem>,
    ) {
        let mut input = self.delivery.input.as_str();
        loop {
            inputs.insert((self.delivery.id.as_str(), input), self.made + 1);
            let of_input = self.folded.of_origin.get(input);
            let of_input = of_input.map_or(&[][..], Vec::as_slice);
            if let [_, second, ..] = of_input {
                let second = &self.folded.outcomes[*second].place;
                problems.found("O1", input, format!("has a second outcome, {second}"));
            }
            let Some(outcome) = of_input.first().map(|index| &self.folded.outcomes[*index]) else {
                if limits.settled {
                    let what = format!("{} never ended", self.delivery.id);
                    problems.found("I1", input, what);
                }
                return;
            };
            walked.insert(&outcome.place);
            self.step += 1;
            self.one(outcome, problems);
            if outcome.kind.is_end() {
                return;
            }
            input = &outcome.place;
        }
    }

    fn one(&mut self, outcome: &Outcome<'_>, problems: &mut Vec<Problem>) {
        let place = outcome.place.as_str();
        if outcome.step != self.step {
            let what = format!("is step {}, must be {}", outcome.step, self.step);
            problems.found("O11", place, what);
        }
        self.same(outcome, problems);
        let next = self.made + 1;
        let (said, number) = match &outcome.kind {
            Kind::Retry {
                reason, attempts, ..
            } if reason == "failed" => (Some((*attempts, next)), Some(next)),
            Kind::Retry { attempts, .. } => (Some((*attempts, self.made)), None),
            Kind::DeadLetter { attempts, .. } if outcome.number().is_some() => {
                (Some((*attempts, next)), Some(next))
            }
            Kind::DeadLetter { attempts, .. } => (Some((*attempts, self.made)), None),
            Kind::Succeeded => (None, Some(next)),
            Kind::Cancelled | Kind::Discarded => (None, None),
        };
        if outcome.number() != number {
            let what = format!("tells of attempt {:?}, not {number:?}", outcome.number());
            problems.found("O12", place, what);
        }
        if let Some((said, is)) = said.filter(|(said, is)| said != is) {
            problems.found("O12", place, format!("counts {said} attempts, not {is}"));
        }
        self.made += u64::from(number.is_some());
    }

    /// Each outcome says the same of its delivery.
    fn same(&self, outcome: &Outcome<'_>, problems: &mut Vec<Problem>) {
        let Delivery {
            id,
            endpoint,
            acceptance,
            accepted_at,
            event,
            event_type,
            tenant,
            ..
        } = self.delivery;
        let json = &outcome.json;
        let record = outcome.record;
        let has_payload = json.pointer("/subject").is_none();
        let of_event = if has_payload {
            ["ce_id", "ce_type", "tenant"].map(|name| header(record, name).unwrap_or_default())
        } else {
            ["/subject/event", "/subject/event_type", "/subject/tenant"].map(|at| text(json, at))
        };
        let is_same = outcome.delivery == *id
            && outcome.endpoint() == *endpoint
            && text(json, "/delivery/acceptance") == acceptance
            && time(json, "/delivery/accepted_at") == Some(*accepted_at)
            && of_event == [*event, *event_type, *tenant];
        if !is_same {
            problems.found("O1", &outcome.place, format!("is not as {id} was accepted"));
        }
        if has_payload && payload(record) != self.delivery.payload {
            let what = "has another payload than its event";
            problems.found("I3", &outcome.place, what);
        }
        if let Kind::Retry { reason, .. } = &outcome.kind {
            let in_a_row = count(json, "/put_off").unwrap_or_default();
            if reason == "failed" && in_a_row != 0 {
                problems.found("O12", &outcome.place, "failed, and was put off");
            }
        }
    }
}
