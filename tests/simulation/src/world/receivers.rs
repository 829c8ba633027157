//! Receivers: what they do by the seed, and what they write down before they do it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use checker::history::{Arrival, Reply};
use dispatcher::transport::{Answer, Request, Transport};
use domain::chance::{Chance, Seeded};
use domain::time::Clock;
use parking_lot::Mutex;
use schemas::attempt::{AttemptError, ErrorClass};
use tokio::time::{Instant, sleep};

use super::clock::LogClock;
use super::links::{Link, Links};

/// How a receiver behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers 200 within so many milliseconds.
    Good(u64),
    /// Answers 200 or 503, each so many times in a hundred.
    Flaky(u64),
    /// Answers well for so many milliseconds, then refuses connections for as long.
    Flapping(u64),
    /// Takes the request and never answers.
    Hang,
    /// Refuses every connection.
    Dead,
    /// Breaks the connection off once it has the request.
    Reset,
    /// Always this status.
    Status(u16),
    /// 429 with this `Retry-After`, two times in three.
    Busy(&'static str),
    /// Any of these, by chance.
    Wild,
}

/// Every receiver, by URL.
pub struct Receivers {
    clock: Arc<LogClock>,
    state: Mutex<State>,
}

struct State {
    behaviours: BTreeMap<String, Behaviour>,
    journal: Vec<Arrival>,
    chance: Seeded,
}

/// What a receiver is about to do.
struct Act {
    after: Duration,
    reply: Reply,
    retry_after: Option<&'static str>,
}

impl Receivers {
    /// None yet; what chance decides comes from `chance`.
    #[must_use]
    pub fn new(clock: Arc<LogClock>, chance: Seeded) -> Self {
        let state = State {
            behaviours: BTreeMap::new(),
            journal: Vec::new(),
            chance,
        };
        Self {
            clock,
            state: Mutex::new(state),
        }
    }

    /// From now on the receiver at `url` behaves like this.
    pub fn set(&self, url: &str, behaviour: Behaviour) {
        let mut state = self.state.lock();
        state.behaviours.insert(url.to_owned(), behaviour);
    }

    /// From now on every receiver whose URL begins so behaves like this.
    pub fn behave(&self, front: &str, behaviour: &Behaviour) {
        let mut state = self.state.lock();
        let of_url = state.behaviours.iter_mut();
        for (_, of_url) in of_url.filter(|(url, _)| url.starts_with(front)) {
            of_url.clone_from(behaviour);
        }
    }

    /// Whether a receiver whose URL begins so asks for time, as often as it is asked.
    pub fn is_busy(&self, front: &str) -> bool {
        let state = self.state.lock();
        let mut of_url = state.behaviours.iter();
        of_url.any(|(url, behaviour)| {
            let is_busy = matches!(behaviour, Behaviour::Busy(_) | Behaviour::Status(429));
            is_busy && url.starts_with(front)
        })
    }

    /// What arrived, in the order of arrival.
    #[must_use]
    pub fn journal(&self) -> Vec<Arrival> {
        self.state.lock().journal.clone()
    }

    /// How many requests arrived.
    #[must_use]
    pub fn arrived(&self) -> usize {
        self.state.lock().journal.len()
    }

    /// A request comes: what the receiver will do is written down. `None`: the connection is refused.
    fn arrive(&self, life: u64, request: &Request) -> Option<Act> {
        let mut state = self.state.lock();
        let State {
            behaviours,
            journal,
            chance,
        } = &mut *state;
        let behaviour = behaviours.get(&*request.url).unwrap_or(&Behaviour::Dead);
        let act = act(behaviour, self.clock.age(), chance)?;
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        };
        journal.push(Arrival {
            at: self.clock.now().as_millis(),
            url: request.url.to_string(),
            headers: request.headers.iter().map(header).collect(),
            body: request.body.to_vec(),
            reply: act.reply,
            life: Some(life),
        });
        Some(act)
    }
}

fn act(behaviour: &Behaviour, age: i64, chance: &mut Seeded) -> Option<Act> {
    let soon = Duration::from_micros(chance.below(20_000));
    let answer = |status| {
        Some(Act {
            after: soon,
            reply: Reply::Status(status),
            retry_after: None,
        })
    };
    let nothing = |after| {
        Some(Act {
            after,
            reply: Reply::Nothing,
            retry_after: None,
        })
    };
    match behaviour {
        Behaviour::Good(within) => Some(Act {
            after: Duration::from_millis(chance.below(within + 1)),
            reply: Reply::Status(200),
            retry_after: None,
        }),
        Behaviour::Flaky(percent) if chance.below(100) < *percent => answer(503),
        Behaviour::Flaky(_) => answer(200),
        Behaviour::Flapping(period) => {
            let is_up = (u64::try_from(age).unwrap_or(0) / period) % 2 == 0;
            if is_up { answer(200) } else { None }
        }
        Behaviour::Hang => nothing(Duration::from_secs(3_600)),
        Behaviour::Dead => None,
        Behaviour::Reset => nothing(soon),
        Behaviour::Status(status) => answer(*status),
        Behaviour::Busy(retry_after) if !chance.one_in(3) => Some(Act {
            after: soon,
            reply: Reply::Status(429),
            retry_after: Some(retry_after),
        }),
        Behaviour::Busy(_) => answer(200),
        Behaviour::Wild => wild(chance, soon),
    }
}

fn wild(chance: &mut Seeded, soon: Duration) -> Option<Act> {
    const STATUSES: [u16; 10] = [200, 204, 301, 404, 408, 425, 429, 500, 503, 599];
    let reply = match chance.below(14) {
        0 => return None,
        1 => Reply::Nothing,
        // Answers, too late for a short timeout.
        2 => {
            return Some(Act {
                after: Duration::from_millis(chance.below(8_000)),
                reply: Reply::Status(200),
                retry_after: None,
            });
        }
        3 => Reply::Status(200),
        n => Reply::Status(STATUSES[usize::try_from(n - 4).unwrap_or(0)]),
    };
    Some(Act {
        after: soon,
        reply,
        retry_after: None,
    })
}

/// The way to receivers from one life of a process.
pub struct NodeTransport {
    receivers: Arc<Receivers>,
    links: Arc<Links>,
}

impl NodeTransport {
    /// The way to `receivers` over `links`.
    #[must_use]
    pub fn new(receivers: Arc<Receivers>, links: Arc<Links>) -> Self {
        Self { receivers, links }
    }

    async fn exchange(&self, request: &Request) -> Answer {
        if self.links.is_blocked(Link::Send) {
            sleep(request.connect_timeout).await;
            return failed(ErrorClass::Connect, "no route to the receiver");
        }
        let Some(act) = self.receivers.arrive(self.links.life, request) else {
            return failed(ErrorClass::Connect, "refused");
        };
        sleep(act.after).await;
        self.links.step(Link::Send).await;
        match act.reply {
            Reply::Nothing => failed(ErrorClass::Reset, "the connection was broken off"),
            Reply::Status(status) => answered(status, act.retry_after),
        }
    }
}

fn answered(status: u16, retry_after: Option<&str>) -> Answer {
    let header = |value: &str| ("retry-after".to_owned(), value.to_owned());
    Answer {
        status: Some(status),
        headers: retry_after.map(header).into_iter().collect(),
        body: Bytes::from_static(b"noted"),
        retry_after: retry_after.map(str::to_owned),
        ..Answer::default()
    }
}

fn failed(class: ErrorClass, message: &str) -> Answer {
    Answer {
        error: Some(AttemptError {
            class,
            message: message.to_owned(),
        }),
        ..Answer::default()
    }
}

#[async_trait]
impl Transport for NodeTransport {
    async fn send(&self, request: Request) -> Answer {
        let begun = Instant::now();
        self.links.tick().await;
        let exchange = tokio::time::timeout(request.timeout, self.exchange(&request)).await;
        let answer = exchange.unwrap_or_else(|_late| failed(ErrorClass::Timeout, "no answer"));
        Answer {
            duration: begun.elapsed(),
            ..answer
        }
    }
}
