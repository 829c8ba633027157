//! The owner's protocol holds within its bounds, and without any one of its rules it doesn't.

use models::harness::{Case, Report};
use models::owner::{
    CHEATED, EARLY, ENDS_TWICE, FORK, HALF_REQUEST, LOST, NEEDLESS, ONE_OUTCOME, ORDER, REPEATED,
    RESUMES, STUCK, USELESS, cases,
};

fn with_all_rules(name: &str) -> Report {
    let all: Vec<Case> = cases()
        .into_iter()
        .filter(|case| case.rule.is_none())
        .collect();
    let case = all.iter().find(|case| case.name == name);
    case.unwrap_or_else(|| panic!("no search is called {name}"))
        .check()
}

macro_rules! holds {
    ($($test:ident: $name:literal;)*) => {
        $(#[test]
        fn $test() {
            let report = with_all_rules($name);
            assert!(report.states > 1_000, "a search that small has left something out");
        })*

        #[test]
        fn every_whole_search_is_a_test() {
            let named = [$($name),*];
            let whole = cases().into_iter().filter(|case| case.rule.is_none());
            assert!(whole.map(|case| case.name).eq(named));
        }
    };
}

holds! {
    chain: "owner: a chain of retries, one interruption";
    chain_with_a_full_lane: "owner: a chain of retries, a full lane";
    two_deliveries: "owner: two deliveries";
    starts: "owner: starts noted";
    slow_commits: "owner: slow answers to commits";
    request: "owner: a request for two endpoints";
    stopped_clock: "owner: two interruptions, a clock that stands still";
    two_crashes: "owner: two deliveries, two crashes";
    two_interruptions_and_a_checkpoint: "owner: two interruptions, a checkpoint";
    two_interruptions: "owner: a chain of retries, two interruptions";
}

macro_rules! refuted {
    ($($test:ident: $rule:literal, $property:expr;)*) => {
        $(#[test]
        fn $test() {
            let case = cases().into_iter().find(|case| case.rule == Some($rule));
            let case = case.expect("every rule here has a variant");
            assert_eq!(case.refutes, Some($property));
            case.check();
        })*

        #[test]
        fn every_variant_is_a_test() {
            let tested = [$($rule),*];
            let variants = cases().into_iter().filter_map(|case| case.rule);
            assert_eq!(variants.collect::<Vec<_>>(), tested);
        }
    };
}

refuted! {
    w1_one_append: "W1", HALF_REQUEST;
    w2_prefix_writer: "W2", LOST;
    w3_sole_writer: "W3", ENDS_TWICE;
    w4_offsets_once: "W4", FORK;
    o1_one_outcome: "O1", LOST;
    o2_durable_then_done: "O2", LOST;
    o3a_end_the_epoch: "O3a", ONE_OUTCOME;
    o3b_read_again: "O3b", ONE_OUTCOME;
    o3c_keep_the_wire: "O3c", REPEATED;
    o3d_new_epoch_on_the_wire: "O3d", LOST;
    o4a_progress_first: "O4a", LOST;
    o4b_fence_all: "O4b", ONE_OUTCOME;
    o4c_epoch_is_the_offset: "O4c", ONE_OUTCOME;
    o5a_ignore_lower: "O5a", ONE_OUTCOME;
    o5b_epoch_with_the_position: "O5b", RESUMES;
    o6_stop_at_a_higher_epoch: "O6", STUCK;
    o7a_lease: "O7a", NEEDLESS;
    o7b_lease_from_sending: "O7b", NEEDLESS;
    o7c_fence_under_lease: "O7c", USELESS;
    o8_read_the_outputs: "O8", ONE_OUTCOME;
    o9a_partition_last: "O9a", LOST;
    o9b_undone_below: "O9b", LOST;
    o9c_oldest_outcome: "O9c", ONE_OUTCOME;
    o9d_acknowledged_end: "O9d", ONE_OUTCOME;
    o9e_epoch_of_a_position: "O9e", LOST;
    o9f_epoch_as_of_the_position: "O9f", ONE_OUTCOME;
    o9g_look_first: "O9g", LOST;
    o10a_starts_spend_nothing: "O10a", CHEATED;
    o10b_sent_again: "O10b", LOST;
    o11_highest_step: "O11", ORDER;
    o12_putting_off_spends_nothing: "O12", CHEATED;
    o13_log_time: "O13", EARLY;
    o14_confirmed_retries: "O14", FORK;
}
