//! Any record of `progress`.

use crate::any::{at, endpoint, fence, gaps, number, ordering_key, priority, run, topic};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use schemas::attempts::CircuitState;
use schemas::lane::{Head, Health, Lane, LaneId, LaneReleased};
use schemas::progress::{Checkpoint, Input, Origins, Output, ProgressRecord, RouterOrigin};
use schemas::record::Record;

pub(crate) fn circuit_state() -> BoxedStrategy<CircuitState> {
    select(vec![
        CircuitState::Closed,
        CircuitState::Open,
        CircuitState::HalfOpen,
    ])
    .boxed()
}

fn lane_id() -> BoxedStrategy<LaneId> {
    (
        endpoint(),
        option::of(priority()),
        option::of(ordering_key()),
        run(),
    )
        .prop_map(|(endpoint, priority, ordering_key, run)| LaneId {
            endpoint,
            priority,
            ordering_key,
            run,
        })
        .boxed()
}

fn lane() -> BoxedStrategy<ProgressRecord> {
    let head = (number(), any::<u32>(), at()).prop_map(|(offset, attempts, due_at)| Head {
        offset,
        attempts,
        due_at,
    });
    let health = (
        circuit_state(),
        option::of(at()),
        option::of(at()),
        option::of(at()),
    )
        .prop_map(|(circuit, probe_at, slow_until, failing_since)| Health {
            circuit,
            probe_at,
            slow_until,
            failing_since,
        });
    let marks = (number(), number(), gaps());
    (marks, lane_id(), option::of(head), option::of(health))
        .prop_map(|((epoch, resume, done), lane, head, health)| {
            ProgressRecord::Lane(Lane {
                epoch,
                lane,
                resume,
                done,
                head,
                health,
            })
        })
        .boxed()
}

fn router_origins() -> BoxedStrategy<Vec<RouterOrigin>> {
    let one = (any::<u32>(), number(), endpoint()).prop_map(|(partition, offset, endpoint)| {
        RouterOrigin {
            partition,
            offset,
            endpoint,
        }
    });
    vec(one, 0..4).boxed()
}

fn checkpoint() -> BoxedStrategy<ProgressRecord> {
    let input = (
        topic(),
        number(),
        option::of(number()),
        vec((number(), number()), 0..4),
    )
        .prop_map(|(topic, below, epoch, ahead)| Input {
            topic,
            below,
            epoch,
            ahead,
        });
    let output = (topic(), number(), number()).prop_map(|(topic, from, epoch)| Output {
        topic,
        from,
        epoch,
    });
    let marks = (number(), number(), at());
    (marks, vec(input, 0..4), vec(output, 0..4), router_origins())
        .prop_map(|((epoch, set_from, log_time), inputs, outputs, origins)| {
            ProgressRecord::Checkpoint(Checkpoint {
                epoch,
                set_from,
                log_time,
                inputs,
                outputs,
                origins,
            })
        })
        .boxed()
}

pub(crate) fn progress() -> BoxedStrategy<Record> {
    let closed = (number(), lane_id())
        .prop_map(|(epoch, lane)| ProgressRecord::LaneReleased(LaneReleased { epoch, lane }));
    let origins = (number(), number(), router_origins()).prop_map(|(epoch, offset, origins)| {
        ProgressRecord::Origins(Origins {
            epoch,
            offset,
            origins,
        })
    });
    prop_oneof![
        fence().prop_map(ProgressRecord::Fence),
        lane(),
        closed,
        checkpoint(),
        origins
    ]
    .prop_map(Record::from)
    .boxed()
}
