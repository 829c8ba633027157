//! A place for a process: it is started, ends one way or another, and is started again.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use checker::history::Became;
use parking_lot::Mutex;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::clock::{LogClock, NodeClock};
use super::links::{Link, Links};
use super::{Draws, World, node};

/// A process's place, and its life now.
pub struct Slot {
    /// The process's name.
    pub name: String,
    /// Its wall clock.
    pub clock: Arc<NodeClock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    life: Option<Life>,
    /// For how long it stays away once it has ended.
    away: Duration,
    /// Why roles ended that were not asked to.
    ended: Vec<String>,
}

/// One life of a process.
#[derive(Clone)]
pub struct Life {
    /// Its links.
    pub links: Arc<Links>,
    /// Asks it to end.
    pub shutdown: CancellationToken,
    door: Option<Router>,
}

impl Slot {
    /// An empty place.
    #[must_use]
    pub fn new(number: usize, clock: &Arc<LogClock>) -> Self {
        Self {
            name: format!("node-{number}"),
            clock: NodeClock::new(Arc::clone(clock)),
            state: Mutex::default(),
        }
    }

    /// Its door for events, while it has one.
    #[must_use]
    pub fn door(&self) -> Option<(Router, Arc<Links>)> {
        let state = self.state.lock();
        let life = state.life.as_ref()?;
        Some((life.door.clone()?, Arc::clone(&life.links)))
    }

    /// Opens its door.
    pub fn open(&self, door: Router) {
        if let Some(life) = &mut self.state.lock().life {
            life.door = Some(door);
        }
    }

    /// Closes it: what is asked now is refused.
    pub fn close(&self) {
        if let Some(life) = &mut self.state.lock().life {
            life.door = None;
        }
    }

    /// Its life now, if it has one.
    #[must_use]
    pub fn life(&self) -> Option<Life> {
        self.state.lock().life.clone()
    }

    /// For how long it stays away when it ends next.
    pub fn set_away(&self, away: Duration) {
        self.state.lock().away = away;
    }

    /// Why lives ended that were not to.
    #[must_use]
    pub fn ended(&self) -> Vec<String> {
        self.state.lock().ended.clone()
    }
}

/// Keeps a process running until the world is over.
pub async fn keep(world: Arc<World>, which: usize) {
    let slot = &world.slots[which];
    while !world.over.is_cancelled() {
        let number = world.next_life();
        let chance = world.chance(Draws::Links(number));
        let life = Life {
            links: Arc::new(Links::new(number, chance)),
            shutdown: world.over.child_token(),
            door: None,
        };
        life.links.set_failing(world.plan_failing());
        slot.state.lock().life = Some(life.clone());
        world.became(number, &slot.name, Became::Started);
        let became = {
            let run = node::run(&world, which, &life);
            tokio::select! {
                biased;
                () = life.links.ended() => Became::Crashed,
                ended = run => {
                    if let Err(error) = ended {
                        let why = format!("life {number}: {error:#}");
                        slot.state.lock().ended.push(why);
                    }
                    Became::Stopped
                }
            }
        };
        life.links.kill();
        world.became(number, &slot.name, became);
        slot.state.lock().life = None;
        let away = std::mem::take(&mut slot.state.lock().away);
        tokio::select! {
            biased;
            () = world.over.cancelled() => {}
            () = sleep(away.max(Duration::from_millis(10))) => {}
        }
    }
}

/// Keeps a life from using `links` for that long.
pub async fn cut(world: Arc<World>, which: usize, links: Vec<Link>, lasting: Duration) {
    let slot = &world.slots[which];
    let Some(life) = slot.life() else { return };
    world.became(life.links.life, &slot.name, Became::Frozen);
    life.links.set_cut(&links);
    sleep(lasting).await;
    mend(&world, slot, &life);
}

/// Mends what is cut of a life.
pub fn mend(world: &World, slot: &Slot, life: &Life) {
    if life.links.mend() {
        world.became(life.links.life, &slot.name, Became::Thawed);
    }
}
