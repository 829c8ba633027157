//! Runs the models and prints, for each and for each of its variants, the states visited, the
//! depth, the time and what was refuted.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use models::harness::{Case, Report};
use models::{lanes, owner, router};

/// Checks the delivery protocol exhaustively.
#[derive(Parser)]
struct Arguments {
    /// Which model to run, with all of its variants.
    #[arg(value_enum, default_value = "all")]
    which: Which,
    /// Only the cases whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Prints the steps that lead to each refutation.
    #[arg(long)]
    steps: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    Owner,
    Router,
    Lanes,
    All,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut failed = false;
    for case in chosen(&arguments) {
        let report = (case.run)();
        let verdict = case.judge(&report);
        print_case(&case, &report, verdict.is_ok(), arguments.steps);
        failed |= verdict.is_err();
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn chosen(arguments: &Arguments) -> Vec<Case> {
    let mut cases = match arguments.which {
        Which::Owner => owner::cases(),
        Which::Router => router::cases(),
        Which::Lanes => lanes::cases(),
        Which::All => [owner::cases(), router::cases(), lanes::cases()].concat(),
    };
    if let Some(part) = &arguments.only {
        cases.retain(|case| case.name.contains(part.as_str()));
    }
    cases
}

fn print_case(case: &Case, report: &Report, as_promised: bool, steps: bool) {
    let Report {
        states,
        depth,
        took,
        refuted,
        unreached,
    } = report;
    let told = match (refuted.as_slice(), unreached.as_slice()) {
        ([], []) => "all hold".to_owned(),
        ([], _) => format!("all hold, but never reached: {}", unreached.join(", ")),
        _ => refuted
            .iter()
            .map(|found| found.property)
            .collect::<Vec<_>>()
            .join(", "),
    };
    let mark = if as_promised { "ok " } else { "BAD" };
    let rule = case.rule.unwrap_or("-");
    let seconds = took.as_secs_f64();
    println!(
        "{mark} {rule:<4} {:<40} {states:>9} states, depth {depth:>3}, {seconds:>6.2} s: {told}",
        case.name
    );
    if steps || !as_promised {
        refuted
            .iter()
            .for_each(|found| println!("{}", found.told()));
    }
}
