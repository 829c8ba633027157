//! What a router writes with, and looks up: nothing here keeps a place.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use eventlog_port::{AppendError, Appending, TopicPartition, Writer};
use projections_port::{First, KeyScope};
use schemas::accepted::RoutedFrom;
use schemas::inbox::{InboxEvent, Route};
use schemas::parts::Parts;
use schemas::routed::Routed;
use schemas::topics::Topic;

use super::decide::{Incoming, Settled, Terms, Verdict, decide};
use super::decisions::Decisions;
use super::error::Failure;
use super::partition::Shared;
use super::records::{Routing, quarantined};
use crate::plan;

/// Between two tries of the keyed store.
const STORE_AGAIN: Duration = Duration::from_millis(250);

/// The ways out of one session.
pub(super) struct Outputs {
    pub(super) shared: Arc<Shared>,
    pub(super) terms: Terms,
    /// A prefix writer: any error ends it, and the session (R4).
    pub(super) writer: Box<dyn Writer>,
}

impl Outputs {
    /// What becomes of each record, by the rows below it and by what is known of endpoints.
    pub(super) async fn judge(&self, wave: &[Incoming]) -> Result<Vec<Verdict>, Failure> {
        let wanted: Vec<(KeyScope, u64)> = wave
            .iter()
            .filter_map(|incoming| Some((incoming.scope(&self.terms)?, incoming.offset)))
            .collect();
        let mut rows = if wanted.is_empty() {
            Vec::new().into_iter()
        } else {
            self.look_up(&wanted).await.into_iter()
        };
        if wave.iter().any(|incoming| incoming.needs_control()) && !self.shared.control.is_fresh() {
            self.shared.control.read_to_end().await?;
        }
        let tenant = &self.terms.kafka_tenant;
        let find = |event: &InboxEvent, endpoint| {
            let find = |state: &_| plan::kafka_routes(state, tenant, event, endpoint);
            self.shared.control.read(find)
        };
        let judge = |incoming: &Incoming| {
            let row = incoming.scope(&self.terms).and_then(|_| rows.next()?);
            decide(incoming, row.as_ref(), &self.terms, find)
        };
        Ok(wave.iter().map(judge).collect())
    }

    /// The row of each first, before any of its routes (R7).
    pub(super) async fn write_rows(
        &self,
        wave: &[Incoming],
        verdicts: &[Verdict],
        decisions: &Decisions,
    ) {
        let row_of = |incoming: &Incoming, verdict: &Verdict| -> Option<First> {
            match verdict {
                Verdict::Says(row) => row.clone(),
                Verdict::Ask(_) => match (decisions.of(incoming.offset)?, &incoming.event) {
                    (Routed::Routes(_), Ok(event)) => Some(incoming.row(event, &self.terms)),
                    (_, _) => None,
                },
            }
        };
        let rows: Vec<(KeyScope, First)> = wave
            .iter()
            .zip(verdicts)
            .filter_map(|(incoming, verdict)| {
                let scope = incoming.scope(&self.terms)?;
                Some((scope, row_of(incoming, verdict)?))
            })
            .collect();
        if !rows.is_empty() {
            self.put(&rows).await;
        }
    }

    /// Hands the log what a settled record owes, and collects what to wait for.
    pub(super) async fn append_settled(
        &self,
        incoming: &Incoming,
        settled: Settled<'_>,
    ) -> Result<VecDeque<Appending>, Failure> {
        let mut appends = VecDeque::new();
        match settled {
            Settled::Nothing => {}
            Settled::Newer(malformed) => {
                return Err(Failure::NewerReader {
                    offset: incoming.offset,
                    source: malformed.clone(),
                });
            }
            Settled::Quarantine(why) => {
                let kept = quarantined(incoming, why, &self.terms);
                appends.push_back(self.quarantine(kept).await?);
            }
            Settled::Routes {
                event,
                tenant,
                id,
                routes,
                control,
            } => {
                let routing = Routing {
                    event,
                    tenant,
                    id,
                    control,
                    from: RoutedFrom {
                        partition: self.terms.partition,
                        offset: incoming.offset,
                        accepted_at: incoming.appended_at,
                    },
                };
                for route in routes.as_slice() {
                    let record = routing.to(route);
                    appends.push_back(self.append_route(route, record).await?);
                }
            }
        }
        Ok(appends)
    }

    async fn append_route(&self, route: &Route, record: Parts) -> Result<Appending, AppendError> {
        match self.shared.events.get(route.partition) {
            Some(to) => self.writer.append(to, record.into()).await,
            None => {
                let nowhere = TopicPartition::of(Topic::Events, route.partition);
                Err(AppendError::NoSuchPartition(nowhere))
            }
        }
    }

    /// Hands the log a record of `quarantine`.
    pub(super) async fn quarantine(&self, kept: Parts) -> Result<Appending, AppendError> {
        let to = &self.shared.quarantine;
        let appending = self.writer.append(to, kept.into()).await?;
        self.shared.quarantined.inc();
        Ok(appending)
    }

    /// The rows, once the store can be read: events with a key and those behind them wait for it.
    async fn look_up(&self, wanted: &[(KeyScope, u64)]) -> Vec<Option<First>> {
        loop {
            match self.shared.keys.firsts(wanted).await {
                Ok(rows) => return rows,
                Err(error) => {
                    tracing::warn!(%error, "routing waits for the store of idempotency keys");
                    tokio::time::sleep(STORE_AGAIN).await;
                }
            }
        }
    }

    async fn put(&self, rows: &[(KeyScope, First)]) {
        while let Err(error) = self.shared.keys.put(rows).await {
            tracing::warn!(%error, "routing waits for the store of idempotency keys");
            tokio::time::sleep(STORE_AGAIN).await;
        }
    }
}
