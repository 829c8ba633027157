//! The way to receivers against a bare client of hyper's, on the same cores, to the same receiver.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use dispatcher::http::{HttpConfig, HttpTransport, SystemResolver};
use dispatcher::transport::{Request, Transport};
use domain::target::Rules;
use domain::time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use schemas::ids::EndpointId;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::measure::{Latencies, compare, cpu_micros, median};

#[derive(Args, Clone, Copy)]
pub(crate) struct Arguments {
    /// Requests a round.
    #[arg(long, default_value_t = 100_000)]
    requests: u64,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    connections: u64,
    /// Bytes of a body.
    #[arg(long, default_value_t = 1_024)]
    bytes: usize,
    /// Rounds of each, in turn; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Which of the two alone, for a profile: `bare` or `ours`.
    #[arg(long)]
    only: Option<Which>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    Bare,
    Ours,
}

/// What one round came to.
struct Round {
    a_second: f64,
    cpu_micros: f64,
    p50: f64,
    p99: f64,
}

/// What it is called, where it is, its unit.
type Figure = (&'static str, fn(&Round) -> f64, &'static str);

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(rounds(*arguments))
}

async fn rounds(arguments: Arguments) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut receiver = JoinSet::new();
    receiver.spawn(receive(listener));
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        if arguments.only != Some(Which::Ours) {
            bare.push(round(arguments, address, Which::Bare).await?);
        }
        if arguments.only != Some(Which::Bare) {
            ours.push(round(arguments, address, Which::Ours).await?);
        }
    }
    report(&arguments, &ours, &bare);
    Ok(())
}

fn report(arguments: &Arguments, ours: &[Round], bare: &[Round]) {
    println!(
        "{} connections, {} bytes, {} requests a round, the receiver in the same process\n",
        arguments.connections, arguments.bytes, arguments.requests
    );
    println!(
        "{:<44} {:>12} {:>12} {:<5} {:>6}",
        "", "ours", "bare", "", "ratio"
    );
    let figures: [Figure; 4] = [
        ("requests", |round| round.a_second, "/s"),
        (
            "CPU a request, receiver included",
            |round| round.cpu_micros,
            "µs",
        ),
        ("latency p50", |round| round.p50, "µs"),
        ("latency p99", |round| round.p99, "µs"),
    ];
    for (what, figure, unit) in figures {
        let of = |rounds: &[Round]| match rounds {
            [] => f64::NAN,
            rounds => median(rounds.iter().map(figure).collect()),
        };
        compare(what, of(ours), of(bare), unit);
    }
}

async fn round(arguments: Arguments, address: SocketAddr, which: Which) -> anyhow::Result<Round> {
    let config = HttpConfig {
        rules: Rules::development(),
        ..HttpConfig::default()
    };
    let resolver = Arc::new(SystemResolver::default());
    let transport = Arc::new(HttpTransport::new(config, resolver)?);
    let mut senders = JoinSet::new();
    let times = arguments.requests / arguments.connections;
    let (cpu, begun) = (cpu_micros()?, tokio::time::Instant::now());
    for _ in 0..arguments.connections {
        let transport = Arc::clone(&transport);
        senders.spawn(async move {
            match which {
                Which::Bare => send_bare(address, times, arguments.bytes).await,
                Which::Ours => send_ours(&transport, address, times, arguments.bytes).await,
            }
        });
    }
    let mut latencies = Latencies::new()?;
    while let Some(sent) = senders.join_next().await {
        sent??.into_iter().for_each(|took| latencies.record(took));
    }
    let count = (times * arguments.connections) as f64;
    Ok(Round {
        a_second: count / begun.elapsed().as_secs_f64(),
        cpu_micros: (cpu_micros()? - cpu) / count,
        p50: latencies.quantile(0.5),
        p99: latencies.quantile(0.99),
    })
}

/// Answers everything with an empty 200.
async fn receive(listener: TcpListener) -> anyhow::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = service_fn(|request: http::Request<Incoming>| async {
            request.into_body().collect().await?;
            Ok::<_, hyper::Error>(http::Response::new(Empty::<Bytes>::new()))
        });
        connections.spawn(async move {
            let serving = hyper::server::conn::http1::Builder::new();
            // It ends as its client ends it.
            drop(serving.serve_connection(TokioIo::new(stream), answer).await);
        });
    }
}

/// The headers of an attempt in both forms, as long as they are.
fn headers() -> HeaderMap {
    let signature = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=";
    let older = "t=1700000000,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd";
    let id = "evt_0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b";
    [
        ("content-type", "application/json"),
        ("user-agent", "Postrider/0.1.0"),
        ("webhook-id", id),
        ("webhook-timestamp", "1700000000"),
        ("webhook-signature", signature),
        ("webhook-attempt", "1"),
        ("x-webhook-signature", older),
        ("x-webhook-id", "dlv_0190a1b2-c3d4-8e5f-8a6b-7c8d9e0f1a2b"),
        ("x-webhook-event-id", "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"),
        ("x-webhook-event-type", "invoice.paid"),
        ("x-webhook-timestamp", "1700000000"),
        ("idempotency-key", id),
        (
            "traceparent",
            "00-0190a1b2c3d47e5f8a6b7c8d9e0f1a2b-8a6b7c8d9e0f1a2b-00",
        ),
    ]
    .into_iter()
    .map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    })
    .collect()
}

async fn send_ours(
    transport: &HttpTransport,
    address: SocketAddr,
    times: u64,
    bytes: usize,
) -> anyhow::Result<Vec<Duration>> {
    let url: Arc<str> = format!("http://{address}/hook").into();
    let endpoint = EndpointId::new(Timestamp::from_millis(0), 1);
    let (headers, body) = (headers(), Bytes::from(vec![b'x'; bytes]));
    let mut took = Vec::with_capacity(times as usize);
    for _ in 0..times {
        let answer = transport
            .send(Request {
                endpoint,
                url: Arc::clone(&url),
                timeout: Duration::from_secs(30),
                connect_timeout: Duration::from_secs(10),
                headers: headers.clone(),
                body: body.clone(),
            })
            .await;
        if answer.status != Some(200) {
            bail!("{:?}", answer.error);
        }
        took.push(answer.duration);
    }
    Ok(took)
}

async fn send_bare(address: SocketAddr, times: u64, bytes: usize) -> anyhow::Result<Vec<Duration>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut driving = JoinSet::new();
    driving.spawn(connection);
    let (mut headers, body) = (headers(), Bytes::from(vec![b'x'; bytes]));
    let host = HeaderValue::from_str(&address.to_string()).context("an address is a host")?;
    headers.insert(http::header::HOST, host);
    let mut took = Vec::with_capacity(times as usize);
    for _ in 0..times {
        let begun = tokio::time::Instant::now();
        let mut request = http::Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/hook");
        *request.headers_mut() = headers.clone();
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        if response.status() != 200 {
            bail!("{}", response.status());
        }
        response.into_body().collect().await?;
        took.push(begun.elapsed());
    }
    Ok(took)
}
