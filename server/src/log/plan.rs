//! `postrider log plan`

use anyhow::{Result, anyhow};
use eventlog_port::topic::local_plan;
use eventlog_port::{Action, Plan};
use serde::Serialize;

use super::open::Opening;
use super::wanted;
use crate::cli::PlanArgs;
use crate::output::{Output, Table, bytes, kept};

/// The plan of one topic, for programs. Times in seconds; what is absent has no limit.
#[derive(Serialize)]
struct PlanLine<'a> {
    topic: &'a str,
    action: &'static str,
    partitions: u32,
    retention_seconds: Option<u64>,
    retention_bytes: Option<u64>,
    max_record_bytes: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Difference<'a>>,
}

/// A setting that is not as it must be.
#[derive(Serialize)]
struct Difference<'a> {
    setting: &'a str,
    found: &'a str,
    wanted: &'a str,
    /// The command that mends it; absent where the log follows by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
}

pub(super) async fn run(
    opening: Opening<'_>,
    args: &PlanArgs,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let wanted = wanted::topics(&args.topics, &opening.args.target.log)?;
    // Looking at a log that isn't there must not make one.
    let log = match opening.is_missing() && !args.apply {
        true => None,
        false => Some(opening.any("postrider log plan").await?),
    };
    let plans = match &log {
        Some(log) => log.plan(&wanted).await?,
        None => local_plan(&wanted, &[])?,
    };
    print(&plans, json, output)?;
    let unfit = plans
        .iter()
        .filter(|plan| matches!(plan.action, Action::Mismatch(_)))
        .count();
    if unfit > 0 {
        output.flush()?;
        return Err(anyhow!(
            "{unfit} of {} topics don't fit; nothing was changed",
            plans.len()
        ));
    }
    if let Some(log) = log.filter(|_| args.apply) {
        log.ensure(&wanted).await?;
    }
    let fits = plans.iter().all(|plan| plan.action == Action::Fits);
    match (fits, args.apply) {
        _ if json => Ok(()),
        (true, _) => output.line("\nEverything fits."),
        (false, true) => output.line("\nDone."),
        (false, false) => output.line("\nNothing was changed; --apply does it."),
    }
}

fn print(plans: &[Plan], json: bool, output: &mut Output) -> Result<()> {
    if json {
        return plans.iter().try_for_each(|plan| output.json(&line(plan)));
    }
    table(plans).print(output)?;
    for plan in plans {
        explain(plan, output)?;
    }
    Ok(())
}

fn table(plans: &[Plan]) -> Table {
    let headings = [
        "TOPIC",
        "ACTION",
        ">PARTITIONS",
        "KEPT",
        "SIZE LIMIT",
        "LARGEST RECORD",
    ];
    let mut table = Table::new(&headings);
    for Plan { spec, action } in plans {
        let limit = spec.retention_bytes;
        table.row([
            spec.name.clone(),
            word(action).to_owned(),
            spec.partitions.to_string(),
            kept(spec.retention),
            limit.map_or("none".to_owned(), |limit| {
                format!("{} a partition", bytes(limit))
            }),
            bytes(spec.max_record_bytes.into()),
        ]);
    }
    table
}

const fn word(action: &Action) -> &'static str {
    match action {
        Action::Fits => "fits",
        Action::Create => "create",
        Action::Update(_) => "update",
        Action::Mismatch(_) => "mismatch",
    }
}

/// What differs, under the table.
fn explain(plan: &Plan, output: &mut Output) -> Result<()> {
    let differences = differences(&plan.action);
    if !differences.is_empty() {
        output.line(&format!("\n{}", plan.spec.name))?;
    }
    for Difference {
        setting,
        found,
        wanted,
        remedy,
    } in differences
    {
        output.line(&format!("  {setting} is {found}, must be {wanted}"))?;
        if let Some(remedy) = remedy {
            output.line(&format!("    {remedy}"))?;
        }
    }
    Ok(())
}

fn differences(action: &Action) -> Vec<Difference<'_>> {
    match action {
        Action::Fits | Action::Create => Vec::new(),
        Action::Update(changes) => changes
            .iter()
            .map(|c| Difference {
                setting: c.setting,
                found: &c.found,
                wanted: &c.wanted,
                remedy: None,
            })
            .collect(),
        Action::Mismatch(mismatches) => mismatches
            .iter()
            .map(|m| Difference {
                setting: &m.setting,
                found: &m.found,
                wanted: &m.wanted,
                remedy: Some(&m.remedy),
            })
            .collect(),
    }
}

fn line(Plan { spec, action }: &Plan) -> PlanLine<'_> {
    PlanLine {
        topic: &spec.name,
        action: word(action),
        partitions: spec.partitions,
        retention_seconds: spec.retention.map(|kept| kept.as_secs()),
        retention_bytes: spec.retention_bytes,
        max_record_bytes: spec.max_record_bytes,
        differences: differences(action),
    }
}
