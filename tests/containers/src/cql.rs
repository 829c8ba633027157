//! The store's container.

use anyhow::bail;
use testcontainers::core::IntoContainerPort as _;
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _};

use crate::image::image;
use crate::kafka::SHORT_LIVED;

/// Where all of them answer, in the container.
const PORT: u16 = 9042;

/// Where clients are told that it is: they ask the node for its address, and go there at the port by which they came.
const TOLD: &str = "127.0.0.1";

/// Which program is in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Scylla,
    /// Its own image, and the one of `scripts/images`, which takes the same variables.
    Cassandra,
}

impl Kind {
    fn of(image: &str) -> anyhow::Result<Self> {
        if image.contains("scylla") {
            return Ok(Self::Scylla);
        }
        if image.contains("cassandra") {
            return Ok(Self::Cassandra);
        }
        bail!(
            "{image}: its name has neither `scylla` nor `cassandra` in it, so how it is started is not known"
        )
    }
}

/// A node that is to be started.
pub(crate) struct Node {
    kind: Kind,
    image: String,
    port: u16,
}

impl Node {
    /// One of `image`, on a port that is free.
    ///
    /// # Errors
    /// When its kind is not known; when there is no free port.
    pub(crate) fn new(image: &str) -> anyhow::Result<Self> {
        Ok(Self {
            kind: Kind::of(image)?,
            image: image.to_owned(),
            port: crate::ports::free_block(1)?,
        })
    }

    /// Where it will answer.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What the tests are told.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![("POSTRIDER_TEST_CQL", format!("127.0.0.1:{}", self.port))]
    }

    /// The container. One shard: then there is nothing to gain by the port for each shard, which is not published.
    pub(crate) fn request(&self) -> ContainerRequest<GenericImage> {
        let request = ContainerRequest::from(image(&self.image));
        let request = match self.kind {
            Kind::Scylla => request.with_cmd([
                "--smp=1",
                "--memory=1G",
                "--overprovisioned=1",
                "--developer-mode=1",
                "--skip-wait-for-gossip-to-settle=0",
                &format!("--broadcast-rpc-address={TOLD}"),
            ]),
            Kind::Cassandra => {
                let options = format!(
                    "{SHORT_LIVED} -Dcassandra.superuser_setup_delay_ms=0 \
                     -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=0"
                );
                let request = request.with_env_var("CASSANDRA_BROADCAST_RPC_ADDRESS", TOLD);
                let request = request.with_env_var("JVM_EXTRA_OPTS", options);
                let request = request.with_env_var("MAX_HEAP_SIZE", "1g");
                request.with_env_var("HEAP_NEWSIZE", "256m")
            }
        };
        request.with_mapped_port(self.port, PORT.tcp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_in_the_name() {
        let kind = |name| Kind::of(name).ok();
        assert_eq!(kind("scylladb/scylla:6.2.3"), Some(Kind::Scylla));
        assert_eq!(kind("cassandra:5.0"), Some(Kind::Cassandra));
        assert_eq!(kind("postrider-local/cassandra:0a"), Some(Kind::Cassandra));
        assert_eq!(kind("postgres:18"), None);
    }
}
