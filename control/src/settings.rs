//! How to send to an endpoint: its stored settings as the rules in `domain` take them.

use std::time::Duration;

use domain::limits::{MAX_CIRCUIT_FAILURES, MAX_CIRCUIT_SECONDS, MAX_IN_FLIGHT, TIMEOUT_SECONDS};
use domain::{circuit, retry};
use schemas::control::{CircuitSettings, Endpoint, RetryOn, RetrySettings, Schedule};

/// An endpoint's settings. Whatever the record says, they lie within `domain::limits`: the api refuses
/// what doesn't, and what was stored before a limit moved must not stop a lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// When to try again.
    pub retry: retry::Policy,
    /// When to stop trying for a while; `None`: never.
    pub circuit: Option<circuit::Settings>,
    /// The limit of a whole attempt.
    pub timeout: Duration,
    /// The limit of connecting; at most `timeout`.
    pub connect_timeout: Duration,
    /// The most requests at once, at least 1.
    pub max_in_flight: u32,
}

impl Settings {
    /// Those of `endpoint`.
    #[must_use]
    pub fn of(endpoint: &Endpoint) -> Self {
        let (shortest, longest) = TIMEOUT_SECONDS;
        let timeout = endpoint.timeout_seconds.clamp(shortest, longest);
        let connect = endpoint.connect_timeout_seconds.clamp(shortest, timeout);
        Self {
            retry: retry_policy(&endpoint.retry),
            circuit: endpoint.circuit.map(circuit_settings),
            timeout: Duration::from_secs(timeout.into()),
            connect_timeout: Duration::from_secs(connect.into()),
            max_in_flight: endpoint.max_in_flight.clamp(1, MAX_IN_FLIGHT),
        }
    }
}

/// The schedule and what goes with it. Its own methods hold odd numbers within bounds.
#[must_use]
pub fn retry_policy(stored: &RetrySettings) -> retry::Policy {
    let schedule = match &stored.schedule {
        Schedule::Seconds(waits) => retry::Schedule::Seconds(waits.clone()),
        Schedule::Geometric {
            initial,
            factor,
            max,
            max_attempts,
        } => retry::Schedule::Geometric {
            initial: initial.get(),
            factor: factor.get(),
            max: max.get(),
            max_attempts: *max_attempts,
        },
    };
    retry::Policy {
        schedule,
        jitter: stored.jitter.get(),
        retry_on: match stored.retry_on {
            RetryOn::Transient => retry::RetryOn::Transient,
            RetryOn::AnyFailure => retry::RetryOn::AnyFailure,
        },
    }
}

fn circuit_settings(stored: CircuitSettings) -> circuit::Settings {
    let seconds = |n: u32| Duration::from_secs(n.clamp(1, MAX_CIRCUIT_SECONDS).into());
    circuit::Settings {
        failures: stored.failures.clamp(1, MAX_CIRCUIT_FAILURES),
        window: seconds(stored.window_seconds),
        open: seconds(stored.open_seconds),
    }
}

#[cfg(test)]
mod tests {
    use schemas::scalar::Number;

    use super::*;
    use crate::example::endpoint;

    #[test]
    fn what_the_api_stores_is_what_is_done() {
        let settings = Settings::of(&endpoint());
        let wanted = Settings {
            retry: retry::Policy::default(),
            circuit: Some(circuit::Settings::default()),
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            max_in_flight: 20,
        };
        assert_eq!(settings, wanted);
    }

    #[test]
    fn odd_values_are_held_within_bounds() {
        let number = |n: f64| Number::try_from(n).unwrap();
        for extreme in [0, u32::MAX] {
            let odd = Endpoint {
                max_in_flight: extreme,
                timeout_seconds: extreme,
                connect_timeout_seconds: u32::MAX - extreme,
                retry: RetrySettings {
                    schedule: Schedule::Geometric {
                        initial: number(-1.0),
                        factor: number(f64::MAX),
                        max: number(f64::MAX),
                        max_attempts: extreme,
                    },
                    jitter: number(-5.0),
                    retry_on: RetryOn::AnyFailure,
                },
                circuit: Some(CircuitSettings {
                    failures: extreme,
                    window_seconds: extreme,
                    open_seconds: extreme,
                }),
                ..endpoint()
            };
            let settings = Settings::of(&odd);
            assert!((1..=MAX_IN_FLIGHT).contains(&settings.max_in_flight));
            assert!(settings.timeout >= Duration::from_secs(1));
            assert!(settings.connect_timeout <= settings.timeout);
            assert!(settings.circuit.unwrap().failures >= 1);
            assert!(settings.circuit.unwrap().open >= Duration::from_secs(1));
            assert!(settings.retry.max_attempts() >= 1);
            assert!(settings.retry.total() <= Duration::from_secs(100 * 30 * 86_400));
        }
        let off = Endpoint {
            circuit: None,
            ..endpoint()
        };
        assert_eq!(Settings::of(&off).circuit, None);
    }
}
