//! From a seed to a history.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use checker::history::History;
use checker::{Limits, Problem};
use eventlog_port::EventLog;
use eventlog_port::memory::{Faults, MemoryLog};
use parking_lot::Mutex;
use projections_port::memory::{MemoryKeys, MemoryViews};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::clock::LogClock;
use super::operator::Operator;
use super::receivers::{Behaviour, Receivers};
use super::settle::Rest;
use super::slot::{self, Slot};
use super::{Draws, World, clients, dump, topics};
use crate::plan::{Change, Plan, Trouble};

/// How long a healed world may take until everything has ended (I10), in virtual time: the longest
/// schedule, an open circuit, a session, and two of the longest waits of what was put off (17 minutes).
const SETTLES_WITHIN: Duration = Duration::from_secs(2_400);

/// How long processes may take to end when asked.
const DRAINS_WITHIN: Duration = Duration::from_secs(60);

/// How long after the last end the world goes on, for checkpoints and views.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// What became of a seed.
pub struct Ran {
    /// What was to happen.
    pub plan: Plan,
    /// What happened.
    pub history: History,
    /// What should not have.
    pub problems: Vec<Problem>,
    /// How long it took in virtual time.
    pub lasted: Duration,
    /// Why lives ended that were not to.
    pub ended: Vec<String>,
}

/// Runs the world of `plan`.
///
/// # Errors
/// When a runtime can't be had.
pub fn run(plan: Plan) -> std::io::Result<Ran> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    Ok(runtime.block_on(live(plan)))
}

async fn live(plan: Plan) -> Ran {
    let begun = Instant::now();
    let (world, operator, mut tasks) = begin(plan).await;
    world.log.set_faults(world.plan.faults.clone());
    let mut processes = JoinSet::new();
    for which in 0..world.slots.len() {
        processes.spawn(slot::keep(Arc::clone(&world), which));
    }
    let mut asking = JoinSet::new();
    asking.spawn(clients::run(Arc::clone(&world)));
    tasks.spawn(troubles(Arc::clone(&world), Arc::clone(&operator), begun));
    sleep_until(begun + world.plan.heal_at).await;
    heal(&world, &operator).await;
    let mut problems = settle(&world, &mut asking).await;
    world.over.cancel();
    let drained = async { while processes.join_next().await.is_some() {} };
    if timeout(DRAINS_WITHIN, drained).await.is_err() {
        problems.push(problem("a process has not ended when it was asked to"));
    }
    let history = history(&world).await;
    problems.extend(checker::check(&history, &limits(&world.plan)));
    Ran {
        plan: world.plan.clone(),
        history,
        problems,
        lasted: begun.elapsed(),
        ended: world.slots.iter().flat_map(Slot::ended).collect(),
    }
}

fn limits(plan: &Plan) -> Limits {
    Limits {
        in_flight: plan.in_flight,
        ..Limits::default()
    }
}

fn problem(what: impl Into<String>) -> Problem {
    Problem {
        rule: "I10",
        about: "the world".to_owned(),
        what: what.into(),
    }
}

/// The log, its topics and the endpoints, before anything goes wrong.
async fn begin(plan: Plan) -> (Arc<World>, Arc<Operator>, JoinSet<()>) {
    let clock = LogClock::new();
    let mut world = World {
        log: Arc::new(MemoryLog::new(
            Arc::<LogClock>::clone(&clock),
            Box::new(World::chance_of(&plan, Draws::Log)),
        )),
        receivers: Arc::new(Receivers::new(
            Arc::clone(&clock),
            World::chance_of(&plan, Draws::Receivers),
        )),
        views: Arc::new(MemoryViews::new()),
        keys: Arc::new(MemoryKeys::new()),
        slots: (0..plan.nodes).map(|n| Slot::new(n, &clock)).collect(),
        over: CancellationToken::new(),
        endpoints: Mutex::default(),
        requests: Mutex::default(),
        processes: Mutex::default(),
        lives: AtomicU64::new(1),
        is_healed: AtomicBool::new(false),
        clock,
        plan,
    };
    let log: Arc<dyn EventLog> = Arc::<MemoryLog>::clone(&world.log);
    let specs = topics::specs(&world.plan);
    log.ensure(&specs)
        .await
        .expect("topics that can be asked for");
    let (control, follower) = control::follow::follow(Arc::clone(&log));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let _until_the_end = follower.run(CancellationToken::new()).await;
    });
    let (clock, receivers) = (Arc::clone(&world.clock), Arc::clone(&world.receivers));
    let operator = Arc::new(Operator::new(log, control, clock, receivers));
    let mut chance = world.chance(Draws::Operator);
    for (number, endpoint) in world.plan.endpoints.iter().enumerate() {
        let partition = u32::try_from(number).unwrap_or(0) % world.plan.partitions;
        let id = operator
            .make(number, endpoint, partition, &mut chance)
            .await;
        world.endpoints.get_mut().push(id);
    }
    (Arc::new(world), operator, tasks)
}

/// Lets what was planned go wrong, in its time.
async fn troubles(world: Arc<World>, operator: Arc<Operator>, begun: Instant) {
    let mut lasting = JoinSet::new();
    for (at, trouble) in world.plan.troubles.clone() {
        sleep_until(begun + at).await;
        match trouble {
            Trouble::Crash(node, away) => {
                world.slots[node].set_away(away);
                world.slots[node].life().inspect(|life| life.links.kill());
            }
            Trouble::Fuse(node, steps, away) => {
                world.slots[node].set_away(away);
                let life = world.slots[node].life();
                life.inspect(|life| life.links.set_fuse(Some(steps)));
            }
            Trouble::Leave(node, away) => {
                world.slots[node].set_away(away);
                world.slots[node]
                    .life()
                    .inspect(|life| life.shutdown.cancel());
            }
            Trouble::Cut(node, links, time) => {
                lasting.spawn(slot::cut(Arc::clone(&world), node, links, time));
            }
            Trouble::Clock(node, off) => world.slots[node].clock.jump(off),
            Trouble::Behave(which, behaviour) => {
                world
                    .receivers
                    .behave(&format!("https://r{which}.example/"), &behaviour);
            }
            Trouble::Change(which, change) => {
                let (operator, id) = (Arc::clone(&operator), world.endpoint_id(which));
                lasting.spawn(async move { operator.change(&id, change).await });
            }
        }
    }
    while lasting.join_next().await.is_some() {}
}

/// Everything that can heal is healed.
async fn heal(world: &World, operator: &Operator) {
    world.heal();
    world.log.set_faults(Faults {
        latency: world.plan.faults.latency,
        ..Faults::default()
    });
    for slot in &world.slots {
        slot.set_away(Duration::ZERO);
        if let Some(life) = slot.life() {
            life.links.set_fuse(None);
            slot::mend(world, slot, &life);
            life.links.set_failing(world.plan_failing());
        }
    }
    // A change that was made a moment ago has landed by then, and is not the last word.
    sleep(Duration::from_secs(1)).await;
    for (number, endpoint) in world.plan.endpoints.iter().enumerate() {
        let front = format!("https://r{number}.example/");
        // Behind an open circuit, or while it asks for time, nothing is spent, and so nothing ends.
        let never_ends = endpoint.circuit.is_some() || world.receivers.is_busy(&front);
        if endpoint.heals || never_ends {
            world.receivers.behave(&front, &Behaviour::Good(20));
        }
        let id = world.endpoint_id(number);
        operator.change(&id, Change::Resume).await;
    }
}

/// Waits until clients have their answers and everything has ended.
async fn settle(world: &Arc<World>, asking: &mut JoinSet<()>) -> Vec<Problem> {
    let healed = Instant::now();
    let mut rest = Rest::default();
    let asked = async { while asking.join_next().await.is_some() {} };
    if timeout(SETTLES_WITHIN, asked).await.is_err() {
        return vec![problem("a client waits for ever")];
    }
    loop {
        let open = rest.open(&*world.log).await;
        if healed.elapsed() > SETTLES_WITHIN {
            let what = format!("is not at rest: {open} deliveries have not ended");
            return vec![problem(what)];
        }
        if open == 0 {
            sleep(AFTERWARDS).await;
            let history = history(world).await;
            let found = checker::check(&history, &limits(&world.plan));
            // What was fenced out looked like an end, or views have yet to be taken over from the dead.
            let is_early = |p: &Problem| p.rule == "I7" || p.what.ends_with("never ended");
            if !found.iter().any(is_early) {
                return Vec::new();
            }
        }
        sleep(Duration::from_secs(1)).await;
    }
}

async fn history(world: &World) -> History {
    let partitions = dump::log(&*world.log).await;
    let views = dump::views("live", &*world.views).await;
    let views = vec![views.expect("what is in memory can be read")];
    History {
        partitions,
        requests: world.requests.lock().clone(),
        arrivals: world.receivers.journal(),
        processes: world.processes.lock().clone(),
        views,
        ..History::default()
    }
}
