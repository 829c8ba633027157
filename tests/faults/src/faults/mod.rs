//! What is done to a world.

mod brokers;
mod cuts;
mod poison;
mod processes;
mod refused;
mod retention;
mod views;

use anyhow::Context as _;
use clap::ValueEnum;
use end_to_end::program::other_views;
use end_to_end::services::services;

use crate::play::{Options, told};
use crate::proxy::{Link, Proxy};
use crate::verdict;
use crate::world::World;

pub use poison::KEY as POISON;

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
    /// 4: the brokers stand still, or are down
    BrokersStopped,
    /// 5: three brokers are killed in turn, then all at once
    BrokersKilled,
    /// 6: a broker of three loses what it has not flushed
    PowerCut,
    /// 9: connections to the brokers are cut in mid-stream
    BrokerCuts,
    /// Brokers refuse what is written, in mid-stream
    WritesRefused,
    /// 11: others write what nobody can read into every topic, and a newer program its version
    Poison,
    /// 12: the group is balanced anew every five seconds
    Rebalances,
    /// 13: the store of the views is down, then slow
    ViewsAway,
    /// 14: who folds is killed; the views are made anew
    ProjectorKilled,
    /// 27: retention passes what nobody has read
    Retention,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// What was seen.
    pub seen: String,
    /// How often a process may have lost what it had on the wire.
    pub stops: usize,
}

/// What there is around a world while a fault is played.
#[derive(Default)]
pub struct Around {
    proxy: Option<Proxy>,
    /// Where processes find the log by it.
    pub log: Option<String>,
    /// Where processes find the views by it.
    pub views: Option<String>,
}

impl Around {
    fn proxy(&self) -> anyhow::Result<&Proxy> {
        self.proxy.as_ref().context("it was started")
    }
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
            Self::BrokersStopped => "4: the broker stopped, killed in every other round",
            Self::BrokersKilled => "5: each of three brokers killed, then all of them",
            Self::PowerCut => "6: one of three brokers loses what it has not flushed",
            Self::BrokerCuts => "9: connections to the brokers cut in mid-stream",
            Self::WritesRefused => "brokers refuse records in mid-stream",
            Self::Poison => "11: poison in every topic",
            Self::Rebalances => "12: a rebalance every 5 s",
            Self::ViewsAway => "13: the views' store down, then slow",
            Self::ProjectorKilled => "14: who folds killed; views made anew",
            Self::Retention => "27: retention passes what nobody has read",
        }
    }

    /// How often it is played where nothing else is said.
    #[must_use]
    pub const fn rounds(self) -> u64 {
        match self {
            Self::Load | Self::BrokersKilled | Self::ViewsAway | Self::Retention => 1,
            Self::BrokersStopped => 2,
            Self::PowerCut | Self::Poison => 3,
            Self::Rebalances => 12,
            Self::DispatcherKilled | Self::DispatcherFrozen => 10,
            Self::IngestKilled | Self::ProjectorKilled => 20,
            Self::BrokerCuts | Self::WritesRefused => 100,
        }
    }

    /// On how many brokers it is to be played.
    #[must_use]
    pub const fn nodes(self) -> usize {
        match self {
            Self::BrokersKilled | Self::PowerCut | Self::BrokerCuts => 3,
            Self::Load
            | Self::IngestKilled
            | Self::DispatcherKilled
            | Self::DispatcherFrozen
            | Self::BrokersStopped
            | Self::WritesRefused
            | Self::Poison
            | Self::Rebalances
            | Self::ViewsAway
            | Self::ProjectorKilled
            | Self::Retention => 1,
        }
    }

    /// What has to be there before the world is.
    ///
    /// # Errors
    /// When it can't be had.
    pub async fn prepare(self) -> anyhow::Result<Around> {
        match self {
            Self::ViewsAway => {
                let views = other_views().context("POSTRIDER_TEST_VIEWS names no views")?;
                let upstream = views.strip_prefix("cql://").context("not in CQL")?;
                let proxy = Proxy::start(vec![Link::to(upstream).await?]).await?;
                let views = Some(format!("cql://{}", proxy.addresses()));
                Ok(Around {
                    proxy: Some(proxy),
                    log: None,
                    views,
                })
            }
            Self::BrokerCuts => {
                let proxy = Proxy::start(cuts::links()?).await?;
                let log = Some(format!("kafka://{}", proxy.addresses()));
                Ok(Around {
                    proxy: Some(proxy),
                    log,
                    views: None,
                })
            }
            Self::Load
            | Self::IngestKilled
            | Self::DispatcherKilled
            | Self::DispatcherFrozen
            | Self::BrokersStopped
            | Self::BrokersKilled
            | Self::PowerCut
            | Self::WritesRefused
            | Self::Poison
            | Self::Rebalances
            | Self::ProjectorKilled
            | Self::Retention => Ok(Around::default()),
        }
    }

    /// Plays it, and heals what it broke; when it failed half-way, too.
    ///
    /// # Errors
    /// When something that must happen does not.
    pub async fn play(
        self,
        world: &mut World,
        around: &Around,
        options: &Options,
    ) -> anyhow::Result<Played> {
        let played = self.broken(world, around, options).await;
        match played {
            Ok(played) => Ok(played),
            Err(error) => {
                let healed = match self.heal().await {
                    Ok(()) => brokers::whole(world).await,
                    sick @ Err(_) => sick,
                };
                Err(match healed {
                    Ok(()) => error,
                    Err(sick) => error.context(format!("what is broken stays so: {sick:#}")),
                })
            }
        }
    }

    /// The servers that it stops run again, for who comes next.
    ///
    /// # Errors
    /// When they don't.
    pub async fn heal(self) -> anyhow::Result<()> {
        match self {
            Self::BrokersStopped | Self::BrokersKilled | Self::PowerCut => brokers::heal().await,
            Self::ViewsAway => services(&["start", "cassandra"]).await,
            Self::Load
            | Self::IngestKilled
            | Self::DispatcherKilled
            | Self::DispatcherFrozen
            | Self::BrokerCuts
            | Self::WritesRefused
            | Self::Poison
            | Self::Rebalances
            | Self::ProjectorKilled
            | Self::Retention => Ok(()),
        }
    }

    async fn broken(
        self,
        world: &mut World,
        around: &Around,
        options: &Options,
    ) -> anyhow::Result<Played> {
        let (rounds, lasts) = (options.rounds, options.lasts);
        match self {
            Self::Load | Self::Retention => {
                // The load's own length.
                tokio::time::sleep(lasts).await;
                Ok(Played {
                    seen: told(world),
                    stops: 0,
                })
            }
            Self::IngestKilled => processes::ingest_killed(world, rounds).await,
            Self::DispatcherKilled => processes::dispatcher_killed(world, rounds).await,
            Self::DispatcherFrozen => processes::dispatcher_frozen(world, rounds).await,
            Self::BrokersStopped => brokers::stopped(world, rounds, lasts).await,
            Self::BrokersKilled => brokers::killed(world, rounds, lasts).await,
            Self::PowerCut => brokers::power_cut(world, rounds).await,
            Self::BrokerCuts => cuts::cut(world, around.proxy()?, options).await,
            Self::WritesRefused => refused::refused(world, rounds).await,
            Self::Poison => poison::written(world, rounds).await,
            Self::Rebalances => processes::rebalances(world, rounds).await,
            Self::ViewsAway => views::away(world, around.proxy()?, options).await,
            Self::ProjectorKilled => views::projector_killed(world, options).await,
        }
    }

    /// What can only be done once all has been judged; more that was seen.
    ///
    /// # Errors
    /// When something that must happen does not.
    pub async fn afterwards(self, world: &mut World, rounds: u64) -> anyhow::Result<String> {
        match self {
            Self::DispatcherFrozen => processes::too_late(world, rounds),
            Self::IngestKilled => processes::keys(world),
            Self::Poison => poison::newer_version(world).await,
            Self::ProjectorKilled => views::made_anew(world, &verdict::limits()).await,
            Self::Retention => retention::passes(world).await,
            Self::Load
            | Self::DispatcherKilled
            | Self::BrokersStopped
            | Self::BrokersKilled
            | Self::PowerCut
            | Self::BrokerCuts
            | Self::WritesRefused
            | Self::Rebalances
            | Self::ViewsAway => Ok(String::new()),
        }
    }
}
