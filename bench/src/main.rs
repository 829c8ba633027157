//! Benchmarks. Each figure is a ratio against a bare peer in the same run: these machines are noisy,
//! and an absolute number says more about the hour than about the code.

mod embedded;
mod ingest;
mod kafka;
mod measure;
mod sending;
mod waiting;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "What Postrider's parts cost, beside the bare thing in the same run")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The embedded log against bare fjall.
    Embedded(embedded::Arguments),
    /// Taking an event, from the request to the log, against a handler that only answers.
    Ingest(ingest::Arguments),
    /// The Kafka adapter against the bare rdkafka producer and consumer.
    Kafka(kafka::Arguments),
    /// The way to receivers against a bare client of hyper's.
    Sending(sending::Arguments),
    /// The index of waiting records.
    Waiting(waiting::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Embedded(arguments) => embedded::run(&arguments),
        What::Ingest(arguments) => ingest::run(&arguments),
        What::Kafka(arguments) => kafka::run(&arguments),
        What::Sending(arguments) => sending::run(&arguments),
        What::Waiting(arguments) => waiting::run(&arguments),
    }
}
