//! What a client asks the server.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Connection, Reply};
use crate::until::until;

/// Where a delivery may end.
const ENDS: [&str; 4] = ["delivered", "dead_lettered", "discarded", "cancelled"];

/// The API of one server.
#[derive(Clone, Copy, Debug)]
pub struct Api(pub SocketAddr);

/// An endpoint that was made.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its id.
    pub id: String,
    /// Its secret, shown this once.
    pub secret: String,
}

impl Api {
    /// One request on a connection of its own.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Reply> {
        let body = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        let mut connection = Connection::open(self.0).await?;
        connection.call(method, path, &[], body).await
    }

    /// What is there.
    ///
    /// # Errors
    /// When the answer is anything but 200.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let reply = self.call(Method::GET, path, &Value::Null).await?;
        ensure!(reply.status == 200, "GET {path}: {reply:?}");
        reply.json()
    }

    /// What is there, or what was answered as long as it may come: that the views don't have it yet (404), and that
    /// one has to ask again (503 with `retry-after`).
    ///
    /// # Errors
    /// When the answer is any other.
    pub async fn look(&self, path: &str) -> anyhow::Result<Result<Value, String>> {
        let reply = self.call(Method::GET, path, &Value::Null).await?;
        let status = reply.status.as_u16();
        if status == 404 || status == 503 && reply.headers.contains_key("retry-after") {
            return Ok(Err(format!("{reply:?}")));
        }
        ensure!(status == 200, "GET {path}: {reply:?}");
        reply.json().map(Ok)
    }

    /// Makes an endpoint for `url` that tries once more after a second, and whose circuit never opens;
    /// `more` are further fields, or these otherwise.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn endpoint(&self, url: &str, more: Value) -> anyhow::Result<Endpoint> {
        let mut fields = json!({
            "url": url, "circuit": null, "retry": {"schedule": [1], "jitter": 0.0},
        });
        for (name, value) in more.as_object().context("fields are an object")? {
            fields[name] = value.clone();
        }
        let reply = self
            .call(Method::POST, "/api/v1/endpoints", &fields)
            .await?;
        ensure!(reply.status == 201, "{fields}: {reply:?}");
        let made = reply.json()?;
        let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
        Ok(Endpoint {
            id: text("id"),
            secret: text("secret"),
        })
    }

    /// Sends an event's body as it is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(
        &self,
        body: impl Into<Bytes>,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Reply> {
        let mut connection = Connection::open(self.0).await?;
        connection
            .call(Method::POST, "/api/v1/events", headers, body.into())
            .await
    }

    /// Sends an event that must be accepted, and says what the answer was.
    ///
    /// # Errors
    /// When it is not.
    pub async fn send(&self, event: &Value) -> anyhow::Result<Value> {
        let reply = self.post(event.to_string(), &[]).await?;
        ensure!(reply.status == 202, "{event}: {reply:?}");
        reply.json()
    }

    /// Sends an event of type `event_type` to one endpoint; its delivery's id.
    ///
    /// # Errors
    /// When it is not accepted.
    pub async fn send_to(&self, endpoint: &Endpoint, event_type: &str) -> anyhow::Result<String> {
        let accepted = self
            .send(
                &json!({"event_type": event_type, "endpoint_id": endpoint.id, "payload": {"n": 1}}),
            )
            .await?;
        let id = accepted["deliveries"][0]["delivery_id"].as_str();
        Ok(id.with_context(|| accepted.to_string())?.to_owned())
    }

    /// Waits until a delivery has ended, and shows it.
    ///
    /// # Errors
    /// When it doesn't in time.
    pub async fn ended(&self, delivery: &str, within: Duration) -> anyhow::Result<Value> {
        let path = format!("/api/v1/deliveries/{delivery}");
        until(&format!("the end of {delivery}"), within, async || {
            Ok(self.look(&path).await?.and_then(|shown| {
                let status = shown["status"].as_str().unwrap_or_default();
                if ENDS.contains(&status) {
                    Ok(shown)
                } else {
                    Err(shown.to_string())
                }
            }))
        })
        .await
    }

    /// Waits until everything has ended and the accounting closes: `made` deliveries, none of them anywhere
    /// but at an end. What it says then.
    ///
    /// # Errors
    /// When it doesn't in time, or more were made.
    pub async fn accounted(&self, made: u64, within: Duration) -> anyhow::Result<Value> {
        let closed = self.closed(made, within).await?;
        ensure!(
            closed["deliveries"]["made"].as_u64() == Some(made),
            "{made} were made: {closed}"
        );
        Ok(closed)
    }

    /// As [`accounted`](Self::accounted), of at least as many.
    ///
    /// # Errors
    /// When it doesn't in time.
    pub async fn closed(&self, at_least: u64, within: Duration) -> anyhow::Result<Value> {
        let closed = until("the accounting closes", within, async || {
            Ok(self.look("/api/v1/accounting").await?.and_then(|shown| {
                let count = |name: &str| shown["deliveries"][name].as_u64();
                let under_way = count("pending").zip(count("retrying"));
                let is_closed = under_way == Some((0, 0))
                    && count("made") >= Some(at_least)
                    && shown["is_exact"] == true;
                if is_closed {
                    Ok(shown)
                } else {
                    Err(shown.to_string())
                }
            }))
        })
        .await?;
        let count = |of: &Value, name: &str| of[name].as_u64().unwrap_or(u64::MAX);
        let endpoints = closed["endpoints"].as_array().cloned().unwrap_or_default();
        for totals in endpoints.iter().chain([&closed["deliveries"]]) {
            let ended: u64 = ENDS.iter().map(|end| count(totals, end)).sum();
            ensure!(
                count(totals, "made") == ended,
                "made and ended differ: {closed}"
            );
            ensure!(count(totals, "unaccounted") == 0, "{closed}");
        }
        let of_endpoints: u64 = endpoints.iter().map(|totals| count(totals, "made")).sum();
        ensure!(
            of_endpoints == count(&closed["deliveries"], "made"),
            "{closed}"
        );
        Ok(closed)
    }
}
