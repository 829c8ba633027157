//! The suite that every adapter passes: what the port promises, tried.
//!
//! An adapter implements [`Fixture`] and names its constructor in [`conformance_suite!`](crate::conformance_suite), which
//! makes a test of each case. A case has topics of its own, so cases may share one log.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a failed case panics"
)]

pub mod cutting;
pub mod groups;
pub mod lane_index;
pub mod reading;
pub mod retention;
pub mod topics;
pub mod writing;

mod steps;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::log::EventLog;
use crate::writer::WriterKind;

/// What goes wrong between the writers and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Appends are neither confirmed nor refused until it is healed.
    Stall,
    /// Appends on their way fail, or get no answer: some may have landed, some not.
    Break,
}

/// An adapter under test, and the hands that the suite needs on it.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The log under test; the same data whenever it is called.
    async fn log(&self) -> Arc<dyn EventLog>;

    /// The log after a restart of what keeps it: for an embedded log, closed and opened again.
    async fn restarted(&self) -> Arc<dyn EventLog>;

    /// Cuts writers off. Those made before and those made while it is cut are all hit.
    async fn cut(&self, how: Cut);

    /// Ends the cut. Writers that are not broken go on.
    async fn heal(&self);

    /// Whether [`Cut::Break`] makes appends of such a writer fail at all; where it does, a case
    /// that saw none fail has shown nothing, and says so.
    fn breaks(&self, kind: WriterKind) -> bool;

    /// Lets at least `by` pass on the clock that stamps the records.
    async fn pass(&self, by: Duration);

    /// A topic name that no other case has.
    fn topic(&self, name: &str) -> String;

    /// The shortest session time that this log grants.
    fn session(&self) -> Duration;

    /// How often the log has made something durable, where it can be counted: fsyncs.
    fn syncs(&self) -> Option<u64>;

    /// The number of bytes that retention by size may keep above what was asked, because whole
    /// segments or tables go at once.
    fn retention_slack(&self) -> u64;
}

/// Makes a test of every case. `$runtime` are the arguments of `tokio::test`; `$fixture` is an
/// expression that makes a fixture, awaited.
#[macro_export]
macro_rules! conformance_suite {
    ([$($runtime:tt)*], $fixture:expr) => {
        $crate::conformance_cases! { [$($runtime)*], $fixture,
            topics: [
                are_made_checked_and_listed,
                that_cannot_be_asked_for_are_refused,
                more_partitions_are_never_silently_ignored,
            ],
            writing: [
                what_is_read_is_what_was_appended,
                offsets_ascend_in_the_order_of_acceptance,
                writers_keep_their_order_beside_one_another,
                sizes_at_and_over_the_limit,
                a_partition_that_is_not_there,
                appends_wait_at_the_bound,
                closing_waits_for_every_answer,
                a_thousand_small_appends_share_few_syncs,
            ],
            reading: [
                nothing_above_the_durable_end,
                any_offset_and_back_from_the_end,
                by_time,
                limits_and_waiting,
                readers_do_not_move_one_another,
                a_patient_reader_reads_the_same,
                a_cancelled_read_loses_nothing,
                a_fence_is_read_back,
                beyond_the_end,
                a_partition_that_is_not_there_is_not_read,
            ],
            cutting: [
                a_prefix_writer_leaves_a_prefix,
                an_ordered_writer_never_reorders,
                a_broken_writer_stays_broken,
                a_dropped_writer_leaves_a_prefix,
            ],
            groups: [
                one_member_holds_everything,
                a_second_member_gets_its_share,
                the_first_commit_is_explicit,
                commits_are_refused_to_others,
                two_read_one_partition_during_a_rebalance,
                a_silent_member_loses_its_claims,
                a_name_taken_again_fences,
                a_returning_member_finds_its_commits,
                a_group_needs_its_topic,
            ],
            retention: [
                by_age,
                by_size,
                a_reader_whose_offset_is_gone,
                offsets_outlive_retention_and_restart,
                everything_outlives_a_restart,
            ],
        }
    };
}

/// Makes a test of every case of the index of waiting records. `$fixture` is an expression that
/// makes a [`lane_index::Fixture`], awaited.
#[macro_export]
macro_rules! lane_index_suite {
    ([$($runtime:tt)*], $fixture:expr) => {
        $crate::conformance_cases! { [$($runtime)*], $fixture,
            lane_index: [
                notes_come_back_in_order,
                lanes_and_partitions_are_apart,
                a_note_written_again_is_there_once,
                what_is_forgotten_is_gone,
                a_full_lane_takes_nothing,
                a_later_owner_begins_empty,
                records_come_back_whole,
            ],
        }
    };
}

/// The expansion of [`conformance_suite!`](crate::conformance_suite) and [`lane_index_suite!`](crate::lane_index_suite).
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
