//! The command line.

use std::ffi::OsString;

use clap::{Parser, ValueEnum};

/// Runs tests on containers of a log and of a store.
#[derive(Debug, Parser)]
#[command(
    name = "containers",
    after_help = "\
Examples:
  cargo run -p containers                      all three suites, each on fresh containers
  cargo run -p containers -- log views
  cargo run -p containers -- --whole -- cargo test -p end-to-end --test suite life

The exit code is that of the first suite that failed, 69 when containers could not be had. Where no image can be pulled, `scripts/images build`
makes local ones and prints their names."
)]
pub(crate) struct Cli {
    /// Which suites; all when none is named
    #[arg(value_name = "SUITE")]
    pub(crate) suites: Vec<Suite>,
    /// The log's image: its name has `redpanda` or `kafka` in it
    #[arg(
        long,
        value_name = "IMAGE",
        default_value = "docker.redpanda.com/redpandadata/redpanda:v25.3.9",
        env = "POSTRIDER_TEST_KAFKA_IMAGE"
    )]
    pub(crate) kafka_image: String,
    /// The store's image: its name has `scylla` or `cassandra` in it
    #[arg(
        long,
        value_name = "IMAGE",
        default_value = "docker.io/scylladb/scylla:6.2.3",
        env = "POSTRIDER_TEST_CQL_IMAGE"
    )]
    pub(crate) cql_image: String,
    /// For a command of one's own: tell it to run the whole on both, as the suite `whole` does
    #[arg(long, requires = "command", conflicts_with = "suites")]
    pub(crate) whole: bool,
    /// Another command instead of suites, run once on both containers
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "suites")]
    pub(crate) command: Vec<OsString>,
}

/// What can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// The log's conformance suite, and the Kafka adapter's own tests
    Log,
    /// The views' conformance suites, and the CQL adapter's own tests
    Views,
    /// The black-box suite, on both
    Whole,
}

impl Suite {
    /// Every one, the shortest first.
    pub(crate) const ALL: [Self; 3] = [Self::Views, Self::Log, Self::Whole];
}
