//! What ties one life of a process to the rest of the world. All that others can see of it goes
//! through here, a step at a time: so a crash between any two steps is one after the n-th.

use domain::chance::{Chance, Seeded};
use parking_lot::Mutex;
use tokio::sync::watch;

/// A way out of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Appends.
    Write,
    /// Reads.
    Read,
    /// The group's coordinator.
    Group,
    /// Receivers.
    Send,
    /// Views and idempotency keys.
    Store,
}

/// Every link, in the order of their bits.
pub const LINKS: [Link; 5] = [
    Link::Write,
    Link::Read,
    Link::Group,
    Link::Send,
    Link::Store,
];

impl Link {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// How often a call over a link fails, once in so many; zero is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failing {
    /// Reads are refused.
    pub read_one_in: u64,
    /// A commit is refused, or its answer is lost.
    pub commit_one_in: u64,
    /// The view store and the keys refuse.
    pub store_one_in: u64,
}

/// The links of one life.
#[derive(Debug)]
pub struct Links {
    /// Which life: a number that is never used again.
    pub life: u64,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    ended: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    cut: u8,
    is_dead: bool,
    /// How many more steps this life has.
    fuse: Option<u64>,
    steps: u64,
    failing: Failing,
    chance: Seeded,
}

impl Links {
    /// Links of a life that ends by itself after `fuse` steps, if that is given.
    #[must_use]
    pub fn new(life: u64, fuse: Option<u64>, chance: Seeded) -> Self {
        let state = State {
            cut: 0,
            is_dead: false,
            fuse,
            steps: 0,
            failing: Failing::default(),
            chance,
        };
        Self {
            life,
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            ended: watch::Sender::new(false),
        }
    }

    /// One step over `link`: waits while it is cut, and for ever once this life has ended.
    pub async fn step(&self, link: Link) {
        self.burn();
        let mut changed = self.changed.subscribe();
        while self.is_blocked(link) {
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// One step that no cut holds up; for ever once this life has ended.
    pub async fn tick(&self) {
        self.burn();
        if self.state.lock().is_dead {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until `link` can't be used.
    pub async fn blocked(&self, link: Link) {
        let mut changed = self.changed.subscribe();
        while !self.is_blocked(link) {
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until this life has ended.
    pub async fn ended(&self) {
        let mut ended = self.ended.subscribe();
        let _ended = ended.wait_for(|ended| *ended).await;
    }

    /// Cuts and mends links: those given are cut, the others not.
    pub fn set_cut(&self, links: &[Link]) {
        self.state.lock().cut = links.iter().fold(0, |cut, link| cut | link.bit());
        self.changed.send_replace(());
    }

    /// Takes the fuse out, or puts one in.
    pub fn set_fuse(&self, fuse: Option<u64>) {
        self.state.lock().fuse = fuse;
    }

    /// How often calls fail from now on.
    pub fn set_failing(&self, failing: Failing) {
        self.state.lock().failing = failing;
    }

    /// Ends this life: nothing of it is seen any more.
    pub fn kill(&self) {
        self.state.lock().is_dead = true;
        self.ended.send_replace(true);
        self.changed.send_replace(());
    }

    /// Whether `link` is cut, or this life has ended.
    #[must_use]
    pub fn is_blocked(&self, link: Link) -> bool {
        let state = self.state.lock();
        state.is_dead || state.cut & link.bit() != 0
    }

    /// Whether a call that fails once in as many as `of` says fails now.
    pub fn fails(&self, of: impl FnOnce(&Failing) -> u64) -> bool {
        let mut state = self.state.lock();
        let one_in = of(&state.failing);
        state.chance.one_in(one_in)
    }

    fn burn(&self) {
        let mut state = self.state.lock();
        state.steps += 1;
        if let Some(fuse) = &mut state.fuse {
            *fuse = fuse.saturating_sub(1);
            if *fuse == 0 && !state.is_dead {
                state.is_dead = true;
                self.ended.send_replace(true);
            }
        }
    }
}
