//! Each damage to a good history is found, by the rule that it breaks.

use checker::history::*;
use checker::{Limits, check};
use serde_json::{Value, json};

use crate::good::{B, history, ids};

fn problems(damage: impl FnOnce(&mut History)) -> Vec<Problem> {
    let mut damaged = history();
    damage(&mut damaged);
    check(&damaged, &Limits::default())
}

#[track_caller]
fn breaks(rule: &str, damage: impl FnOnce(&mut History)) {
    let found = problems(damage);
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(
        found.iter().any(|problem| problem.rule == rule),
        "{rule}: {said:#?}"
    );
}

fn records<'h>(history: &'h mut History, topic: &str, partition: u32) -> &'h mut Vec<Record> {
    history
        .partitions
        .get_mut(&(topic.to_owned(), partition))
        .unwrap()
}

/// Changes the JSON of a record, wherever it is.
fn edit(
    history: &mut History,
    topic: &str,
    partition: u32,
    offset: usize,
    f: impl FnOnce(&mut Value),
) {
    let record = &mut records(history, topic, partition)[offset];
    let beside = record
        .headers
        .iter_mut()
        .find(|(name, _)| name == "postrider");
    let bytes = beside.map_or(&mut record.value, |(_, value)| value);
    let mut json = serde_json::from_slice(bytes.as_deref().unwrap()).unwrap();
    f(&mut json);
    *bytes = Some(json.to_string().into_bytes());
}

#[test]
fn a_good_history_has_no_problem() {
    let found = problems(|_| ());
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn a_delivery_dropped() {
    breaks("I1", |h| drop(h.arrivals.remove(1)));
    breaks("I1", |h| drop(records(h, "attempts", 0).pop()));
    breaks("I1", |h| drop(records(h, "dead-letters", 1).pop()));
    breaks("I1", |h| records(h, "events", 1).clear());
}

#[test]
fn a_delivery_doubled() {
    breaks("I3", |h| {
        let again = h.arrivals[1].clone();
        h.arrivals.insert(2, again);
    });
    // A takeover that repeats what the same process knew of.
    breaks("I3", |h| h.arrivals[0].life = Some(2));
    let few = Limits {
        in_flight: 0,
        ..Limits::default()
    };
    let found = check(&history(), &few);
    assert!(
        found
            .iter()
            .any(|problem| problem.what.starts_with("repeated")),
        "{found:?}"
    );
    breaks("O1", |h| {
        let again = records(h, "attempts", 0)[3].clone();
        records(h, "attempts", 0).push(Record { offset: 6, ..again });
    });
    breaks("R2", |h| {
        let again = records(h, "events", 0)[0].clone();
        records(h, "events", 0).push(Record { offset: 0, ..again });
    });
}

#[test]
fn two_deliveries_swapped() {
    breaks("I3", |h| {
        let (a, b) = (h.arrivals[1].body.clone(), h.arrivals[2].body.clone());
        (h.arrivals[1].body, h.arrivals[2].body) = (b, a);
    });
    breaks("I6", |h| {
        let (a, b) = (h.arrivals[2].url.clone(), h.arrivals[3].url.clone());
        (h.arrivals[2].url, h.arrivals[3].url) = (b, a);
    });
}

#[test]
fn a_byte_corrupted() {
    breaks("I3", |h| h.arrivals[3].body[5] ^= 1);
    breaks("I3", |h| {
        records(h, "retry.4s", 0)[2].value.as_mut().unwrap()[5] ^= 1
    });
    breaks("I3", |h| {
        records(h, "events", 1)[0].value.as_mut().unwrap()[5] ^= 1
    });
    breaks("I3", |h| h.arrivals[3].headers[0].1.push('x'));
}

#[test]
fn an_attempt_too_early() {
    breaks("I6", |h| h.arrivals[4].at = 5_059);
    breaks("I1", |h| {
        edit(h, "retry.4s", 0, 2, |json| json["due_at"] = json!(3_000))
    });
    breaks("I6", |h| h.arrivals[3].at = 14);
}

#[test]
fn an_attempt_after_its_end() {
    breaks("I6", |h| h.arrivals[3].at = 63);
    // After the outcome of that very attempt, while the next is to come.
    breaks("I6", |h| h.arrivals[2].at = 61);
}

#[test]
fn a_url_that_is_no_longer_the_endpoints() {
    breaks("I6", |h| h.arrivals[3].url = "https://old".to_owned());
    breaks("I6", |h| {
        let mut fact = records(h, "control", 0)[1].clone();
        fact.offset = 2;
        fact.appended_at = 1;
        records(h, "control", 0).push(fact);
        edit(h, "control", 0, 2, |json| {
            json["change"]["replaces"] = json!(1);
            json["paused"] = json!(true);
        });
        h.arrivals[3].at = 1_062;
        records(h, "dead-letters", 1)[1].appended_at = 1_063;
    });
}

#[test]
fn a_row_lost_or_changed() {
    breaks("I7", |h| drop(h.views[0].deliveries.pop()));
    breaks("I7", |h| drop(h.views[0].events.pop()));
    breaks("I7", |h| {
        h.views[0].deliveries[0].state = "retrying".to_owned()
    });
    breaks("I7", |h| h.views[0].deliveries[1].step = 1);
    breaks("I7", |h| drop(h.views[0].deliveries[1].attempts.remove(0)));
    breaks("I7", |h| {
        let again = h.views[0].deliveries[0].clone();
        h.views[0].deliveries.push(again);
    });
    breaks("I7", |h| {
        h.views[0].events[2].ending = Ending::Routed(Vec::new())
    });
    breaks("I7", |h| h.views[0].minutes[0].failed += 1);
    breaks("I7", |h| h.views[0].totals.get_mut(B).unwrap().pending += 1);
    breaks("I7", |h| h.views[0].undelivered.duplicate = 0);
}

#[test]
fn a_202_lost() {
    breaks("I1", |h| {
        records(h, "events", 0).retain(|record| record.offset != 0)
    });
    breaks("I1", |h| {
        let answer = h.requests[0].answer.as_mut().unwrap();
        answer.body = String::from_utf8(answer.body.clone())
            .unwrap()
            .replace("\"offset\":0", "\"offset\":9")
            .into_bytes();
    });
    breaks("I1", |h| {
        let answer = h.requests[2].answer.as_mut().unwrap();
        answer.body = String::from_utf8(answer.body.clone())
            .unwrap()
            .replace(&ids().spread_b, "dlv_")
            .into_bytes();
    });
}

#[test]
fn a_refused_event_delivered() {
    breaks("I2", |h| {
        h.requests[0].answer.as_mut().unwrap().status = 400
    });
    breaks("I2", |h| drop(h.requests.remove(0)));
    breaks("I2", |h| {
        h.arrivals[1].headers[1].1 = "dlv_strange".to_owned()
    });
}

#[test]
fn an_event_that_goes_elsewhere() {
    breaks("I1", |h| h.requests[0].endpoint = Some(B.to_owned()));
    breaks("I1", |h| {
        edit(h, "control", 0, 1, |json| {
            json["event_types"] = json!(["order"])
        })
    });
}

#[test]
fn a_start_of_nothing() {
    breaks("O10", |h| {
        edit(h, "attempts", 0, 1, |json| {
            json["starts"][0]["number"] = json!(2)
        })
    });
    breaks("O10", |h| {
        edit(h, "attempts", 0, 1, |json| {
            json["starts"][0]["delivery"] = json!("dlv_x")
        })
    });
}

#[test]
fn a_chain_that_forks_or_miscounts() {
    breaks("O1", |h| {
        edit(h, "attempts", 0, 5, |json| {
            json["link"]["origin"] = json!("retry.4s/0/7")
        })
    });
    breaks("O11", |h| {
        edit(h, "attempts", 0, 5, |json| json["link"]["step"] = json!(1))
    });
    breaks("O12", |h| {
        edit(h, "attempts", 0, 5, |json| {
            json["attempt"]["number"] = json!(3)
        })
    });
    breaks("O1", |h| {
        edit(h, "attempts", 0, 5, |json| {
            json["delivery"]["accepted_at"] = json!(12)
        })
    });
    breaks("I1", |h| {
        edit(h, "dead-letters", 1, 1, |json| {
            json["reason"] = json!("attempts_exhausted")
        })
    });
}

#[test]
fn a_repeat_that_was_not_told_or_no_repeat() {
    breaks("I1", |h| records(h, "routed", 0).clear());
    breaks("I1", |h| records(h, "inbox", 0)[1].appended_at = 1_011);
    breaks("I1", |h| {
        records(h, "inbox", 0)[1].value = Some(b"{\"n\":9}".to_vec())
    });
}

#[test]
fn an_epoch_of_no_fence() {
    breaks("O4", |h| {
        edit(h, "attempts", 0, 3, |json| json["link"]["epoch"] = json!(7))
    });
    breaks("O4", |h| {
        edit(h, "progress", 0, 1, |json| json["epoch"] = json!(1))
    });
}

#[test]
fn a_checkpoint_that_calls_undone_done() {
    breaks("O9", |h| {
        edit(h, "progress", 0, 1, |json| {
            json["inputs"][0]["below"] = json!(1)
        })
    });
}
