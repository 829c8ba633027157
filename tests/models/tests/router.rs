//! The routers' two models hold, and each of their rules is missed when it is left out.

use std::collections::BTreeSet;

use models::harness::Case;
use models::router::cases;

const RULES: [&str; 10] = ["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10"];
const RULE_OF_SCANS: &str = "R11";

fn of(rule: Option<&str>) -> Vec<Case> {
    cases()
        .into_iter()
        .filter(|case| case.rule == rule)
        .collect()
}

/// Every variant without a part of `rule` is refuted, and these are the properties that go.
fn misses(rule: &str, properties: &[&str]) {
    let variants = of(Some(rule));
    let told: BTreeSet<_> = variants.iter().filter_map(|case| case.refutes).collect();
    assert_eq!(
        told,
        properties.iter().copied().collect(),
        "what {rule} is there for"
    );
    for variant in variants {
        variant.check();
    }
}

#[test]
fn the_protocol_holds() {
    for case in of(None) {
        let report = case.check();
        assert!(
            report.states > 10_000,
            "{}: {} states are no search",
            case.name,
            report.states
        );
    }
}

#[test]
fn every_variant_belongs_to_a_rule_that_is_tested_here() {
    let rules: BTreeSet<_> = cases().iter().filter_map(|case| case.rule).collect();
    assert_eq!(rules, RULES.into_iter().chain([RULE_OF_SCANS]).collect());
}

#[test]
fn out_of_order_a_record_is_lost() {
    misses("R1", &["nothing accepted is lost"]);
}

#[test]
fn without_the_dedup_something_is_doubled_and_with_a_coarser_one_lost() {
    misses(
        "R2",
        &[
            "nothing is doubled",
            "nothing accepted is lost",
            "nothing routed is lost",
        ],
    );
}

#[test]
fn without_the_origins_of_its_offset_a_takeover_loses_or_doubles() {
    misses(
        "R3",
        &["nothing routed is lost", "nothing routed is doubled"],
    );
}

#[test]
fn a_gap_loses_a_record() {
    misses(
        "R4",
        &["nothing accepted is lost", "the first decisions ascend"],
    );
}

#[test]
fn a_commit_ahead_of_what_is_durable_loses_a_record() {
    misses("R5", &["nothing accepted is lost"]);
}

#[test]
fn two_routers_that_do_not_share_one_decision_send_to_what_was_not_decided() {
    misses("R6", &["what is routed was decided"]);
}

#[test]
fn a_key_kept_wrongly_gives_two_firsts_or_none() {
    let one_first = "of one key and window exactly one is first";
    misses("R7", &["what is routed was decided", one_first]);
}

#[test]
fn a_duplicate_judged_by_anything_but_the_log_is_judged_otherwise_the_next_time() {
    misses("R8", &["of one key and window exactly one is first"]);
}

#[test]
fn a_scan_that_begins_without_the_origins_of_its_offset_takes_other_records() {
    let scan = "a scan of the past gives the same answer";
    misses("R9", &[scan, "a scan is refused only next to the start"]);
}

#[test]
fn a_commit_that_skips_a_decision_lets_another_take_effect() {
    misses("R10", &["what is routed was decided"]);
}

#[test]
fn a_scan_from_a_note_behind_the_start_takes_a_record_twice() {
    misses(RULE_OF_SCANS, &["a scan of the past gives the same answer"]);
}
