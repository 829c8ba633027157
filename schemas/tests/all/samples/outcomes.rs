//! Samples of `attempts`, `retry.<tier>` and `dead-letters`.

use bytes::Bytes;
use schemas::attempt::{Attempt, AttemptError, AttemptResult, ErrorClass};
use schemas::attempts::{
    Answer, Answered, AttemptsRecord, Cancelled, Circuit, CircuitState, Discarded, HeadFailed,
    Start, Starts, Succeeded,
};
use schemas::dead_letter::{DeadLetter, DeadLetterReason, DeadLetterRecord, End};
use schemas::delivery::{Link, Subject};
use schemas::event::Addressed;
use schemas::origin::Run;
use schemas::record::Record;
use schemas::retry::{Retry, RetryRecord, Wait, WaitReason};
use schemas::scalar::{At, Blob};
use schemas::topics::{LADDER, Topic};

use super::{AT, LATER, at, bare, delivery, endpoint, fence, full, replay_id, tenant};

fn link(origin: &str) -> Link {
    Link {
        origin: at(origin),
        request: None,
        step: 1,
        epoch: 41,
    }
}

fn asked(origin: &str) -> Link {
    Link {
        request: Some(at("requests/3/6")),
        step: 2,
        ..link(origin)
    }
}

fn subject() -> Subject {
    let Addressed {
        endpoint,
        tenant,
        id,
        envelope,
        ..
    } = bare();
    Subject {
        tenant,
        endpoint,
        event: id,
        event_type: envelope.event_type,
    }
}

fn succeeded() -> Attempt {
    Attempt {
        number: 1,
        started_at: At(AT),
        duration_us: 48_211,
        result: AttemptResult::Succeeded,
        status: Some(204),
        error: None,
        headers: Vec::new(),
        body: None,
        keys: Vec::new(),
        address: Some("192.0.2.7:443".to_owned()),
    }
}

fn failed() -> Attempt {
    Attempt {
        number: 2,
        result: AttemptResult::Failed,
        status: Some(503),
        error: Some(AttemptError {
            class: ErrorClass::Status,
            message: "try \"later\"\0".to_owned(),
        }),
        headers: vec![("retry-after".to_owned(), "5".to_owned())],
        body: Some(Blob(Bytes::from_static(b"\xffbusy"))),
        keys: vec!["k1".to_owned(), "k2".to_owned()],
        ..succeeded()
    }
}

fn timed_out() -> Attempt {
    Attempt {
        status: None,
        error: Some(AttemptError {
            class: ErrorClass::Timeout,
            message: "no answer".to_owned(),
        }),
        body: Some(Blob(Bytes::from_static("grün".as_bytes()))),
        address: None,
        ..failed()
    }
}

fn wait(reason: WaitReason, attempt: Option<Attempt>) -> RetryRecord {
    let addressed = if attempt.is_some() { full() } else { bare() };
    let wait = Wait {
        link: link("events/3/120"),
        delivery: delivery(Run::First),
        tier: LADDER[2],
        due_at: LATER,
        reason,
        attempts: u32::from(attempt.is_some()),
        put_off: u32::from(reason == WaitReason::PutOff),
        attempt,
    };
    RetryRecord::Retry(Retry { addressed, wait })
}

fn dead_letter(reason: DeadLetterReason, attempt: Option<Attempt>) -> DeadLetterRecord {
    let end = End {
        link: link("retry.65536s/3/9"),
        delivery: delivery(Run::Replay(replay_id())),
        reason,
        attempts: 10,
        attempt,
    };
    DeadLetterRecord::DeadLetter(DeadLetter {
        addressed: full(),
        end,
    })
}

pub(super) fn attempts() -> Vec<(&'static str, Topic, Record)> {
    let delivery = delivery(Run::First);
    let (subject, link) = (subject(), link("events/3/120"));
    let starts = vec![Start {
        delivery: delivery.id,
        origin: link.origin,
        number: 1,
    }];
    let sample = |name, record: AttemptsRecord| (name, Topic::Attempts, Record::from(record));
    vec![
        sample("attempts-fence", AttemptsRecord::Fence(fence(Some(41)))),
        sample(
            "attempts-succeeded",
            AttemptsRecord::Succeeded(Succeeded {
                link,
                subject: subject.clone(),
                delivery: delivery.clone(),
                attempt: succeeded(),
            }),
        ),
        sample(
            "attempts-cancelled",
            AttemptsRecord::Cancelled(Cancelled {
                link: asked("retry.16s/3/9"),
                subject: subject.clone(),
                delivery: delivery.clone(),
                attempts: 1,
            }),
        ),
        sample(
            "attempts-discarded",
            AttemptsRecord::Discarded(Discarded {
                link: asked("dead-letters/3/8"),
                subject: subject.clone(),
                delivery: delivery.clone(),
            }),
        ),
        sample(
            "attempts-answered",
            AttemptsRecord::Answered(Answered {
                request: at("requests/3/6"),
                epoch: 41,
                tenant: tenant(),
                endpoint: endpoint(),
                answer: Answer::Moved,
            }),
        ),
        sample(
            "attempts-head-failed",
            AttemptsRecord::HeadFailed(HeadFailed {
                link,
                subject,
                delivery,
                attempt: timed_out(),
                ordering_key: "customer-7".parse().unwrap(),
                due_at: LATER,
            }),
        ),
        sample(
            "attempts-circuit",
            AttemptsRecord::Circuit(Circuit {
                epoch: 41,
                tenant: tenant(),
                endpoint: endpoint(),
                state: CircuitState::Open,
                probe_at: Some(LATER),
            }),
        ),
        sample(
            "attempts-starts",
            AttemptsRecord::Starts(Starts {
                epoch: 41,
                started_at: At(AT),
                starts,
            }),
        ),
    ]
}

pub(super) fn waiting_and_dead() -> Vec<(&'static str, Topic, Record)> {
    let tier = Topic::Retry(LADDER[2]);
    let letters = Topic::DeadLetters;
    let exhausted = dead_letter(DeadLetterReason::AttemptsExhausted, Some(timed_out()));
    let expired = dead_letter(DeadLetterReason::Expired, None);
    vec![
        (
            "retry-fence",
            tier,
            RetryRecord::Fence(fence(Some(41))).into(),
        ),
        (
            "retry-failed",
            tier,
            wait(WaitReason::Failed, Some(failed())).into(),
        ),
        ("retry-put-off", tier, wait(WaitReason::PutOff, None).into()),
        (
            "dead-letters-fence",
            letters,
            DeadLetterRecord::Fence(fence(Some(41))).into(),
        ),
        ("dead-letters-exhausted", letters, exhausted.into()),
        ("dead-letters-expired", letters, expired.into()),
    ]
}
