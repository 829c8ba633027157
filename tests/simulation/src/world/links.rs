//! What ties one life of a process to the rest of the world. All that others can see of it goes
//! through here, a step at a time: so a crash between any two steps is one after the n-th.

use domain::chance::{Chance, Seeded};
use eventlog_port::Watched;
use parking_lot::Mutex;

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
    /// The index of what waits is lost.
    pub index_one_in: u64,
}

/// The links of one life.
#[derive(Debug)]
pub struct Links {
    /// Which life: a number that is never used again.
    pub life: u64,
    now: Watched<Now>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Now {
    cut: u8,
    is_dead: bool,
}

impl Now {
    fn is_blocked(self, link: Link) -> bool {
        self.is_dead || self.cut & link.bit() != 0
    }
}

#[derive(Debug)]
struct State {
    /// How many more steps this life has.
    fuse: Option<u64>,
    failing: Failing,
    chance: Seeded,
}

impl Links {
    /// The links of a life that has begun.
    #[must_use]
    pub fn new(life: u64, chance: Seeded) -> Self {
        let state = State {
            fuse: None,
            failing: Failing::default(),
            chance,
        };
        Self {
            life,
            now: Watched::default(),
            state: Mutex::new(state),
        }
    }

    /// One step over `link`: waits while it is cut, and for ever once this life has ended.
    pub async fn step(&self, link: Link) {
        self.burn();
        self.now.wait_for(|now| !now.is_blocked(link)).await;
    }

    /// One step that no cut holds up; for ever once this life has ended.
    pub async fn tick(&self) {
        self.burn();
        self.now.wait_for(|now| !now.is_dead).await;
    }

    /// Waits until `link` can't be used.
    pub async fn blocked(&self, link: Link) {
        self.now.wait_for(|now| now.is_blocked(link)).await;
    }

    /// Waits until this life has ended.
    pub async fn ended(&self) {
        self.now.wait_for(|now| now.is_dead).await;
    }

    /// Mends every link. False: none was cut.
    pub fn mend(&self) -> bool {
        let was_cut = self.now.get().cut != 0;
        self.set_cut(&[]);
        was_cut
    }

    /// Cuts and mends links: those given are cut, the others not.
    pub fn set_cut(&self, links: &[Link]) {
        let cut = links.iter().fold(0, |cut, link| cut | link.bit());
        self.now.set(Now {
            cut,
            ..self.now.get()
        });
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
        self.now.set(Now {
            is_dead: true,
            ..self.now.get()
        });
    }

    /// Whether `link` is cut, or this life has ended.
    #[must_use]
    pub fn is_blocked(&self, link: Link) -> bool {
        self.now.get().is_blocked(link)
    }

    /// Whether a call that fails once in as many as `of` says fails now.
    pub fn fails(&self, of: impl FnOnce(&Failing) -> u64) -> bool {
        let mut state = self.state.lock();
        let one_in = of(&state.failing);
        state.chance.one_in(one_in)
    }

    fn burn(&self) {
        let burnt = {
            let mut state = self.state.lock();
            let fuse = state.fuse.map(|left| left.saturating_sub(1));
            state.fuse = fuse.filter(|left| *left > 0);
            fuse == Some(0)
        };
        if burnt {
            self.kill();
        }
    }
}
