//! Connections that wait for the next request.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use domain::target::Name;
use parking_lot::Mutex;
use tokio::sync::MutexGuard;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Connection;
use super::http1::Http1;
use super::http2::{Http2, Spawner};

/// Whether it is `https`, the host, the port.
pub(super) type Origin = (bool, Name, u16);

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) per_origin: usize,
    pub(super) in_all: usize,
    pub(super) timeout: Duration,
}

/// A connection is given up this long before the time at which its receiver says that it will.
const MARGIN: Duration = Duration::from_secs(1);

/// The connections of all origins.
pub(super) struct Pools {
    limits: Limits,
    origins: Mutex<Origins>,
    /// Idle connections of HTTP/1.1, over all origins.
    idle: AtomicUsize,
    /// Whether there is a task that closes what has been idle for long.
    is_swept: AtomicBool,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

#[derive(Default)]
struct Origins {
    pools: BTreeMap<Origin, Arc<Pool>>,
    /// With as many it is looked for some that nobody needs.
    tidy_at: usize,
}

/// Fewer origins are not worth looking through.
const FEW: usize = 1_024;

/// The connections of one origin.
#[derive(Default)]
pub(super) struct Pool {
    /// The one used last is at the end, and used first: what is not needed grows old.
    idle: Mutex<Vec<Idle>>,
    shared: Mutex<Option<Shared>>,
    /// Whether the origin speaks HTTP/2. Then one connection is made at a time, and the others wait
    /// to share it.
    is_http2: AtomicBool,
    connecting: tokio::sync::Mutex<()>,
}

struct Idle {
    connection: Box<Http1>,
    until: Instant,
}

struct Shared {
    connection: Http2,
    used: Instant,
}

impl Pools {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            origins: Mutex::default(),
            idle: AtomicUsize::new(0),
            is_swept: AtomicBool::new(false),
            tasks: Arc::default(),
        })
    }

    /// The pool of `origin`.
    pub(super) fn of(&self, origin: Origin) -> Arc<Pool> {
        let mut origins = self.origins.lock();
        if origins.pools.len() >= origins.tidy_at.max(FEW) {
            origins.pools.retain(|_, pool| pool.is_needed());
            origins.tidy_at = origins.pools.len() * 2;
        }
        Arc::clone(origins.pools.entry(origin).or_default())
    }

    /// Closes every idle connection. False: there was none.
    pub(super) fn close_idle(&self) -> bool {
        let mut closed = Vec::new();
        for pool in self.origins.lock().pools.values() {
            closed.append(&mut pool.idle.lock());
        }
        self.idle.fetch_sub(closed.len(), Ordering::Relaxed);
        !closed.is_empty()
    }

    /// Starts tasks that end with this.
    pub(super) fn spawner(&self) -> Spawner {
        Spawner(Arc::downgrade(&self.tasks))
    }

    /// A connection that can take a request.
    pub(super) fn take(&self, pool: &Pool) -> Option<Connection> {
        if pool.is_http2.load(Ordering::Relaxed)
            && let Some(shared) = pool.shared()
        {
            return Some(Connection::Shared(shared));
        }
        loop {
            let idle = pool.idle.lock().pop();
            let Idle {
                mut connection,
                until,
            } = idle?;
            self.idle.fetch_sub(1, Ordering::Relaxed);
            if Instant::now() < until && connection.is_open() {
                return Some(Connection::Own(connection));
            }
        }
    }

    /// Keeps `connection` for the next request, for as long as its receiver says, and no longer than
    /// is configured. Where there is no room for it, it is closed.
    pub(super) fn keep(
        self: &Arc<Self>,
        pool: &Pool,
        connection: Box<Http1>,
        said: Option<Duration>,
    ) {
        let said = said.map_or(Duration::MAX, |said| said.saturating_sub(MARGIN));
        let timeout = said.min(self.limits.timeout);
        if timeout.is_zero() {
            return;
        }
        if self.idle.fetch_add(1, Ordering::Relaxed) >= self.limits.in_all {
            self.idle.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let until = Instant::now() + timeout;
        let mut idle = pool.idle.lock();
        if idle.len() < self.limits.per_origin {
            idle.push(Idle { connection, until });
        } else {
            drop(idle);
            self.idle.fetch_sub(1, Ordering::Relaxed);
        }
        self.see_to_sweeping();
    }

    /// Lets others use `connection` to the origin of `pool`, too.
    pub(super) fn share(self: &Arc<Self>, pool: &Pool, connection: Http2) {
        let used = Instant::now();
        let before = pool.shared.lock().replace(Shared { connection, used });
        drop(before);
        pool.is_http2.store(true, Ordering::Relaxed);
        self.see_to_sweeping();
    }

    fn see_to_sweeping(self: &Arc<Self>) {
        if !self.is_swept.load(Ordering::Relaxed) && !self.is_swept.swap(true, Ordering::Relaxed) {
            let sweeping = sweep_on(Arc::downgrade(self), self.limits.timeout);
            hyper::rt::Executor::execute(&self.spawner(), sweeping);
        }
    }

    /// Closes what has been idle for too long, and forgets origins that nobody has a route to. Says
    /// whether anything is left.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let mut old = Vec::new();
        let mut is_any_left = false;
        self.origins.lock().pools.retain(|_, pool| {
            is_any_left |= pool.sweep(now, self.limits.timeout, &mut old);
            pool.is_needed()
        });
        self.idle.fetch_sub(old.len(), Ordering::Relaxed);
        is_any_left
    }
}

/// Sweeps twice in each `timeout`, until nothing is left.
async fn sweep_on(pools: Weak<Pools>, timeout: Duration) {
    loop {
        tokio::time::sleep(timeout / 2).await;
        let Some(pools) = pools.upgrade() else {
            return;
        };
        if !pools.sweep() {
            pools.is_swept.store(false, Ordering::Relaxed);
            // What came between is seen here, or by who brought it.
            if !pools.sweep() || pools.is_swept.swap(true, Ordering::Relaxed) {
                return;
            }
        }
    }
}

impl Pool {
    /// Whether anybody has a route to it, or it has a connection.
    fn is_needed(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1 || !self.idle.lock().is_empty() || self.shared.lock().is_some()
    }

    /// The shared connection, if there is one and it is open.
    pub(super) fn shared(&self) -> Option<Http2> {
        let mut shared = self.shared.lock();
        let held = shared.as_mut()?;
        if !held.connection.is_open() {
            *shared = None;
            return None;
        }
        held.used = Instant::now();
        Some(held.connection.clone())
    }

    /// Waits until nobody else makes a connection that could be shared.
    pub(super) async fn connecting(&self) -> Option<MutexGuard<'_, ()>> {
        if self.is_http2.load(Ordering::Relaxed) {
            Some(self.connecting.lock().await)
        } else {
            None
        }
    }

    /// Stops sharing a connection when the guard is dropped armed: something went wrong on it, and
    /// the next request is not to find out what.
    pub(super) const fn guard(&self, connection: &Http2) -> Guard<'_> {
        Guard {
            pool: self,
            number: connection.number(),
            is_armed: true,
        }
    }

    fn sweep(&self, now: Instant, timeout: Duration, old: &mut Vec<Idle>) -> bool {
        let mut shared = self.shared.lock();
        if shared
            .as_ref()
            .is_some_and(|shared| shared.used + timeout <= now || !shared.connection.is_open())
        {
            *shared = None;
        }
        let mut idle = self.idle.lock();
        let mut kept = Vec::with_capacity(idle.len());
        for mut held in idle.drain(..) {
            if now < held.until && held.connection.is_open() {
                kept.push(held);
            } else {
                old.push(held);
            }
        }
        *idle = kept;
        shared.is_some() || !idle.is_empty()
    }
}

/// See [`Pool::guard`].
pub(super) struct Guard<'a> {
    pool: &'a Pool,
    number: u64,
    is_armed: bool,
}

impl Guard<'_> {
    /// All is well.
    pub(super) fn disarm(mut self) {
        self.is_armed = false;
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut shared = self.pool.shared.lock();
        let is_it = |shared: &Shared| shared.connection.number() == self.number;
        if self.is_armed && shared.as_ref().is_some_and(is_it) {
            *shared = None;
        }
    }
}
