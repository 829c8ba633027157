//! Following `control`: one task that reads, any number of handles that look.

use std::sync::Arc;
use std::time::Duration;

use eventlog_port::{Coalesced, EventLog, ReadError, ReadLimit, Record, TopicPartition, Watched};
use parking_lot::{Mutex, RwLock};
use schemas::DecodeError;
use schemas::control::Fact;
use schemas::topics::Topic;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::state::ControlState;

/// How often the end of `control` is asked for.
pub const ASK_EVERY: Duration = Duration::from_millis(250);

/// Without an answer for this long the state is not fresh, and nothing is dialled by it.
pub const FRESH_FOR: Duration = Duration::from_secs(1);

/// How much one read brings.
const READ: ReadLimit = ReadLimit {
    records: 1_000,
    bytes: 1 << 20,
    wait: ASK_EVERY,
};

/// What roles hold: the state as far as it is known.
#[derive(Clone)]
pub struct Control(Arc<Shared>);

struct Shared {
    log: Arc<dyn EventLog>,
    state: RwLock<ControlState>,
    /// The state's end, for those who wait.
    applied: Watched<u64>,
    /// When the request for the end was sent whose answer the state has come up to.
    known_at: Mutex<Option<Instant>>,
    /// When the end was asked for, and what it was.
    ends: Coalesced<(Instant, Result<u64, Arc<ReadError>>)>,
}

/// The task that reads `control` from its start.
pub struct Follower {
    shared: Arc<Shared>,
}

/// `control` could not be followed that far.
#[derive(Debug, thiserror::Error)]
pub enum Behind {
    /// The log could not say how far it goes.
    #[error("the end of control could not be read: {0}")]
    Unknown(#[source] Arc<ReadError>),
    /// The follower has stopped.
    #[error("control is not followed any more")]
    Stopped,
}

/// Why following ended.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The log says that going on is of no use.
    #[error(transparent)]
    Read(ReadError),
    /// A fact of a newer program: who acts without it acts wrongly.
    #[error(
        "the fact at offset {offset} of control is of version {version}, which this program doesn't read"
    )]
    TooNew {
        /// Where.
        offset: u64,
        /// Its version.
        version: u64,
    },
}

/// A handle and the follower that keeps it up to date.
#[must_use]
pub fn follow(log: Arc<dyn EventLog>) -> (Control, Follower) {
    let shared = Arc::new(Shared {
        log,
        state: RwLock::default(),
        applied: Watched::new(0),
        known_at: Mutex::new(None),
        ends: Coalesced::default(),
    });
    (Control(Arc::clone(&shared)), Follower { shared })
}

impl Control {
    /// Looks at the state. `look` must be short: facts wait for it.
    pub fn read<T>(&self, look: impl FnOnce(&ControlState) -> T) -> T {
        look(&self.0.state.read())
    }

    /// Waits until everything below `end` is applied.
    ///
    /// # Errors
    /// When the follower has stopped.
    pub async fn applied(&self, end: u64) -> Result<(), Behind> {
        self.0.applied.wait_for(|applied| *applied >= end).await;
        Ok(())
    }

    /// Waits until everything is applied that was durable before the call. Any number may: the log is asked once.
    ///
    /// # Errors
    /// When the log can't be asked, or the follower has stopped.
    pub async fn read_to_end(&self) -> Result<(), Behind> {
        let log = Arc::clone(&self.0.log);
        let asking = self.0.ends.ask(move || async move {
            let asked = Instant::now();
            let bounds = log.bounds(&partition()).await;
            (asked, bounds.map(|bounds| bounds.end).map_err(Arc::new))
        });
        let (asked, end) = asking.await;
        self.applied(end.map_err(Behind::Unknown)?).await?;
        self.0.is_known_as_of(asked);
        Ok(())
    }

    /// Whether the state holds all that was durable [`FRESH_FOR`] ago. A dispatcher that is not
    /// fresh dials nobody: what it knows may have been changed.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        let known_at = *self.0.known_at.lock();
        known_at.is_some_and(|at| at.elapsed() < FRESH_FOR)
    }
}

impl Follower {
    /// Follows until `shutdown`. What can't be read now is tried again; meanwhile the state is not
    /// fresh. Cancelling loses nothing.
    ///
    /// # Errors
    /// When going on is of no use: the state would be wrong.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), FollowError> {
        let following = async {
            loop {
                match self.follow().await {
                    Err(FollowError::Read(error)) if error.is_retryable() => {
                        tracing::warn!(%error, "control can't be read, trying again");
                        tokio::time::sleep(ASK_EVERY).await;
                    }
                    ended => return ended,
                }
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            ended = following => ended,
        }
    }

    /// Reads on from where the state is. Each turn asks for the end first, so that what it learns
    /// is known as of the moment of asking.
    async fn follow(&self) -> Result<(), FollowError> {
        let read = FollowError::Read;
        let control = partition();
        let from = self.shared.state.read().end();
        let mut reader = self.shared.log.reader(&control, from).await.map_err(read)?;
        loop {
            let asked = Instant::now();
            let end = self.shared.log.bounds(&control).await.map_err(read)?.end;
            if self.shared.state.read().end() >= end {
                self.shared.is_known_as_of(asked);
            }
            let records = reader.next(READ).await.map_err(read)?;
            self.shared.apply(records, reader.position())?;
        }
    }
}

impl Shared {
    fn is_known_as_of(&self, asked: Instant) {
        let mut known_at = self.known_at.lock();
        *known_at = (*known_at).max(Some(asked));
    }

    fn apply(&self, records: Vec<Record>, position: u64) -> Result<(), FollowError> {
        let end = {
            let mut state = self.state.write();
            for record in records {
                let offset = record.offset;
                match Fact::decode(&record.into_parts()) {
                    Ok(fact) => drop(state.apply(offset, fact)),
                    Err(DecodeError::UnknownVersion { found: version }) => {
                        return Err(FollowError::TooNew { offset, version });
                    }
                    // Whoever wrote it, no fact it is. Everybody reads this topic from its start: to stop at it
                    // would be for ever, and for all.
                    Err(DecodeError::Malformed(why)) => {
                        tracing::warn!(offset, %why, "passed over what others wrote to control");
                    }
                }
            }
            state.pass(position);
            state.end()
        };
        if self.applied.get() != end {
            self.applied.set(end);
        }
        Ok(())
    }
}

/// The one partition of `control`.
pub(crate) fn partition() -> TopicPartition {
    TopicPartition::of(Topic::Control, 0)
}

#[cfg(test)]
mod tests {
    use domain::chance::Seeded;
    use domain::time::{ManualClock, Timestamp};
    use eventlog_port::memory::MemoryLog;
    use eventlog_port::{NewRecord, TopicSpec, WriterKind, WriterSpec};

    use super::*;
    use crate::example;

    /// A log whose `control` has these values, and what became of who followed it.
    async fn followed(values: Vec<Option<&[u8]>>) -> (Control, Result<(), FollowError>) {
        let clock = Arc::new(ManualClock::new(Timestamp::default()));
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new(clock, Box::new(Seeded::new(1))));
        let spec = TopicSpec {
            name: Topic::Control.to_string(),
            partitions: 1,
            retention: None,
            retention_bytes: None,
            max_record_bytes: 1 << 20,
        };
        log.ensure(&[spec]).await.unwrap();
        let spec = WriterSpec {
            kind: WriterKind::Ordered,
            name: "somebody".to_owned(),
            max_in_flight: 8,
        };
        let writer = log.writer(spec).await.unwrap();
        for value in &values {
            let record = NewRecord {
                value: value.map(<[u8]>::to_vec).map(Into::into),
                ..NewRecord::default()
            };
            let appending = writer.append(&partition(), record).await.unwrap();
            appending.await.unwrap();
        }
        let (control, follower) = follow(log);
        let shutdown = CancellationToken::new();
        let read = async {
            control.applied(values.len() as u64).await.unwrap();
            shutdown.cancel();
        };
        let running = follower.run(shutdown.clone());
        let ended = tokio::select! {
            biased;
            ended = running => ended,
            () = async { read.await; std::future::pending::<()>().await } => Ok(()),
        };
        (control, ended)
    }

    fn fact() -> Vec<u8> {
        let parts = Fact::Endpoint(Box::new(example::endpoint())).encode();
        parts.value.unwrap().to_vec()
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_wrote_is_passed_over() {
        let fact = fact();
        let strange = [
            Some(&b"nobody knows"[..]),
            None,
            Some(b"{\"v\":1,\"kind\":\"?\"}"),
        ];
        let values = [&strange[..], &[Some(&fact)], &strange[..1]].concat();
        let (control, ended) = followed(values).await;
        ended.unwrap();
        let id = example::endpoint().id;
        let known = control.read(|state| state.endpoint(&id).map(|known| known.version));
        assert_eq!(known, Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_programs_fact_stops_it() {
        let newer = br#"{"v":2,"kind":"endpoint"}"#;
        let (_, ended) = followed(vec![Some(b"nobody knows"), Some(newer)]).await;
        let is_too_new = |error| {
            matches!(
                error,
                FollowError::TooNew {
                    offset: 1,
                    version: 2
                }
            )
        };
        assert!(ended.is_err_and(is_too_new));
    }
}
