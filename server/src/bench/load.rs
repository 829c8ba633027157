//! Load: events posted over kept-alive connections, as fast as answers come or at a steady rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::Connection;
use super::receiver::Receiver;

/// Events to post.
#[derive(Clone)]
pub(super) struct Load {
    /// Host and port.
    pub(super) address: String,
    /// Where to.
    pub(super) path: &'static str,
    /// What is the same in each.
    pub(super) headers: HeaderMap,
    /// The answer that counts.
    pub(super) answer: StatusCode,
    /// What stands before and behind the number in the body: the events take turns with these.
    pub(super) bodies: Arc<[Template]>,
    /// How many.
    pub(super) events: u64,
    /// Over how many connections.
    pub(super) connections: usize,
}

/// A body with a number in it.
#[derive(Clone)]
pub(super) struct Template {
    before: Arc<str>,
    after: Arc<str>,
}

impl Template {
    /// A payload of `size` bytes, give or take the number's digits, with `before` in front of it and
    /// `after` behind it.
    pub(super) fn new(before: &str, size: usize, after: &str) -> Self {
        let frame = r#"{"n":0,"pad":""}"#.len();
        let pad = "x".repeat(size.saturating_sub(frame));
        Self {
            before: format!(r#"{before}{{"n":"#).into(),
            after: format!(r#","pad":"{pad}"}}{after}"#).into(),
        }
    }

    pub(super) fn body(&self, number: u64) -> Bytes {
        format!("{}{number}{}", self.before, self.after).into()
    }
}

impl Load {
    /// Posts all, each connection its next as soon as its last was answered. Returns how long
    /// that took.
    pub(super) async fn flood(&self, receiver: &Arc<Receiver>) -> Result<Duration> {
        let next = Arc::new(AtomicU64::new(0));
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            connections.push(Connection::open(&self.address).await?);
        }
        let begun = Instant::now();
        let mut posting = JoinSet::new();
        for mut connection in connections {
            let (load, receiver, next) = (self.clone(), Arc::clone(receiver), Arc::clone(&next));
            posting.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= load.events {
                        return Ok(());
                    }
                    load.post(&mut connection, number, &receiver).await?;
                }
            });
        }
        joined(posting).await?;
        Ok(begun.elapsed())
    }

    /// Posts `a_second` events a second, each at its time, whether or not earlier ones were answered.
    pub(super) async fn steady(&self, receiver: &Arc<Receiver>, a_second: f64) -> Result<()> {
        let mut posting = JoinSet::new();
        let begun = Instant::now();
        for lane in 0..self.connections as u64 {
            let (load, receiver) = (self.clone(), Arc::clone(receiver));
            let step = self.connections as u64;
            posting.spawn(async move {
                let mut connection = Connection::open(&load.address).await?;
                let mut number = lane;
                while number < load.events {
                    let due = begun + Duration::from_secs_f64(number as f64 / a_second);
                    tokio::time::sleep_until(due).await;
                    load.post(&mut connection, number, &receiver).await?;
                    number += step;
                }
                Ok(())
            });
        }
        joined(posting).await
    }

    async fn post(
        &self,
        connection: &mut Connection,
        number: u64,
        receiver: &Receiver,
    ) -> Result<()> {
        receiver.sent(number);
        let turn = number % self.bodies.len().max(1) as u64;
        let body = self.bodies[usize::try_from(turn)?].body(number);
        let (status, answer) = connection.post(self.path, &self.headers, body).await?;
        ensure!(
            status == self.answer,
            "{} answered {status}: {}",
            self.path,
            String::from_utf8_lossy(&answer)
        );
        Ok(())
    }
}

async fn joined(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
