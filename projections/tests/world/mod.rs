//! A log as ingest, routers and owners write it, by chance from one seed, and beside it what must come
//! of it: told by who writes, not folded.

mod owner;
mod records;
mod router;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use domain::chance::{Chance, Seeded};
use domain::time::{Clock, ManualClock, Timestamp};
use eventlog_port::memory::MemoryLog;
use eventlog_port::{
    Appended, EventLog, NewRecord, TopicPartition, TopicSpec, Writer, WriterKind, WriterSpec,
};
use projections_port::row::minute_of;
use schemas::Parts;
use schemas::delivery::Delivery;
use schemas::ids::{DeliveryId, EndpointId};
use schemas::inbox::Routes;
use schemas::origin::{Acceptance, Position, Run};
use schemas::topics::{LADDER, Topic};

/// Partitions of what owners read and write.
pub const OWNED: u32 = 2;
/// Partitions of `inbox`.
pub const INBOXES: u32 = 2;
/// The tiers that this log has.
pub const TIERS: [Topic; 2] = [Topic::Retry(LADDER[0]), Topic::Retry(LADDER[1])];

/// What must come of it.
#[derive(Default)]
pub struct Truth {
    /// Of each delivery: where it goes, where it stands, how many attempts have an outcome.
    pub deliveries: BTreeMap<DeliveryId, (EndpointId, &'static str, usize)>,
    /// Of each endpoint and minute: attempts that succeeded and failed, ends good and bad.
    pub minutes: BTreeMap<(EndpointId, Timestamp), [u64; 4]>,
    /// No route, duplicate, conflict.
    pub nowhere: [u64; 3],
    /// Records of `inbox` that were the first of their key: partition, offset, key.
    pub firsts: BTreeSet<(u32, u64, String)>,
}

/// A delivery that may go on.
#[derive(Clone)]
struct Live {
    delivery: Delivery,
    endpoint: EndpointId,
    event: String,
    step: u32,
    attempts: u32,
    at: Position,
}

/// An event in `inbox` that its router has yet to take up.
struct Queued {
    offset: u64,
    accepted_at: Timestamp,
    event: String,
    routes: Vec<EndpointId>,
    is_kafka: bool,
    has_key: bool,
}

/// The log and who writes it.
pub struct World {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// What must come of it.
    pub truth: Truth,
    clock: Arc<ManualClock>,
    chance: Seeded,
    writer: Box<dyn Writer>,
    live: Vec<Live>,
    dead: Vec<Live>,
    queues: Vec<VecDeque<Queued>>,
    epochs: Vec<u64>,
    events: u32,
    copies: Vec<(u32, Parts)>,
}

impl World {
    /// An empty log.
    pub async fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
        let of_log: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new(of_log, Box::new(Seeded::new(seed))));
        let owned = [Topic::Events, Topic::Attempts, Topic::DeadLetters];
        let owned = owned.into_iter().chain(TIERS).map(|topic| (topic, OWNED));
        let inbox = [Topic::Inbox, Topic::Routed].map(|topic| (topic, INBOXES));
        let spec = |(topic, partitions): (Topic, u32)| TopicSpec {
            name: topic.to_string(),
            partitions,
            retention: None,
            retention_bytes: None,
            max_record_bytes: 1 << 20,
        };
        let specs: Vec<_> = owned.chain(inbox).map(spec).collect();
        log.ensure(&specs).await.unwrap();
        let spec = WriterSpec {
            kind: WriterKind::Ordered,
            name: "world".to_owned(),
            max_in_flight: 64,
        };
        Self {
            writer: log.writer(spec).await.unwrap(),
            log,
            truth: Truth::default(),
            clock,
            chance: Seeded::new(seed),
            live: Vec::new(),
            dead: Vec::new(),
            queues: (0..INBOXES).map(|_| VecDeque::new()).collect(),
            epochs: vec![1; OWNED as usize],
            events: 0,
            copies: Vec::new(),
        }
    }

    /// The clock that stamps records.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::<ManualClock>::clone(&self.clock)
    }

    /// Somebody writes something.
    pub async fn step(&mut self) {
        let ahead = [0, 3, 700, 20_000][self.draw(4)];
        self.clock.advance(Duration::from_millis(ahead));
        match self.draw(20) {
            0..=3 => self.accept_addressed().await,
            4..=6 => self.accept_in_inbox().await,
            7..=9 => self.route().await,
            10 => self.fence().await,
            11 => self.zombie().await,
            12 => self.note().await,
            _ => self.outcome().await,
        }
    }

    /// Where every partition ends.
    pub async fn ends(&self) -> BTreeMap<(Topic, u32), u64> {
        let mut ends = BTreeMap::new();
        for info in self.log.topics().await.unwrap() {
            let topic: Topic = info.spec.name.parse().unwrap();
            for partition in 0..info.spec.partitions {
                let at = TopicPartition::of(topic, partition);
                ends.insert((topic, partition), self.log.bounds(&at).await.unwrap().end);
            }
        }
        ends
    }

    fn draw(&mut self, bound: usize) -> usize {
        usize::try_from(self.chance.below(bound as u64)).unwrap()
    }

    async fn append(&self, topic: Topic, partition: u32, parts: Parts) -> Appended {
        let to = TopicPartition::of(topic, partition);
        let appending = self.writer.append(&to, NewRecord::from(parts)).await;
        appending.unwrap().await.unwrap()
    }

    fn name_event(&mut self) -> String {
        self.events += 1;
        format!("event-{}", self.events)
    }

    /// Some endpoints, ascending.
    fn some_endpoints(&mut self) -> Vec<EndpointId> {
        let chosen = self.draw(8);
        (0..3)
            .filter(|n| chosen & (1 << n) != 0)
            .map(records::endpoint)
            .collect()
    }

    fn made(&mut self, acceptance: Acceptance, at: Timestamp, endpoint: EndpointId) {
        let id = DeliveryId::derive(acceptance, at, endpoint, Run::First);
        self.truth.deliveries.insert(id, (endpoint, "pending", 0));
    }

    fn count(&mut self, endpoint: EndpointId, at: Timestamp, counts: [u64; 4]) {
        let minute = self.truth.minutes.entry((endpoint, minute_of(at)));
        let minute = minute.or_default();
        for (sum, count) in minute.iter_mut().zip(counts) {
            *sum += count;
        }
    }

    fn stands(&mut self, live: &Live, state: &'static str) {
        let attempts = self.truth.deliveries.get(&live.delivery.id);
        let attempts = attempts.map_or(0, |row| row.2);
        let row = (live.endpoint, state, attempts);
        self.truth.deliveries.insert(live.delivery.id, row);
    }

    fn attempted(&mut self, live: &Live) {
        if let Some(row) = self.truth.deliveries.get_mut(&live.delivery.id) {
            row.2 += 1;
        }
    }
}

fn routes_of(endpoints: &[EndpointId]) -> Routes {
    let route = |endpoint: &EndpointId| schemas::inbox::Route {
        endpoint: *endpoint,
        partition: records::partition_of(*endpoint),
        ordering_key: None,
    };
    let routes: Vec<_> = endpoints.iter().map(route).collect();
    routes.try_into().unwrap()
}
