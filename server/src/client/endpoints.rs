//! `postrider endpoints`

use anyhow::{Context, Result};
use http::Method;
use http::header::IF_MATCH;
use serde_json::{Map, Value, json};

use super::connection::{Answer, Connection, Sent};
use super::fields::{self, text};
use super::list::{self, Columns};
use super::raw::one_line;
use crate::cli::{
    CreateArgs, EndpointId, EndpointListArgs, EndpointsAction, EndpointsCommand, FieldArgs,
    UpdateArgs,
};
use crate::output::Output;

const PATH: &str = "endpoints";

pub(super) async fn run(command: EndpointsCommand, output: &mut Output) -> Result<()> {
    let EndpointsCommand { api, action } = command;
    let connection = Connection::new(&api)?;
    let shown = match action {
        EndpointsAction::List(args) => return list(&connection, args, api.json, output).await,
        EndpointsAction::Delete(which) => {
            let path = [PATH, &which.id];
            connection
                .change(Method::DELETE, &path, Sent::default())
                .await?;
            return match api.json {
                true => Ok(()),
                false => output.line(&format!("{} is deleted", which.id)),
            };
        }
        EndpointsAction::Create(args) => create(&connection, args).await?,
        EndpointsAction::Show(which) => connection.get(&[PATH, &which.id], &[]).await?,
        EndpointsAction::Update(args) => update(&connection, args).await?,
        EndpointsAction::Pause(which) => switch(&connection, &which, "pause").await?,
        EndpointsAction::Resume(which) => switch(&connection, &which, "resume").await?,
        EndpointsAction::Disable(which) => switch(&connection, &which, "disable").await?,
        EndpointsAction::Enable(which) => switch(&connection, &which, "enable").await?,
        EndpointsAction::Stats(which) => connection.get(&[PATH, &which.id, "stats"], &[]).await?,
    };
    match api.json {
        true => output.line(&one_line(&shown.body)),
        false => show(&shown, output),
    }
}

async fn create(connection: &Connection, args: CreateArgs) -> Result<Answer> {
    let mut body = members(args.fields);
    body.insert("url".to_owned(), args.target.into());
    if let Some(secret) = args.secret {
        body.insert("secret".to_owned(), secret.into());
    }
    let sent = Sent {
        body: Some(Value::from(body).to_string()),
        headers: Vec::new(),
    };
    connection.change(Method::POST, &[PATH], sent).await
}

async fn update(connection: &Connection, args: UpdateArgs) -> Result<Answer> {
    let mut body = members(args.fields);
    if let Some(url) = args.target {
        body.insert("url".to_owned(), url.into());
    }
    let sent = Sent {
        body: Some(Value::from(body).to_string()),
        headers: args
            .if_match
            .map(|etag| (IF_MATCH, etag))
            .into_iter()
            .collect(),
    };
    connection
        .change(Method::PATCH, &[PATH, &args.id], sent)
        .await
}

async fn switch(connection: &Connection, which: &EndpointId, to: &str) -> Result<Answer> {
    let path = [PATH, &which.id, to];
    connection
        .change(Method::POST, &path, Sent::default())
        .await
}

/// The fields that were given, as the API names them.
fn members(args: FieldArgs) -> Map<String, Value> {
    let map = |pairs: Vec<(String, String)>| -> Value {
        pairs
            .into_iter()
            .map(|(name, value)| (name, Value::from(value)))
            .collect()
    };
    let filled = |values: &Vec<(String, String)>| !values.is_empty();
    let members = [
        ("name", args.name.map(Value::from)),
        (
            "event_types",
            some(args.event_type, Vec::is_empty).map(Value::from),
        ),
        ("timeout_seconds", args.timeout_seconds.map(Value::from)),
        ("max_in_flight", args.max_in_flight.map(Value::from)),
        (
            "retry",
            some(args.retry_seconds, Vec::is_empty).map(|waits| json!({ "schedule": waits })),
        ),
        ("custom_headers", Some(args.header).filter(filled).map(map)),
        ("metadata", Some(args.metadata).filter(filled).map(map)),
    ];
    let given = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    given.chain(args.set).collect()
}

fn some<T>(value: T, is_empty: impl Fn(&T) -> bool) -> Option<T> {
    Some(value).filter(|value| !is_empty(value))
}

fn show(answer: &Answer, output: &mut Output) -> Result<()> {
    let value: Value = serde_json::from_str(&answer.body).context("the server's answer")?;
    let mut rows: Vec<(&str, String)> = Vec::new();
    for (name, member) in value.as_object().into_iter().flatten() {
        rows.push((name, text(member, "")));
    }
    if let Some(etag) = &answer.etag {
        rows.push(("etag", etag.clone()));
    }
    fields::print(rows, output)?;
    if value.get("secret").is_some() {
        output.flush()?;
        eprintln!("The secret is shown this once: the receiver needs it to verify signatures.");
    }
    Ok(())
}

async fn list(
    connection: &Connection,
    args: EndpointListArgs,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let query = list::query([
        ("event_type", args.event_type),
        ("is_active", args.active.map(|active| active.to_string())),
        ("q", args.query),
    ]);
    let columns = Columns {
        headings: &["ID", "NAME", "URL", "EVENT TYPES", "STATE"],
        row,
    };
    list::print(
        connection,
        &[PATH],
        (query, &args.page),
        (columns, json),
        output,
    )
    .await
}

fn row(endpoint: &Value) -> Vec<String> {
    let is = |pointer: &str| endpoint.pointer(pointer).and_then(Value::as_bool);
    let types = match text(endpoint, "/event_types").as_str() {
        fields::NOTHING => "all".to_owned(),
        types => types.to_owned(),
    };
    let state = match (is("/is_active"), is("/paused")) {
        (Some(false), _) => format!("disabled ({})", text(endpoint, "/disabled_reason")),
        (_, Some(true)) => "paused".to_owned(),
        (_, Some(false) | None) => "active".to_owned(),
    };
    vec![
        text(endpoint, "/id"),
        text(endpoint, "/name"),
        text(endpoint, "/url"),
        types,
        state,
    ]
}
