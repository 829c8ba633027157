//! Samples of `requests`, `routed` and `progress`.

use schemas::actor::Actor;
use schemas::attempts::CircuitState;
use schemas::event::Priority;
use schemas::ids::{EventId, KeyId};
use schemas::inbox::InboxEvent;
use schemas::lane::{Head, Health, Lane, LaneId, LaneReleased};
use schemas::origin::Run;
use schemas::progress::{Checkpoint, Input, Origins, Output, ProgressRecord, RouterOrigin};
use schemas::record::Record;
use schemas::request::{Ask, ReplayAsk, Request};
use schemas::routed::{Repeated, Routed, RoutesFound, Unreadable};
use schemas::scalar::{At, Gaps};
use schemas::topics::{LADDER, Topic};

use super::{AT, LATER, at, delivery, endpoint, event, fence, foreign, replay_id, routes, tenant};

fn ask(target: &str) -> Ask {
    Ask {
        tenant: tenant(),
        endpoint: endpoint(),
        target: at(target),
        delivery: delivery(Run::First).id,
        by: Actor::Key(KeyId::new(AT, 3)),
        request_id: "req-1".to_owned(),
    }
}

fn lane(key: Option<&str>, priority: Option<Priority>) -> LaneId {
    let ordering_key = key.map(|key| key.parse().unwrap());
    LaneId {
        endpoint: endpoint(),
        priority,
        ordering_key,
        run: Run::First,
    }
}

fn blocked_lane() -> Lane {
    Lane {
        epoch: 41,
        lane: lane(Some("customer-7"), None),
        resume: 120,
        done: Gaps::of(120, &[121, 124, 4_000]).unwrap(),
        head: Some(Head {
            offset: 130,
            attempts: 2,
            due_at: LATER,
        }),
        health: Some(Health {
            circuit: CircuitState::Open,
            probe_at: Some(LATER),
            slow_until: Some(LATER),
            failing_since: Some(At(AT)),
        }),
    }
}

fn bare_lane() -> Lane {
    Lane {
        lane: lane(None, Some(Priority::Normal)),
        done: Gaps::default(),
        head: None,
        health: None,
        ..blocked_lane()
    }
}

fn router_origin() -> RouterOrigin {
    RouterOrigin {
        partition: 5,
        offset: u64::MAX,
        endpoint: endpoint(),
    }
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        epoch: 41,
        set_from: 55,
        log_time: At(AT),
        inputs: vec![
            Input {
                topic: Topic::Events,
                below: 4_000,
                epoch: None,
                ahead: vec![(4_002, 4_009), (4_020, 4_020)],
            },
            Input {
                topic: Topic::Retry(LADDER[0]),
                below: 0,
                epoch: Some(41),
                ahead: Vec::new(),
            },
        ],
        outputs: vec![Output {
            topic: Topic::Attempts,
            from: 3_990,
            epoch: 41,
        }],
        origins: vec![router_origin()],
    }
}

pub(super) fn requests_and_routed() -> Vec<(&'static str, Topic, Record)> {
    let replay = ReplayAsk {
        ask: ask("events/3/120"),
        run: replay_id(),
    };
    let repeated = Repeated {
        origin: at("inbox/5/80"),
        tenant: tenant(),
        event: EventId::of_inbox(5, 80, AT),
        first: at("inbox/5/78"),
        first_event: event(),
    };
    let found = RoutesFound {
        origin: at("inbox/5/80"),
        tenant: tenant(),
        event: EventId::of_inbox(5, 80, AT),
        routes: routes().try_into().unwrap(),
        control: 12,
    };
    let why = InboxEvent::decode(&foreign()).unwrap_err().to_string();
    let unreadable = Unreadable {
        origin: at("inbox/5/77"),
        why,
    };
    let request = |name, request: Request| (name, Topic::Requests, Record::from(request));
    let routed = |name, routed: Routed| (name, Topic::Routed, Record::from(routed));
    vec![
        request("requests-cancel", Request::Cancel(ask("retry.16s/3/9"))),
        request(
            "requests-retry-now",
            Request::RetryNow(ask("retry.16s/3/9")),
        ),
        request("requests-replay", Request::Replay(replay)),
        request(
            "requests-discard",
            Request::Discard(ask("dead-letters/3/8")),
        ),
        request(
            "requests-let-go-on",
            Request::LetGoOn(ask("dead-letters/3/8")),
        ),
        routed("routed-routes", Routed::Routes(found)),
        routed("routed-duplicate", Routed::Duplicate(repeated.clone())),
        routed("routed-conflict", Routed::Conflict(repeated)),
        routed("routed-unreadable", Routed::Unreadable(unreadable)),
    ]
}

pub(super) fn progress() -> Vec<(&'static str, Topic, Record)> {
    let closed = LaneReleased {
        epoch: 41,
        lane: lane(None, None),
    };
    let origins = Origins {
        epoch: 41,
        offset: 100_000,
        origins: vec![router_origin()],
    };
    let sample = |name, record: ProgressRecord| (name, Topic::Progress, Record::from(record));
    vec![
        sample("progress-fence", ProgressRecord::Fence(fence(None))),
        sample("progress-lane", ProgressRecord::Lane(bare_lane())),
        sample(
            "progress-lane-blocked",
            ProgressRecord::Lane(blocked_lane()),
        ),
        sample(
            "progress-lane-released",
            ProgressRecord::LaneReleased(closed),
        ),
        sample(
            "progress-checkpoint",
            ProgressRecord::Checkpoint(checkpoint()),
        ),
        sample("progress-origins", ProgressRecord::Origins(origins)),
    ]
}
