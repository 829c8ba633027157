//! Each kind of record as it lies in the log. These files must be read for ever.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use schemas::record::Record;

use crate::{fixture, samples};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1")
}

/// Whether files are written anew in place of being compared: `UPDATE=1`.
fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

/// Compares a file with what it should hold, or writes it.
pub(crate) fn hold(path: &Path, wanted: &str) {
    if is_update() {
        fs::write(path, wanted).unwrap();
        return;
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    let name = path.display();
    assert!(
        found == wanted,
        "{name} is not current: UPDATE=1 cargo test -p schemas writes it anew"
    );
}

#[test]
fn each_fixture_is_what_its_sample_says_and_is_written_back_byte_for_byte() {
    let samples = samples::all();
    for (name, topic, record) in &samples {
        let path = fixtures().join(name).with_extension("record");
        hold(&path, &fixture::write(*topic, &record.encode()));
        let text = fs::read_to_string(path).unwrap();
        let (topic, parts) = fixture::read(&text);
        let read = Record::decode(topic, &parts).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read, *record, "{name}");
        assert_eq!(fixture::write(topic, &read.encode()), text, "{name}");
    }
    let files = fs::read_dir(fixtures()).unwrap().count();
    assert_eq!(
        files,
        samples.len(),
        "a fixture without a sample, or two samples of one name"
    );
}

#[test]
fn every_topic_and_every_kind_has_a_fixture() {
    let mut kinds = BTreeSet::new();
    for (_, topic, record) in samples::all() {
        let parts = record.encode();
        let json = parts.header("postrider").or(parts.value.as_ref()).unwrap();
        let json: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
        let kind = json["kind"].as_str().unwrap_or_default();
        kinds.insert(format!("{topic} {kind}"));
    }
    let all = |topic: &'static str, kinds: &'static [&'static str]| {
        kinds.iter().map(move |kind| format!("{topic} {kind}"))
    };
    let wanted: BTreeSet<String> = all("events", &[""])
        .chain(all("inbox", &[""]))
        .chain(all("routed", schemas::routed::Routed::KINDS))
        .chain(all("attempts", schemas::attempts::AttemptsRecord::KINDS))
        .chain(all("requests", schemas::request::Request::KINDS))
        .chain(all("progress", schemas::progress::ProgressRecord::KINDS))
        .chain(all("control", schemas::control::Fact::KINDS))
        .chain(all("retry.16s", &["fence", "retry"]))
        .chain(all("dead-letters", &["fence", "dead_letter"]))
        .chain(all("quarantine", &["quarantined"]))
        .collect();
    assert_eq!(kinds, wanted);
}
