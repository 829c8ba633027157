//! `postrider deliveries`

use anyhow::{Context, Result};
use serde_json::Value;

use super::connection::Connection;
use super::events::which;
use super::fields::{self, items, text};
use super::list::{self, Columns};
use super::raw::one_line;
use crate::cli::{DeliveriesAction, DeliveriesCommand, DeliveryListArgs};
use crate::output::{Output, Table};

pub(super) async fn run(command: DeliveriesCommand, output: &mut Output) -> Result<()> {
    let DeliveriesCommand { api, action } = command;
    let connection = Connection::new(&api)?;
    match action {
        DeliveriesAction::List(args) => list(&connection, args, api.json, output).await,
        DeliveriesAction::Show(id) => {
            let answer = connection.get(&["deliveries", &id.id], &[]).await?;
            match api.json {
                true => output.line(&one_line(&answer.body)),
                false => show(&answer.body, output),
            }
        }
    }
}

async fn list(
    connection: &Connection,
    args: DeliveryListArgs,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let mut query = which(args.which);
    query.extend(list::query([(
        "status_code",
        args.status_code.map(|code| code.to_string()),
    )]));
    query.extend(list::times(&args.time));
    let columns = Columns {
        headings: &[
            "ID",
            "EVENT",
            "TYPE",
            "ENDPOINT",
            "STATUS",
            ">ATTEMPTS",
            "ACCEPTED",
        ],
        row: |delivery| {
            let cells = [
                text(delivery, "/id"),
                text(delivery, "/event_id"),
                text(delivery, "/event_type"),
                text(delivery, "/endpoint_id"),
                text(delivery, "/status"),
                text(delivery, "/attempt_count"),
                text(delivery, "/accepted_at"),
            ];
            cells.to_vec()
        },
    };
    list::print(
        connection,
        &["deliveries"],
        (query, &args.page),
        (columns, json),
        output,
    )
    .await
}

/// A delivery or a dead letter, for people.
pub(super) fn show(body: &str, output: &mut Output) -> Result<()> {
    let delivery: Value = serde_json::from_str(body).context("the server's answer")?;
    fields::print(
        vec![
            ("delivery", text(&delivery, "/id")),
            ("event", text(&delivery, "/event_id")),
            ("type", text(&delivery, "/event_type")),
            ("endpoint", text(&delivery, "/endpoint_id")),
            ("status", text(&delivery, "/status")),
            ("reason", text(&delivery, "/reason")),
            ("accepted", text(&delivery, "/accepted_at")),
            ("next attempt", text(&delivery, "/next_attempt_at")),
        ],
        output,
    )?;
    let all: Vec<&Value> = items(&delivery, "/attempts").iter().collect();
    attempts(&all, output)
}

/// Attempts, for people.
pub(super) fn attempts(all: &[&Value], output: &mut Output) -> Result<()> {
    if all.is_empty() {
        return output.line("\nNo attempt yet.");
    }
    let headings = [
        "", ">ATTEMPT", "STARTED", "OUTCOME", ">STATUS", ">TOOK", "ADDRESS", "ERROR",
    ];
    let mut table = Table::new(&headings);
    for attempt in all {
        table.row([
            String::new(),
            text(attempt, "/number"),
            text(attempt, "/started_at"),
            text(attempt, "/outcome"),
            text(attempt, "/status_code"),
            fields::duration(attempt),
            text(attempt, "/address"),
            text(attempt, "/error/message"),
        ]);
    }
    output.line("")?;
    table.print(output)
}
