//! Routers that race, crash and are cut off, on a log that loses acknowledgements: over many seeds, nothing is
//! lost and nothing is doubled.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use domain::chance::{Chance, Seeded};
use eventlog_port::memory::Faults;
use ingest::{Config, NewEvent};
use schemas::parts::{Header, Parts};

use crate::oracle::account;
use crate::world::{INBOX, Router, World, endpoint};

const TYPES: [&str; 3] = ["order.paid", "order.sent", "user.made"];

fn faults(chance: &mut Seeded) -> Faults {
    Faults {
        latency: Duration::from_millis(chance.below(30)),
        refuse_one_in: chance.below(3) * 40,
        lose_answer_one_in: chance.below(3) * 40,
        vanish_one_in: chance.below(3) * 40,
        late_one_in: chance.below(3) * 40,
        late_by: Duration::from_millis(chance.below(3_000)),
    }
}

fn pick<'a>(chance: &mut Seeded, among: &[&'a str]) -> &'a str {
    among[usize::try_from(chance.below(among.len() as u64)).unwrap()]
}

/// Something of a Kafka producer's: mostly an event, now and then nonsense.
fn foreign(chance: &mut Seeded) -> Parts {
    let header = |name, value: &str| Header::new(name, Bytes::from(value.to_owned()));
    if chance.one_in(5) {
        return Parts {
            value: Some(Bytes::from_static(b"?")),
            ..Parts::default()
        };
    }
    let mut headers = vec![header("event-type", pick(chance, &TYPES))];
    if chance.one_in(2) {
        headers.push(header("idempotency-key", pick(chance, &["a", "b", "c"])));
    }
    Parts {
        key: None,
        headers,
        value: Some(Bytes::from_static(if chance.one_in(4) {
            b"2"
        } else {
            b"1"
        })),
    }
}

fn ours(chance: &mut Seeded) -> NewEvent {
    let payload: &[u8] = if chance.one_in(4) { b"2" } else { b"1" };
    let key = chance
        .one_in(2)
        .then(|| pick(chance, &["a", "b", "c", "d", "e"]).parse().unwrap());
    NewEvent {
        idempotency_key: key,
        ..NewEvent::new(
            pick(chance, &TYPES).parse().unwrap(),
            Bytes::from_static(payload),
        )
    }
}

struct Race {
    world: World,
    chance: Seeded,
    /// Two share the partitions; the third has all of them, in a group of its own.
    routers: [Option<Router>; 3],
    versions: [u64; 4],
}

const MEMBERS: [(&str, &str); 3] = [
    ("a", "postrider-routers"),
    ("b", "postrider-routers"),
    ("c", "zombies"),
];

impl Race {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed).await;
        let mut versions = [0; 4];
        for (number, version) in (0_u32..).zip(&mut versions) {
            *version = world.put(endpoint(number, &["order.*"], None)).await;
        }
        Self {
            world,
            chance: Seeded::new(seed ^ 0x5eed),
            routers: [const { None }; 3],
            versions,
        }
    }

    /// Something happens to a router, an endpoint, or the keyed store.
    async fn disturb(&mut self) {
        let which = usize::try_from(self.chance.below(3)).unwrap();
        let (instance, group) = MEMBERS[which];
        match self.chance.below(6) {
            0 => self.routers[which] = None,
            1 => self.world.log.expel(group, "inbox", instance),
            2 => {
                let down = self.chance.one_in(2);
                self.world.keys.down.store(down, Ordering::SeqCst);
            }
            3 => {
                let number = usize::try_from(self.chance.below(4)).unwrap();
                let types = [pick(&mut self.chance, &TYPES)];
                let replaces = Some(self.versions[number]);
                let changed = endpoint(u32::try_from(number).unwrap(), &types, replaces);
                if let Some(version) = self.world.try_put(changed).await {
                    self.versions[number] = version;
                }
            }
            4 => self.world.log.set_faults(faults(&mut self.chance)),
            _ => {
                if self.routers[which].is_none() {
                    self.routers[which] = Some(self.world.router(instance, group).await);
                }
            }
        }
    }

    async fn produce(&mut self, ingests: &[ingest::Ingest]) {
        if self.chance.one_in(3) {
            let partition = u32::try_from(self.chance.below(u64::from(INBOX))).unwrap();
            let record = foreign(&mut self.chance);
            self.world.try_write(partition, record).await;
            return;
        }
        let which = usize::try_from(self.chance.below(ingests.len() as u64)).unwrap();
        let tenant = "default".parse().unwrap();
        let event = ours(&mut self.chance);
        // What was not confirmed may be in the log; the oracle reads what is.
        let _receipt = ingests[which].accept(&tenant, event).await;
    }

    async fn heal(&mut self) {
        self.world.log.set_faults(Faults::default());
        self.world.keys.down.store(false, Ordering::SeqCst);
        self.routers = [const { None }; 3];
        let (instance, group) = MEMBERS[0];
        self.routers[0] = Some(self.world.router(instance, group).await);
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

/// One seed's history: every topic, printed.
async fn race(seed: u64) -> (crate::oracle::Account, String) {
    let mut race = Race::new(seed).await;
    let ingests = [
        race.world.ingest(Config::default()).await,
        race.world.ingest(Config::default()).await,
    ];
    for (which, (instance, group)) in MEMBERS.into_iter().enumerate() {
        race.routers[which] = Some(race.world.router(instance, group).await);
    }
    for _ in 0..120 {
        race.produce(&ingests).await;
        if race.chance.one_in(4) {
            race.disturb().await;
        }
        let pause = Duration::from_millis(race.chance.below(60));
        tokio::time::sleep(pause).await;
    }
    race.heal().await;
    let history = race.world.dump().await;
    (account(&race.world).await, history)
}

fn on_one_thread<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

#[test]
fn nothing_is_lost_and_nothing_is_doubled() {
    let seeds: u64 = std::env::var("SEEDS").map_or(200, |seeds| seeds.parse().unwrap());
    let mut all = crate::oracle::Account::default();
    for seed in 0..seeds {
        let (account, _) = on_one_thread(race(seed));
        account.check(&format!("seed {seed}"));
        all.taken.extend(account.taken);
        all.dropped += account.dropped;
        all.duplicates += account.duplicates;
        all.conflicts += account.conflicts;
        all.unreadable += account.unreadable;
    }
    // The seeds reach what they are there for.
    let many = usize::try_from(seeds).unwrap();
    assert!(all.taken.len() > 50 * many, "{}", all.taken.len());
    assert!(all.dropped > 10 * many, "{}", all.dropped);
    assert!(all.duplicates > many && all.conflicts > many && all.unreadable > many);
}

#[test]
fn one_seed_has_one_history() {
    for seed in 0..20 {
        let (_, once) = on_one_thread(race(seed));
        let (_, again) = on_one_thread(race(seed));
        assert!(once.len() > 10_000);
        let differ = once.lines().zip(again.lines()).find(|(a, b)| a != b);
        assert_eq!(differ, None, "seed {seed}");
        assert_eq!(once.len(), again.len());
    }
}
