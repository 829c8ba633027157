//! Statements, prepared and run.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use projections_port::ViewError;
use prometheus_client::metrics::counter::Counter;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::deserialize::row::DeserializeRow;
use scylla::serialize::row::SerializeRow;
use scylla::statement::Consistency;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};
use scylla::statement::prepared::PreparedStatement;

use crate::error::{OpenError, unavailable, unusable};
use crate::passing::of_driver;
use crate::store::Config;
use crate::tls;

/// How long one statement may take before it counts as failed.
const STATEMENT: Duration = Duration::from_secs(10);

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Requests at a time, for one caller.
const IN_FLIGHT: usize = 128;

/// Asks for all of it at once, as far as [`IN_FLIGHT`] allows, and answers in the order asked.
pub(crate) async fn together<T: Send>(
    asked: Vec<impl Future<Output = Result<T, ViewError>> + Send>,
) -> Result<Vec<T>, ViewError> {
    stream::iter(asked).buffered(IN_FLIGHT).try_collect().await
}

/// A session.
pub(crate) struct Cql {
    session: Session,
    pub(crate) requests: Requests,
}

/// What was asked of the store so far.
#[derive(Clone, Default)]
pub(crate) struct Requests {
    pub(crate) reads: Counter,
    pub(crate) writes: Counter,
}

impl Cql {
    pub(crate) async fn connect(config: &Config) -> Result<Self, OpenError> {
        let profile = ExecutionProfile::builder()
            // Not a quorum of one datacenter: which one, the driver decides anew at each request, and what one
            // has written the other must see.
            .consistency(Consistency::Quorum)
            .request_timeout(Some(STATEMENT))
            .build();
        let mut builder = SessionBuilder::new()
            .known_nodes(&config.nodes)
            .connection_timeout(CONNECT)
            .default_execution_profile_handle(profile.into_handle());
        if let Some((user, password)) = &config.login {
            builder = builder.user(user, password);
        }
        if let Some(tls) = &config.tls {
            builder = builder.tls_context(Some(tls::client_config(tls)?));
        }
        let session = builder.build().await;
        Ok(Self {
            session: session.map_err(|error| OpenError::Unreachable {
                nodes: config.nodes.join(","),
                source: Box::new(error),
            })?,
            requests: Requests::default(),
        })
    }

    /// Runs a statement that changes tables, and waits until every node has it.
    pub(crate) async fn define(&self, text: &str) -> Result<(), ViewError> {
        self.session
            .query_unpaged(text, ())
            .await
            .map_err(of_driver)?;
        self.session
            .await_schema_agreement()
            .await
            .map_err(unavailable)?;
        Ok(())
    }

    /// The rows that a statement finds which is asked once.
    pub(crate) async fn ask<R>(
        &self,
        text: &str,
        values: impl SerializeRow,
    ) -> Result<Vec<R>, ViewError>
    where
        R: for<'frame> DeserializeRow<'frame, 'frame>,
    {
        self.rows(&self.prepare(text.to_owned()).await?, values)
            .await
    }

    pub(crate) async fn prepare(&self, text: String) -> Result<PreparedStatement, ViewError> {
        let mut statement = self.session.prepare(text).await.map_err(of_driver)?;
        // Each names the cells and the time of what it writes: run twice, it changes nothing.
        statement.set_is_idempotent(true);
        Ok(statement)
    }

    pub(crate) async fn run(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<(), ViewError> {
        self.requests.writes.inc();
        let ran = self.session.execute_unpaged(statement, values).await;
        ran.map(drop).map_err(of_driver)
    }

    /// All rows at once: every statement that is asked so has a limit, or few rows by its nature.
    pub(crate) async fn rows<R>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Vec<R>, ViewError>
    where
        R: for<'frame> DeserializeRow<'frame, 'frame>,
    {
        self.requests.reads.inc();
        let found = self.session.execute_unpaged(statement, values).await;
        let found = found.map_err(of_driver)?;
        // Tables that have another shape.
        let found = found.into_rows_result().map_err(unusable)?;
        let rows = found.rows::<R>().map_err(unusable)?;
        rows.map(|row| row.map_err(unusable)).collect()
    }

    /// Runs one statement with each of `values`, all of one partition, in one request.
    pub(crate) async fn batch(
        &self,
        statement: &PreparedStatement,
        values: Vec<impl SerializeRow>,
    ) -> Result<(), ViewError> {
        if let [one] = values.as_slice() {
            return self.run(statement, one).await;
        }
        let statements = vec![BatchStatement::from(statement.clone()); values.len()];
        let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
        batch.set_is_idempotent(true);
        self.requests.writes.inc();
        let ran = self.session.batch(&batch, values).await;
        ran.map(drop).map_err(of_driver)
    }
}
