//! Receivers without sockets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dispatcher::transport::{Answer, Request, Transport};
use domain::time::{Clock, Timestamp};
use parking_lot::Mutex;
use schemas::attempt::{AttemptError, ErrorClass};
use schemas::ids::EndpointId;

/// What a receiver does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Answers, after a while.
    Answers(u16, Duration),
    /// As that, with `Retry-After`.
    Asks(u16, &'static str),
    /// Nothing, until the attempt's limit.
    Hangs,
}

/// One request, as a receiver saw it.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) at: Timestamp,
    pub(crate) endpoint: EndpointId,
    pub(crate) url: String,
    pub(crate) event: String,
    pub(crate) number: u32,
    pub(crate) body: bytes::Bytes,
    /// The answer that it was given; `None`: it hangs.
    pub(crate) status: Option<u16>,
}

type Script = Box<dyn Fn(&Got, usize) -> Does + Send + Sync>;

/// Every receiver there is.
pub(crate) struct Receivers {
    clock: Arc<dyn Clock>,
    scripts: Mutex<BTreeMap<EndpointId, Script>>,
    got: Mutex<Vec<Got>>,
}

impl Receivers {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            scripts: Mutex::default(),
            got: Mutex::default(),
        }
    }

    /// From now on the endpoint's receiver does what `script` says of a request, and of how many it
    /// got before.
    pub(crate) fn script(
        &self,
        endpoint: EndpointId,
        script: impl Fn(&Got, usize) -> Does + Send + Sync + 'static,
    ) {
        self.scripts.lock().insert(endpoint, Box::new(script));
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().clone()
    }

    pub(crate) fn got_by(&self, endpoint: EndpointId) -> Vec<Got> {
        let mut got = self.got();
        got.retain(|got| got.endpoint == endpoint);
        got
    }

    fn take(&self, request: &Request) -> Does {
        let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
        let mut got = Got {
            at: self.clock.now(),
            endpoint: request.endpoint,
            url: request.url.to_string(),
            event: header("webhook-id"),
            number: header("webhook-attempt").parse().unwrap(),
            body: request.body.clone(),
            status: None,
        };
        let mut all = self.got.lock();
        let before = all.iter().filter(|got| got.endpoint == request.endpoint);
        let before = before.count();
        let scripts = self.scripts.lock();
        let does = match scripts.get(&request.endpoint) {
            Some(script) => script(&got, before),
            None => Does::Answers(204, Duration::from_millis(1)),
        };
        got.status = match does {
            Does::Answers(status, _) | Does::Asks(status, _) => Some(status),
            Does::Hangs => None,
        };
        all.push(got);
        does
    }
}

#[async_trait]
impl Transport for Receivers {
    async fn send(&self, request: Request) -> Answer {
        let does = self.take(&request);
        let (status, after, retry_after) = match does {
            Does::Answers(status, after) => (status, after, None),
            Does::Asks(status, asked) => (status, Duration::ZERO, Some(asked.to_owned())),
            Does::Hangs => {
                tokio::time::sleep(request.timeout).await;
                return Answer {
                    error: Some(AttemptError {
                        class: ErrorClass::Timeout,
                        message: "no answer in time".to_owned(),
                    }),
                    duration: request.timeout,
                    ..Answer::default()
                };
            }
        };
        tokio::time::sleep(after).await;
        Answer {
            status: Some(status),
            retry_after,
            duration: after,
            ..Answer::default()
        }
    }
}
