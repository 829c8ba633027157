//! Clients that write down what they are about to send, and then what they were told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use checker::history::{Answer, Request};
use domain::chance::{Chance as _, Seeded};
use end_to_end::client::Connection;
use end_to_end::until::until;
use http::Method;
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
    /// Asked and not yet told.
    pub asking: AtomicU64,
}

struct Shared {
    journal: Arc<Journal>,
    doors: Mutex<Vec<SocketAddr>>,
    endpoints: OnceLock<Vec<(&'static str, String)>>,
    seed: u64,
    stopped: AtomicBool,
    numbers: AtomicU64,
    told: Arc<Told>,
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
            self.clients.spawn(async move { shared.live(chance).await });
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

    /// Waits until so many more are accepted than by now.
    ///
    /// # Errors
    /// When they are not in time; or a client has failed.
    pub async fn more(&self, count: u64, within: Duration) -> anyhow::Result<()> {
        let accepted = || self.told().accepted.load(Ordering::SeqCst);
        let wanted = accepted() + count;
        until("events are accepted", within, async || {
            let accepted = accepted();
            ensure!(!self.clients.is_empty(), "every client has failed");
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

/// What a client wants to send, as often as it takes.
#[derive(Clone)]
struct Wish {
    payload: String,
    event_type: &'static str,
    endpoint: Option<String>,
    key: Option<String>,
    /// The key is an event id.
    is_id: bool,
}

impl Wish {
    fn body(&self) -> String {
        let mut body = String::from("{");
        if !self.event_type.is_empty() {
            body += &format!(r#""event_type":"{}","#, self.event_type);
        }
        if let Some(id) = &self.endpoint {
            body += &format!(r#""endpoint_id":"{id}","#);
        }
        if let Some(key) = &self.key {
            let name = if self.is_id {
                "event_id"
            } else {
                "idempotency_key"
            };
            body += &format!(r#""{name}":"{key}","#);
        }
        body + &format!(r#""payload":{}}}"#, self.payload)
    }
}

impl Shared {
    fn door(&self, chance: &mut Seeded) -> Option<SocketAddr> {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let count = u64::try_from(doors.len()).ok().filter(|count| *count > 0)?;
        doors
            .get(usize::try_from(chance.below(count)).ok()?)
            .copied()
    }

    async fn live(&self, mut chance: Seeded) -> anyhow::Result<()> {
        let mut keyed: Vec<Wish> = Vec::new();
        let mut connection = None;
        while !self.stopped.load(Ordering::SeqCst) {
            let wish = self.wish(&keyed, &mut chance);
            if wish.key.is_some() {
                keyed.push(wish.clone());
            }
            let begun = Instant::now();
            // Who has no key can't know whether asking again sends it twice.
            while !self.ask(&wish, &mut connection, &mut chance).await?
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
        let number = self.numbers.fetch_add(1, Ordering::SeqCst);
        let payload = payload(number, chance);
        let pick = |count: usize, chance: &mut Seeded| {
            usize::try_from(chance.below(count as u64)).unwrap_or(0)
        };
        let is_keyed = chance.below(10) < 3;
        if is_keyed && !keyed.is_empty() && chance.one_in(3) {
            let again = keyed[pick(keyed.len(), chance)].clone();
            // The same again, or something else under the same key.
            return if chance.one_in(4) {
                Wish { payload, ..again }
            } else {
                again
            };
        }
        let endpoints = self.endpoints.get().map_or(&[][..], Vec::as_slice);
        let (name, id) = &endpoints[pick(endpoints.len(), chance)];
        let is_addressed = chance.below(10) < 4;
        let is_bad = chance.one_in(30);
        let event_type = match (is_bad, is_addressed) {
            (true, _) => "",
            (false, true) => name,
            (false, false) => TYPES[pick(TYPES.len(), chance)],
        };
        Wish {
            payload,
            event_type,
            endpoint: is_addressed.then(|| id.clone()),
            key: is_keyed.then(|| format!("k{number}")),
            is_id: chance.one_in(3),
        }
    }

    /// Asks once. Whether the answer is the last word.
    async fn ask(
        &self,
        wish: &Wish,
        connection: &mut Option<Connection>,
        chance: &mut Seeded,
    ) -> anyhow::Result<bool> {
        if connection.is_none() {
            let door = self.door(chance);
            let opened = match door {
                Some(door) => Connection::open(door).await.ok(),
                None => None,
            };
            *connection = opened;
        }
        let Some(open) = connection else {
            return Ok(false);
        };
        let number = self.journal.next_request();
        self.journal.write(&Line::Sends(
            number,
            Request {
                sent_at: now(),
                payload: wish.payload.clone().into_bytes(),
                event_type: wish.event_type.to_owned(),
                endpoint: wish.endpoint.clone(),
                key: wish.key.clone(),
                answer: None,
            },
        ))?;
        let body = Bytes::from(wish.body());
        self.told.asking.fetch_add(1, Ordering::SeqCst);
        let call = open.call(Method::POST, "/api/v1/events", &[], body);
        let reply = timeout(PATIENCE, call).await;
        self.told.asking.fetch_sub(1, Ordering::SeqCst);
        let Ok(Ok(reply)) = reply else {
            self.told.unanswered.fetch_add(1, Ordering::SeqCst);
            *connection = None;
            return Ok(false);
        };
        let (at, status) = (now(), reply.status.as_u16());
        let body = reply.body.to_vec();
        self.journal
            .write(&Line::Told(number, Answer { at, status, body }))?;
        let count = match status {
            202 => &self.told.accepted,
            400..500 => &self.told.refused,
            503 => &self.told.unavailable,
            _ => anyhow::bail!("{}: {reply:?}", wish.body()),
        };
        count.fetch_add(1, Ordering::SeqCst);
        // Another door now and then.
        if chance.one_in(20) || status == 503 {
            *connection = None;
        }
        Ok(status != 503)
    }
}

/// A payload that nobody else sends, spelled as few would.
fn payload(number: u64, chance: &mut Seeded) -> String {
    let shape = match chance.below(4) {
        0 => r#" "id":9007199254740993, "é":"\u00e9" "#,
        1 => r#""a":1,"a":2"#,
        2 => r#""list":[1, 2.50 ,3e2]"#,
        _ => r#""customer":"c""#,
    };
    format!(r#"{{"n":{number},"total":99.90,{shape}}}"#)
}
