//! The log: what the port asks, handed to who can answer it.

use std::sync::Arc;

use async_trait::async_trait;
use domain::time::Timestamp;
use eventlog_port::{
    Bounds, EventLog, GroupError, GroupSpec, Member, Offset, Plan, ReadError, Reader, Record,
    TopicError, TopicInfo, TopicPartition, TopicSpec, Writer, WriterSpec,
};

use crate::cluster::Cluster;
use crate::config::Config;
use crate::error::ConnectError;
use crate::member::KafkaMember;
use crate::point::PointReads;
use crate::pool::Pool;
use crate::reader::KafkaReader;
use crate::topics::Topics;
use crate::writer::KafkaWriter;

/// The log on a Kafka-compatible cluster.
///
/// Clients connect by themselves and again after an outage; nothing here has to be made anew.
pub struct KafkaLog {
    config: Config,
    cluster: Arc<Cluster>,
    topics: Arc<Topics>,
    pool: Arc<Pool>,
    patient: Arc<Pool>,
    points: PointReads,
}

impl KafkaLog {
    /// Checks the configuration, makes the clients, and waits until a broker answers.
    ///
    /// # Errors
    /// [`Refused`](ConnectError::Refused), [`Value`](ConnectError::Value) and
    /// [`Bound`](ConnectError::Bound) say what is wrong with the configuration;
    /// [`Unreachable`](ConnectError::Unreachable) when no broker answers within
    /// `request_timeout`.
    pub async fn connect(config: Config) -> Result<Self, ConnectError> {
        config.check()?;
        let cluster = Arc::new(Cluster::connect(&config)?);
        let topics = Arc::new(Topics::connect(&config, Arc::clone(&cluster))?);
        cluster
            .answers()
            .await
            .map_err(|source| ConnectError::Unreachable {
                bootstrap: config.bootstrap.clone(),
                source,
            })?;
        let pool = Arc::new(Pool::streaming(&config));
        let patient = Arc::new(Pool::patient(&config));
        let points = PointReads::new(&config, Arc::clone(&cluster));
        Ok(Self {
            config,
            cluster,
            topics,
            pool,
            patient,
            points,
        })
    }

    async fn reader_of(
        &self,
        pool: &Arc<Pool>,
        partition: &TopicPartition,
        from: Offset,
    ) -> Result<Box<dyn Reader>, ReadError> {
        let (cluster, pool) = (Arc::clone(&self.cluster), Arc::clone(pool));
        let full_name = self.full_name(partition);
        let reader = KafkaReader::open(cluster, pool, full_name, partition.clone(), from).await?;
        Ok(Box::new(reader))
    }

    fn full_name(&self, partition: &TopicPartition) -> String {
        self.config.full_name(partition.topic())
    }
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaLog")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl EventLog for KafkaLog {
    async fn topics(&self) -> Result<Vec<TopicInfo>, TopicError> {
        self.topics.list().await
    }

    async fn plan(&self, specs: &[TopicSpec]) -> Result<Vec<Plan>, TopicError> {
        self.topics.plan(specs).await
    }

    async fn ensure(&self, specs: &[TopicSpec]) -> Result<(), TopicError> {
        self.topics.ensure(specs).await
    }

    async fn writer(&self, spec: WriterSpec) -> Result<Box<dyn Writer>, TopicError> {
        Ok(Box::new(KafkaWriter::start(
            &self.config,
            &spec,
            Arc::clone(&self.topics),
        )?))
    }

    async fn reader(
        &self,
        partition: &TopicPartition,
        from: Offset,
    ) -> Result<Box<dyn Reader>, ReadError> {
        self.reader_of(&self.pool, partition, from).await
    }

    async fn patient_reader(
        &self,
        partition: &TopicPartition,
        from: Offset,
    ) -> Result<Box<dyn Reader>, ReadError> {
        self.reader_of(&self.patient, partition, from).await
    }

    async fn read_at(
        &self,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Result<Option<Record>, ReadError> {
        self.points
            .read_at(self.full_name(partition), partition, offset)
            .await
    }

    async fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, ReadError> {
        self.cluster.bounds(partition).await
    }

    async fn offset_at(
        &self,
        partition: &TopicPartition,
        time: Timestamp,
    ) -> Result<Offset, ReadError> {
        self.cluster.offset_at(partition, time).await
    }

    async fn join(&self, spec: GroupSpec) -> Result<Box<dyn Member>, GroupError> {
        Ok(Box::new(
            KafkaMember::join(&self.config, &self.cluster, spec).await?,
        ))
    }
}
