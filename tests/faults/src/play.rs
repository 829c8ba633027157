//! From a fault to a row: a world, what is done to it, the history that comes of it, and whether the checker
//! could have found fault with that.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use checker::Limits;
use end_to_end::until::until;
use tokio::time::Instant;

use crate::faults::{Around, Fault, Played};
use crate::report::Row;
use crate::world::{IN_FLIGHT, Plan, World};
use crate::{damages, verdict};

/// How long a healed system may take until everything has ended (I10).
const SETTLES_WITHIN: Duration = Duration::from_secs(180);

/// And the views, from there on.
const FOLDS_WITHIN: Duration = Duration::from_secs(120);

/// How many accepted events there are before anything goes wrong.
const BEFORE: u64 = 40;

/// How a fault is to be played.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often.
    pub rounds: u64,
    /// For how long what is stopped or slow stays so.
    pub lasts: Duration,
    /// The pause of each client after an event.
    pub pause: Duration,
    /// What clients draw from.
    pub seed: u64,
    /// Where everything is written down.
    pub folder: PathBuf,
}

/// Plays a fault, and judges what came of it.
pub async fn play(fault: Fault, options: &Options) -> Row {
    let mut row = Row {
        fault: fault.title().to_owned(),
        rounds: options.rounds,
        accepted: 0,
        arrived: 0,
        repeats: (0, 0),
        settled: (0.0, 0.0),
        seen: String::new(),
        wrong: Vec::new(),
    };
    if let Err(error) = to_the_end(fault, options, &mut row).await {
        row.wrong.push(format!("{error:#}"));
    }
    row
}

async fn to_the_end(fault: Fault, options: &Options, row: &mut Row) -> anyhow::Result<()> {
    let around = fault.prepare().await?;
    let plan = Plan {
        seed: options.seed,
        pause: options.pause,
        log: around.log.clone(),
        views: around.views.clone(),
    };
    let mut world = World::begin(&options.folder, &plan).await?;
    let broken = broken(fault, options, &around, &mut world, row).await;
    if broken.is_err() {
        world.keep_what_was_said()?;
    }
    broken
}

async fn broken(
    fault: Fault,
    options: &Options,
    around: &Around,
    world: &mut World,
    row: &mut Row,
) -> anyhow::Result<()> {
    world.load.more(BEFORE, crate::world::SOON).await?;
    let Played { seen, stops } = fault.play(world, around, options).await?;
    let ended = world.settle(SETTLES_WITHIN).await?;
    let limits = verdict::limits();
    let folded = judged(world, &limits, row).await?;
    row.settled = (ended.as_secs_f64(), folded.as_secs_f64());
    row.repeats.1 = stops * IN_FLIGHT;
    row.seen = seen;
    if row.repeats.0 > row.repeats.1 {
        let (repeats, bound) = row.repeats;
        row.wrong
            .push(format!("I3: {repeats} repeats, at most {bound} may be"));
    }
    if row.wrong.is_empty() {
        let more = fault.afterwards(world, options.rounds).await?;
        row.seen += &more;
    }
    Ok(())
}

/// Dumps and judges until the views have come as far as the log; how long that took. Everything else that is
/// wrong is told at once.
async fn judged(world: &mut World, limits: &Limits, row: &mut Row) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let deadline = begun + FOLDS_WITHIN;
    let (history, verdict) = until("the views are judged", FOLDS_WITHIN * 2, async || {
        world.dump().await?;
        let (history, verdict) = verdict::of_folder(world.folder(), limits)?;
        let is_over = !verdict.is_early() || Instant::now() > deadline;
        Ok(if is_over {
            Ok((history, verdict))
        } else {
            Err(format!("{} problems", verdict.problems.len()))
        })
    })
    .await?;
    row.accepted = verdict.accepted;
    row.arrived = verdict.arrived;
    row.repeats.0 = verdict.repeats;
    row.wrong
        .extend(verdict.problems.iter().map(ToString::to_string));
    if row.wrong.is_empty() {
        damages::are_found(&history, limits)?;
    } else {
        world.keep_what_was_said()?;
    }
    Ok(begun.elapsed())
}

/// What clients were told, in words.
#[must_use]
pub fn told(world: &World) -> String {
    let told = world.load.told();
    let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::SeqCst);
    format!(
        "{} answers of 503, {} requests without an answer",
        count(&told.unavailable),
        count(&told.unanswered)
    )
}
