//! The limit: a bare client that posts the same signed body to the same receiver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use bytes::Bytes;
use domain::time::Clock as _;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::SETTLE;
use super::load::{Load, Template};
use super::receiver::Receiver;
use crate::cli::BenchArgs;
use crate::clock::SystemClock;

/// Requests a second of a bare `hyper` client.
pub(super) async fn hyper(receiver: &Arc<Receiver>, args: &BenchArgs) -> Result<f64> {
    let load = Load {
        address: receiver.address.clone(),
        path: "/hook",
        headers: headers()?,
        answer: StatusCode::OK,
        bodies: [Template::new("", args.payload, "")].into(),
        events: args.deliveries,
        connections: args.connections,
    };
    receiver.begin(args.deliveries);
    let took = load.flood(receiver).await?;
    receiver.all(SETTLE).await?;
    Ok(args.deliveries as f64 / took.as_secs_f64())
}

/// Requests a second of a bare `reqwest` client.
pub(super) async fn reqwest(receiver: &Arc<Receiver>, args: &BenchArgs) -> Result<f64> {
    let client = crate::client::http()?;
    let url = format!("http://{}/hook", receiver.address);
    let body = Template::new("", args.payload, "");
    let headers = headers()?;
    let next = Arc::new(AtomicU64::new(0));
    receiver.begin(args.deliveries);
    let begun = Instant::now();
    let mut posting = JoinSet::new();
    for _ in 0..args.connections {
        let (client, url, body, headers) =
            (client.clone(), url.clone(), body.clone(), headers.clone());
        let (next, events) = (Arc::clone(&next), args.deliveries);
        posting.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= events {
                    return anyhow::Ok(());
                }
                let request = client.post(&url).headers(headers.clone());
                let answer = request.body(body.body(number)).send().await?;
                answer.error_for_status()?.bytes().await?;
            }
        });
    }
    while let Some(ended) = posting.join_next().await {
        ended??;
    }
    Ok(args.deliveries as f64 / begun.elapsed().as_secs_f64())
}

/// The headers of a signed request, as a receiver gets them.
fn headers() -> Result<HeaderMap> {
    let seconds = SystemClock.now().as_millis() / 1_000;
    let id = "evt_0193a3c5-7b1e-7000-8000-000000000000";
    let mac = Bytes::from(vec![b'A'; 44]);
    let mut headers = HeaderMap::new();
    let mut add = |name: &'static str, value: String| -> Result<()> {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(&value)?,
        );
        Ok(())
    };
    add("webhook-id", id.to_owned())?;
    add("webhook-timestamp", seconds.to_string())?;
    add(
        "webhook-signature",
        format!("v1,{}", String::from_utf8_lossy(&mac)),
    )?;
    add(
        "x-webhook-signature",
        format!("t={seconds},v1={}", "a".repeat(64)),
    )?;
    add("x-webhook-id", id.to_owned())?;
    add("x-webhook-event-id", id.to_owned())?;
    add("x-webhook-event-type", "bench.ping".to_owned())?;
    add("x-webhook-timestamp", seconds.to_string())?;
    add("idempotency-key", id.to_owned())?;
    add("user-agent", "bench".to_owned())?;
    add("webhook-attempt", "1".to_owned())?;
    Ok(headers)
}
