//! End to end: as fast as it goes, then at steady rates.

use std::sync::Arc;

use anyhow::Result;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::SETTLE;
use super::load::{Load, Template};
use super::receiver::Receiver;
use super::report::Latencies;
use super::subject::Subject;
use crate::cli::{BenchArgs, BenchScenario};

/// The event type of what is sent; in a flood each endpoint has its number behind it.
pub(super) const EVENT_TYPE: &str = "bench.ping";

/// For how long a steady rate is held.
const STEADY_SECONDS: f64 = 10.0;

/// What was measured.
pub(super) struct Flood {
    /// Deliveries a second, from the first request until the last one was received, its outcome was
    /// durable and the views showed it.
    pub(super) rate: f64,
    /// 202s a second while they were given.
    pub(super) accepted: f64,
    /// At 100 a second.
    pub(super) calm: Latencies,
    /// At half of `rate`.
    pub(super) half: Latencies,
    /// Processor microseconds a delivery of each process, the flood alone.
    pub(super) processors_us: Vec<(String, f64)>,
    /// Requests to the view store a delivery: those that read, and those that write.
    pub(super) requests: Option<(f64, f64)>,
    /// Bytes on disk a delivery.
    pub(super) disk: f64,
    /// The most memory that the server had, in MiB.
    pub(super) peak_mib: f64,
    /// Memory of the idle server before, in MiB.
    pub(super) idle_mib: f64,
}

/// Floods the endpoints, then sends steadily.
pub(super) async fn run(
    subject: &Subject,
    receiver: &Arc<Receiver>,
    scenario: BenchScenario,
    args: &BenchArgs,
) -> Result<Flood> {
    let url = format!("http://{}/hook", receiver.address);
    let mut targets = Vec::new();
    for number in 0..args.endpoints {
        let event_type = format!("{EVENT_TYPE}.{number}");
        let endpoint = subject.endpoint(&url, &event_type).await?;
        let endpoint = (scenario == BenchScenario::Addressed).then_some(endpoint);
        targets.push(Target {
            event_type,
            endpoint,
        });
    }
    let load = |events| events_to(subject, &targets, events, args);
    let mut shown = 0;
    // Connections, pools and pages are there before anything counts.
    let warm = args.deliveries.min(2_000);
    receiver.begin(warm);
    load(warm).flood(receiver).await?;
    receiver.all(SETTLE).await?;
    shown += warm;
    subject.shown(shown, SETTLE).await?;

    let (idle_mib, _) = subject.memory()?;
    receiver.begin(args.deliveries);
    let (processors, requests) = (subject.processors()?, subject.requests().await?);
    let (disk, begun) = (subject.disk(), Instant::now());
    let accepting = load(args.deliveries).flood(receiver).await?;
    receiver.all(SETTLE).await?;
    shown += args.deliveries;
    subject.shown(shown, SETTLE).await?;
    let took = begun.elapsed();
    let deliveries = args.deliveries as f64;
    let used = subject.processors()?.into_iter().zip(processors);
    let used = used.map(|((name, now), (_, before))| (name, (now - before) * 1e6 / deliveries));
    let processors_us = used.collect();
    let requests = subject.requests().await?.zip(requests);
    let requests = requests.map(|(now, before)| {
        let of = |now: f64, before: f64| (now - before) / deliveries;
        (of(now.0, before.0), of(now.1, before.1))
    });
    let disk = subject.disk().saturating_sub(disk) as f64 / deliveries;
    let rate = deliveries / took.as_secs_f64();
    let mut steady = Vec::new();
    for a_second in [100.0, rate / 2.0] {
        let events = (a_second * STEADY_SECONDS) as u64;
        receiver.begin(events);
        load(events).steady(receiver, a_second).await?;
        receiver.all(SETTLE).await?;
        shown += events;
        subject.shown(shown, SETTLE).await?;
        steady.push(receiver.latencies());
    }
    let (half, calm) = (steady.pop(), steady.pop());
    Ok(Flood {
        rate,
        accepted: deliveries / accepting.as_secs_f64(),
        calm: calm.unwrap_or_default(),
        half: half.unwrap_or_default(),
        processors_us,
        requests,
        disk,
        peak_mib: subject.memory()?.1,
        idle_mib,
    })
}

/// Whom an event goes to: an endpoint by its id, or who subscribes to the type.
pub(super) struct Target {
    pub(super) event_type: String,
    pub(super) endpoint: Option<String>,
}

/// Events to each of `targets` in turn.
pub(super) fn events_to(
    subject: &Subject,
    targets: &[Target],
    events: u64,
    args: &BenchArgs,
) -> Load {
    let bodies = targets.iter().map(|target| {
        let to = target.endpoint.as_ref();
        let to = to.map_or(String::new(), |id| format!(r#""endpoint_id":"{id}","#));
        let event_type = &target.event_type;
        let before = format!(r#"{{"event_type":"{event_type}",{to}"payload":"#);
        Template::new(&before, args.payload, "}")
    });
    Load {
        address: subject.address.clone(),
        path: "/api/v1/events",
        headers: HeaderMap::new(),
        answer: StatusCode::ACCEPTED,
        bodies: bodies.collect(),
        events,
        connections: args.connections,
    }
}
