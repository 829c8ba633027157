//! A view equals the fold of the log, from whatever offset and in whatever order it was built (I7).
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs,
    reason = "a failed case panics"
)]

mod silence;
mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::chance::{Chance, Seeded};
use domain::time::Timestamp;
use eventlog_port::EventLog;
use projections::{Config, Deps, VerifyError, fill, rebuild, verify};
use projections_embedded::Store;
use projections_port::memory::MemoryViews;
use projections_port::{
    Batch, DeliveryChange, DeliveryState, Order, PageRequest, Row, Selection, ViewWriter,
};
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use schemas::ids::DeliveryId;
use schemas::topics::Topic;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use silence::Silence;
use world::World;

/// Projections in a task: dropped, they are a process that was killed.
fn start(world: &World, views: &Arc<dyn ViewWriter>) -> JoinSet<()> {
    start_on(Arc::clone(&world.log), world, views)
}

/// The role, with `log` between it and the world's.
fn start_on(log: Arc<dyn EventLog>, world: &World, views: &Arc<dyn ViewWriter>) -> JoinSet<()> {
    let deps = Deps {
        log,
        views: Arc::clone(views),
        clock: world.clock(),
        registry: &mut Registry::default(),
    };
    let role = projections::build(Config::default(), deps);
    let mut running = JoinSet::new();
    running.spawn(async move { role.run(CancellationToken::new()).await.unwrap() });
    running
}

async fn pass(world: &World, views: &Arc<dyn ViewWriter>) {
    let ends = world.ends().await;
    let minute = Duration::from_secs(60);
    let passed = tokio::time::timeout(minute, views.passed(&ends)).await;
    passed.expect("views come to the end").unwrap();
}

/// Where rows are kept, and what a kill leaves of them.
trait Kept {
    fn views(&self) -> Arc<dyn ViewWriter>;

    /// The process that keeps them is killed.
    fn kill(&mut self) {}
}

#[derive(Default)]
struct InMemory(Arc<MemoryViews>);

impl Kept for InMemory {
    fn views(&self) -> Arc<dyn ViewWriter> {
        Arc::<MemoryViews>::clone(&self.0)
    }
}

/// On disk. A kill leaves what the engine had handed to the system: a copy of the folder, which is
/// opened in its place.
struct OnDisk {
    folder: TempDir,
    kills: u32,
    store: Store,
}

impl OnDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Self::config(&folder, 0)).unwrap();
        Self {
            folder,
            kills: 0,
            store,
        }
    }

    fn path(folder: &TempDir, kills: u32) -> PathBuf {
        folder.path().join(format!("views-{kills}"))
    }

    fn config(folder: &TempDir, kills: u32) -> projections_embedded::Config {
        projections_embedded::Config::new(Self::path(folder, kills))
    }
}

impl Kept for OnDisk {
    fn views(&self) -> Arc<dyn ViewWriter> {
        self.store.views()
    }

    fn kill(&mut self) {
        let from = Self::path(&self.folder, self.kills);
        self.kills += 1;
        copy(&from, &Self::path(&self.folder, self.kills));
        self.store.close();
        self.store = Store::open(&Self::config(&self.folder, self.kills)).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

async fn in_memory(seed: u64, steps: usize) -> (World, Arc<dyn ViewWriter>) {
    let mut kept = InMemory::default();
    let world = interleaved(seed, steps, &mut kept).await;
    (world, kept.views())
}

/// Steps of the world, while projections are started, killed and left alone by chance.
async fn interleaved(seed: u64, steps: usize, kept: &mut dyn Kept) -> World {
    let mut world = World::new(seed).await;
    let mut chance = Seeded::new(seed ^ 0xfeed);
    let mut running: Option<JoinSet<()>> = None;
    for _ in 0..steps {
        world.step().await;
        match chance.below(12) {
            0 => running = Some(start(&world, &kept.views())),
            1 => {
                end(running.take()).await;
                kept.kill();
            }
            2..5 => {
                let a_while = Duration::from_micros(chance.below(60_000));
                tokio::time::sleep(a_while).await;
            }
            _ => {}
        }
    }
    end(running).await;
    let running = start(&world, &kept.views());
    pass(&world, &kept.views()).await;
    end(Some(running)).await;
    world
}

async fn end(running: Option<JoinSet<()>>) {
    if let Some(mut running) = running {
        running.shutdown().await;
    }
}

/// Every row as the log says, by another way through it.
async fn differences(world: &World, views: &Arc<dyn ViewWriter>) -> Vec<String> {
    let scratch: Arc<dyn ViewWriter> = Arc::new(MemoryViews::new());
    let mut told = Vec::new();
    let report = verify(&world.log, views, &scratch, |difference| {
        told.push(format!("{difference:?}"));
    })
    .await
    .unwrap();
    assert_eq!(
        (report.passed_over, told.len() as u64),
        (0, report.differences)
    );
    told
}

/// What was folded is what happened.
async fn check_truth(world: &World, views: &Arc<dyn ViewWriter>) {
    let truth = &world.truth;
    let mut deliveries = truth.deliveries.clone();
    let mut minutes = truth.minutes.clone();
    for row in views.dump(None, usize::MAX).await.unwrap() {
        match row {
            Row::Delivery(row) => {
                let outcomes = row.attempts.iter().filter(|row| row.has_outcome).count();
                let found = (row.endpoint, row.state.name(), outcomes);
                assert_eq!(deliveries.remove(&row.id), Some(found), "{row:?}");
            }
            Row::Minute(endpoint, minute, row) => {
                let found = [row.succeeded, row.failed, row.delivered, row.dead_lettered];
                let expected = minutes.remove(&(endpoint, minute));
                assert_eq!(expected, Some(found), "{endpoint} {minute}");
            }
            Row::Event(_) | Row::Endpoint(..) | Row::Accounting(..) | Row::Undelivered(..) => {}
        }
    }
    assert!(deliveries.is_empty(), "not in the views: {deliveries:?}");
    assert!(minutes.is_empty(), "not in the views: {minutes:?}");
    let (counts, nowhere) = views.totals().await.unwrap();
    assert_eq!(counts.unaccounted(), 0);
    assert_eq!(counts.deliveries, truth.deliveries.len() as u64);
    let in_state = |name| {
        truth
            .deliveries
            .values()
            .filter(|row| row.1 == name)
            .count() as u64
    };
    assert_eq!(counts.pending, in_state("pending"));
    assert_eq!(counts.retrying, in_state("retrying"));
    assert_eq!(counts.delivered, in_state("delivered"));
    assert_eq!(counts.dead_lettered, in_state("dead_lettered"));
    assert_eq!(counts.discarded, in_state("discarded"));
    assert_eq!(counts.cancelled, in_state("cancelled"));
    let nowhere = [nowhere.no_route, nowhere.duplicate, nowhere.conflict];
    assert_eq!(nowhere, truth.nowhere);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Killed and started at any moment, with records of every topic in any order meanwhile.
    #[test]
    fn killed_and_started_at_any_moment(seed in any::<u64>(), steps in 1_usize..250) {
        runtime().block_on(async {
            let (world, views) = in_memory(seed, steps).await;
            check_truth(&world, &views).await;
            prop_assert_eq!(differences(&world, &views).await, Vec::<String>::new());
            Ok(())
        })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    /// The same on disk, where a kill takes what was not handed to the system.
    #[test]
    fn killed_on_disk(seed in any::<u64>(), steps in 50_usize..150) {
        runtime().block_on(async {
            let mut kept = OnDisk::new();
            let world = interleaved(seed, steps, &mut kept).await;
            check_truth(&world, &kept.views()).await;
            prop_assert_eq!(differences(&world, &kept.views()).await, Vec::<String>::new());
            Ok(())
        })?;
    }
}

/// Though nothing is written, and nothing comes to be folded.
#[tokio::test(start_paused = true)]
async fn what_is_folded_is_taken_over_first() {
    let world = World::new(5).await;
    let memory = Arc::new(MemoryViews::new());
    let views: Arc<dyn ViewWriter> = Arc::<MemoryViews>::clone(&memory);
    let running = start(&world, &views);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let owned = (0..world::OWNED).map(|partition| (Topic::Events, partition));
    let inbox = (0..world::INBOXES).map(|partition| (Topic::Inbox, partition));
    assert_eq!(memory.taken(), owned.chain(inbox).collect());
    end(Some(running)).await;
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_gives_the_same_rows() {
    let (world, views) = in_memory(7, 300).await;
    let before = views.dump(None, usize::MAX).await.unwrap();
    let rebuilt = rebuild(&world.log, &views).await.unwrap();
    assert_eq!(views.dump(None, usize::MAX).await.unwrap(), before);
    let ends = world.ends().await;
    assert!(
        ends.iter()
            .all(|(at, end)| rebuilt.folded.get(at) == Some(end))
    );
    check_truth(&world, &views).await;
}

/// Makes one row another. Its id.
async fn damage_one(views: &Arc<dyn ViewWriter>) -> DeliveryId {
    let page = PageRequest {
        limit: 1,
        order: Order::Ascending,
        behind: None,
        before: None,
    };
    let all = Selection::default();
    let tenant = "default".parse().unwrap();
    let page = views.deliveries(&tenant, &all, page).await.unwrap();
    let mut row = page.rows[0].1.clone();
    let was = Some(row.state);
    row.step += 1;
    row.state = DeliveryState::Cancelled;
    row.since = Timestamp::from_millis(0);
    let id = row.id;
    let batch = Batch {
        deliveries: vec![DeliveryChange { was, row }],
        ..Batch::default()
    };
    views.write(batch).await.unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn a_row_that_differs_is_named() {
    let (world, views) = in_memory(11, 200).await;
    assert_eq!(differences(&world, &views).await, Vec::<String>::new());
    let id = damage_one(&views).await;
    let told = differences(&world, &views).await;
    assert!(
        told.iter().any(|told| told.contains(&format!("{id:?}"))),
        "{told:?}"
    );
}

/// Rows of a write whose end a kill has left out are finished, not called wrong; and who finds such a write at the end says
/// that somebody writes.
#[tokio::test(start_paused = true)]
async fn what_is_half_written_is_settled_first() {
    let mut world = World::new(13).await;
    let memory = Arc::new(MemoryViews::new());
    let views: Arc<dyn ViewWriter> = Arc::<MemoryViews>::clone(&memory);
    let running = start(&world, &views);
    for half in 0..2 {
        for _ in 0..100 {
            world.step().await;
        }
        pass(&world, &views).await;
        if half == 0 {
            memory.tell_no_more();
        }
    }
    end(Some(running)).await;
    assert_eq!(differences(&world, &views).await, Vec::<String>::new());

    damage_one(&views).await;
    let scratch: Arc<dyn ViewWriter> = Arc::new(MemoryViews::new());
    let moved = verify(&world.log, &views, &scratch, |_| memory.tell_no_more()).await;
    assert!(matches!(moved, Err(VerifyError::Moved)), "{moved:?}");
}

#[tokio::test(start_paused = true)]
async fn a_202_can_be_read_back_soon() {
    let mut world = World::new(3).await;
    let views: Arc<dyn ViewWriter> = Arc::new(MemoryViews::new());
    let _running = start(&world, &views);
    for _ in 0..100 {
        world.step().await;
        let ends = world.ends().await;
        let soon = Duration::from_millis(500);
        let passed = tokio::time::timeout(soon, views.passed(&ends)).await;
        passed.expect("within half a second").unwrap();
    }
    check_truth(&world, &views).await;
}

/// What came of an event waits for the event, however long a broker says nothing of it.
#[tokio::test(start_paused = true)]
async fn a_broker_that_says_nothing_is_not_the_end_of_its_topic() {
    let mut world = World::new(5).await;
    let silence = Silence::default();
    let views: Arc<dyn ViewWriter> = Arc::new(MemoryViews::new());
    let _running = start_on(silence.over(&world.log, Topic::Events), &world, &views);
    for _ in 0..20 {
        silence.begin();
        for _ in 0..10 {
            world.step().await;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        silence.end();
        pass(&world, &views).await;
    }
    check_truth(&world, &views).await;
    assert_eq!(differences(&world, &views).await, Vec::<String>::new());
}

/// Partitions whose brokers say nothing hold up nobody else's.
#[tokio::test(start_paused = true)]
async fn others_are_folded_while_all_leaders_of_deliveries_say_nothing() {
    let mut world = World::new(7).await;
    let silence = Silence::default();
    let views: Arc<dyn ViewWriter> = Arc::new(MemoryViews::new());
    let _running = start_on(silence.over(&world.log, Topic::Events), &world, &views);
    for _ in 0..50 {
        world.step().await;
    }
    pass(&world, &views).await;
    silence.begin();
    for _ in 0..50 {
        for _ in 0..10 {
            world.step().await;
        }
        let mut ends = world.ends().await;
        ends.retain(|(topic, _), _| matches!(topic, Topic::Inbox | Topic::Routed));
        let soon = Duration::from_millis(200);
        let passed = tokio::time::timeout(soon, views.passed(&ends)).await;
        passed.expect("within a fifth of a second").unwrap();
    }
    silence.end();
    pass(&world, &views).await;
    check_truth(&world, &views).await;
}

/// What was accepted before a takeover is looked up again for the decisions about it.
#[tokio::test(start_paused = true)]
async fn others_are_folded_while_nothing_is_heard_of_what_was_accepted_before() {
    let mut world = World::new(5).await;
    let silence = Silence::default();
    let views: Arc<dyn ViewWriter> = Arc::new(MemoryViews::new());
    let running = start(&world, &views);
    for _ in 0..100 {
        world.step().await;
    }
    pass(&world, &views).await;
    end(Some(running)).await;
    for _ in 0..200 {
        world.step().await;
    }
    silence.begin();
    let _running = start_on(
        silence.over_points(&world.log, Topic::Inbox),
        &world,
        &views,
    );
    for _ in 0..20 {
        for _ in 0..10 {
            world.step().await;
        }
        let mut ends = world.ends().await;
        ends.retain(|(topic, _), _| !matches!(topic, Topic::Inbox | Topic::Routed));
        let soon = Duration::from_secs(1);
        let passed = tokio::time::timeout(soon, views.passed(&ends)).await;
        passed.expect("within a second").unwrap();
    }
    let (ends, folded) = (world.ends().await, views.progress().await.unwrap());
    for partition in 0..world::INBOXES {
        let at = (Topic::Routed, partition);
        let offset = folded.get(&at).map_or(0, |progress| progress.offset);
        assert!(offset < ends[&at], "{partition} looked nothing up");
    }
    silence.end();
    pass(&world, &views).await;
    check_truth(&world, &views).await;
}

/// Where topics end is asked one after the other: what is named in one must not be missing in another.
#[tokio::test(start_paused = true)]
async fn rows_filled_while_the_log_goes_on_are_right() {
    for seed in 0..20 {
        let mut world = World::new(seed).await;
        for _ in 0..50 {
            world.step().await;
        }
        let asked = Silence::default().over(&world.log, Topic::Events);
        let views: Arc<dyn ViewWriter> = Arc::new(MemoryViews::new());
        {
            let filling = fill(&asked, &views);
            tokio::pin!(filling);
            loop {
                tokio::select! {
                    biased;
                    filled = &mut filling => break drop(filled.unwrap()),
                    () = tokio::time::sleep(Duration::from_millis(1)) => world.step().await,
                }
            }
        }
        let _running = start(&world, &views);
        pass(&world, &views).await;
        check_truth(&world, &views).await;
    }
}
