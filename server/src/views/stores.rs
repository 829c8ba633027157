//! Views and keys, whichever store keeps them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::time::Clock;
use eventlog_port::EventLog;
use projections_port::{Keys, ViewWriter};
use projections_scylla::Tls;
use prometheus_client::registry::Registry;

use super::{Target, blocking, embedded_config};
use crate::cli::WhichViews;

/// Views and keys, open.
#[derive(Clone)]
pub(crate) enum Stores {
    /// In the data directory.
    Embedded(Arc<projections_embedded::Store>),
    /// Shared with other processes.
    Cql(Arc<projections_scylla::Store>),
}

/// The longest TTL that CQL takes, in seconds: 20 years.
const LONGEST_TTL: u32 = 20 * 365 * 24 * 3_600;

impl Stores {
    /// Opens what `which` names; the embedded one in `data`, under the name `holder`. A CQL store forgets an
    /// idempotency key `keys_kept` after it was written; `None`: as servers on it have said.
    ///
    /// # Errors
    /// What can't be opened.
    pub(crate) async fn open(
        which: &WhichViews,
        data: &Path,
        holder: &str,
        keys_kept: Option<Duration>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        if let Some(mut config) = cql_config(which)? {
            config.keys_ttl = keys_kept.map(|kept| {
                u32::try_from(kept.as_secs()).map_or(LONGEST_TTL, |kept| kept.min(LONGEST_TTL))
            });
            let store = projections_scylla::Store::open(&config, clock).await?;
            return Ok(Self::Cql(Arc::new(store)));
        }
        let config = embedded_config(data, holder);
        let store = blocking(move || projections_embedded::Store::open(&config)).await?;
        Ok(Self::Embedded(Arc::new(store)))
    }

    /// The views.
    pub(crate) fn views(&self) -> Arc<dyn ViewWriter> {
        match self {
            Self::Embedded(store) => store.views(),
            Self::Cql(store) => store.views(),
        }
    }

    /// The keyed store.
    pub(crate) fn keys(&self) -> Arc<dyn Keys> {
        match self {
            Self::Embedded(store) => store.keys(),
            Self::Cql(store) => store.keys(),
        }
    }

    /// Lets operators see what there is to see of the store.
    pub(crate) fn register(&self, registry: &mut Registry) {
        if let Self::Cql(store) = self {
            store.register(registry);
        }
    }

    /// Folds idempotency keys out of the log where the keyed store is new or was lost, and says how many.
    /// Before any router runs.
    ///
    /// # Errors
    /// When the log or the store fails.
    pub(crate) async fn fold_keys(&self, log: &Arc<dyn EventLog>) -> Result<Option<u64>> {
        let are_whole = match self {
            Self::Embedded(store) => store.keys_are_whole()?,
            Self::Cql(store) => store.keys_are_whole().await?,
        };
        if are_whole {
            return Ok(None);
        }
        let rows = projections::rebuild_keys(log, &self.keys())
            .await
            .context("idempotency keys out of the log")?;
        match self {
            Self::Embedded(store) => store.keys_were_folded()?,
            Self::Cql(store) => store.keys_were_folded().await?,
        }
        Ok(Some(rows))
    }

    /// Makes what is in the data directory durable, and gives it free.
    ///
    /// # Errors
    /// When the task ends early.
    pub(crate) async fn close(&self) -> Result<()> {
        if let Self::Embedded(store) = self {
            let store = Arc::clone(store);
            tokio::task::spawn_blocking(move || store.close()).await?;
        }
        Ok(())
    }
}

/// What the CQL store is opened with; `None`: views are embedded.
///
/// # Errors
/// When the login can't be read.
pub(super) fn cql_config(which: &WhichViews) -> Result<Option<projections_scylla::Config>> {
    let Target::Cql { nodes, keyspace } = &which.views else {
        return Ok(None);
    };
    let mut config = projections_scylla::Config::new(nodes.clone(), keyspace.clone());
    config.replication = which.views_replication;
    config.tls = which.views_ca.clone().map(|authorities| Tls {
        authorities,
        name: which.views_tls_name.clone(),
    });
    if let Some(file) = &which.views_login {
        let shown = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("{shown}"))?;
        let login = text.trim_end().split_once(':');
        let (user, password) = login.with_context(|| format!("{shown}: not `user:password`"))?;
        config.login = Some((user.to_owned(), password.to_owned()));
    }
    Ok(Some(config))
}
