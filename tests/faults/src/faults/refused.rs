//! Records that brokers refuse in mid-stream: whatever wrote them is destroyed, and who used it begins again at its
//! position.

use anyhow::{Context as _, ensure};
use end_to_end::until::until;

use super::Played;
use crate::play::told;
use crate::world::{SOON, World};

/// What a router says that begins again, and what an owner does.
const ROUTER: &str = "routing begins again at its commit";
const OWNER: &str = "an owner's epoch has ended";

/// What is refused in each round, in turn, and who writes it.
const TOPICS: [(&str, &str); 4] = [
    ("events", ROUTER),
    ("attempts", OWNER),
    ("progress", OWNER),
    ("dead-letters", OWNER),
];

/// What they say of it: that the brokers refused a record, that one before it was refused.
const BY_BROKERS: [&str; 2] = [
    "MessageSizeTooLarge",
    "an earlier append of this writer failed",
];

/// In each round the brokers take nothing more in one topic, while the load goes on, until somebody's producer was
/// destroyed by that and the next one finds it so.
pub(super) async fn refused(world: &mut World, rounds: u64) -> anyhow::Result<Played> {
    let owned = world.takeovers();
    let mut ended = [0; TOPICS.len()];
    for round in 0..rounds {
        let which = usize::try_from(round)? % TOPICS.len();
        let (topic, words) = TOPICS[which];
        // What they say once they have begun again, and know.
        let itself = format!(" of {topic}[");
        let by_itself = || said(world, words, &[&itself]);
        let by_brokers = || said(world, words, &BY_BROKERS);
        let (before, known) = (by_brokers(), by_itself());
        let configuration = world.brokers.refuse(topic).await?;
        let refused = until(
            &format!("a writer of {topic} is refused"),
            SOON,
            async || {
                // Who begins just then finds it by itself, and is refused by nobody.
                let now = by_itself();
                Ok(if now > known {
                    Ok(())
                } else {
                    Err(now.to_string())
                })
            },
        )
        .await;
        world.brokers.set(topic, &configuration).await?;
        refused.context(told(world))?;
        ended[which] += by_brokers() - before;
        world.load.more(3, SOON).await?;
        world.arrives(3).await?;
    }
    ensure!(
        rounds < 20 || ended.iter().all(|ended| *ended > 0),
        "writers destroyed, by topic: {ended:?}"
    );
    let of_each = TOPICS.iter().zip(ended);
    let of_each: Vec<String> = of_each
        .map(|((topic, _), ended)| format!("{ended} of {topic}"))
        .collect();
    Ok(Played {
        seen: format!(
            "writers destroyed by a refusal: {}; {}",
            of_each.join(", "),
            told(world)
        ),
        // Who fences anew may not have had an answer that was on its way.
        stops: world.takeovers() - owned,
    })
}

/// How often somebody that runs has said that it begins again, for one of these reasons.
fn said(world: &World, words: &str, why: &[&str]) -> usize {
    let lines = world.lines_with(words);
    let lines = lines.iter();
    lines
        .filter(|line| why.iter().any(|why| line.contains(why)))
        .count()
}
