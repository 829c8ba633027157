//! `postrider send`

use std::io::{self, Read};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use http::Method;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::connection::{Answer, Connection, Sent};
use super::events::show;
use super::fields::{items, text};
use super::raw::one_line;
use crate::cli::SendArgs;
use crate::exit::WrongUse;
use crate::output::{Output, safe_text};

/// How often the event is asked for, when its end is waited for.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// The request, the payload in it byte for byte.
#[derive(Serialize)]
struct Event<'a> {
    event_type: &'a str,
    payload: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
}

pub(super) async fn run(args: SendArgs, output: &mut Output) -> Result<()> {
    let payload = payload(&args)?;
    let connection = Connection::new(&args.api)?;
    let answer = post(&connection, &args, &payload).await?;
    if args.wait {
        return wait(&connection, &answer, args.api.json, output).await;
    }
    if args.api.json {
        return output.line(&one_line(&answer.body));
    }
    told(&answer, output)
}

async fn post(connection: &Connection, args: &SendArgs, payload: &RawValue) -> Result<Answer> {
    let event = Event {
        event_type: &args.event_type,
        payload,
        endpoint_id: args.endpoint.as_deref(),
        event_id: args.event_id.as_deref(),
        idempotency_key: args.idempotency_key.as_deref(),
        source: args.source.as_deref(),
        tags: &args.tag,
    };
    let sent = Sent {
        body: Some(serde_json::to_string(&event)?),
        headers: Vec::new(),
    };
    connection.change(Method::POST, &["events"], sent).await
}

fn payload(args: &SendArgs) -> Result<Box<RawValue>> {
    let text = match (&args.payload, &args.file) {
        (Some(payload), _) => payload.clone(),
        (None, Some(path)) => {
            std::fs::read_to_string(path).with_context(|| path.display().to_string())?
        }
        (None, None) => {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .context("standard input")?;
            text
        }
    };
    let payload = serde_json::from_str(&text);
    let payload = payload.map_err(|error| WrongUse(format!("the payload is not JSON: {error}")));
    Ok(payload?)
}

fn told(answer: &Answer, output: &mut Output) -> Result<()> {
    let value: Value = serde_json::from_str(&answer.body).context("the server's answer")?;
    let what = match value.get("duplicate").and_then(Value::as_bool) {
        Some(true) => "was there already",
        Some(false) | None => "is durable",
    };
    let place = format!(
        "{}[{}] offset {}",
        text(&value, "/topic"),
        text(&value, "/partition"),
        text(&value, "/offset")
    );
    output.line(&safe_text(&format!(
        "{} {what}: {place}",
        text(&value, "/event_id")
    )))?;
    let deliveries = items(&value, "/deliveries");
    for delivery in deliveries {
        let line = format!(
            "  {} to {}",
            text(delivery, "/delivery_id"),
            text(delivery, "/endpoint_id")
        );
        output.line(&safe_text(&line))?;
    }
    match text(&value, "/status").as_str() {
        "no_route" => {
            output.line("  no endpoint subscribes to its type: it is kept, and goes nowhere")
        }
        _ => Ok(()),
    }
}

/// Asks for the event until everything of it has ended.
async fn wait(
    connection: &Connection,
    answer: &Answer,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let accepted: Value = serde_json::from_str(&answer.body).context("the server's answer")?;
    let id = text(&accepted, "/event_id");
    loop {
        let answer = connection.get(&["events", &id], &[]).await?;
        let event: Value = serde_json::from_str(&answer.body).context("the server's answer")?;
        let is_end = |delivery: &Value| {
            !matches!(
                text(delivery, "/status").as_str(),
                "pending" | "delivering" | "retrying"
            )
        };
        let deliveries = items(&event, "/deliveries");
        if !deliveries.iter().all(is_end) {
            tokio::time::sleep(ASK_EVERY).await;
            continue;
        }
        match json {
            true => output.line(&one_line(&answer.body))?,
            false => show(&answer.body, output)?,
        }
        output.flush()?;
        let failed = deliveries
            .iter()
            .filter(|d| text(d, "/status") != "delivered")
            .count();
        return match failed {
            0 => Ok(()),
            _ => Err(anyhow!(
                "{failed} of {} deliveries failed",
                deliveries.len()
            )),
        };
    }
}
