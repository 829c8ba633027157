//! `postrider dlq`

use anyhow::Result;

use super::connection::Connection;
use super::deliveries::show;
use super::fields::text;
use super::list::{self, Columns};
use super::raw::one_line;
use crate::cli::{DlqAction, DlqCommand, DlqListArgs};
use crate::output::Output;

pub(super) async fn run(command: DlqCommand, output: &mut Output) -> Result<()> {
    let DlqCommand { api, action } = command;
    let connection = Connection::new(&api)?;
    match action {
        DlqAction::List(args) => list(&connection, args, api.json, output).await,
        DlqAction::Show(id) => {
            let answer = connection.get(&["dlq", &id.id], &[]).await?;
            match api.json {
                true => output.line(&one_line(&answer.body)),
                false => show(&answer.body, output),
            }
        }
    }
}

async fn list(
    connection: &Connection,
    args: DlqListArgs,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let mut query = list::query([
        ("event_type", args.event_type),
        ("endpoint_id", args.endpoint),
        ("reason", args.reason),
    ]);
    query.extend(list::times(&args.time));
    let columns = Columns {
        headings: &[
            "ID",
            "EVENT",
            "TYPE",
            "ENDPOINT",
            "REASON",
            ">ATTEMPTS",
            "SINCE",
        ],
        row: |letter| {
            let cells = [
                text(letter, "/id"),
                text(letter, "/event_id"),
                text(letter, "/event_type"),
                text(letter, "/endpoint_id"),
                text(letter, "/reason"),
                text(letter, "/attempt_count"),
                text(letter, "/dead_lettered_at"),
            ];
            cells.to_vec()
        },
    };
    list::print(
        connection,
        &["dlq"],
        (query, &args.page),
        (columns, json),
        output,
    )
    .await
}
