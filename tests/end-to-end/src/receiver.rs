//! Receivers over real sockets: each keeps a request before it answers, and answers as its script says.

mod reply;
mod request;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub use reply::Reply;
pub use request::Got;

use crate::until::until;

/// A receiver. It listens until it is dropped.
pub struct Receiver {
    address: SocketAddr,
    journal: Journal,
    _listening: JoinSet<()>,
}

/// Says what a request is answered with, before it is answered.
pub type Answering = Arc<dyn Fn(&Got) -> Reply + Send + Sync>;

/// How a receiver comes to its answers.
#[derive(Clone)]
enum Script {
    /// The first to the first request, and so on; the last to all further ones.
    InTurn(Arc<Vec<Reply>>),
    Asked(Answering),
}

impl Script {
    fn reply(&self, number: usize, got: &Got) -> Option<Reply> {
        match self {
            Self::InTurn(replies) => replies.get(number).or(replies.last()).cloned(),
            Self::Asked(answering) => Some(answering(got)),
        }
    }
}

/// What came, in the order in which it was all there.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<Got>>>);

impl Journal {
    /// Keeps a request, and says which it is, from 0.
    fn add(&self, got: Got) -> usize {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(got);
        all.len() - 1
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn read(&self) -> Vec<Got> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Receiver {
    /// Answers the first request with the first of `script`, and so on; all further ones with the last.
    ///
    /// # Errors
    /// When it can't listen.
    pub async fn start(script: Vec<Reply>) -> anyhow::Result<Self> {
        Self::start_reading(in_turn(script)?, None).await
    }

    /// Answers each request with what `answering` says once it was asked about it.
    ///
    /// # Errors
    /// When it can't listen.
    pub async fn start_asking(answering: Answering) -> anyhow::Result<Self> {
        Self::start_reading(Script::Asked(answering), None).await
    }

    /// As [`start`](Self::start), reading bodies that slowly: so many bytes, then a pause.
    ///
    /// # Errors
    /// When it can't listen.
    pub async fn start_slow(
        script: Vec<Reply>,
        bytes: usize,
        pause: Duration,
    ) -> anyhow::Result<Self> {
        Self::start_reading(in_turn(script)?, Some((bytes, pause))).await
    }

    async fn start_reading(
        script: Script,
        slowly: Option<(usize, Duration)>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let journal = Journal::default();
        let kept = journal.clone();
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut met = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                met.spawn(meet(stream, script.clone(), kept.clone(), slowly));
                while met.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            address,
            journal,
            _listening: listening,
        })
    }

    /// Where it is sent to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// How many requests have come by now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.journal.count()
    }

    /// What has come by now.
    #[must_use]
    pub fn got(&self) -> Vec<Got> {
        self.journal.read()
    }

    /// Waits until so many requests have come.
    ///
    /// # Errors
    /// When they don't in time.
    pub async fn wait_for(&self, count: usize, within: Duration) -> anyhow::Result<Vec<Got>> {
        until(&format!("{count} requests"), within, async || {
            let got = self.got();
            Ok(if got.len() >= count {
                Ok(got)
            } else {
                Err(format!("{} requests", got.len()))
            })
        })
        .await
    }
}

fn in_turn(script: Vec<Reply>) -> anyhow::Result<Script> {
    anyhow::ensure!(!script.is_empty(), "a receiver has something to answer");
    Ok(Script::InTurn(Arc::new(script)))
}

/// Meets a connection until either side ends it.
async fn meet(
    mut stream: TcpStream,
    script: Script,
    journal: Journal,
    slowly: Option<(usize, Duration)>,
) {
    let mut left = Vec::new();
    while let Ok(Some(got)) = request::read(&mut stream, &mut left, slowly).await {
        let number = journal.add(got.clone());
        let Some(reply) = script.reply(number, &got) else {
            return;
        };
        // Whoever doesn't read the answer has ended the connection, and that is his business.
        match reply.give(stream).await {
            Ok(Some(kept)) => stream = kept,
            Ok(None) | Err(_) => return,
        }
    }
}
