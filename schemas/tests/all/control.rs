//! Any fact of `control`, any record of `quarantine`.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use schemas::actor::Actor;
use schemas::control::{
    Algorithm, Change, CircuitSettings, DisabledReason, Endpoint, EndpointChange, EndpointState,
    EventTypeFact, Fact, Key, OnDeadLetter, Ordering, Replay, ReplayState, RetryOn, RetrySettings,
    Schedule, Scope, Secret, Signing,
};
use schemas::error::{Malformed, Place, Problem};
use schemas::quarantine::Quarantined;
use schemas::record::Record;
use schemas::{Header, Parts};

use crate::any::{
    at, bytes, endpoint, event_type, finite, json_text, key_id, number, position, replay_id,
    sealed, tenant, text,
};

fn change() -> BoxedStrategy<Change> {
    let by = prop_oneof![Just(Actor::Local), key_id().prop_map(Actor::Key)];
    (tenant(), option::of(number()), by, option::of(text()))
        .prop_map(|(tenant, replaces, by, request_id)| Change {
            tenant,
            replaces,
            by,
            request_id,
        })
        .boxed()
}

fn schedule() -> BoxedStrategy<Schedule> {
    let geometric = (finite(), finite(), finite(), any::<u32>()).prop_map(
        |(initial, factor, max, max_attempts)| Schedule::Geometric {
            initial,
            factor,
            max,
            max_attempts,
        },
    );
    prop_oneof![vec(number(), 0..12).prop_map(Schedule::Seconds), geometric].boxed()
}

fn changes() -> BoxedStrategy<EndpointChange> {
    select(vec![
        EndpointChange::Created,
        EndpointChange::Updated,
        EndpointChange::Deleted,
        EndpointChange::Paused,
        EndpointChange::Resumed,
        EndpointChange::Disabled,
        EndpointChange::Enabled,
        EndpointChange::SecretRotated,
        EndpointChange::SecretRead,
        EndpointChange::CircuitReset,
    ])
    .boxed()
}

fn reasons() -> BoxedStrategy<DisabledReason> {
    select(vec![
        DisabledReason::Operator,
        DisabledReason::Gone,
        DisabledReason::Failing,
    ])
    .boxed()
}

fn secret() -> BoxedStrategy<Secret> {
    (text(), sealed(), option::of(at()))
        .prop_map(|(id, sealed, until)| Secret { id, sealed, until })
        .boxed()
}

fn retry() -> BoxedStrategy<RetrySettings> {
    (
        schedule(),
        finite(),
        select(vec![RetryOn::Transient, RetryOn::AnyFailure]),
    )
        .prop_map(|(schedule, jitter, retry_on)| RetrySettings {
            schedule,
            jitter,
            retry_on,
        })
        .boxed()
}

fn circuit() -> BoxedStrategy<CircuitSettings> {
    any::<(u32, u32, u32)>()
        .prop_map(|(failures, window_seconds, open_seconds)| CircuitSettings {
            failures,
            window_seconds,
            open_seconds,
        })
        .boxed()
}

fn full_endpoint() -> BoxedStrategy<Endpoint> {
    let states = vec![
        EndpointState::Active,
        EndpointState::Disabled,
        EndpointState::Deleted,
    ];
    let state = (
        change(),
        changes(),
        select(states),
        option::of(reasons()),
        any::<bool>(),
    );
    let identity = (
        endpoint(),
        any::<[u32; 5]>(),
        at(),
        option::of(text()),
        text(),
    );
    let order = (
        vec(text(), 0..3),
        option::of(json_text()),
        select(vec![Ordering::None, Ordering::Ordered, Ordering::Strict]),
        option::of(text()),
        select(vec![OnDeadLetter::Continue, OnDeadLetter::Block]),
    );
    let sending = (option::of(any::<u32>()), retry(), option::of(circuit()));
    let signing = (
        select(vec![Signing::Standard, Signing::Stripe, Signing::Both]),
        select(vec![Algorithm::HmacSha256, Algorithm::Ed25519]),
        vec(secret(), 0..3),
        btree_map(text(), sealed(), 0..3),
        btree_map(text(), text(), 0..3),
    );
    (state, identity, order, sending, signing)
        .prop_map(|(state, identity, order, sending, signing)| {
            let (change, did, state, disabled_reason, paused) = state;
            let (id, numbers, created_at, name, url) = identity;
            let (event_types, filter, ordering, ordering_key, on_dead_letter) = order;
            let (rate_limit, retry, circuit) = sending;
            let (signing, algorithm, secrets, custom_headers, metadata) = signing;
            let [
                partition,
                circuit_resets,
                max_in_flight,
                timeout_seconds,
                connect,
            ] = numbers;
            Endpoint {
                change,
                did,
                id,
                partition,
                created_at,
                state,
                disabled_reason,
                paused,
                circuit_resets,
                name,
                url,
                event_types,
                filter,
                ordering,
                ordering_key,
                on_dead_letter,
                max_in_flight,
                rate_limit,
                timeout_seconds,
                connect_timeout_seconds: connect,
                retry,
                circuit,
                signing,
                algorithm,
                secrets,
                custom_headers,
                metadata,
            }
        })
        .boxed()
}

fn event_type_fact() -> BoxedStrategy<Fact> {
    let more = (
        option::of(text()),
        option::of(json_text()),
        option::of(json_text()),
    );
    (change(), event_type(), any::<bool>(), more)
        .prop_map(|(change, name, deleted, (description, schema, example))| {
            Fact::EventType(EventTypeFact {
                change,
                name,
                deleted,
                description,
                schema,
                example,
            })
        })
        .boxed()
}

fn key() -> BoxedStrategy<Fact> {
    let scopes = vec(select(vec![Scope::Ingest, Scope::Read, Scope::Admin]), 0..3);
    (
        change(),
        key_id(),
        option::of(text()),
        text(),
        scopes,
        at(),
        any::<bool>(),
    )
        .prop_map(|(change, id, name, sha256, scopes, created_at, revoked)| {
            Fact::Key(Key {
                change,
                id,
                name,
                sha256,
                scopes,
                created_at,
                revoked,
            })
        })
        .boxed()
}

fn replay() -> BoxedStrategy<Fact> {
    let states = vec![
        ReplayState::Running,
        ReplayState::Paused,
        ReplayState::Cancelled,
    ];
    let what = (change(), replay_id(), select(states), at(), at());
    let of = (
        option::of(endpoint()),
        option::of(event_type()),
        any::<(bool, bool)>(),
        option::of(json_text()),
        option::of(endpoint()),
        option::of(any::<u32>()),
    );
    (what, of)
        .prop_map(|((change, id, state, from, to), of)| {
            let (endpoint, event_type, flags, filter, target_endpoint, rate_limit) = of;
            let (dead_lettered, dry_run) = flags;
            Fact::Replay(Replay {
                change,
                id,
                state,
                from,
                to,
                endpoint,
                event_type,
                dead_lettered,
                filter,
                target_endpoint,
                rate_limit,
                dry_run,
            })
        })
        .boxed()
}

pub(crate) fn fact() -> BoxedStrategy<Record> {
    let endpoint = full_endpoint().prop_map(|endpoint| Fact::Endpoint(endpoint.into()));
    prop_oneof![endpoint, event_type_fact(), key(), replay()]
        .prop_map(Record::from)
        .boxed()
}

/// Parts of any size around the bounds of what is kept.
fn foreign() -> BoxedStrategy<Parts> {
    let piece = || {
        prop_oneof![
            bytes(),
            (4_000..4_200_usize).prop_map(|n| vec![7; n].into())
        ]
    };
    let header = (text(), option::of(piece())).prop_map(|(name, value)| Header {
        name: name.into(),
        value,
    });
    (option::of(piece()), vec(header, 0..50), option::of(piece()))
        .prop_map(|(key, headers, value)| Parts {
            key,
            headers,
            value,
        })
        .boxed()
}

pub(crate) fn quarantined() -> BoxedStrategy<Record> {
    (foreign(), position(), at(), 0..5_000_usize)
        .prop_map(|(parts, origin, at, max)| {
            let why = Malformed {
                at: Place::Record,
                problem: Problem::NoKnownForm,
            };
            Quarantined::of(&parts, origin, at, &why, max).into()
        })
        .boxed()
}
