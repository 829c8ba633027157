//! What every request passes: it gets an id, it is one that may be asked here, and it ends in time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::time::Clock;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use parking_lot::Mutex;
use problem::{Caller, Problem, RequestId};
use schemas::actor::Actor;
use tokio::time::timeout;

use crate::chance::SystemChance;
use crate::serve::ids;

/// The name of the header with a request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a request may take with everything: reading its body, waiting for the log, answering.
/// Longer than the log needs to say that it can't confirm.
const LONGEST: Duration = Duration::from_secs(60);

/// The longest request id that is taken over from a client.
const LONGEST_ID: usize = 128;

/// Which host names are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// Those of this machine. Any other means that a page in a browser was led here by a name that
    /// its owner points to 127.0.0.1 (DNS rebinding).
    Loopback,
    /// Every one: the operator serves an address that has names of which nothing is known here.
    Any,
}

/// What the gate knows.
pub(crate) struct Gate {
    hosts: Hosts,
    clock: Arc<dyn Clock>,
    chance: Mutex<SystemChance>,
    caller: Caller,
}

impl Gate {
    /// A gate for a server that asks for no key: everyone is the tenant `default`.
    pub(crate) fn without_keys(hosts: Hosts, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let caller = Caller {
            tenant: "default".parse()?,
            actor: Actor::Local,
        };
        Ok(Self {
            hosts,
            clock,
            chance: Mutex::new(SystemChance::default()),
            caller,
        })
    }

    fn request_id(&self, headers: &HeaderMap) -> Arc<str> {
        let given = headers
            .get(REQUEST_ID)
            .and_then(|value| value.to_str().ok());
        let is_plain = |id: &&str| {
            let fits =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(fits)
        };
        match given.filter(is_plain) {
            Some(id) => id.into(),
            None => ids::request(self.clock.now(), &mut *self.chance.lock()).into(),
        }
    }
}

/// Lets a request through, or says why not.
pub(crate) async fn pass(
    State(gate): State<Arc<Gate>>,
    mut request: Request<Body>,
    next: Next,
) -> Response {
    let id = gate.request_id(request.headers());
    let mut response = match refused(gate.hosts, request.uri(), request.headers()) {
        Some(problem) => problem.into_response(),
        None => {
            request.extensions_mut().insert(gate.caller.clone());
            request.extensions_mut().insert(RequestId(Arc::clone(&id)));
            let answered = timeout(LONGEST, next.run(request)).await;
            answered.unwrap_or_else(|_| too_slow().into_response())
        }
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn too_slow() -> Problem {
    let detail = format!("the request was not done within {} s", LONGEST.as_secs());
    Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail)
}

/// Why a request is not answered here.
fn refused(hosts: Hosts, uri: &Uri, headers: &HeaderMap) -> Option<Problem> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let host = uri
        .authority()
        .map(|authority| authority.as_str())
        .or_else(|| text(HOST));
    if hosts == Hosts::Loopback && !host.is_some_and(is_loopback) {
        return Some(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "host_not_allowed",
            "this server asks for no key, so it answers only to localhost, 127.0.0.1 and [::1]",
        ));
    }
    let origin = headers.get(ORIGIN)?;
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    let is_ours = |authority: &str| host == Some(authority) || is_loopback(authority);
    match origin {
        Some((_, authority)) if is_ours(authority) => None,
        Some(_) | None => Some(Problem::new(
            StatusCode::FORBIDDEN,
            "origin_not_allowed",
            "pages of other sites may not ask this server",
        )),
    }
}

/// Whether a host, perhaps with a port, is this machine by its own names.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    };
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = address.unwrap_or(host).parse();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(hosts: Hosts, uri: &str, headers: &[(HeaderName, &str)]) -> Option<&'static str> {
        let headers = headers.iter();
        let headers = headers
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        refused(hosts, &uri.parse().unwrap(), &headers).map(|problem| problem.code())
    }

    #[test]
    fn only_this_machines_names_are_answered() {
        for host in [
            "localhost",
            "LocalHost:8742",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:8742",
        ] {
            assert_eq!(code(Hosts::Loopback, "/", &[(HOST, host)]), None, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:8742",
            "10.0.0.1",
            "127.0.0.1.nip.io",
            "",
            "[::1",
        ] {
            let refused = code(Hosts::Loopback, "/", &[(HOST, host)]);
            assert_eq!(refused, Some("host_not_allowed"), "{host}");
            assert_eq!(code(Hosts::Any, "/", &[(HOST, host)]), None, "{host}");
        }
        assert_eq!(code(Hosts::Loopback, "/", &[]), Some("host_not_allowed"));
        let absolute = "http://evil.example/health";
        assert_eq!(
            code(Hosts::Loopback, absolute, &[(HOST, "localhost")]),
            Some("host_not_allowed")
        );
    }

    #[test]
    fn pages_of_other_sites_are_not_answered() {
        let host = (HOST, "localhost:8742");
        for (origin, refused) in [
            ("http://localhost:3000", None),
            ("http://localhost:8742", None),
            ("https://evil.example", Some("origin_not_allowed")),
            ("null", Some("origin_not_allowed")),
        ] {
            assert_eq!(
                code(Hosts::Loopback, "/", &[host.clone(), (ORIGIN, origin)]),
                refused
            );
        }
        let named = (HOST, "hooks.example");
        let own = code(
            Hosts::Any,
            "/",
            &[named.clone(), (ORIGIN, "https://hooks.example")],
        );
        assert_eq!(own, None);
        let other = code(Hosts::Any, "/", &[named, (ORIGIN, "https://evil.example")]);
        assert_eq!(other, Some("origin_not_allowed"));
    }
}
