//! Each role a process of its own, two of each: instances come, are killed, freeze and wake, and on three
//! brokers each in turn is killed and comes back.

use std::collections::BTreeMap;

use end_to_end::api::Api;
use end_to_end::cluster::Cluster;
use end_to_end::program::{Server, brokers, other_log, other_views};
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::services::services;
use end_to_end::until::until;
use http::Method;
use serde_json::{Value, json};

use crate::kills::number;
use crate::load::Load;
use crate::world::{DRAINED, SOON, say};

/// Requests on the wire at once, to all endpoints of one dispatcher together.
const IN_FLIGHT: usize = 16;

/// The pause after each event of a producer's: seven processes, brokers and a store leave two cores little.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(30);

/// What an owner says that finds that it isn't one any more.
const ENDED: &str = "an owner's epoch has ended";

/// The last epoch of each partition that `server` has had.
fn epochs(server: &Server) -> BTreeMap<u32, u64> {
    let mut epochs = BTreeMap::new();
    for (partition, epoch) in server.claims() {
        let last: &mut u64 = epochs.entry(partition).or_default();
        *last = epoch.max(*last);
    }
    epochs
}

/// Of the partitions of `one`, those that `other` has not had later.
fn owned(one: &Server, other: &Server) -> Vec<u32> {
    let later = epochs(other);
    let mut epochs = epochs(one);
    epochs.retain(|partition, epoch| later.get(partition).is_none_or(|later| *later < *epoch));
    epochs.into_keys().collect()
}

/// Waits until `server` has partitions, of which `other` has none.
async fn owns(server: &Server, other: &Server) {
    let owns = until("it has partitions", SOON * 3, async || {
        Ok(if owned(server, other).is_empty() {
            Err(server.said())
        } else {
            Ok(())
        })
    });
    owns.await.unwrap();
}

/// Waits until `other` has all that was `frozen`'s.
async fn is_overtaken(frozen: &Server, other: &Server) {
    let taken = until("another has all of it", SOON * 3, async || {
        let left = owned(frozen, other);
        Ok(if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}: {}", other.said()))
        })
    });
    taken.await.unwrap();
}

/// Waits until `woken` has found out, after it had said so `before` times.
async fn finds_out(woken: &Server, before: usize) {
    let found = until("it finds that it was overtaken", SOON * 3, async || {
        Ok(if woken.has_said(ENDED) > before {
            Ok(())
        } else {
            Err(woken.said())
        })
    });
    found.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_apart_lose_nothing() {
    if other_log().is_none() || other_views().is_none() {
        say("!! NOT TESTED: roles apart: they need a log and views that processes share");
        return;
    }
    let rounds = number("FREEZES", 5);
    let breaks = brokers() == 3;
    let cluster = Cluster::new(&["--concurrency", &IN_FLIGHT.to_string()]).unwrap();
    let front = ["api", "ingest"];
    let a = cluster.start("a", &front).await.unwrap();
    let b = cluster.start("b", &front).await.unwrap();
    let _folding = cluster.start("p1", &["projections"]).await.unwrap();
    let mut other_folding = cluster.start("p2", &["projections"]).await.unwrap();
    let mut first = cluster.start("d1", &["dispatcher"]).await.unwrap();
    let second = cluster.start("d2", &["dispatcher"]).await.unwrap();
    known_at_once(Api(a.address()), Api(b.address())).await;

    let mut load = Load::new(Api(a.address())).await;
    load.pause = PAUSE;
    load.begin(a.address());
    load.more(50).await;
    for round in 0..rounds {
        // Two seconds after its endpoints were made the other node routes to them, too.
        load.server_is(Some(if round % 2 == 0 {
            a.address()
        } else {
            b.address()
        }));
        // It is overtaken while it stands still, and wakes up believing that all is its own.
        owns(&first, &second).await;
        let ended = first.has_said(ENDED);
        first.freeze().unwrap();
        let broker = (round % 3 + 1).to_string();
        if breaks {
            let kill = ["stop", "kafka", "--node", &broker, "--kill"];
            services(&kill).await.unwrap();
        }
        load.more(20).await;
        // It comes back while another takes over, or just after.
        let back = async {
            if breaks {
                services(&["start", "kafka"]).await.unwrap();
            }
        };
        let go_on = async {
            is_overtaken(&first, &second).await;
            first.wake().unwrap();
            load.more(20).await;
            finds_out(&first, ended).await;
            first.kill().await.unwrap();
            other_folding.kill().await.unwrap();
            let again = cluster.start("d1", &["dispatcher"]).await.unwrap();
            let folding_again = cluster.start("p2", &["projections"]).await.unwrap();
            let third = cluster.start("d3", &["dispatcher"]).await.unwrap();
            load.more(20).await;
            let (status, said) = third.terminate(DRAINED).await.unwrap();
            assert_eq!(status.code(), Some(0), "{said}");
            (again, folding_again)
        };
        let ((), started) = tokio::join!(back, go_on);
        (first, other_folding) = started;
        load.arrives().await;
    }
    let summary = load.end(Api(b.address())).await;
    say(&format!(
        "{rounds} freezes and kills of a dispatcher, one of projections and {} of a broker each: {summary}",
        u8::from(breaks)
    ));
    // What a frozen one had on the wire, and a killed one; and who hears nothing of a broker that is killed
    // starts over.
    let stops = if breaks { 4 } else { 2 };
    let most = usize::try_from(rounds).unwrap() * stops * IN_FLIGHT;
    assert!(summary.repeats <= most, "{summary:?}");
}

/// An endpoint made on one node is addressed on another at once, and subscribed there within a second.
async fn known_at_once(one: Api, other: Api) {
    let receiver = Receiver::start(vec![Reply::status(200)]).await.unwrap();
    let fields = json!({"event_types": ["apart.made"]});
    let made = one.endpoint(&receiver.url(), fields).await.unwrap();
    let event = json!({"event_type": "apart.made", "endpoint_id": made.id, "payload": {"n": 1}});
    // Its first: whoever has to meet the brokers first may say 503.
    let accepted = until("it is addressed", SOON, async || {
        let reply = other.call(Method::POST, "/api/v1/events", &event).await?;
        match reply.status.as_u16() {
            202 => Ok(Ok(())),
            503 if reply.headers.contains_key("retry-after") => Ok(Err(format!("{reply:?}"))),
            _ => Err(anyhow::anyhow!("{reply:?}")),
        }
    });
    accepted.await.unwrap();
    let event = json!({"event_type": "apart.made", "payload": {"n": 2}});
    let subscribed = until(
        "it is subscribed",
        std::time::Duration::from_secs(1),
        async || {
            let reply = other.call(Method::POST, "/api/v1/events", &event).await?;
            let answer: Value = reply.json()?;
            let goes_to = answer["deliveries"].as_array().map_or(0, Vec::len);
            Ok(if goes_to == 1 {
                Ok(())
            } else {
                Err(answer.to_string())
            })
        },
    );
    subscribed.await.unwrap();
    let arrived = until("both arrive", SOON, async || {
        let got = receiver.got().len();
        Ok(if got >= 2 {
            Ok(())
        } else {
            Err(got.to_string())
        })
    });
    arrived.await.unwrap();
}
