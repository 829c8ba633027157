//! A world: processes, receivers, clients and one log, in one thread, under a clock that only runs
//! when everybody waits.

pub mod clients;
pub mod clock;
pub mod dump;
pub mod indexes;
pub mod links;
pub mod log;
pub mod node;
pub mod operator;
pub mod receivers;
pub mod run;
pub mod settle;
pub mod slot;
pub mod stores;
pub mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::Router;
use checker::history::{Answer, Became, ProcessLine, Request};
use domain::chance::Seeded;
use domain::time::Clock as _;
use eventlog_port::memory::MemoryLog;
use parking_lot::Mutex;
use projections_port::memory::{MemoryKeys, MemoryViews};
use schemas::ids::EndpointId;
use tokio_util::sync::CancellationToken;

use self::clock::LogClock;
use self::links::{Failing, Links};
use self::receivers::Receivers;
use self::slot::Slot;
use crate::plan::Plan;

/// Whose everything is.
pub const TENANT: &str = "default";

/// What secrets are sealed with.
pub const SECRET_KEY: [u8; 32] = [7; 32];

/// What one seed is drawn from apart for, so that a change in one place doesn't move all others.
#[derive(Clone, Copy, Debug)]
pub enum Draws {
    /// The log's faults.
    Log,
    /// Receivers.
    Receivers,
    /// Clients.
    Clients,
    /// Endpoints.
    Operator,
    /// A life of a process, by its number.
    Life(u64),
    /// What goes wrong on the links of a life.
    Links(u64),
}

impl Draws {
    const fn salt(self) -> u64 {
        match self {
            Self::Log => 1,
            Self::Receivers => 2,
            Self::Clients => 3,
            Self::Operator => 4,
            Self::Life(life) => (life << 8) | 5,
            Self::Links(life) => (life << 8) | 6,
        }
    }
}

/// All of it.
pub struct World {
    /// What is to happen.
    pub plan: Plan,
    /// The log's clock.
    pub clock: Arc<LogClock>,
    /// The log.
    pub log: Arc<MemoryLog>,
    /// Receivers.
    pub receivers: Arc<Receivers>,
    /// The views that all processes share.
    pub views: Arc<MemoryViews>,
    /// The keyed store that they share.
    pub keys: Arc<MemoryKeys>,
    /// Processes.
    pub slots: Vec<Slot>,
    /// Ends every process as it is asked to, for good.
    pub over: CancellationToken,
    endpoints: Mutex<Vec<EndpointId>>,
    requests: Mutex<Vec<Request>>,
    processes: Mutex<Vec<ProcessLine>>,
    lives: AtomicU64,
    is_healed: AtomicBool,
}

impl World {
    /// Chance that belongs to the seed, and to one use of it.
    #[must_use]
    pub fn chance(&self, of: Draws) -> Seeded {
        Self::chance_of(&self.plan, of)
    }

    fn chance_of(plan: &Plan, of: Draws) -> Seeded {
        // A golden ratio apart, so that near seeds and salts share nothing (Knuth's multiplicative hash).
        Seeded::new(plan.seed ^ of.salt().wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// How often calls fail now.
    #[must_use]
    pub fn plan_failing(&self) -> Failing {
        if self.is_healed.load(Ordering::SeqCst) {
            Failing::default()
        } else {
            self.plan.failing
        }
    }

    /// From now on no call fails by chance.
    pub fn heal(&self) {
        self.is_healed.store(true, Ordering::SeqCst);
    }

    /// The id of an endpoint of the plan.
    #[must_use]
    pub fn endpoint_id(&self, which: usize) -> EndpointId {
        self.endpoints.lock()[which]
    }

    /// A number for another life of some process.
    pub fn next_life(&self) -> u64 {
        self.lives.fetch_add(1, Ordering::SeqCst)
    }

    /// Doors that take events now.
    #[must_use]
    pub fn doors(&self) -> Vec<(Router, Arc<Links>)> {
        self.slots.iter().filter_map(Slot::door).collect()
    }

    /// Writes down what a client is about to send; returns the line's number.
    pub fn journal(&self, request: Request) -> usize {
        let mut requests = self.requests.lock();
        requests.push(request);
        requests.len() - 1
    }

    /// Writes down what a client was told.
    pub fn told(&self, line: usize, answer: Answer) {
        self.requests.lock()[line].answer = Some(answer);
    }

    /// Writes down what became of a process.
    pub fn became(&self, life: u64, name: &str, what: Became) {
        self.processes.lock().push(ProcessLine {
            at: self.clock.now().as_millis(),
            life,
            name: name.to_owned(),
            what,
        });
    }
}
