//! Names to addresses.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::generations::Generations;

/// How names are found.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// Every address of `name`, which is in lower case, in ASCII and without a dot at its end.
    ///
    /// # Errors
    /// When it has none, or could not be asked for.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Lookups at a time: each takes a thread, for as long as the system's resolver likes.
const LOOKUPS: usize = 64;

/// The system's resolver: `/etc/hosts`, DNS, and whatever else the machine is set up for.
#[derive(Debug)]
pub struct SystemResolver {
    slots: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let slots = Arc::clone(&self.slots);
        let slot = slots.acquire_owned().await.map_err(io::Error::other)?;
        let name = name.to_owned();
        let lookup = move || {
            // The lookup goes on when nobody waits for it any more, and so does its claim.
            let _slot = slot;
            let found = (name.as_str(), 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        };
        let found = tokio::task::spawn_blocking(lookup).await;
        found.map_err(io::Error::other)?
    }
}

/// Names kept, and for how long: a receiver that closes every connection costs a lookup now and then
/// instead of one for each. Every address is checked when it is dialled, wherever it came from.
const KEPT: usize = 4_096;
const KEPT_FOR: Duration = Duration::from_secs(2);

/// What was found lately.
pub(super) struct Names {
    resolver: Arc<dyn Resolve>,
    kept: Mutex<Generations<String, Found>>,
}

struct Found {
    asked: Instant,
    addresses: Arc<[IpAddr]>,
}

impl Names {
    pub(super) fn new(resolver: Arc<dyn Resolve>) -> Self {
        Self {
            resolver,
            kept: Mutex::new(Generations::new(KEPT)),
        }
    }

    pub(super) async fn resolve(&self, name: &str) -> io::Result<Arc<[IpAddr]>> {
        let key = name.to_owned();
        if let Some(found) = self.kept.lock().get(&key)
            && found.asked.elapsed() < KEPT_FOR
        {
            return Ok(Arc::clone(&found.addresses));
        }
        let asked = Instant::now();
        let addresses: Arc<[IpAddr]> = self.resolver.resolve(name).await?.into();
        let found = Found {
            asked,
            addresses: Arc::clone(&addresses),
        };
        self.kept.lock().insert(key, found);
        Ok(addresses)
    }
}
