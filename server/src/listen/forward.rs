//! Handing a request on, as it came.

use std::time::Duration;

use anyhow::Result;
use axum::body::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use reqwest::Url;

use crate::client::client_config;
use crate::exit::WrongUse;
use crate::output::safe_text;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The largest answer that is handed back, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Where requests are handed on to.
pub(super) struct Forward {
    url: Url,
    http: reqwest::Client,
}

impl Forward {
    /// To this URL.
    pub(super) fn new(url: &str) -> Result<Self> {
        let parsed = Url::parse(url).map_err(|error| WrongUse(format!("--forward-to: {error}")))?;
        let mut builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if parsed.scheme() == "https" {
            builder = builder.use_preconfigured_tls(client_config()?);
        }
        Ok(Self {
            url: parsed,
            http: builder.build()?,
        })
    }

    /// Sends the request on. An answer that can't be had is 502.
    pub(super) async fn hand_on(
        &self,
        parts: &http::request::Parts,
        body: &Bytes,
    ) -> (StatusCode, Bytes) {
        let request = self.http.request(parts.method.clone(), self.url.clone());
        let request = request
            .headers(end_to_end(&parts.headers))
            .body(body.clone());
        match request.send().await {
            Ok(response) => (response.status(), read(response).await),
            Err(error) => {
                let error = anyhow::Error::new(error);
                eprintln!("--forward-to: {}", safe_text(&format!("{error:#}")));
                (
                    StatusCode::BAD_GATEWAY,
                    Bytes::from_static(b"not reached\n"),
                )
            }
        }
    }
}

/// The headers that are not about one connection (RFC 9110, 7.6.1).
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

async fn read(mut response: reqwest::Response) -> Bytes {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            break;
        }
    }
    body.truncate(MAX_ANSWER);
    body.into()
}
