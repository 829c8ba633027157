//! What is run, each on fresh containers: what one suite has left makes a store slow for the next.

use std::process::{ExitCode, ExitStatus};

use tokio::process::Command;

use crate::cli::{Cli, Suite};
use crate::run::{exit_code, run as run_command};
use crate::servers::Servers;
use crate::signals::Signals;

/// The exit code when a signal came first.
const INTERRUPTED: u8 = 130;

/// The exit code when nothing was run because containers could not be had (`EX_UNAVAILABLE` of sysexits.h).
const UNAVAILABLE: u8 = 69;

/// Variables that name what a container doesn't have: a listener behind TLS.
const NOT_ON_CONTAINERS: [&str; 5] = [
    "POSTRIDER_TEST_CQL_CA",
    "POSTRIDER_TEST_KAFKA_SECURE",
    "POSTRIDER_TEST_KAFKA_CA",
    "POSTRIDER_TEST_KAFKA_USER",
    "POSTRIDER_TEST_KAFKA_PASSWORD",
];

/// What needs which servers, and how it is run.
struct Plan {
    name: String,
    log: bool,
    store: bool,
    /// Whether servers under test have their log and their views there.
    whole: bool,
    command: Command,
}

/// How a plan ended.
enum Ended {
    /// Its command did, so.
    With(ExitStatus),
    /// A signal came first.
    Interrupted,
    /// A container couldn't be started, or did not answer.
    Unavailable(anyhow::Error),
}

/// Runs what `cli` names, one after the other.
///
/// # Errors
/// When a container can't be removed; when a command can't be started.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    for plan in plans(&cli) {
        let name = plan.name.clone();
        match on_containers(&cli, plan, &mut signals).await? {
            Ended::With(status) if status.success() => eprintln!("containers: {name}: done"),
            Ended::With(status) => {
                eprintln!("containers: {name}: {status}");
                return Ok(exit_code(status));
            }
            Ended::Interrupted => return Ok(ExitCode::from(INTERRUPTED)),
            Ended::Unavailable(error) => {
                eprintln!("containers: {name}: not run: {error:#}");
                return Ok(ExitCode::from(UNAVAILABLE));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn on_containers(cli: &Cli, mut plan: Plan, signals: &mut Signals) -> anyhow::Result<Ended> {
    let mut servers = Servers::default();
    // Not interrupted: what was made half-way nobody would remove.
    let started = start(cli, &plan, &mut servers).await;
    let ended = tokio::select! {
        biased;
        name = signals.next() => {
            eprintln!("containers: {name}, stopping");
            Ok(Ended::Interrupted)
        }
        ended = once_ready(started, &servers, &mut plan) => ended,
    };
    servers.remove().await?;
    ended
}

async fn start(cli: &Cli, plan: &Plan, servers: &mut Servers) -> anyhow::Result<()> {
    if plan.store {
        servers.store(&cli.cql_image).await?;
    }
    if plan.log {
        servers.log(&cli.kafka_image).await?;
    }
    Ok(())
}

async fn once_ready(
    started: anyhow::Result<()>,
    servers: &Servers,
    plan: &mut Plan,
) -> anyhow::Result<Ended> {
    let ready = match started {
        Ok(()) => servers.ready().await,
        Err(error) => Err(error),
    };
    if let Err(error) = ready {
        return Ok(Ended::Unavailable(error));
    }
    let mut environment = servers.environment();
    if plan.whole {
        environment.extend(whole(&environment));
    }
    for name in NOT_ON_CONTAINERS {
        plan.command.env_remove(name);
    }
    let status = run_command(&mut plan.command, &environment).await?;
    Ok(Ended::With(status))
}

/// Where servers under test have their log and their views, as `--log` and `--views` have it.
fn whole(environment: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    let told = |(name, value): &(&'static str, String)| match *name {
        "POSTRIDER_TEST_KAFKA" => Some(("POSTRIDER_TEST_LOG", format!("kafka://{value}"))),
        "POSTRIDER_TEST_CQL" => Some(("POSTRIDER_TEST_VIEWS", format!("cql://{value}"))),
        _ => None,
    };
    environment.iter().filter_map(told).collect()
}

fn plans(cli: &Cli) -> Vec<Plan> {
    if let Some((program, arguments)) = cli.command.split_first() {
        let mut command = Command::new(program);
        command.args(arguments);
        return vec![Plan {
            name: program.display().to_string(),
            log: true,
            store: true,
            whole: cli.whole,
            command,
        }];
    }
    let suites = match &*cli.suites {
        [] => &Suite::ALL,
        named => named,
    };
    suites.iter().copied().map(Plan::of).collect()
}

impl Plan {
    fn of(suite: Suite) -> Self {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["test", "--locked"]);
        // What starts many processes, or kills brokers, has steps of its own in `scripts/test`.
        command.args(match suite {
            Suite::Log => &["--package", "eventlog-kafka"][..],
            Suite::Views => &["--package", "projections-scylla"],
            Suite::Whole => &[
                "--package",
                "end-to-end",
                "--test",
                "suite",
                "--",
                "--test-threads=4",
                "--skip=apart",
            ],
        });
        Self {
            name: format!("{suite:?}").to_lowercase(),
            log: suite != Suite::Views,
            store: suite != Suite::Log,
            whole: suite == Suite::Whole,
            command,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn planned(arguments: &[&str]) -> Vec<(String, bool, bool, bool)> {
        let arguments = ["containers"].iter().chain(arguments);
        let plans = plans(&Cli::try_parse_from(arguments).unwrap());
        let plans = plans.into_iter();
        plans
            .map(|plan| (plan.name, plan.log, plan.store, plan.whole))
            .collect()
    }

    #[test]
    fn a_suite_has_the_servers_that_it_needs() {
        let all = [
            ("views".to_owned(), false, true, false),
            ("log".to_owned(), true, false, false),
            ("whole".to_owned(), true, true, true),
        ];
        assert_eq!(planned(&[]), all);
        assert_eq!(planned(&["log"]), all[1..2]);
        let own = ("true".to_owned(), true, true, false);
        assert_eq!(planned(&["--", "true"]), [own]);
        let whole = ("true".to_owned(), true, true, true);
        assert_eq!(planned(&["--whole", "--", "true"]), [whole]);
        assert!(Cli::try_parse_from(["containers", "log", "--", "true"]).is_err());
    }

    #[test]
    fn servers_under_test_are_told_where_both_are() {
        let environment = [
            ("POSTRIDER_TEST_KAFKA", "a:1".to_owned()),
            ("POSTRIDER_TEST_KAFKA_PROXIES", "2-3".to_owned()),
            ("POSTRIDER_TEST_CQL", "b:2".to_owned()),
        ];
        let told = [
            ("POSTRIDER_TEST_LOG", "kafka://a:1".to_owned()),
            ("POSTRIDER_TEST_VIEWS", "cql://b:2".to_owned()),
        ];
        assert_eq!(whole(&environment), told);
    }
}
