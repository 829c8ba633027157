//! What is done to a world.

mod processes;

use clap::ValueEnum;

use crate::play::{Options, told};
use crate::world::World;

/// A fault. The numbers are those of the list of faults that the system is built against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// None: the load alone
    Load,
    /// 1: processes that take events are killed with requests on them
    IngestKilled,
    /// 2: a dispatcher is killed between a good answer and its record
    DispatcherKilled,
    /// 3: a dispatcher is stopped past its session, and goes on
    DispatcherFrozen,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// What was seen.
    pub seen: String,
    /// How often a process may have lost what it had on the wire.
    pub stops: usize,
}

impl Fault {
    /// Its name at the command line.
    #[must_use]
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Its name in a table.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Load => "none",
            Self::IngestKilled => "1: ingest killed with requests on it",
            Self::DispatcherKilled => "2: a dispatcher killed after the 2xx, before its record",
            Self::DispatcherFrozen => "3: a dispatcher stopped past its session, woken",
        }
    }

    /// How often it is played where nothing else is said.
    #[must_use]
    pub const fn rounds(self) -> u64 {
        match self {
            Self::Load => 1,
            Self::IngestKilled => 20,
            Self::DispatcherKilled | Self::DispatcherFrozen => 10,
        }
    }

    /// On how many brokers it is to be played.
    #[must_use]
    pub const fn nodes(self) -> usize {
        match self {
            Self::Load | Self::IngestKilled | Self::DispatcherKilled | Self::DispatcherFrozen => 1,
        }
    }

    /// Plays it, and heals what it broke.
    ///
    /// # Errors
    /// When something that must happen does not.
    pub async fn play(self, world: &mut World, options: &Options) -> anyhow::Result<Played> {
        match self {
            Self::Load => {
                tokio::time::sleep(options.lasts).await;
                Ok(Played {
                    seen: told(world),
                    stops: 0,
                })
            }
            Self::IngestKilled => processes::ingest_killed(world, options.rounds).await,
            Self::DispatcherKilled => processes::dispatcher_killed(world, options.rounds).await,
            Self::DispatcherFrozen => processes::dispatcher_frozen(world, options.rounds).await,
        }
    }

    /// What can only be done once all has been judged; more that was seen.
    ///
    /// # Errors
    /// When something that must happen does not.
    #[expect(clippy::unused_async, reason = "some have to wait")]
    pub async fn afterwards(self, _world: &mut World, _options: &Options) -> anyhow::Result<String> {
        Ok(String::new())
    }
}
