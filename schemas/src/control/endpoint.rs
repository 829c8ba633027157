//! An endpoint, in full.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Change;
use crate::ids::EndpointId;
use crate::scalar::{At, JsonText, Number, Sealed};

/// An endpoint as it is after a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Who changed it, and which version it replaces.
    pub change: Change,
    /// What the change was.
    pub did: EndpointChange,
    /// Its id.
    pub id: EndpointId,
    /// Its partition of `events` and all that go with it, from 0. Given once.
    pub partition: u32,
    /// When it was made, by the wall clock.
    pub created_at: At,
    /// Whether anything is sent.
    pub state: EndpointState,
    /// Why it is disabled; absent unless it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<DisabledReason>,
    /// Whether its deliveries are held in the log.
    pub paused: bool,
    /// How often its circuit was reset. One more closes it.
    pub circuit_resets: u32,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is.
    pub url: String,
    /// The event types it gets, `order.*` for any further segments; empty: all.
    pub event_types: Vec<String>,
    /// The filter on payloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<JsonText>,
    /// Which order its events keep. A changed one holds from this fact's offset on.
    pub ordering: Ordering,
    /// Where in a payload the ordering key is: a JSON pointer, or `*` for one line of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<String>,
    /// What a dead letter does to a strict key.
    pub on_dead_letter: OnDeadLetter,
    /// The most requests at once.
    pub max_in_flight: u32,
    /// The most requests a second; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<u32>,
    /// The limit of a whole attempt, in seconds.
    pub timeout_seconds: u32,
    /// The limit of connecting, in seconds.
    pub connect_timeout_seconds: u32,
    /// When to try again.
    pub retry: RetrySettings,
    /// When to stop trying for a while; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<CircuitSettings>,
    /// Which signatures it gets.
    pub signing: Signing,
    /// Which kind of key signs.
    pub algorithm: Algorithm,
    /// The keys that sign, newest first.
    pub secrets: Vec<Secret>,
    /// Headers to add. Their values may be credentials, so they are sealed as secrets are.
    pub custom_headers: BTreeMap<String, Sealed>,
    /// The operator's own notes.
    pub metadata: BTreeMap<String, String>,
}

/// What changed an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointChange {
    /// Made.
    Created,
    /// Fields changed.
    Updated,
    /// Deleted. The fact stays, so that what is queued can say why it ended.
    Deleted,
    /// Held.
    Paused,
    /// No longer held.
    Resumed,
    /// Disabled.
    Disabled,
    /// Enabled.
    Enabled,
    /// A new secret signs.
    SecretRotated,
    /// The secret was shown to somebody. Nothing else changed.
    SecretRead,
    /// The circuit was closed by hand.
    CircuitReset,
}

/// Whether anything is sent to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// Yes.
    Active,
    /// No: what is queued is dead-lettered as `endpoint_disabled`.
    Disabled,
    /// No, and never again: what is queued is dead-lettered as `endpoint_deleted`.
    Deleted,
}

/// Why an endpoint is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// An operator said so.
    Operator,
    /// The receiver said 410.
    Gone,
    /// Days of nothing but failure.
    Failing,
}

/// Which order an endpoint's events keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// None.
    None,
    /// First attempts in order, one at a time for each key.
    Ordered,
    /// Nothing overtakes.
    Strict,
}

/// What a dead letter does to a strict key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDeadLetter {
    /// It is passed over.
    Continue,
    /// It blocks until an operator lets the key go on.
    Block,
}

/// When to try again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrySettings {
    /// The waits.
    pub schedule: Schedule,
    /// How much chance may lengthen a wait: 0 to 1 of it.
    pub jitter: Number,
    /// Which failures are tried again.
    pub retry_on: RetryOn,
}

/// The waits between attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// One by one, in seconds.
    Seconds(Vec<u64>),
    /// By a rule.
    #[serde(rename_all = "snake_case")]
    Geometric {
        /// The first wait, in seconds.
        initial: Number,
        /// What each further one is multiplied by.
        factor: Number,
        /// The longest, in seconds.
        max: Number,
        /// How many attempts, the first counted.
        max_attempts: u32,
    },
}

/// Which failures are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// Those that may pass.
    Transient,
    /// All of them.
    AnyFailure,
}

/// When an endpoint's circuit opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CircuitSettings {
    /// So many failures
    pub failures: u32,
    /// within so many seconds open it
    pub window_seconds: u32,
    /// for so many seconds.
    pub open_seconds: u32,
}

/// Which signatures a receiver gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// Standard Webhooks.
    Standard,
    /// The older form.
    Stripe,
    /// Both.
    Both,
}

/// Which kind of key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// A shared secret.
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// A key pair.
    #[serde(rename = "ed25519")]
    Ed25519,
}

/// A key that signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Its id, shown with the attempts that it signed.
    pub id: String,
    /// The key, sealed.
    pub sealed: Sealed,
    /// Until when it signs, by the wall clock; absent: until it is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<At>,
}
