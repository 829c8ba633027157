//! `postrider events`

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::connection::Connection;
use super::deliveries::attempts;
use super::fields::{self, items, text};
use super::list::{self, Columns, Query};
use super::raw::one_line;
use crate::cli::{EventListArgs, EventsAction, EventsCommand, WhichArgs};
use crate::output::{Output, Table};

/// How much of a payload people are shown, in characters.
const SHOWN: usize = 2_000;

pub(super) async fn run(command: EventsCommand, output: &mut Output) -> Result<()> {
    let EventsCommand { api, action } = command;
    let connection = Connection::new(&api)?;
    match action {
        EventsAction::List(args) => list(&connection, args, api.json, output).await,
        EventsAction::Show(which) => {
            let answer = connection.get(&["events", &which.id], &[]).await?;
            match api.json {
                true => output.line(&one_line(&answer.body)),
                false => show(&answer.body, output),
            }
        }
    }
}

/// What a list is asked for by type, endpoint and state.
pub(super) fn which(args: WhichArgs) -> Query {
    list::query([
        ("event_type", args.event_type),
        ("endpoint_id", args.endpoint),
        ("status", args.status),
    ])
}

async fn list(
    connection: &Connection,
    args: EventListArgs,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let mut query = which(args.which);
    query.extend(list::query([("source", args.source), ("tag", args.tag)]));
    query.extend(list::times(&args.time));
    let columns = Columns {
        headings: &["ID", "TYPE", "STATUS", "ACCEPTED", "SOURCE", "TAGS"],
        row: |event| {
            let cells = [
                text(event, "/id"),
                text(event, "/event_type"),
                text(event, "/status"),
                text(event, "/accepted_at"),
                text(event, "/source"),
                text(event, "/tags"),
            ];
            cells.to_vec()
        },
    };
    list::print(
        connection,
        &["events"],
        (query, &args.page),
        (columns, json),
        output,
    )
    .await
}

/// The payload as it was sent, which no value can hold.
#[derive(Deserialize)]
struct Payload {
    payload: Option<Box<RawValue>>,
}

/// An event, for people.
pub(super) fn show(body: &str, output: &mut Output) -> Result<()> {
    let event: Value = serde_json::from_str(body).context("the server's answer")?;
    let payload: Payload = serde_json::from_str(body)?;
    fields::print(
        vec![
            ("event", text(&event, "/id")),
            ("type", text(&event, "/event_type")),
            ("status", text(&event, "/status")),
            ("accepted", text(&event, "/accepted_at")),
            ("source", text(&event, "/source")),
            ("tags", text(&event, "/tags")),
            (
                "payload",
                payload
                    .payload
                    .map_or(fields::NOTHING.to_owned(), |raw| cut(&one_line(raw.get()))),
            ),
        ],
        output,
    )?;
    let mut table = Table::new(&["", "DELIVERY", "ENDPOINT", "STATUS", "WHY"]);
    for delivery in items(&event, "/deliveries") {
        table.row([
            String::new(),
            text(delivery, "/id"),
            text(delivery, "/endpoint_id"),
            text(delivery, "/status"),
            fields::first(delivery, &["/reason", "/next_attempt_at"]),
        ]);
    }
    if items(&event, "/deliveries").is_empty() {
        return output.line("\nIt goes nowhere: no endpoint subscribes to its type.");
    }
    output.line("")?;
    table.print(output)?;
    let all = items(&event, "/deliveries").iter();
    let all: Vec<&Value> = all
        .flat_map(|delivery| items(delivery, "/attempts"))
        .collect();
    attempts(&all, output)
}

fn cut(payload: &str) -> String {
    match payload.char_indices().nth(SHOWN) {
        None => payload.to_owned(),
        Some((at, _)) => format!(
            "{}… ({} bytes; --json shows all)",
            &payload[..at],
            payload.len()
        ),
    }
}
