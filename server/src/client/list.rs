//! Lists: page after page, until there are as many rows as were asked for.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::connection::Connection;
use super::raw::one_line;
use crate::cli::{Moment, PageArgs, TimeArgs};
use crate::clock::SystemClock;
use crate::output::{Output, Table, rfc3339};
use domain::time::Clock;

/// The most rows that the server gives in a page.
const PAGE: u64 = 250;

/// What a request asks for, without what is not said.
pub(super) type Query = Vec<(&'static str, String)>;

/// How rows become a table.
pub(super) struct Columns<'a> {
    pub(super) headings: &'a [&'a str],
    pub(super) row: fn(&Value) -> Vec<String>,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

/// Prints a list.
pub(super) async fn print(
    connection: &Connection,
    path: &[&str],
    (query, args): (Query, &PageArgs),
    (columns, json): (Columns<'_>, bool),
    output: &mut Output,
) -> Result<()> {
    let mut table = Table::new(columns.headings);
    let mut left = args.limit;
    let mut cursor = args.cursor.clone();
    while left > 0 {
        let page = page(connection, path, &query, args, (left.min(PAGE), cursor)).await?;
        left = left.saturating_sub(page.data.len() as u64);
        for row in page.data {
            match json {
                true => output.line(&one_line(row.get()))?,
                false => table.row((columns.row)(&serde_json::from_str(row.get())?)),
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    if !json {
        table.print(output)?;
    }
    output.flush()?;
    if let Some(cursor) = cursor.filter(|_| left == 0) {
        eprintln!("There are more: raise --limit, or go on with --cursor {cursor}");
    }
    Ok(())
}

async fn page(
    connection: &Connection,
    path: &[&str],
    query: &Query,
    args: &PageArgs,
    (limit, cursor): (u64, Option<String>),
) -> Result<Page> {
    let mut query = query.clone();
    query.push(("limit", limit.to_string()));
    query.push(("order", args.order.name().to_owned()));
    query.extend(cursor.map(|cursor| ("cursor", cursor)));
    let answer = connection.get(path, &query).await?;
    serde_json::from_str(&answer.body).context("the server's answer is no list")
}

/// The parts of a query that have a value.
pub(super) fn query<const N: usize>(parts: [(&'static str, Option<String>); N]) -> Query {
    let said = parts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    said.collect()
}

/// Those of a stretch of time.
pub(super) fn times(args: &TimeArgs) -> Query {
    let shown = |moment: Moment| {
        rfc3339(match moment {
            Moment::At(time) => time,
            Moment::Ago(length) => SystemClock.now().saturating_sub(length),
        })
    };
    query([
        ("after", args.after.map(shown)),
        ("before", args.before.map(shown)),
    ])
}
