//! The suites that every adapter passes: what the ports promise, tried.
//!
//! An adapter implements [`Fixture`] and names its constructor in
//! [`conformance_suite!`](crate::conformance_suite), which makes a test of each case.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a failed case panics"
)]

pub mod counting;
pub mod keeping;
pub mod keys;
pub mod lists;
pub mod samples;

use std::sync::Arc;

use async_trait::async_trait;

use crate::keys::Keys;
use crate::views::ViewWriter;

/// An adapter under test. Each case has a fixture of its own, with empty stores.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The views; the same rows whenever it is called.
    async fn views(&self) -> Arc<dyn ViewWriter>;

    /// The keyed store.
    async fn keys(&self) -> Arc<dyn Keys>;

    /// Ends the process that keeps both and begins a new one, if they can outlive it; says whether
    /// they can. Handles from before are not used again.
    async fn restart(&self) -> bool;
}

/// Makes a test of every case. `$runtime` are the arguments of `tokio::test`; `$fixture` is an
/// expression that makes a fixture, awaited.
#[macro_export]
macro_rules! conformance_suite {
    ([$($runtime:tt)*], $fixture:expr) => {
        $crate::conformance_cases! { [$($runtime)*], $fixture,
            keeping: [
                what_was_written_is_read,
                a_row_of_everything_comes_back,
                nothing_of_another_tenant,
                an_id_given_twice,
                whoever_waits_is_woken,
                who_is_overtaken_writes_nothing,
                a_batch_of_other_rows_is_refused,
                what_is_only_routed_gives_way,
                what_is_old_is_forgotten,
                cleared,
                rows_outlive_a_restart,
            ],
            lists: [
                pages_in_both_directions,
                stable_while_rows_arrive,
                filters,
                times_are_exclusive,
                events_of_an_endpoint,
                a_scan_is_bounded,
            ],
            counting: [
                the_sum_is_what_was_made,
                events_that_went_nowhere,
                of_an_endpoint,
                everything_is_dumped,
            ],
            keys: [
                the_highest_not_above,
                scopes_are_apart,
                written_twice,
                forgotten,
                keys_outlive_a_restart,
            ],
        }
    };
}

/// The expansion of [`conformance_suite!`](crate::conformance_suite).
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($runtime:tt, $fixture:expr, $($group:ident: [$($case:ident),* $(,)?]),* $(,)?) => {
        $(mod $group {
            #[allow(unused_imports)]
            use super::*;
            $crate::conformance_tests! { $runtime, $fixture, $group, $($case),* }
        })*
    };
}

/// One test a case.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ([$($runtime:tt)*], $fixture:expr, $group:ident, $case:ident $(, $rest:ident)*) => {
        #[tokio::test($($runtime)*)]
        async fn $case() {
            let fixture = $fixture.await;
            $crate::conformance::$group::$case(&fixture).await;
        }
        $crate::conformance_tests! { [$($runtime)*], $fixture, $group $(, $rest)* }
    };
    ($runtime:tt, $fixture:expr, $group:ident) => {};
}
