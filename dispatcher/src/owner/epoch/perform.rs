//! Effects, done.

use std::sync::Arc;
use std::time::Duration;

use domain::time::Clock;
use eventlog_port::{AppendError, WriterKind, WriterSpec};
use schemas::actor::Actor;
use schemas::attempts::Start;
use schemas::control::{Change, DisabledReason, Endpoint, EndpointChange, EndpointState, Fact};
use schemas::quarantine::Quarantined;
use schemas::topics::Topic;
use tokio::time::Instant;

use super::super::acks::Waits;
use super::super::index::Ask;
use super::super::{Failure, Lease, Shared, at};
use super::{Epoch, Event, MOST_STARTS};
use crate::core::{Departure, Effect, Now, Returned};
use crate::input::Input;
use crate::outcome::{Out, Ticket};
use crate::outgoing::{OpenedSecrets, Outgoing, outgoing};
use crate::transport::{Request, Transport};

impl Epoch<'_> {
    /// Does everything, in order. True: the core was told something new by that.
    pub(super) async fn perform_all(
        &mut self,
        effects: Vec<Effect>,
        now: Now,
    ) -> Result<bool, Failure> {
        let mut is_dirty = false;
        let mut effects = effects.into_iter();
        while let Some(effect) = effects.next() {
            match self.perform(effect, now).await {
                Ok(told) => is_dirty |= told,
                Err(failure) => {
                    self.keep(effects);
                    return Err(failure);
                }
            }
        }
        Ok(is_dirty)
    }

    async fn perform(&mut self, effect: Effect, now: Now) -> Result<bool, Failure> {
        match effect {
            Effect::Send(departure) => return Ok(self.send(*departure, now)),
            Effect::Append(out, ticket) => self.append(out, ticket).await?,
            Effect::Note(record) => self.note(Topic::Attempts, record.encode()).await?,
            Effect::Progress(record) => self.note(Topic::Progress, record.encode()).await?,
            Effect::Index(notes) => self.index.ask(Ask::Add(notes)),
            Effect::Forget(lane, below) => self.index.ask(Ask::Forget(lane, below)),
            Effect::Fetch(fetch) => self.index.ask(Ask::Fetch(fetch)),
            Effect::Sweep(from) => self.begin_sweep(from),
            Effect::Quarantine(input, record) => self.put_away(input, *record),
            Effect::Disable(current, reason) => self.disable(&current, reason),
        }
        Ok(false)
    }

    async fn append(&mut self, out: Box<Out>, ticket: Ticket) -> Result<(), AppendError> {
        let topic = out.topic();
        let to = self.place(topic);
        let sent = Instant::now();
        match self.writer.append(&to, out.encode()).await {
            Ok(appending) => {
                let kept = ticket.is_answer.then_some(out);
                self.acks
                    .push(topic, sent, appending, Waits::Outcome(ticket, kept));
                Ok(())
            }
            Err(error) => {
                if ticket.is_answer {
                    self.left.push((out, ticket));
                }
                Err(error)
            }
        }
    }

    /// Lets a request go. True: it can't be made, and the core knows.
    fn send(&mut self, departure: Departure, now: Now) -> bool {
        let secrets = match self.shared.opener.open(&departure.current) {
            Ok(secrets) => secrets,
            Err(error) => {
                tracing::error!(endpoint = %departure.job.addressed.endpoint, %error, "nothing is sent to an endpoint");
                self.core.not_sent(departure, now);
                return true;
            }
        };
        let start = Start {
            delivery: departure.job.delivery.id,
            origin: departure.job.input.position(self.partition),
            number: departure.number,
        };
        if self.starts_at.is_none() {
            let until = Instant::now() + self.shared.config.limits.starts_every;
            self.starts_at = Some((until, now.wall));
        }
        self.starts.insert(departure.job.input, start);
        if self.starts.len() >= MOST_STARTS
            && let Some((until, _)) = &mut self.starts_at
        {
            *until = Instant::now();
        }
        let transport = Arc::clone(&self.shared.transport);
        let clock = Arc::clone(&self.shared.clock);
        let leave = Leave {
            lease: Arc::clone(&self.life.lease),
            session: self.shared.config.session,
            control: self.shared.control.clone(),
        };
        self.life
            .sends
            .spawn(exchange(departure, secrets, transport, clock, leave));
        false
    }

    fn put_away(&mut self, input: Input, record: Quarantined) {
        tracing::warn!(partition = self.partition, ?input, why = %record.report.why, "a record of others goes to quarantine");
        let shared = Arc::clone(self.shared);
        self.work.push(Box::pin(async move {
            quarantine(&shared, record).await;
            shared.metrics.quarantined.inc();
            Event::PutAway(input)
        }));
    }

    fn disable(&mut self, current: &control::Current, reason: DisabledReason) {
        let fact = disabled(current, reason);
        let (id, shared) = (current.endpoint.id, Arc::clone(self.shared));
        self.work.push(Box::pin(async move {
            match shared.facts.write(&fact).await {
                Ok(_) => tracing::info!(endpoint = %id, ?reason, "endpoint.disabled"),
                Err(error) => {
                    tracing::warn!(endpoint = %id, %error, "an endpoint could not be disabled")
                }
            }
            Event::Disabled(id)
        }));
    }
}

/// What a request needs at the moment when it goes out.
struct Leave {
    lease: Arc<Lease>,
    session: Duration,
    control: control::Control,
}

impl Leave {
    /// Whether the partition is this process's, and the endpoint still as it was asked for.
    fn holds(&self, current: &control::Current) -> bool {
        let id = current.endpoint.id;
        let version = |state: &control::ControlState| state.endpoint(&id).map(|now| now.version);
        self.lease.holds(self.session)
            && self.control.is_fresh()
            && self.control.read(version) == Some(current.version)
    }
}

/// One request, signed at the moment when it goes out.
async fn exchange(
    departure: Departure,
    secrets: Arc<OpenedSecrets>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    leave: Leave,
) -> Returned {
    let Departure {
        job,
        current,
        url,
        timeout,
        connect_timeout,
        grant,
        number,
    } = departure;
    let started_at = clock.now();
    // A moment ago it held; a process that was frozen since, or had to wait for the log, must not send.
    if !leave.holds(&current) {
        return Returned {
            job,
            grant,
            number,
            started_at,
            keys: Vec::new(),
            current,
            answer: None,
        };
    }
    let Outgoing { headers, keys } = outgoing(
        &job.addressed,
        &job.delivery.id,
        &current.endpoint,
        &secrets,
        number,
        started_at,
    );
    let request = Request {
        endpoint: job.addressed.endpoint,
        url,
        timeout,
        connect_timeout,
        headers,
        body: job.addressed.payload.clone(),
    };
    tracing::debug!(delivery = %job.delivery.id, number, "delivery.started");
    let answer = transport.send(request).await;
    Returned {
        job,
        grant,
        number,
        started_at,
        keys,
        current,
        answer: Some(answer),
    }
}

/// Appends to `quarantine` until it is durable there.
async fn quarantine(shared: &Shared, record: Quarantined) {
    const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);
    let to = at(Topic::Quarantine, 0);
    loop {
        let spec = WriterSpec {
            kind: WriterKind::Ordered,
            name: "quarantine".to_owned(),
            max_in_flight: 16,
        };
        let appended = async {
            let writer = shared.log.writer(spec).await?;
            let appending = writer.append(&to, record.encode().into()).await?;
            appending.await?;
            writer.close().await;
            Ok::<(), Failure>(())
        };
        match appended.await {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(%error, "quarantine can't be written, trying again");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

fn disabled(current: &control::Current, reason: DisabledReason) -> Fact {
    let change = Change {
        tenant: current.endpoint.change.tenant.clone(),
        replaces: Some(current.version),
        by: Actor::Dispatcher,
        request_id: None,
    };
    Fact::Endpoint(Box::new(Endpoint {
        change,
        did: EndpointChange::Disabled,
        state: EndpointState::Disabled,
        disabled_reason: Some(reason),
        ..current.endpoint.clone()
    }))
}
