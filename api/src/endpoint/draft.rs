//! An endpoint as a client would have it.

use std::collections::BTreeMap;
use std::fmt;

use domain::limits::TIMEOUT_SECONDS;
use domain::retry::{STANDARD, STANDARD_JITTER};
use domain::signing;
use schemas::control::{CircuitSettings, Endpoint, RetryOn, RetrySettings, Schedule, Signing};
use schemas::scalar::{Number, Sealed};

/// What a receiver is given at once unless somebody says otherwise.
const MAX_IN_FLIGHT: u32 = 20;
/// As [`MAX_IN_FLIGHT`].
const TIMEOUT: u32 = 30;
/// As [`MAX_IN_FLIGHT`].
const CONNECT_TIMEOUT: u32 = 10;
/// As [`MAX_IN_FLIGHT`].
pub(super) const CIRCUIT: CircuitSettings = CircuitSettings {
    failures: 5,
    window_seconds: 60,
    open_seconds: 300,
};

/// Everything about an endpoint that its client decides.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) name: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) event_types: Vec<String>,
    pub(crate) max_in_flight: u32,
    pub(crate) timeout_seconds: u32,
    pub(crate) connect_timeout_seconds: u32,
    pub(crate) retry: RetrySettings,
    pub(crate) circuit: Option<CircuitSettings>,
    pub(crate) signing: Signing,
    pub(crate) custom_headers: BTreeMap<String, HeaderValue>,
    pub(crate) metadata: BTreeMap<String, String>,
    /// The client's own, of a new endpoint.
    pub(crate) secret: Option<signing::Secret>,
}

/// The value of a custom header. Its `Debug` shows nothing.
#[derive(Clone)]
pub(crate) enum HeaderValue {
    /// As it was.
    Kept(Sealed),
    /// Given, not sealed yet.
    Given(String),
}

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderValue(…)")
    }
}

/// The schedule of an endpoint that says nothing.
pub(super) fn standard_schedule() -> Schedule {
    Schedule::Seconds(STANDARD.to_vec())
}

/// A finite number as records hold it. What isn't finite comes to zero: JSON has none such.
pub(super) fn number(number: f64) -> Number {
    const ZERO: &str = "zero is finite";
    Number::try_from(number).unwrap_or_else(|_| Number::try_from(0.0).expect(ZERO))
}

/// How retries are made when nobody says.
pub(super) fn standard_retry() -> RetrySettings {
    RetrySettings {
        schedule: standard_schedule(),
        jitter: number(STANDARD_JITTER),
        retry_on: RetryOn::Transient,
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            name: None,
            url: None,
            event_types: Vec::new(),
            max_in_flight: MAX_IN_FLIGHT,
            timeout_seconds: TIMEOUT,
            connect_timeout_seconds: CONNECT_TIMEOUT,
            retry: standard_retry(),
            circuit: Some(CIRCUIT),
            signing: Signing::Both,
            custom_headers: BTreeMap::new(),
            metadata: BTreeMap::new(),
            secret: None,
        }
    }
}

impl Draft {
    /// An endpoint as it is.
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        let headers = endpoint.custom_headers.iter();
        let kept =
            |(name, value): (&String, &Sealed)| (name.clone(), HeaderValue::Kept(value.clone()));
        Self {
            name: endpoint.name.clone(),
            url: Some(endpoint.url.clone()),
            event_types: endpoint.event_types.clone(),
            max_in_flight: endpoint.max_in_flight,
            timeout_seconds: endpoint.timeout_seconds,
            connect_timeout_seconds: endpoint.connect_timeout_seconds,
            retry: endpoint.retry.clone(),
            circuit: endpoint.circuit,
            signing: endpoint.signing,
            custom_headers: headers.map(kept).collect(),
            metadata: endpoint.metadata.clone(),
            secret: None,
        }
    }

    /// The connection's limit, which is never above that of the whole attempt.
    pub(crate) fn connect_timeout(&self) -> u32 {
        self.connect_timeout_seconds
            .clamp(TIMEOUT_SECONDS.0, self.timeout_seconds)
    }
}
