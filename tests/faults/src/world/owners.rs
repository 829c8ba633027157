//! Which dispatcher has which partition, by what dispatchers say.

use std::collections::BTreeMap;

use end_to_end::program::Server;
use end_to_end::until::until;

use super::{SOON, World};

/// The epoch and the name of each partition's owner.
pub(super) type Owners = BTreeMap<u32, (u64, String)>;

/// The highest epoch is the owner's.
fn claim(owners: &mut Owners, partition: u32, epoch: u64, name: &str) {
    let known = owners.get(&partition);
    if known.is_none_or(|(highest, _)| *highest < epoch) {
        owners.insert(partition, (epoch, name.to_owned()));
    }
}

impl World {
    /// What was its own is nobody's until another says otherwise.
    pub(super) fn remember(&mut self, name: &str, server: &Server) {
        for (partition, epoch) in server.claims() {
            claim(
                &mut self.gone,
                partition,
                epoch,
                &format!("{name}, which is gone"),
            );
        }
    }

    /// Which dispatcher said last that a partition is its own, by partition, with its epoch.
    fn owners(&self) -> Owners {
        let mut owners = self.gone.clone();
        for (name, instance) in &self.instances {
            for (partition, epoch) in instance.server.claims() {
                claim(&mut owners, partition, epoch, name);
            }
        }
        owners
    }

    /// How often a dispatcher that runs has taken a partition.
    #[must_use]
    pub fn takeovers(&self) -> usize {
        let instances = self.instances.values();
        instances
            .map(|instance| instance.server.claims().len())
            .sum()
    }

    /// What any process that runs has said in these words.
    #[must_use]
    pub fn lines_with(&self, words: &str) -> Vec<String> {
        let instances = self.instances.values();
        let lines = instances.flat_map(|instance| instance.server.lines_with(words));
        lines.collect()
    }

    /// The partitions that are a dispatcher's own.
    #[must_use]
    pub fn owned(&self, name: &str) -> Vec<u32> {
        let owners = self.owners().into_iter();
        let owned = owners.filter(|(_, (_, owner))| owner == name);
        owned.map(|(partition, _)| partition).collect()
    }

    /// Waits until others have all that was `name`'s.
    ///
    /// # Errors
    /// When they don't in time.
    pub async fn is_overtaken(&self, name: &str) -> anyhow::Result<()> {
        until(&format!("others take what {name} has"), SOON, async || {
            let owned = self.owned(name);
            Ok(if owned.is_empty() {
                Ok(())
            } else {
                Err(format!("{owned:?} are its own"))
            })
        })
        .await
    }

    /// Waits until `name` has its share of the partitions, and every partition somebody who runs.
    ///
    /// # Errors
    /// When that is not so in time.
    pub async fn has_its_share(&self, name: &str) -> anyhow::Result<()> {
        let dispatchers = || self.instances.keys().filter(|name| name.starts_with('d'));
        until(&format!("{name} has its share"), SOON, async || {
            let owners = self.owners();
            let owned = |name: &str| owners.values().filter(|(_, owner)| owner == name).count();
            let of_running: usize = dispatchers().map(|name| owned(name)).sum();
            let share = owners.len() / dispatchers().count().max(1);
            Ok(
                if of_running == owners.len() && owned(name) >= share.max(1) {
                    Ok(())
                } else {
                    Err(format!("{owners:?}"))
                },
            )
        })
        .await
    }
}
