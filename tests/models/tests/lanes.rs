//! The model of checkpoint, lanes and catch-up holds, and each of its rules is missed when it is
//! left out.

use std::collections::BTreeSet;

use models::harness::Case;
use models::lanes::cases;

const LOST: &str = "nothing accepted is lost";
const ENDS_TWICE: &str = "nothing ends twice";
const SENT_AFTER_END: &str = "nothing is sent after its end";
const OUT_OF_ORDER: &str = "a strict key keeps its order";
const EARLY: &str = "no retry is early and no number is spent twice";
const HANDED_TWICE: &str = "no lane is handed a record twice";
const GAP: &str = "no lane's next passes a record that it was not handed";
const WINDOW: &str = "a lane holds no more than its window";
const LANE_HOLDS_OTHERS: &str = "a stuck lane holds no other";
const KEY_HOLDS_OTHERS: &str = "a blocked key holds no other";

/// Each rule, and what is refuted without it or a part of it.
const MISSED: [(&str, &[&str]); 22] = [
    ("L1", &[HANDED_TWICE]),
    ("L2", &[WINDOW]),
    ("L3", &[LANE_HOLDS_OTHERS, GAP]),
    ("L4", &[GAP, LOST]),
    ("L5", &[GAP]),
    ("L6", &[LOST, SENT_AFTER_END]),
    ("L7", &[LOST, OUT_OF_ORDER]),
    ("L8", &[LOST]),
    ("L9", &[SENT_AFTER_END, ENDS_TWICE]),
    ("L10", &[SENT_AFTER_END, ENDS_TWICE]),
    ("L11", &[OUT_OF_ORDER]),
    ("L12", &[KEY_HOLDS_OTHERS]),
    ("L13", &[GAP]),
    ("L14", &[SENT_AFTER_END]),
    ("L15", &[SENT_AFTER_END]),
    ("L16", &[SENT_AFTER_END]),
    ("L17", &[SENT_AFTER_END, ENDS_TWICE]),
    ("L18", &[OUT_OF_ORDER]),
    ("L19", &[GAP]),
    ("L20", &[GAP, WINDOW]),
    ("L21", &[EARLY]),
    ("L22", &[KEY_HOLDS_OTHERS]),
];

fn of(rule: Option<&str>) -> Vec<Case> {
    cases()
        .into_iter()
        .filter(|case| case.rule == rule)
        .collect()
}

#[test]
fn the_protocol_holds() {
    for case in of(None) {
        let report = case.check();
        assert!(report.states > 10_000, "{} is no search", case.name);
    }
}

#[test]
fn each_rule_is_missed() {
    for (rule, properties) in MISSED {
        let variants = of(Some(rule));
        let told: BTreeSet<_> = variants.iter().filter_map(|case| case.refutes).collect();
        let expected: BTreeSet<_> = properties.iter().copied().collect();
        assert_eq!(told, expected, "what {rule} is there for");
        for variant in variants {
            variant.check();
        }
    }
}

#[test]
fn each_variant_belongs_to_a_rule() {
    let rules: BTreeSet<_> = MISSED.iter().map(|(rule, _)| *rule).collect();
    let told: BTreeSet<_> = cases().iter().filter_map(|case| case.rule).collect();
    assert_eq!(told, rules);
}
