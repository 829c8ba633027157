//! The searches: the model within several bounds, and one variant for each rule.

use super::properties::{
    CHEATED, EARLY, ENDS_TWICE, FORK, HALF_REQUEST, LOST, NEEDLESS, ONE_OUTCOME, ORDER, REPEATED,
    RESUMES, STUCK, USELESS,
};
use super::{Bounds, Owner, Rule};
use crate::harness::{Case, explore, explore_for};

/// One delivery with two attempts.
const CHAIN: Bounds = Bounds {
    deliveries: 1,
    attempts: 2,
    interruptions: 1,
    checkpoints: 1,
    full: 0,
    calm: false,
    last_tick: 3,
    starts: false,
    slow_acks: true,
    slow_commits: false,
    stopped_clock: false,
    ingest: false,
};

/// Two interruptions, a failed attempt and what follows.
const TWICE: Bounds = Bounds {
    interruptions: 2,
    checkpoints: 0,
    slow_acks: false,
    ..CHAIN
};
/// Two interruptions and a checkpoint.
const TWICE_KEPT: Bounds = Bounds {
    checkpoints: 1,
    attempts: 1,
    last_tick: 1,
    ..TWICE
};
/// Two deliveries, two crashes and a checkpoint.
const CRASHES: Bounds = Bounds {
    deliveries: 2,
    calm: true,
    last_tick: 0,
    ..TWICE_KEPT
};
/// Two deliveries.
const PAIR: Bounds = Bounds {
    deliveries: 2,
    attempts: 1,
    last_tick: 1,
    slow_acks: false,
    ..CHAIN
};
const STARTS: Bounds = Bounds {
    starts: true,
    checkpoints: 0,
    ..CHAIN
};
const FULL: Bounds = Bounds {
    full: 1,
    slow_acks: false,
    ..CHAIN
};
/// Two interruptions, and a lease that says nothing.
const STOPPED: Bounds = Bounds {
    stopped_clock: true,
    attempts: 1,
    last_tick: 1,
    ..TWICE
};
const LEASES: Bounds = Bounds {
    slow_commits: true,
    slow_acks: false,
    checkpoints: 0,
    ..CHAIN
};
const REQUEST: Bounds = Bounds {
    ingest: true,
    checkpoints: 0,
    ..PAIR
};

macro_rules! whole {
    ($name:literal, $bounds:expr) => {
        Case {
            name: concat!("owner: ", $name),
            rule: None,
            refutes: None,
            run: || {
                explore(Owner {
                    bounds: $bounds,
                    without: None,
                })
            },
        }
    };
}

macro_rules! without {
    ($number:literal, $name:literal, $rule:ident, $bounds:expr, $refutes:expr) => {
        Case {
            name: concat!("owner without ", $number, ": ", $name),
            rule: Some($number),
            refutes: Some($refutes),
            run: || {
                explore_for(
                    Owner {
                        bounds: $bounds,
                        without: Some(Rule::$rule),
                    },
                    $refutes,
                )
            },
        }
    };
}

/// Every search of this model.
#[rustfmt::skip]
pub fn cases() -> Vec<Case> {
    vec![
        whole!("a chain of retries, one interruption", CHAIN),
        whole!("a chain of retries, a full lane", FULL),
        whole!("two deliveries", PAIR),
        whole!("starts noted", STARTS),
        whole!("slow answers to commits", LEASES),
        whole!("a request for two endpoints", REQUEST),
        whole!("two interruptions, a clock that stands still", STOPPED),
        whole!("two deliveries, two crashes", CRASHES),
        whole!("two interruptions, a checkpoint", TWICE_KEPT),
        whole!("a chain of retries, two interruptions", TWICE),
        without!("W1", "a request is two appends", OneAppend, REQUEST, HALF_REQUEST),
        without!("W2", "a later append lands after a failed one", PrefixWriter, PAIR, LOST),
        without!("W3", "the API writes an end", SoleWriter, CHAIN, ENDS_TWICE),
        without!("W4", "offsets are used again", DurableEnd, CHAIN, FORK),
        without!("O1", "a failure is two appends", OneOutcome, CHAIN, LOST),
        without!("O2", "done before durable", DurableThenDone, CHAIN, LOST),
        without!("O3a", "appended again in the same epoch", EndEpoch, CHAIN, ONE_OUTCOME),
        without!("O3b", "appended again without reading", ReadAgain, CHAIN, ONE_OUTCOME),
        without!("O3c", "requests on the wire forgotten", KeepWire, PAIR, REPEATED),
        without!("O3d", "old epoch on outcomes", NewEpochOnWire, PAIR, LOST),
        without!("O4a", "progress fenced last", ProgressFirst, CHAIN, LOST),
        without!("O4b", "only progress fenced", FenceAll, CHAIN, ONE_OUTCOME),
        without!("O4c", "epoch chosen before the fence", EpochIsOffset, STOPPED, ONE_OUTCOME),
        without!("O5a", "every record counts", IgnoreLower, CHAIN, ONE_OUTCOME),
        without!("O5b", "resumes without the epoch", EpochWithPosition, CHAIN, RESUMES),
        without!("O6", "goes on at a higher epoch", StopAtHigher, TWICE_KEPT, STUCK),
        without!("O7a", "no lease", Lease, CHAIN, NEEDLESS),
        without!("O7b", "lease from the answer", LeaseFromSending, LEASES, NEEDLESS),
        without!("O7c", "fences without a lease", FenceUnderLease, TWICE, USELESS),
        without!("O8", "outputs not read", ReadOutputs, CHAIN, ONE_OUTCOME),
        without!("O9a", "lanes after the partition", PartitionLast, PAIR, LOST),
        without!("O9b", "undone below not written", UndoneBelow, PAIR, LOST),
        without!("O9c", "outputs read from their end", OldestOutcome, PAIR, ONE_OUTCOME),
        without!("O9d", "the log's end", AcknowledgedEnd, CHAIN, ONE_OUTCOME),
        without!("O9e", "positions without epochs", EpochAsOfPosition, TWICE_KEPT, LOST),
        without!("O9f", "the present epoch beside a position", EpochBelowPosition, CRASHES, ONE_OUTCOME),
        without!("O9g", "a checkpoint without a look at progress", LookFirst, TWICE_KEPT, LOST),
        without!("O10a", "a start spends its number", StartSpendsNothing, STARTS, CHEATED),
        without!("O10b", "a started attempt is not repeated", SentAgain, STARTS, LOST),
        without!("O11", "the last read wins", HighestStep, CHAIN, ORDER),
        without!("O12", "putting off spends an attempt", PutOffSpendsNothing, CHAIN, CHEATED),
        without!("O13", "due by its own clock", LogTime, CHAIN, EARLY),
        without!("O14", "own retries not confirmed", Confirm, FULL, FORK),
    ]
}
