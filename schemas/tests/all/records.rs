//! Any record of any topic.

use crate::any::{
    addressed, at, attempt, bytes, delivery, endpoint, envelope, event_id, fence, idempotency_key,
    key_id, link, moment, number, ordering_key, position, priority, replay_id, routes, subject,
    tenant, text, tier,
};
use crate::progress::{circuit_state, progress};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use schemas::accepted::{Accepted, CopiedFrom, RoutedFrom};
use schemas::actor::Actor;
use schemas::attempts::{
    Answer, Answered, AttemptsRecord, Cancelled, Circuit, Discarded, HeadFailed, Start, Starts,
    Succeeded,
};
use schemas::dead_letter::{DeadLetter, DeadLetterReason, DeadLetterRecord, End};
use schemas::inbox::{Door, HttpDoor, InboxEvent};
use schemas::record::Record;
use schemas::request::{Ask, ReplayAsk, Request};
use schemas::retry::{Retry, RetryRecord, Wait, WaitReason};
use schemas::routed::{Repeated, Routed, RoutesFound, Unreadable};
use schemas::topics::Topic;

fn copied_from() -> BoxedStrategy<CopiedFrom> {
    (replay_id(), position())
        .prop_map(|(replay, position)| CopiedFrom { replay, position })
        .boxed()
}

fn accepted() -> BoxedStrategy<Record> {
    let routed = (any::<u32>(), number(), moment()).prop_map(|(partition, offset, accepted_at)| {
        RoutedFrom {
            partition,
            offset,
            accepted_at,
        }
    });
    (
        addressed(),
        option::of(routed),
        number(),
        option::of(moment()),
        option::of(copied_from()),
    )
        .prop_map(|(addressed, routed, control, deliver_after, copied_from)| {
            Accepted {
                addressed,
                routed,
                control,
                deliver_after,
                copied_from,
            }
            .into()
        })
        .boxed()
}

fn http() -> BoxedStrategy<Door> {
    (
        tenant(),
        event_id(),
        routes(),
        number(),
        option::of(moment()),
        option::of(copied_from()),
    )
        .prop_map(
            |(tenant, id, routes, control, deliver_after, copied_from)| {
                Door::Http(HttpDoor {
                    tenant,
                    id,
                    routes,
                    control,
                    idempotency_window: None,
                    deliver_after,
                    copied_from,
                })
            },
        )
        .boxed()
}

fn inbox() -> BoxedStrategy<Record> {
    let kafka = option::of(endpoint()).prop_map(|endpoint| Door::Kafka { endpoint });
    let keys = (
        option::of(idempotency_key()),
        option::of(ordering_key()),
        priority(),
    );
    (prop_oneof![http(), kafka], envelope(), keys, bytes())
        .prop_map(
            |(door, envelope, (idempotency_key, ordering_key, priority), payload)| {
                let event = InboxEvent {
                    door,
                    envelope,
                    idempotency_key,
                    ordering_key,
                    priority,
                    payload,
                };
                as_its_door_can_say(event).into()
            },
        )
        .boxed()
}

/// A key and its window come together; the plain form has no source and no time, and a CloudEvent always has a key.
fn as_its_door_can_say(mut event: InboxEvent) -> InboxEvent {
    if let Door::Http(http) = &mut event.door {
        http.idempotency_window = event.idempotency_key.as_ref().map(|_| http.control);
        return event;
    }
    match &event.envelope.given_id {
        Some(id) => {
            let own = || schemas::text::IdempotencyKey::of_cloud_event(&event.envelope.source, id);
            event.idempotency_key = Some(event.idempotency_key.take().unwrap_or_else(own));
        }
        None => {
            event.envelope.source = schemas::inbox::PLAIN_SOURCE.parse().unwrap();
            event.envelope.time = None;
        }
    }
    event
}

fn routed() -> BoxedStrategy<Record> {
    let found = (position(), tenant(), event_id(), routes(), number()).prop_map(
        |(origin, tenant, event, routes, control)| {
            Routed::Routes(RoutesFound {
                origin,
                tenant,
                event,
                routes,
                control,
            })
        },
    );
    let repeated = (position(), tenant(), event_id(), position(), event_id()).prop_map(
        |(origin, tenant, event, first, first_event)| Repeated {
            origin,
            tenant,
            event,
            first,
            first_event,
        },
    );
    prop_oneof![
        found,
        repeated.clone().prop_map(Routed::Duplicate),
        repeated.prop_map(Routed::Conflict),
        (position(), text())
            .prop_map(|(origin, why)| Routed::Unreadable(Unreadable { origin, why }))
    ]
    .prop_map(Record::from)
    .boxed()
}

fn retry() -> BoxedStrategy<Record> {
    let reasons = [
        WaitReason::Failed,
        WaitReason::Hop,
        WaitReason::PutOff,
        WaitReason::Deferred,
    ]
    .to_vec();
    let why = (
        select(reasons),
        any::<u32>(),
        any::<u32>(),
        option::of(attempt()),
    );
    let wait = (link(), delivery(), tier(), at(), why).prop_map(
        |(link, delivery, tier, due_at, (reason, attempts, put_off, attempt))| Wait {
            link,
            delivery,
            tier,
            due_at,
            reason,
            attempts,
            put_off,
            attempt,
        },
    );
    let retry = (addressed(), wait)
        .prop_map(|(addressed, wait)| RetryRecord::Retry(Retry { addressed, wait }));
    prop_oneof![fence().prop_map(RetryRecord::Fence), retry]
        .prop_map(Record::from)
        .boxed()
}

fn dead_letter() -> BoxedStrategy<Record> {
    let reasons = vec![
        DeadLetterReason::AttemptsExhausted,
        DeadLetterReason::PermanentFailure,
        DeadLetterReason::Gone,
        DeadLetterReason::EndpointDeleted,
        DeadLetterReason::EndpointDisabled,
        DeadLetterReason::Expired,
    ];
    let end = (
        link(),
        delivery(),
        select(reasons),
        any::<u32>(),
        option::of(attempt()),
    )
        .prop_map(|(link, delivery, reason, attempts, attempt)| End {
            link,
            delivery,
            reason,
            attempts,
            attempt,
        });
    let letter = (addressed(), end)
        .prop_map(|(addressed, end)| DeadLetterRecord::DeadLetter(DeadLetter { addressed, end }));
    prop_oneof![fence().prop_map(DeadLetterRecord::Fence), letter]
        .prop_map(Record::from)
        .boxed()
}

fn outcome() -> BoxedStrategy<AttemptsRecord> {
    let common = || (link(), subject(), delivery());
    let succeeded = (common(), attempt()).prop_map(|((link, subject, delivery), attempt)| {
        AttemptsRecord::Succeeded(Succeeded {
            link,
            subject,
            delivery,
            attempt,
        })
    });
    let cancelled = (common(), any::<u32>()).prop_map(|((link, subject, delivery), attempts)| {
        AttemptsRecord::Cancelled(Cancelled {
            link,
            subject,
            delivery,
            attempts,
        })
    });
    let discarded = common().prop_map(|(link, subject, delivery)| {
        AttemptsRecord::Discarded(Discarded {
            link,
            subject,
            delivery,
        })
    });
    let head_failed = (common(), attempt(), ordering_key(), at()).prop_map(
        |((link, subject, delivery), attempt, ordering_key, due_at)| {
            AttemptsRecord::HeadFailed(HeadFailed {
                link,
                subject,
                delivery,
                attempt,
                ordering_key,
                due_at,
            })
        },
    );
    prop_oneof![succeeded, cancelled, discarded, head_failed].boxed()
}

fn note() -> BoxedStrategy<AttemptsRecord> {
    let answers = select(vec![Answer::Done, Answer::Ended, Answer::Moved]);
    let answered = (position(), number(), tenant(), endpoint(), answers).prop_map(
        |(request, epoch, tenant, endpoint, answer)| {
            AttemptsRecord::Answered(Answered {
                request,
                epoch,
                tenant,
                endpoint,
                answer,
            })
        },
    );
    let circuit = (
        number(),
        tenant(),
        endpoint(),
        circuit_state(),
        option::of(at()),
    )
        .prop_map(|(epoch, tenant, endpoint, state, probe_at)| {
            AttemptsRecord::Circuit(Circuit {
                epoch,
                tenant,
                endpoint,
                state,
                probe_at,
            })
        });
    let start =
        (delivery(), position(), any::<u32>()).prop_map(|(delivery, origin, number)| Start {
            delivery: delivery.id,
            origin,
            number,
        });
    let starts = (number(), at(), vec(start, 0..4)).prop_map(|(epoch, started_at, starts)| {
        AttemptsRecord::Starts(Starts {
            epoch,
            started_at,
            starts,
        })
    });
    prop_oneof![
        answered,
        circuit,
        starts,
        fence().prop_map(AttemptsRecord::Fence)
    ]
    .boxed()
}

fn request() -> BoxedStrategy<Record> {
    let by = prop_oneof![
        Just(Actor::Local),
        Just(Actor::Dispatcher),
        key_id().prop_map(Actor::Key)
    ];
    let ask = (tenant(), position(), delivery(), endpoint(), by, text()).prop_map(
        |(tenant, target, delivery, endpoint, by, request_id)| Ask {
            tenant,
            endpoint,
            target,
            delivery: delivery.id,
            by,
            request_id,
        },
    );
    let replay = (ask.clone(), replay_id()).prop_map(|(ask, run)| ReplayAsk { ask, run });
    prop_oneof![
        ask.clone().prop_map(Request::Cancel),
        ask.clone().prop_map(Request::RetryNow),
        ask.clone().prop_map(Request::Discard),
        ask.prop_map(Request::LetGoOn),
        replay.prop_map(Request::Replay),
    ]
    .prop_map(Record::from)
    .boxed()
}

pub(crate) fn log_record() -> BoxedStrategy<(Topic, Record)> {
    let attempts = prop_oneof![outcome(), note()].prop_map(Record::from);
    prop_oneof![
        accepted(),
        inbox(),
        routed(),
        retry(),
        attempts,
        dead_letter(),
        request(),
        progress(),
        crate::control::fact(),
        crate::control::quarantined(),
    ]
    .prop_map(|record| (topic_of(&record), record))
    .boxed()
}

fn topic_of(record: &Record) -> Topic {
    match record {
        Record::Inbox(_) => Topic::Inbox,
        Record::Routed(_) => Topic::Routed,
        Record::Events(_) => Topic::Events,
        Record::Retry(_) => Topic::Retry(schemas::topics::LADDER[0]),
        Record::Attempts(_) => Topic::Attempts,
        Record::DeadLetters(_) => Topic::DeadLetters,
        Record::Requests(_) => Topic::Requests,
        Record::Progress(_) => Topic::Progress,
        Record::Control(_) => Topic::Control,
        Record::Quarantine(_) => Topic::Quarantine,
    }
}
