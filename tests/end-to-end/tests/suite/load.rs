//! Producers that go on while the server comes and goes, and what became of what they were told is accepted.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use end_to_end::api::{Api, Endpoint};
use end_to_end::client::Connection;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::until::until;
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::world::SOON;

/// How many endpoints there are; the one that an event goes to is its number modulo this.
const ENDPOINTS: usize = 3;
const PRODUCERS: u64 = 4;
/// The pause after each event of a producer's, where nothing else is said.
const PAUSE: Duration = Duration::from_millis(4);

/// Where the server is now, and what producers were told.
#[derive(Default)]
struct Shared {
    server: Mutex<Option<SocketAddr>>,
    stopped: AtomicBool,
    next: AtomicU64,
    /// The endpoint's number by the id of an accepted event.
    accepted: Mutex<BTreeMap<String, usize>>,
    /// How many answers were 503, and how many never came.
    unavailable: AtomicU64,
    unanswered: AtomicU64,
}

pub(crate) struct Load {
    shared: Arc<Shared>,
    receivers: Vec<Receiver>,
    endpoints: Vec<Endpoint>,
    producers: JoinSet<()>,
    /// The pause after each event of a producer's.
    pub(crate) pause: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) accepted: usize,
    pub(crate) received: usize,
    /// Requests beyond the first for the same event.
    pub(crate) repeats: usize,
    pub(crate) unanswered: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            accepted,
            received,
            repeats,
            unanswered,
        } = self;
        write!(
            f,
            "{accepted} accepted, {unanswered} unanswered, {received} received, {repeats} of them repeats"
        )
    }
}

impl Load {
    /// Makes receivers and their endpoints. Nobody produces yet.
    pub(crate) async fn new(api: Api) -> Self {
        let (mut receivers, mut endpoints) = (Vec::new(), Vec::new());
        for number in 0..ENDPOINTS {
            let receiver = Receiver::start(vec![Reply::status(200)]).await.unwrap();
            let fields = json!({"event_types": [format!("load.{number}")]});
            endpoints.push(api.endpoint(&receiver.url(), fields).await.unwrap());
            receivers.push(receiver);
        }
        Self {
            shared: Arc::default(),
            receivers,
            endpoints,
            producers: JoinSet::new(),
            pause: PAUSE,
        }
    }

    /// Starts the producers.
    pub(crate) fn begin(&mut self, server: SocketAddr) {
        self.server_is(Some(server));
        let ids: Vec<_> = self.endpoints.iter().map(|made| made.id.clone()).collect();
        for _ in 0..PRODUCERS {
            let (shared, ids, pause) = (Arc::clone(&self.shared), ids.clone(), self.pause);
            self.producers
                .spawn(async move { produce(&shared, &ids, pause).await });
        }
    }

    /// Tells producers where the server is.
    pub(crate) fn server_is(&self, server: Option<SocketAddr>) {
        *self.shared.server.lock().unwrap() = server;
    }

    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.lock().unwrap().len()
    }

    pub(crate) fn unavailable(&self) -> u64 {
        self.shared.unavailable.load(Ordering::SeqCst)
    }

    /// Waits until so many more are accepted than by now.
    pub(crate) async fn more(&self, count: usize) {
        let wanted = self.accepted() + count;
        // A broker that is killed takes some partitions' leaders with it, on two cores for a while.
        let more = until("events are accepted", SOON * 3, async || {
            let accepted = self.accepted();
            Ok(if accepted >= wanted {
                Ok(())
            } else {
                Err(format!("{accepted} of {wanted}"))
            })
        });
        more.await.unwrap();
    }

    /// Waits until as many requests have arrived as events are accepted by now: whoever takes over has
    /// something to show before it is taken from again.
    pub(crate) async fn arrives(&self) {
        let wanted = self.accepted();
        let arrived = until("what was accepted arrives", SOON * 3, async || {
            let arrived: usize = self.receivers.iter().map(Receiver::count).sum();
            Ok(if arrived >= wanted {
                Ok(())
            } else {
                Err(format!("{arrived} of {wanted}"))
            })
        });
        arrived.await.unwrap();
    }

    /// Ends the producers, and waits until every accepted event has arrived, is shown, and the accounting closes.
    pub(crate) async fn end(mut self, api: Api) -> Summary {
        self.shared.stopped.store(true, Ordering::SeqCst);
        while let Some(ended) = self.producers.join_next().await {
            ended.unwrap();
        }
        let summary = until("every accepted event arrives", SOON * 2, async || {
            let (summary, missing) = self.summary();
            Ok(if missing == 0 {
                Ok(summary)
            } else {
                Err(format!("{missing} missing: {summary:?}"))
            })
        });
        summary.await.unwrap();
        self.shown(api).await;
        // What was not answered may have been made, too.
        let accepted = u64::try_from(self.accepted()).unwrap();
        api.closed(accepted, SOON).await.unwrap();
        self.summary().0
    }

    /// Waits until the views have each event, with what came of it: both are folded from other partitions than the
    /// deliveries are, perhaps later.
    async fn shown(&self, api: Api) {
        let shown = until("every accepted event is shown", SOON, async || {
            let shown = match events(api).await? {
                Ok(shown) => shown,
                Err(not_yet) => return Ok(Err(not_yet)),
            };
            let accepted = self.shared.accepted.lock().unwrap();
            let is_open = |id: &&String| shown.get(*id).is_none_or(|status| status != "delivered");
            let open: Vec<_> = accepted.keys().filter(is_open).collect();
            Ok(if open.is_empty() {
                Ok(())
            } else {
                Err(format!(
                    "{} of {} are not: {open:?}",
                    open.len(),
                    accepted.len()
                ))
            })
        });
        shown.await.unwrap();
    }

    fn summary(&self) -> (Summary, usize) {
        let mut counts = BTreeMap::<(usize, String), usize>::new();
        for (number, receiver) in self.receivers.iter().enumerate() {
            for got in receiver.got() {
                let id = got.header("webhook-id").to_owned();
                *counts.entry((number, id)).or_default() += 1;
            }
        }
        let accepted = self.shared.accepted.lock().unwrap();
        let is_missing =
            |(id, number): &(&String, &usize)| !counts.contains_key(&(**number, (*id).clone()));
        let missing = accepted.iter().filter(is_missing).count();
        let summary = Summary {
            accepted: accepted.len(),
            received: counts.values().sum(),
            repeats: counts.values().map(|count| count - 1).sum(),
            unanswered: self.shared.unanswered.load(Ordering::SeqCst),
        };
        (summary, missing)
    }
}

/// All events that are shown, and the status of each.
async fn events(api: Api) -> anyhow::Result<Result<BTreeMap<String, String>, String>> {
    let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    let mut events = BTreeMap::new();
    let mut path = "/api/v1/events?limit=250".to_owned();
    loop {
        let page = match api.look(&path).await? {
            Ok(page) => page,
            Err(not_yet) => return Ok(Err(not_yet)),
        };
        let rows = page["data"].as_array().into_iter().flatten();
        events.extend(rows.map(|row| (text(&row["id"]), text(&row["status"]))));
        let Some(next) = page["next_cursor"].as_str() else {
            return Ok(Ok(events));
        };
        path = format!("/api/v1/events?limit=250&cursor={next}");
    }
}

/// One event after the other, half of them by subscription, over a connection that is made anew when it ends.
async fn produce(shared: &Shared, endpoints: &[String], pause: Duration) {
    while !shared.stopped.load(Ordering::SeqCst) {
        let server = *shared.server.lock().unwrap();
        let connection = match server {
            Some(server) => Connection::open(server).await.ok(),
            None => None,
        };
        let Some(mut connection) = connection else {
            sleep(PAUSE).await;
            continue;
        };
        while !shared.stopped.load(Ordering::SeqCst)
            && one(shared, endpoints, &mut connection).await
        {
            sleep(pause).await;
        }
    }
}

/// Whether the connection is still good.
async fn one(shared: &Shared, endpoints: &[String], connection: &mut Connection) -> bool {
    let number = shared.next.fetch_add(1, Ordering::SeqCst);
    let to = usize::try_from(number).unwrap() % endpoints.len();
    let mut event = json!({"event_type": format!("load.{to}"), "payload": {"n": number}});
    if (number / 3).is_multiple_of(2) {
        event["endpoint_id"] = json!(endpoints[to]);
    }
    let body = Bytes::from(event.to_string());
    let reply = connection
        .call(Method::POST, "/api/v1/events", &[], body)
        .await;
    let Ok(reply) = reply else {
        shared.unanswered.fetch_add(1, Ordering::SeqCst);
        return false;
    };
    match reply.status.as_u16() {
        202 => {
            let accepted = reply.json().unwrap();
            let id = accepted["event_id"].as_str().unwrap().to_owned();
            shared.accepted.lock().unwrap().insert(id, to);
        }
        503 => drop(shared.unavailable.fetch_add(1, Ordering::SeqCst)),
        _ => panic!("{event}: {reply:?}"),
    }
    true
}
