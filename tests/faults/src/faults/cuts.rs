//! Fault 9: Connections to the brokers are cut in mid-stream, again and again.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use domain::chance::{Chance as _, Seeded};
use end_to_end::until::until;
use tokio::time::{Instant, sleep};

use super::Played;
use crate::connections;
use crate::play::{Options, told};
use crate::proxy::{Link, Proxy, Toxic};
use crate::world::{SOON, World};

/// How much later each answer comes before a slow link is cut.
const SLOW_MILLIS: u64 = 200;

/// What answers and requests come to: a connection ends in the midst of one.
const MOST_BYTES: u64 = 3_000;

/// How long a link is not whole, at most, in milliseconds, once a connection was cut.
const LONGEST_CUT: u64 = 300;

/// How many connections are cut in each round, at least, and within which time: some that end by themselves would not
/// do for it.
const LEAST_CUT: usize = 3;
const CUT_WITHIN: Duration = Duration::from_secs(15);

/// How often a server's connections are counted while they are cut.
const COUNTED_EVERY: Duration = Duration::from_millis(10);

/// A link before each broker: the first listeners whose advertised addresses are free, so that whoever comes through
/// one of these links stays behind them.
pub(super) fn links() -> anyhow::Result<Vec<Link>> {
    let slots = std::env::var("POSTRIDER_TEST_KAFKA_PROXIES");
    let slots = slots.context("POSTRIDER_TEST_KAFKA_PROXIES names no listeners for proxies")?;
    for slot in slots.split(' ') {
        let links: Vec<Link> = slot.split(',').map(link).collect::<anyhow::Result<_>>()?;
        if links
            .iter()
            .all(|link| TcpListener::bind(link.listens).is_ok())
        {
            return Ok(links);
        }
    }
    anyhow::bail!("others have a proxy before each of {slots}")
}

/// Of the advertised port and that of the broker, `1-2`.
fn link(pair: &str) -> anyhow::Result<Link> {
    let (listens, upstream) = pair.split_once('-').context("two ports")?;
    Ok(Link {
        listens: SocketAddr::from((Ipv4Addr::LOCALHOST, listens.parse()?)),
        upstream: format!("127.0.0.1:{upstream}"),
    })
}

/// How long it may take until a link is whole again: a member of a group that is not heard of for 10 s loses what it
/// has, which is another fault.
const LONGEST_HEALING: Duration = Duration::from_secs(2);

/// What is done in a round, and to which links.
struct Cut {
    before: Option<Toxic>,
    toxic: Toxic,
    /// `None`: to all.
    link: Option<usize>,
}

impl Cut {
    /// Each kind in turn, to one link or to all.
    fn draw(round: u64, links: usize, chance: &mut Seeded) -> Self {
        let one = usize::try_from(chance.below(links as u64)).unwrap_or(0);
        let bytes = 1 + chance.below(MOST_BYTES);
        let (before, toxic) = match round % 4 {
            0 => (None, Toxic::CutAnswers(bytes)),
            1 => (None, Toxic::CutRequests(bytes)),
            2 => (None, Toxic::Reset(chance.below(100))),
            _ => (Some(Toxic::Slow(SLOW_MILLIS)), Toxic::CutAnswers(bytes)),
        };
        Self {
            before,
            toxic,
            link: (!chance.one_in(3)).then_some(one),
        }
    }

    fn links(&self, proxy: &Proxy) -> Vec<usize> {
        self.link
            .map_or_else(|| (0..proxy.links().len()).collect(), |one| vec![one])
    }
}

/// The servers' connections over some links, and how many have ended that were there.
struct Watched {
    ports: BTreeSet<u16>,
    open: BTreeSet<u16>,
    ended: usize,
}

impl Watched {
    fn new(proxy: &Proxy, links: &[usize]) -> anyhow::Result<Self> {
        let port = |link: &usize| proxy.links()[*link].listens.port();
        let ports: BTreeSet<u16> = links.iter().map(port).collect();
        let open = connections::open_to(&ports)?;
        Ok(Self {
            ports,
            open,
            ended: 0,
        })
    }

    fn look(&mut self) -> anyhow::Result<usize> {
        let open = connections::open_to(&self.ports)?;
        self.ended += self.open.difference(&open).count();
        self.open = open;
        Ok(self.ended)
    }
}

/// How many connections have ended.
#[derive(Default)]
struct Ended {
    /// In the midst of an answer or a request, or reset.
    cut: usize,
    /// With their link, which was made anew.
    closed: usize,
    /// While every link was whole.
    left: usize,
}

/// In each round connections of every server to a broker, or to all, end in the midst of an answer or a request; then
/// links are whole again and everything goes on.
pub(super) async fn cut(
    world: &mut World,
    proxy: &Proxy,
    options: &Options,
) -> anyhow::Result<Played> {
    let mut chance = Seeded::new(options.seed);
    let owned = world.takeovers();
    let all: Vec<usize> = (0..proxy.links().len()).collect();
    let mut ended = Ended::default();
    for round in 0..options.rounds {
        let cut = Cut::draw(round, all.len(), &mut chance);
        harm(proxy, &cut, &mut chance, &mut ended).await?;
        world.load.more(1, SOON).await?;
        let mut whole = Watched::new(proxy, &all)?;
        world.load.more(3, SOON).await?;
        world.arrives(3).await?;
        ended.left += whole.look()?;
    }
    let takeovers = world.takeovers() - owned;
    let Ended { cut, closed, left } = ended;
    Ok(Played {
        seen: format!(
            "{cut} connections on {} links cut or reset, {closed} more closed with their link ({left} ended while all were \
             whole); {takeovers} partitions taken over meanwhile; {}",
            all.len(),
            told(world)
        ),
        // Each may have been somebody's who had requests on the wire.
        stops: takeovers,
    })
}

/// Cuts until some connections have ended, and for some time more. Then all is whole again.
async fn harm(
    proxy: &Proxy,
    cut: &Cut,
    chance: &mut Seeded,
    ended: &mut Ended,
) -> anyhow::Result<()> {
    let links = cut.links(proxy);
    if let Some(toxic) = cut.before {
        for link in &links {
            proxy.harm(*link, toxic).await?;
        }
        // For as long as it takes that requests wait for answers.
        sleep(Duration::from_millis(SLOW_MILLIS)).await;
    }
    let mut watched = Watched::new(proxy, &links)?;
    for link in &links {
        proxy.harm(*link, cut.toxic).await?;
    }
    until("connections are cut", CUT_WITHIN, async || {
        let cut = watched.look()?;
        Ok(if cut >= LEAST_CUT {
            Ok(())
        } else {
            Err(format!("{cut} are, {} are there", watched.open.len()))
        })
    })
    .await?;
    for _ in 0..1 + chance.below(LONGEST_CUT) / 10 {
        sleep(COUNTED_EVERY).await;
        watched.look()?;
    }
    ended.cut += watched.look()?;
    ended.closed += watched.open.len();
    let begun = Instant::now();
    proxy.begin_anew(&links).await?;
    let took = begun.elapsed();
    ensure!(
        took < LONGEST_HEALING,
        "the proxy itself stood still for {took:?}"
    );
    Ok(())
}
