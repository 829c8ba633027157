//! What happens in a world, all of it drawn from one seed before anything begins.

mod draw;

use std::time::Duration;

use eventlog_port::memory::Faults;

use crate::world::links::{Failing, Link};
use crate::world::receivers::Behaviour;

pub use draw::draw;

/// A world to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Partitions of `events` and all that go with it.
    pub partitions: u32,
    /// Partitions of `inbox`.
    pub inbox_partitions: u32,
    /// Processes.
    pub nodes: usize,
    /// Endpoints.
    pub endpoints: Vec<EndpointPlan>,
    /// How many events clients mean to send.
    pub events: u32,
    /// For how long they do that.
    pub sending: Duration,
    /// How many events in a hundred carry an idempotency key.
    pub keyed: u64,
    /// How many events in a hundred go to one endpoint by its id.
    pub addressed: u64,
    /// How long the same key means the same event.
    pub window: Duration,
    /// What goes wrong with appends.
    pub faults: Faults,
    /// What goes wrong with other calls.
    pub failing: Failing,
    /// How many notes of a lane the index of what waits has room for.
    pub index_room: usize,
    /// A lane of a checkpoint, a read, a lane's bytes: small, so that what is rare is common.
    pub is_tight: bool,
    /// The most requests on the wire in one process.
    pub in_flight: usize,
    /// What happens, and when, ascending.
    pub troubles: Vec<(Duration, Trouble)>,
    /// When everything that can heal is healed.
    pub heal_at: Duration,
}

/// An endpoint to be.
#[derive(Clone, Debug)]
pub struct EndpointPlan {
    /// How its receiver behaves.
    pub behaviour: Behaviour,
    /// Whether it behaves well once all is healed.
    pub heals: bool,
    /// What it subscribes to.
    pub types: Vec<&'static str>,
    /// Waits between attempts, in seconds.
    pub schedule: Vec<u64>,
    /// Jitter, in hundredths.
    pub jitter: u8,
    /// Whether every failure is tried again.
    pub any_failure: bool,
    /// Failures that open its circuit, and for how many seconds.
    pub circuit: Option<(u32, u32)>,
    /// The most requests at once.
    pub max_in_flight: u32,
    /// The limit of an attempt, in seconds.
    pub timeout: u32,
}

/// Something that goes wrong, or is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A process ends at once, and comes back after that long.
    Crash(usize, Duration),
    /// A process ends after so many more steps, and comes back after that long.
    Fuse(usize, u64, Duration),
    /// A process ends as it is asked to, and comes back after that long.
    Leave(usize, Duration),
    /// A process can't use these links for that long.
    Cut(usize, Vec<Link>, Duration),
    /// A process's wall clock is set that many milliseconds off.
    Clock(usize, i64),
    /// A receiver behaves otherwise.
    Behave(usize, Behaviour),
    /// An endpoint is changed.
    Change(usize, Change),
}

/// What is changed of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has another URL from now on, where a good receiver is.
    Url,
    /// Its deliveries are held.
    Pause,
    /// They are not held any more.
    Resume,
    /// It is disabled.
    Disable,
    /// It is enabled.
    Enable,
    /// It is deleted.
    Delete,
    /// It subscribes to everything.
    Types,
}
