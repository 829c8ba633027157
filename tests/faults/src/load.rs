//! Clients that write down what they are about to send, and then what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use checker::history::Answer;
use domain::chance::{Chance as _, Seeded};
use end_to_end::client::Connection;
use end_to_end::until::until;
use http::Method;
use simulation::wish::{Mix, Wish};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::journal::{Journal, Line};
use crate::times::now;

/// How many clients there are.
const CLIENTS: u64 = 4;

/// How long one waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// For how long one asks again under the same key when it was told nothing, or to come again.
const ASKS_FOR: Duration = Duration::from_secs(120);

/// What there is to be told of the clients.
#[derive(Default)]
pub struct Told {
    /// `202`.
    pub accepted: AtomicU64,
    /// `503`.
    pub unavailable: AtomicU64,
    /// `4xx`.
    pub refused: AtomicU64,
    /// Nothing.
    pub unanswered: AtomicU64,
}

/// Types that somebody subscribes to, and one that nobody does.
const TYPES: [&str; 8] = [
    "load.steady",
    "load.flaky",
    "load.refusing",
    "load.all",
    "load.all",
    "load.all",
    "nobody",
    "load.steady",
];

/// How many of a hundred have a key.
const KEYED: u64 = 30;

/// How many of a hundred go to one endpoint.
const ADDRESSED: u64 = 40;

/// The requests by number that are asked and not yet told, by whom they ask.
type Asking = BTreeMap<SocketAddr, BTreeSet<u64>>;

struct Shared {
    journal: Arc<Journal>,
    doors: Mutex<Vec<SocketAddr>>,
    endpoints: OnceLock<Vec<(&'static str, String)>>,
    seed: u64,
    stopped: AtomicBool,
    numbers: AtomicU64,
    told: Arc<Told>,
    asking: Mutex<Asking>,
    /// Why a client has failed, the first that did.
    failed: OnceLock<String>,
    pause: Duration,
}

/// The clients.
pub struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<anyhow::Result<()>>,
}

impl Load {
    /// Clients that draw from `seed`, each resting for `pause` after each event. None has begun.
    #[must_use]
    pub fn new(journal: Arc<Journal>, seed: u64, pause: Duration) -> Self {
        let shared = Arc::new(Shared {
            journal,
            doors: Mutex::default(),
            endpoints: OnceLock::new(),
            seed,
            stopped: AtomicBool::new(false),
            numbers: AtomicU64::new(0),
            told: Arc::default(),
            asking: Mutex::default(),
            failed: OnceLock::new(),
            pause,
        });
        let clients = JoinSet::new();
        Self { shared, clients }
    }

    /// Begins to send to these endpoints (name and id).
    pub fn begin(&mut self, endpoints: Vec<(&'static str, String)>) {
        if self.shared.endpoints.set(endpoints).is_err() {
            return;
        }
        for client in 0..CLIENTS {
            let shared = Arc::clone(&self.shared);
            let chance = Seeded::new(shared.seed.wrapping_add(client));
            self.clients.spawn(async move {
                let lived = shared.live(chance).await;
                if let Err(error) = &lived {
                    drop(shared.failed.set(format!("{error:#}")));
                }
                lived
            });
        }
    }

    /// Tells clients whom they may ask.
    pub fn doors(&self, doors: Vec<SocketAddr>) {
        *self
            .shared
            .doors
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = doors;
    }

    /// What clients were told so far.
    #[must_use]
    pub fn told(&self) -> &Told {
        &self.shared.told
    }

    /// Which requests are asked of `door` and not yet answered, by number.
    #[must_use]
    pub fn asking(&self, door: SocketAddr) -> BTreeSet<u64> {
        let asking = self.shared.asking();
        asking.get(&door).cloned().unwrap_or_default()
    }

    /// Whether every client goes on.
    ///
    /// # Errors
    /// Why one has failed.
    pub fn goes_on(&self) -> anyhow::Result<()> {
        match self.shared.failed.get() {
            None => Ok(()),
            Some(why) => anyhow::bail!("a client has failed: {why}"),
        }
    }

    /// Waits until so many more are accepted than by now.
    ///
    /// # Errors
    /// When they are not in time; or a client has failed.
    pub async fn more(&self, count: u64, within: Duration) -> anyhow::Result<()> {
        let accepted = || self.told().accepted.load(Ordering::SeqCst);
        let wanted = accepted() + count;
        until("events are accepted", within, async || {
            self.goes_on()?;
            let accepted = accepted();
            Ok(if accepted >= wanted {
                Ok(())
            } else {
                Err(format!("{accepted} of {wanted}"))
            })
        })
        .await
    }

    /// Ends the clients, once each has its answer.
    ///
    /// # Errors
    /// When a client failed.
    pub async fn end(&mut self) -> anyhow::Result<()> {
        self.shared.stopped.store(true, Ordering::SeqCst);
        while let Some(ended) = self.clients.join_next().await {
            ended.context("a client")??;
        }
        Ok(())
    }
}

impl Shared {
    fn asking(&self) -> MutexGuard<'_, Asking> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn door(&self, chance: &mut Seeded) -> Option<SocketAddr> {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let count = u64::try_from(doors.len()).ok().filter(|count| *count > 0)?;
        doors
            .get(usize::try_from(chance.below(count)).ok()?)
            .copied()
    }

    async fn live(&self, mut chance: Seeded) -> anyhow::Result<()> {
        let mut keyed: Vec<Wish> = Vec::new();
        let mut kept = None;
        while !self.stopped.load(Ordering::SeqCst) {
            let wish = self.wish(&keyed, &mut chance);
            if wish.key.is_some() {
                keyed.push(wish.clone());
            }
            let begun = Instant::now();
            // Who has no key can't know whether asking again sends it twice.
            while !self.ask(&wish, &mut kept, &mut chance).await?
                && wish.key.is_some()
                && begun.elapsed() < ASKS_FOR
            {
                sleep(self.pause * 4).await;
            }
            sleep(self.pause).await;
        }
        Ok(())
    }

    fn wish(&self, keyed: &[Wish], chance: &mut Seeded) -> Wish {
        let number = self.numbers.fetch_add(1, Ordering::SeqCst);
        let endpoints = self.endpoints();
        let mix = Mix {
            types: &TYPES,
            endpoints: endpoints.len(),
            keyed: KEYED,
            addressed: ADDRESSED,
        };
        let mut wish = Wish::draw(number, &mix, keyed, chance);
        // An endpoint takes only what it subscribes to.
        if let Some(which) = wish.endpoint {
            wish.event_type = endpoints[which].0;
        }
        wish
    }

    fn endpoints(&self) -> &[(&'static str, String)] {
        self.endpoints.get().map_or(&[], Vec::as_slice)
    }

    /// Asks once. Whether the answer is the last word.
    async fn ask(
        &self,
        wish: &Wish,
        kept: &mut Option<(SocketAddr, Connection)>,
        chance: &mut Seeded,
    ) -> anyhow::Result<bool> {
        if kept.is_none() {
            *kept = self.open(chance).await;
        }
        let Some((door, connection)) = kept else {
            return Ok(false);
        };
        let number = self.journal.next_request();
        let endpoint = wish.endpoint.map(|which| self.endpoints()[which].1.clone());
        let body = wish.body(endpoint.as_deref());
        let line = Line::Sends(number, wish.line(now(), endpoint));
        self.journal.write(&line)?;
        let door = *door;
        self.asking().entry(door).or_default().insert(number);
        let sent = Bytes::from(body.clone());
        let call = connection.call(Method::POST, "/api/v1/events", &[], sent);
        let reply = timeout(PATIENCE, call).await;
        self.asking().entry(door).or_default().remove(&number);
        let Ok(Ok(reply)) = reply else {
            self.told.unanswered.fetch_add(1, Ordering::SeqCst);
            *kept = None;
            return Ok(false);
        };
        let (at, status) = (now(), reply.status.as_u16());
        let answer = Answer {
            at,
            status,
            body: reply.body.to_vec(),
        };
        self.journal.write(&Line::Told(number, answer))?;
        let count = match status {
            202 => &self.told.accepted,
            400..500 => &self.told.refused,
            503 => &self.told.unavailable,
            _ => anyhow::bail!("{body}: {reply:?}"),
        };
        count.fetch_add(1, Ordering::SeqCst);
        // Another door now and then.
        if chance.one_in(20) || status == 503 {
            *kept = None;
        }
        Ok(status != 503)
    }

    /// A connection to some door, where one is and opens.
    async fn open(&self, chance: &mut Seeded) -> Option<(SocketAddr, Connection)> {
        let door = self.door(chance)?;
        let opened = Connection::open(door).await.ok()?;
        Some((door, opened))
    }
}
