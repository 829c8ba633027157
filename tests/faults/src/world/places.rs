//! Which endpoint is on which partition, and whether what is sent to it arrives.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use end_to_end::until::until;
use serde_json::{Value, json};

use super::{SOON, World};
use crate::receivers::Manner;

/// Endpoints with the partition of each.
type Places = Vec<(String, u64)>;

impl World {
    /// As the log has them.
    ///
    /// # Errors
    /// When the log has not.
    fn placed(&self) -> anyhow::Result<Places> {
        let control = self.brokers.records().get(&("control".to_owned(), 0));
        let mut placed = BTreeMap::new();
        for record in control.into_iter().flatten() {
            let value = record.value.as_deref().unwrap_or_default();
            let fact: Value = serde_json::from_slice(value).unwrap_or_default();
            if let (Some(id), Some(partition)) = (fact["id"].as_str(), fact["partition"].as_u64()) {
                placed.insert(id.to_owned(), partition);
            }
        }
        let of = |(_, id): &(&str, String)| {
            let partition = placed.get(id);
            Some((id.clone(), *partition?))
        };
        let found: Option<Vec<_>> = self.endpoints.iter().map(of).collect();
        found.context("an endpoint that the log doesn't know")
    }

    /// How many partitions of `events` there are.
    #[must_use]
    pub fn partitions(&self) -> usize {
        let partitions = self.brokers.records().keys();
        partitions.filter(|(topic, _)| topic == "events").count()
    }

    /// Where endpoints are, once each partition of `events` has one: further ones are made for those that have none.
    ///
    /// # Errors
    /// When a further endpoint can't be made, or goes where there is one already.
    pub async fn everywhere(&mut self) -> anyhow::Result<Places> {
        let partitions = self.partitions();
        for _ in 0..partitions {
            let places = self.placed()?;
            let taken: BTreeSet<u64> = places.iter().map(|(_, partition)| *partition).collect();
            if taken.len() == partitions {
                return Ok(places);
            }
            self.make_endpoint(Manner::Steady, "load.further").await?;
            self.read_log()?;
        }
        anyhow::bail!("a partition of {partitions} has no endpoint, however many are made")
    }

    /// An event to each endpoint arrives, but on the partition `stuck`: there nothing does.
    ///
    /// # Errors
    /// When one does not arrive in time, or arrives there.
    pub async fn all_go_on_but(&self, places: &Places, stuck: u64) -> anyhow::Result<()> {
        let arrived = || -> Vec<usize> { self.receivers.iter().map(|one| one.count()).collect() };
        let before = arrived();
        ensure!(places.len() == before.len(), "each has its own receiver");
        // Where nothing may arrive, it has the longest time to.
        let (stuck, others): (Vec<_>, Vec<_>) =
            (0..places.len()).partition(|which| places[*which].1 == stuck);
        for which in stuck.iter().chain(&others) {
            let (endpoint, _) = &places[*which];
            let event =
                json!({"event_type": "load.all", "endpoint_id": endpoint, "payload": {"n": 1}});
            self.api()?.send(&event).await?;
        }
        until("each of the other partitions goes on", SOON, async || {
            let now = arrived();
            let mut waits = others
                .iter()
                .filter(|which| now[**which] == before[**which]);
            Ok(match waits.next() {
                None => Ok(()),
                Some(which) => Err(format!("nothing arrives at {:?}", places[*which])),
            })
        })
        .await?;
        let now = arrived();
        for which in stuck {
            ensure!(
                now[which] == before[which],
                "{:?}: the partition that has stopped sends",
                places[which]
            );
        }
        Ok(())
    }
}
