//! Any value of each type that records are made of.

use bytes::Bytes;
use domain::time::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use schemas::attempt::{Attempt, AttemptError, AttemptResult, ErrorClass};
use schemas::delivery::{Delivery, Link, Subject};
use schemas::event::{Addressed, Envelope, Extension, Priority};
use schemas::fence::Fence;
use schemas::ids::{EndpointId, EventId, KeyId, ReplayId};
use schemas::inbox::{Route, Routes};
use schemas::origin::{Acceptance, Position, Run};
use schemas::scalar::{At, Blob, Gaps, JsonText, Number, Sealed};
use schemas::text::{EventTime, EventType, GivenId, IdempotencyKey, OrderingKey, Source, TenantId};
use schemas::topics::{Tier, Topic};

/// Any text, with what is awkward in headers and in JSON among it.
pub(crate) fn text() -> BoxedStrategy<String> {
    prop_oneof![
        any::<String>(),
        Just("\0".to_owned()),
        Just("\"\\\u{2028}".to_owned())
    ]
    .boxed()
}

fn some_text() -> BoxedStrategy<String> {
    text().prop_map(|text| format!("x{text}")).boxed()
}

fn checked<T: std::str::FromStr + std::fmt::Debug>(
    text: impl Strategy<Value = String>,
) -> impl Strategy<Value = T> {
    text.prop_filter_map("breaks the type's rule", |text| text.parse().ok())
}

pub(crate) fn bytes() -> BoxedStrategy<Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from).boxed()
}

/// Any 64 bits, and those around 2^53 and the ends more often.
pub(crate) fn number() -> BoxedStrategy<u64> {
    prop_oneof![
        any::<u64>(),
        select(vec![0, 1 << 53, (1 << 53) + 1, u64::MAX])
    ]
    .boxed()
}

pub(crate) fn moment() -> BoxedStrategy<Timestamp> {
    prop_oneof![any::<i64>(), select(vec![i64::MIN, -1, 0, i64::MAX])]
        .prop_map(Timestamp::from_millis)
        .boxed()
}

pub(crate) fn at() -> BoxedStrategy<At> {
    moment().prop_map(At).boxed()
}

pub(crate) fn endpoint() -> BoxedStrategy<EndpointId> {
    (moment(), any::<u128>())
        .prop_map(|(at, random)| EndpointId::new(at, random))
        .boxed()
}

pub(crate) fn replay_id() -> BoxedStrategy<ReplayId> {
    (moment(), any::<u128>())
        .prop_map(|(at, random)| ReplayId::new(at, random))
        .boxed()
}

pub(crate) fn key_id() -> BoxedStrategy<KeyId> {
    (moment(), any::<u128>())
        .prop_map(|(at, random)| KeyId::new(at, random))
        .boxed()
}

pub(crate) fn event_id() -> BoxedStrategy<EventId> {
    let generated = (moment(), any::<u128>()).prop_map(|(at, random)| EventId::new(at, random));
    prop_oneof![generated, checked("[A-Za-z0-9_-]{1,255}")].boxed()
}

pub(crate) fn tenant() -> BoxedStrategy<TenantId> {
    checked("[A-Za-z0-9_-]{1,64}").boxed()
}

pub(crate) fn event_type() -> BoxedStrategy<EventType> {
    checked("[A-Za-z0-9._/-]{1,128}").boxed()
}

pub(crate) fn ordering_key() -> BoxedStrategy<OrderingKey> {
    checked(some_text()).boxed()
}

pub(crate) fn idempotency_key() -> BoxedStrategy<IdempotencyKey> {
    checked(some_text()).boxed()
}

pub(crate) fn given_id() -> BoxedStrategy<GivenId> {
    checked(some_text()).boxed()
}

pub(crate) fn priority() -> BoxedStrategy<Priority> {
    select(vec![Priority::Low, Priority::Normal, Priority::High]).boxed()
}

pub(crate) fn tier() -> BoxedStrategy<Tier> {
    prop_oneof![
        1_u32..,
        (1..=4_294_967_u32).prop_map(|seconds| seconds * 1_000)
    ]
    .prop_filter_map("zero", Tier::from_millis)
    .boxed()
}

pub(crate) fn topic() -> BoxedStrategy<Topic> {
    prop_oneof![select(Topic::all()), tier().prop_map(Topic::Retry)].boxed()
}

pub(crate) fn position() -> BoxedStrategy<Position> {
    (topic(), any::<u32>(), number())
        .prop_map(|(topic, partition, offset)| Position {
            topic,
            partition,
            offset,
        })
        .boxed()
}

fn acceptance() -> BoxedStrategy<Acceptance> {
    (any::<bool>(), any::<u32>(), number())
        .prop_map(|(inbox, partition, offset)| match inbox {
            true => Acceptance::inbox(partition, offset),
            false => Acceptance::events(partition, offset),
        })
        .boxed()
}

pub(crate) fn run() -> BoxedStrategy<Run> {
    prop_oneof![Just(Run::First), replay_id().prop_map(Run::Replay)].boxed()
}

fn extension() -> BoxedStrategy<Extension> {
    ("[a-z0-9]{1,64}", text())
        .prop_filter_map("read by the protocol", |(name, value)| {
            Extension::new(&name, value.into()).ok()
        })
        .boxed()
}

fn extensions() -> BoxedStrategy<Vec<Extension>> {
    vec(extension(), 0..4)
        .prop_filter("each name once", |all| {
            let names: std::collections::BTreeSet<_> = all.iter().map(Extension::name).collect();
            names.len() == all.len()
        })
        .boxed()
}

fn event_time() -> BoxedStrategy<EventTime> {
    let given =
        "[0-9]{4}-0[1-9]-1[0-9][Tt][01][0-9]:[0-5][0-9]:60(\\.[0-9]{1,9})?(z|[+-]2[0-3]:00)";
    prop_oneof![moment().prop_map(EventTime::new), checked(given)].boxed()
}

pub(crate) fn envelope() -> BoxedStrategy<Envelope> {
    let source = checked::<Source>(some_text());
    let trace = "00-[0-9a-f]{31}1-[0-9a-f]{15}1-[0-9a-f]{2}";
    let first = (event_type(), source, option::of(event_time()));
    let second = (
        option::of(checked("[a-z]{1,10}/[ -~]{1,10}")),
        option::of(checked(trace)),
        option::of(checked("[ -~]{1,512}")),
        option::of(checked("[^,\\x00-\\x1f]{1,9}(,[^,\\x00-\\x1f]{1,9}){0,9}")),
        option::of(given_id()),
        extensions(),
    );
    (first, second)
        .prop_map(|((event_type, source, time), rest)| {
            let (content_type, trace_parent, trace_state, tags, given_id, extensions) = rest;
            Envelope {
                event_type,
                source,
                time,
                content_type,
                trace_parent,
                trace_state,
                tags,
                given_id,
                extensions,
            }
        })
        .boxed()
}

pub(crate) fn addressed() -> BoxedStrategy<Addressed> {
    let way = (endpoint(), tenant(), option::of(ordering_key()), priority());
    (way, event_id(), envelope(), bytes())
        .prop_map(
            |((endpoint, tenant, ordering_key, priority), id, envelope, payload)| Addressed {
                endpoint,
                tenant,
                id,
                envelope,
                ordering_key,
                priority,
                payload,
            },
        )
        .boxed()
}

pub(crate) fn routes() -> BoxedStrategy<Routes> {
    btree_map(endpoint(), (any::<u32>(), option::of(ordering_key())), 0..4)
        .prop_map(|routes| {
            let route = |(endpoint, (partition, ordering_key))| Route {
                endpoint,
                partition,
                ordering_key,
            };
            routes
                .into_iter()
                .map(route)
                .collect::<Vec<_>>()
                .try_into()
                .unwrap()
        })
        .boxed()
}

pub(crate) fn link() -> BoxedStrategy<Link> {
    (position(), option::of(position()), any::<u32>(), number())
        .prop_map(|(origin, request, step, epoch)| Link {
            origin,
            request,
            step,
            epoch,
        })
        .boxed()
}

pub(crate) fn delivery() -> BoxedStrategy<Delivery> {
    (acceptance(), moment(), endpoint(), run())
        .prop_map(|(acceptance, at, endpoint, run)| Delivery::new(acceptance, at, endpoint, run))
        .boxed()
}

pub(crate) fn subject() -> BoxedStrategy<Subject> {
    (tenant(), endpoint(), event_id(), event_type())
        .prop_map(|(tenant, endpoint, event, event_type)| Subject {
            tenant,
            endpoint,
            event,
            event_type,
        })
        .boxed()
}

fn error() -> BoxedStrategy<AttemptError> {
    let classes = vec![
        ErrorClass::Dns,
        ErrorClass::ForbiddenAddress,
        ErrorClass::Connect,
        ErrorClass::Tls,
        ErrorClass::Timeout,
        ErrorClass::Reset,
        ErrorClass::Protocol,
        ErrorClass::Status,
    ];
    (select(classes), text())
        .prop_map(|(class, message)| AttemptError { class, message })
        .boxed()
}

pub(crate) fn attempt() -> BoxedStrategy<Attempt> {
    let results = vec![
        AttemptResult::Succeeded,
        AttemptResult::Failed,
        AttemptResult::Unknown,
    ];
    let what = (
        any::<u32>(),
        at(),
        number(),
        select(results),
        option::of(any::<u16>()),
    );
    let more = (
        option::of(error()),
        vec((text(), text()), 0..3),
        option::of(bytes().prop_map(Blob)),
        vec(text(), 0..3),
        option::of(text()),
    );
    (what, more)
        .prop_map(
            |((number, started_at, duration_us, result, status), more)| {
                let (error, headers, body, keys, address) = more;
                Attempt {
                    number,
                    started_at,
                    duration_us,
                    result,
                    status,
                    error,
                    headers,
                    body,
                    keys,
                    address,
                }
            },
        )
        .boxed()
}

pub(crate) fn fence() -> BoxedStrategy<Fence> {
    (option::of(number()), text())
        .prop_map(|(epoch, owner)| Fence { epoch, owner })
        .boxed()
}

pub(crate) fn sealed() -> BoxedStrategy<Sealed> {
    bytes().prop_map(Sealed).boxed()
}

pub(crate) fn gaps() -> BoxedStrategy<Gaps> {
    proptest::collection::btree_set(1..=u64::MAX, 0..9)
        .prop_map(|offsets| Gaps::of(0, &offsets.into_iter().collect::<Vec<_>>()).unwrap())
        .boxed()
}

pub(crate) fn json_text() -> BoxedStrategy<JsonText> {
    text()
        .prop_map(|text| {
            let json = format!("[1e400, {}]", serde_json::Value::String(text));
            json.try_into().unwrap()
        })
        .boxed()
}

pub(crate) fn finite() -> BoxedStrategy<Number> {
    any::<f64>()
        .prop_filter_map("not finite", |number| number.try_into().ok())
        .boxed()
}
