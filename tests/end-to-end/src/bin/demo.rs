//! The main job, once, on real input: GitHub's own payloads through the API to three receivers. One is
//! well, one fails for a while, nobody is at the third's address. The server is killed half-way. Says what
//! happens as it happens; exit code 0 only if all is as promised.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use end_to_end::api::{Api, Endpoint};
use end_to_end::program::{Server, other_log, other_views};
use end_to_end::receiver::{Got, Receiver, Reply};
use end_to_end::until::until;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

/// How long all of it may take once it was sent.
const WITHIN: Duration = Duration::from_secs(60);

/// So many requests are refused by the one that fails for a while.
const REFUSED: usize = 9;

/// How often it is looked what came.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One of GitHub's payloads.
struct Payload {
    event_type: String,
    body: String,
}

/// A receiver, what it knows, and what was shown of it.
struct Shop {
    name: &'static str,
    receiver: Receiver,
    refuses: usize,
    endpoint: Endpoint,
    shown: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let payloads = payloads()?;
    let data = tempfile::tempdir()?;
    let data = data.path().join("data");
    let mut server = Server::start(&data, &[]).await?;
    let began = Instant::now();
    let new = || "a new folder".to_owned();
    let (log, views) = (other_log(), other_views());
    println!(
        "a server on http://{}, its log in {}, its views in {}",
        server.address(),
        log.unwrap_or_else(new),
        views.unwrap_or_else(new)
    );
    let api = Api(server.address());
    let mut shops = vec![
        shop(&api, "well", 0).await?,
        shop(&api, "flaky", REFUSED).await?,
    ];
    let nobody = nobody(&api).await?;
    println!(
        "three endpoints that subscribe to everything: well; flaky, which answers 503 to the first"
    );
    println!(
        "{REFUSED} requests; nobody, where nobody listens. Each is tried at once, then after 1, 2 and 4 s\n"
    );
    send(&api, &payloads).await?;
    let until = Instant::now() + WITHIN;
    let mut was_killed = false;
    loop {
        for shop in &mut shops {
            shop.show(&payloads, began)?;
        }
        if !was_killed && shops[1].shown > REFUSED / 2 {
            was_killed = true;
            server.kill().await?;
            println!(
                "{:>6.2} s  kill -9 of the server; it starts again on what is in the log",
                began.elapsed().as_secs_f64()
            );
            server = Server::start(&data, &[]).await?;
        }
        if was_killed && has_ended(&Api(server.address()), &payloads).await? {
            break;
        }
        ensure!(
            Instant::now() < until,
            "not done within {} s:\n{}",
            WITHIN.as_secs(),
            server.said()
        );
        sleep(LOOK_EVERY).await;
    }
    conclude(&Api(server.address()), &shops, &nobody, &payloads).await?;
    let (status, said) = server.terminate(Duration::from_secs(40)).await?;
    ensure!(status.success(), "the server ended with {status}:\n{said}");
    println!(
        "\nSIGTERM: the server ended with exit code 0. All is as promised, {:.1} s.",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// All of them, by name.
fn payloads() -> Result<Vec<Payload>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/github");
    let files = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let files: Result<Vec<PathBuf>> = files.collect();
    let mut files = files?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    let payload = |path: &PathBuf| {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        Ok(Payload {
            event_type: format!("github.{}", stem.context("a name is text")?),
            body: std::fs::read_to_string(path)?.trim().to_owned(),
        })
    };
    files.iter().map(payload).collect()
}

async fn shop(api: &Api, name: &'static str, refuses: usize) -> Result<Shop> {
    let mut script = vec![Reply::status(503); refuses];
    script.push(Reply::status(200));
    let receiver = Receiver::start(script).await?;
    let endpoint = endpoint(api, name, &receiver.url()).await?;
    Ok(Shop {
        name,
        receiver,
        refuses,
        endpoint,
        shown: 0,
    })
}

async fn endpoint(api: &Api, name: &str, url: &str) -> Result<Endpoint> {
    let retry = json!({"schedule": [1, 2, 4], "jitter": 0.0});
    api.endpoint(url, json!({"name": name, "retry": retry}))
        .await
}

/// An endpoint at an address that was given back.
async fn nobody(api: &Api) -> Result<Endpoint> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    drop(listener);
    endpoint(api, "nobody", &url).await
}

/// Sends each payload as it is, the first of them twice with one idempotency key.
async fn send(api: &Api, payloads: &[Payload]) -> Result<()> {
    for (number, payload) in payloads.iter().enumerate() {
        let body = format!(
            r#"{{"event_type":"{}","payload":{}}}"#,
            payload.event_type, payload.body
        );
        let key = format!("github-{number}");
        let headers = [("idempotency-key", key.as_str())];
        let said = api.post(body.clone(), &headers).await?;
        ensure!(said.status == 202, "{said:?}");
        let bytes = payload.body.len();
        println!("  sent  {:<32} {bytes:>6} bytes: 202", payload.event_type);
        if number == 0 {
            let again = api.post(body, &headers).await?;
            let is_duplicate = again.status == 202 && again.json()?["duplicate"] == true;
            ensure!(is_duplicate, "{again:?}");
            println!("        the same again, with the same idempotency key: 202, a duplicate");
        }
    }
    println!();
    Ok(())
}

impl Shop {
    /// What came since the last look, each checked by Standard Webhooks' own library.
    fn show(&mut self, payloads: &[Payload], began: Instant) -> Result<()> {
        for (number, got) in self.receiver.got().iter().enumerate().skip(self.shown) {
            self.verify(got, payloads)?;
            let said = if number < self.refuses { 503 } else { 200 };
            println!(
                "{:>6.2} s  {:<6} {:<32} attempt {}: verified, answered {said}",
                got.at.duration_since(began).as_secs_f64(),
                self.name,
                got.header("x-webhook-event-type"),
                got.header("webhook-attempt"),
            );
            self.shown = number + 1;
        }
        Ok(())
    }

    fn verify(&self, got: &Got, payloads: &[Payload]) -> Result<()> {
        let library = standardwebhooks::Webhook::new(&self.endpoint.secret)?;
        let verified = library.verify(&got.body, &got.headers);
        verified.with_context(|| format!("{}: {}", self.name, got.line))?;
        let sent = payloads
            .iter()
            .find(|payload| payload.event_type == got.header("x-webhook-event-type"));
        let sent = sent.with_context(|| format!("nobody sent this: {got:?}"))?;
        ensure!(
            got.body == sent.body.as_bytes(),
            "{} changed on its way",
            sent.event_type
        );
        Ok(())
    }

    /// How often each event was taken with a 200.
    fn taken(&self) -> BTreeMap<String, usize> {
        let mut taken = BTreeMap::new();
        for got in self.receiver.got().iter().skip(self.refuses) {
            *taken
                .entry(got.header("webhook-id").to_owned())
                .or_default() += 1;
        }
        taken
    }
}

/// Whether every delivery is at its end.
async fn has_ended(api: &Api, payloads: &[Payload]) -> Result<bool> {
    let Ok(shown) = api.look("/api/v1/accounting").await? else {
        return Ok(false);
    };
    let count = |name: &str| shown["deliveries"][name].as_u64().unwrap_or(0);
    let made = u64::try_from(payloads.len() * 3)?;
    Ok(count("made") >= made && count("pending") + count("retrying") == 0)
}

/// The accounting, and whether it is as promised.
async fn conclude(
    api: &Api,
    shops: &[Shop],
    nobody: &Endpoint,
    payloads: &[Payload],
) -> Result<()> {
    let events = payloads.len();
    let made = u64::try_from(events * 3)?;
    let accounting = api.accounted(made, WITHIN).await?;
    println!("\naccounting:");
    let of_all = &accounting["deliveries"];
    for name in [
        "made",
        "delivered",
        "dead_lettered",
        "pending",
        "retrying",
        "unaccounted",
    ] {
        println!("  {name:<14} {:>4}", of_all[name]);
    }
    let count = |name: &str| of_all[name].as_u64().unwrap_or(0);
    ensure!(
        count("delivered") == made / 3 * 2,
        "two thirds are delivered"
    );
    ensure!(
        count("dead_lettered") == made / 3,
        "a third has nobody to go to"
    );
    for shop in shops {
        let taken = shop.taken();
        ensure!(
            taken.len() == events,
            "{} took {} of {events}",
            shop.name,
            taken.len()
        );
        let again: usize = taken.values().sum::<usize>() - events;
        println!(
            "  {} took all {events}; sent again after the kill: {again}",
            shop.name
        );
    }
    let path = format!("/api/v1/dlq?endpoint_id={}&limit=250", nobody.id);
    let dead = until("each dead letter is shown", WITHIN, async || {
        let page = api.look(&path).await?;
        Ok(page.and_then(|page| {
            let dead = page["data"].as_array().cloned().unwrap_or_default();
            if dead.len() >= events {
                Ok(dead)
            } else {
                Err(format!("{} dead letters", dead.len()))
            }
        }))
    })
    .await?;
    ensure!(dead.len() == events, "{} dead letters", dead.len());
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for letter in &dead {
        *reasons.entry(reason(letter)).or_default() += 1;
    }
    for (reason, count) in reasons {
        println!("  dead letters of nobody: {count}, {reason}");
    }
    Ok(())
}

fn reason(letter: &Value) -> String {
    letter["reason"].as_str().unwrap_or("no reason").to_owned()
}
