//! Waiting for the next thing to come about, and telling the core.

use std::sync::Arc;
use std::time::Duration;

use eventlog_port::{IndexError, ReadError};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, sleep_until};

use super::super::Failure;
use super::super::acks::{Acked, Waits};
use super::super::index::Told;
use super::{Epoch, Event, Look, MAY_DIAL};
use crate::core::{Now, Returned};

/// How many answers are taken at once.
const AT_ONCE: usize = 256;

/// An index without room is not asked again for as long.
const FULL: Duration = Duration::from_secs(1);

/// How soon it is looked again whether the process has room: others may have given it back.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(20);

/// How soon it is looked again at what should have come about.
const OVERDUE: Duration = Duration::from_millis(1);

/// It is looked around this often, whatever is waited for.
const AT_THE_LATEST: Duration = Duration::from_secs(1);

/// Something that came about.
enum Came {
    Acked(Vec<Acked>),
    Returned(Result<Returned, tokio::task::JoinError>),
    Event(Event),
    Stopped,
    Time,
}

impl Epoch<'_> {
    /// Waits for one thing at least, and takes everything else that is there.
    pub(super) async fn wait(&mut self) -> Result<(), Failure> {
        let until = self.wakes_at();
        let is_draining = self.drains_until.is_some();
        let lease = Arc::clone(&self.life.lease);
        let came = tokio::select! {
            biased;
            () = lease.over() => return Err(Failure::Lost),
            () = self.life.stop.cancelled(), if !is_draining => Came::Stopped,
            () = self.life.hurry.cancelled(), if is_draining => Came::Time,
            acked = self.acks.next(), if !self.acks.is_empty() => Came::Acked(acked?),
            Some(returned) = self.life.sends.join_next(), if !self.life.sends.is_empty() => {
                Came::Returned(returned)
            }
            Some(event) = self.work.next(), if !self.work.is_empty() => Came::Event(event),
            () = sleep_until(until) => Came::Time,
        };
        self.take(came)?;
        self.take_all()?;
        if self.starts_at.is_some_and(|(at, _)| at <= Instant::now()) {
            self.note_starts().await?;
        }
        self.append_looked().await
    }

    fn wakes_at(&self) -> Instant {
        let now = Instant::now();
        // What is overdue waits for something that is under way: it is looked at again, not at once.
        let in_log = self
            .core
            .wakes_in(&self.tiers, self.now())
            .map(|wait| now + wait.max(OVERDUE));
        let starts = self.starts_at.map(|(at, _)| at);
        let may_dial = (self.core.has_line() && !self.now().may_dial).then(|| now + MAY_DIAL);
        let full = self.core.is_full.then(|| now + LOOK_FOR_ROOM);
        let is_busy = self.is_looking || self.is_checkpointing || self.planned.is_some();
        let checkpoint = (!is_busy).then_some(self.checkpoint_at);
        let soonest = [
            in_log,
            starts,
            may_dial,
            full,
            self.drains_until,
            checkpoint,
        ]
        .into_iter()
        .flatten()
        .min();
        soonest.map_or(now + AT_THE_LATEST, |at| at.max(now))
    }

    /// What is there already: so that one step decides about many.
    fn take_all(&mut self) -> Result<(), Failure> {
        if !self.acks.is_empty()
            && let Some(acked) = self.acks.next().now_or_never()
        {
            self.acked(acked?);
        }
        for _ in 0..AT_ONCE {
            let Some(returned) = self.life.sends.try_join_next() else {
                break;
            };
            self.take(Came::Returned(returned))?;
        }
        for _ in 0..AT_ONCE {
            let Some(Some(event)) = self.work.next().now_or_never() else {
                break;
            };
            self.take(Came::Event(event))?;
        }
        Ok(())
    }

    fn take(&mut self, came: Came) -> Result<(), Failure> {
        match came {
            Came::Acked(acked) => self.acked(acked),
            Came::Returned(Ok(returned)) => self.returned(returned),
            // A panic in a transport: what was out stays undone, and a new owner sends it again.
            Came::Returned(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            Came::Event(event) => self.happened(event)?,
            Came::Stopped => {
                let stopped = *self.life.stopped.get_or_insert_with(Instant::now);
                self.drains_until = Some(stopped + self.shared.config.drain);
            }
            Came::Time => {}
        }
        Ok(())
    }

    fn returned(&mut self, returned: Returned) {
        self.starts.remove(&returned.job.input);
        let now = self.now();
        self.core.returned(returned, now);
    }

    pub(super) fn acked(&mut self, acked: Vec<Acked>) {
        for Acked {
            topic,
            sent,
            appended,
            waits,
        } in acked
        {
            self.life.log_time.appended(appended.appended_at, sent);
            match waits {
                Waits::Outcome(ticket, _) => self.core.acknowledged(topic, appended, &ticket),
                Waits::Note => self.core.noted(topic, appended),
                Waits::Checkpoint(plan) => {
                    self.core.noted(topic, appended);
                    self.core.checkpointed(*plan);
                    self.is_checkpointing = false;
                    self.life.places(self.core.done_below());
                }
            }
        }
    }

    fn happened(&mut self, event: Event) -> Result<(), Failure> {
        let now = self.now();
        match event {
            Event::Events(reader, records) => {
                let position = reader.position();
                self.reader = Some(reader);
                self.core.arrived(passing(records)?, position)?;
            }
            Event::Tier(tier, read) => {
                self.tiers.remove(&tier);
                match read {
                    Ok((records, position)) => {
                        self.core.tier_arrived(tier, records, position, now)?;
                    }
                    Err(error) => drop(passing::<()>(Err(error))?),
                }
            }
            Event::Swept(reader, records) => {
                let position = reader.position();
                if self.core.swept(passing(records)?, position)? {
                    self.go_on_sweeping(reader);
                }
            }
            Event::SweepFailed(error) => return Err(error.into()),
            Event::Looked(look, looked) => self.looked(look, looked)?,
            Event::Index(told) => self.told(told, now)?,
            Event::Disabled(id) => self.core.disabled(id),
            Event::PutAway(input) => self.core.is_put_away(input),
            Event::Control => self.waits_for_control = None,
            Event::Told => {}
            Event::Permit(permit) => {
                self.waits_for_permit = false;
                self.core.give_leave(permit);
            }
        }
        Ok(())
    }

    fn looked(
        &mut self,
        look: Look,
        looked: Result<(eventlog_port::Offset, u64), ReadError>,
    ) -> Result<(), Failure> {
        self.is_looking = false;
        let (end, highest) = match looked {
            Ok(looked) => looked,
            Err(error) if error.is_retryable() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.check(highest)?;
        self.looked_to = self.looked_to.max(end);
        self.core.confirm(&look.ends);
        self.planned = look.plan;
        Ok(())
    }

    async fn append_looked(&mut self) -> Result<(), Failure> {
        match self.planned.take() {
            Some(plan) => self.append_plan(plan).await,
            None => Ok(()),
        }
    }

    fn told(&mut self, told: Told, now: Now) -> Result<(), Failure> {
        self.index.answered();
        match told {
            Told::Nothing => {}
            Told::Fetched(Ok(fetched)) => self.core.fetched(fetched, now)?,
            Told::Fetched(Err((fetch, error))) => {
                if !error.is_retryable() {
                    return Err(error.into());
                }
                self.core.not_fetched(fetch);
            }
            Told::Failed(IndexError::Full) => {
                self.index.drop_adds();
                self.core.index_lost(Some(now.log.saturating_add(FULL)));
            }
            // A new epoch begins with a new index.
            Told::Failed(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Nothing for now, where reading again may help.
fn passing<T: Default>(read: Result<T, ReadError>) -> Result<T, ReadError> {
    match read {
        Err(error) if error.is_retryable() => {
            tracing::warn!(%error, "the log can't be read, trying again");
            Ok(T::default())
        }
        other => other,
    }
}
