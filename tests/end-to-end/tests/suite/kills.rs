//! `kill -9` at a random moment under load: everything accepted ends, and what is repeated is at most what was in
//! flight.

use std::time::Duration;

use domain::chance::{Chance as _, Seeded};
use end_to_end::api::Api;
use end_to_end::program::Server;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::load::Load;
use crate::world::say;

/// Requests on the wire at once, to all endpoints together.
const IN_FLIGHT: usize = 16;

pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[allow(
    clippy::disallowed_methods,
    reason = "another seed each time, and printed"
)]
fn seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    number("SEED", u64::try_from(since.unwrap().as_millis()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_lose_nothing() {
    let (seed, kills) = (seed(), number("KILLS", 100));
    say(&format!("SEED={seed} KILLS={kills}"));
    let mut chance = Seeded::new(seed);
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let in_flight = IN_FLIGHT.to_string();
    let arguments = ["--concurrency", in_flight.as_str()];
    let mut server = Server::start(&data, &arguments).await.unwrap();
    let mut load = Load::new(Api(server.address())).await;
    load.begin(server.address());
    let begun = Instant::now();
    let mut longest = Duration::ZERO;
    for _ in 0..kills {
        load.more(1).await;
        // The moment is the seed's, not a wait for anything.
        sleep(Duration::from_millis(chance.below(150))).await;
        load.server_is(None);
        server.kill().await.unwrap();
        let restarting = Instant::now();
        server = Server::start(&data, &arguments).await.unwrap();
        longest = longest.max(restarting.elapsed());
        load.server_is(Some(server.address()));
    }
    let took = begun.elapsed();
    let summary = load.end(Api(server.address())).await;
    say(&format!(
        "{kills} kills in {took:.1?}, the longest restart {longest:.1?}: {summary}"
    ));
    let most = usize::try_from(kills).unwrap() * IN_FLIGHT;
    assert!(summary.repeats <= most, "{summary:?}\n{}", server.said());
}
