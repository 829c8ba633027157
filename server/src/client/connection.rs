//! The way to the server.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::Url;

use super::problem::problem;
use super::tls::client_config;
use crate::cli::ApiArgs;
use crate::exit::WrongUse;

/// How long an answer may take: more than any the server lets a request wait for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes: an event with all of its attempts' bodies fits.
const MAX_ANSWER: usize = 64 << 20;

/// A server, ready to be asked.
pub(super) struct Connection {
    http: reqwest::Client,
    base: Url,
    headers: HeaderMap,
}

/// A request's body and headers.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) body: Option<String>,
    pub(super) headers: Vec<(HeaderName, String)>,
}

/// What the server said, when that was no error.
pub(super) struct Answer {
    pub(super) body: String,
    pub(super) etag: Option<String>,
}

impl Connection {
    /// The server that the arguments name. Nothing is sent yet.
    pub(super) fn new(args: &ApiArgs) -> Result<Self> {
        let base = Url::parse(&args.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let base = base.ok_or_else(|| {
            WrongUse(format!(
                "--url: {:?} is not http://host:port or https://host",
                args.url
            ))
        })?;
        let mut builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("postrider-cli/", env!("CARGO_PKG_VERSION")));
        if base.scheme() == "https" {
            builder = builder.use_preconfigured_tls(client_config()?);
        }
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build()?,
            base,
            headers: headers(args)?,
        })
    }

    /// Asks with `GET`.
    pub(super) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Answer> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.ask(Method::GET, url, Sent::default()).await
    }

    /// Asks with `POST`, `PATCH` or `DELETE`.
    pub(super) async fn change(&self, method: Method, path: &[&str], sent: Sent) -> Result<Answer> {
        self.ask(method, self.url(path), sent).await
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // An http URL always has segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        url
    }

    async fn ask(&self, method: Method, url: Url, sent: Sent) -> Result<Answer> {
        let mut request = self.http.request(method, url).headers(self.headers.clone());
        for (name, value) in sent.headers {
            let value = HeaderValue::from_str(&value)
                .map_err(|_| WrongUse(format!("{name}: {value:?} can't stand in a header")))?;
            request = request.header(name, value);
        }
        if let Some(body) = sent.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = request
            .send()
            .await
            .map_err(|error| self.unreached(error))?;
        self.answer(response).await
    }

    async fn answer(&self, mut response: reqwest::Response) -> Result<Answer> {
        let status = response.status();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.context("the answer broke off")? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(anyhow!("the answer is larger than 64 MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        if !status.is_success() {
            return Err(problem(status, &body, text("x-request-id"), text("retry-after")).into());
        }
        let body = match status {
            StatusCode::NO_CONTENT => String::new(),
            _ => String::from_utf8(body).context("the answer is not UTF-8")?,
        };
        Ok(Answer {
            body,
            etag: text(ETAG.as_str()),
        })
    }

    fn unreached(&self, error: reqwest::Error) -> anyhow::Error {
        let base = self.base.as_str().trim_end_matches('/');
        if error.is_connect() {
            return anyhow::Error::new(error.without_url()).context(format!(
                "no server answers at {base}; `postrider serve` starts one, --url names another"
            ));
        }
        let why = match error.is_timeout() {
            true => format!("{base} gave no answer within {} s", TIMEOUT.as_secs()),
            false => format!("asking {base} failed"),
        };
        anyhow::Error::new(error.without_url()).context(why)
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_local = |ip: std::net::IpAddr| ip.is_loopback();
    host == "localhost" || address.parse().is_ok_and(is_local)
}

fn headers(args: &ApiArgs) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(key) = &args.api_key {
        let value = HeaderValue::from_str(&format!("Bearer {key}"));
        // The key is not shown.
        let mut value =
            value.map_err(|_| WrongUse("--api-key can't stand in a header".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}
