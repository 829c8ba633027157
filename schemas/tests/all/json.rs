//! The JSON Schemas are what the code says, and the fixtures fit them.

use std::fs;
use std::path::{Path, PathBuf};

use schemas::json_schema;
use schemas::topics::Topic;
use serde_json::Value;

use crate::golden::hold;
use crate::samples;

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("json/v1")
}

#[test]
fn the_json_schemas_are_current() {
    let all = json_schema::all();
    for file in &all {
        hold(&files().join(file.name).with_extension("json"), &file.text);
    }
    let found = fs::read_dir(files()).unwrap().count();
    assert_eq!(found, all.len(), "a schema that nobody generates any more");
}

fn schema(name: &str) -> Value {
    let all = json_schema::all();
    let file = all.iter().find(|file| file.name == name).unwrap();
    serde_json::from_str(&file.text).unwrap()
}

/// The schema's name and the JSON of a record that has any.
fn json_of(topic: Topic, parts: &schemas::Parts) -> Option<(&'static str, Value)> {
    let (name, json) = match topic {
        Topic::Events => return None,
        Topic::Inbox => ("routes", parts.header("routes")?),
        Topic::Retry(_) => ("retry", parts.header("postrider").unwrap()),
        Topic::DeadLetters => ("dead-letters", parts.header("postrider").unwrap()),
        Topic::Quarantine => ("quarantine", parts.header("postrider").unwrap()),
        Topic::Routed => ("routed", parts.value.as_ref().unwrap()),
        Topic::Attempts => ("attempts", parts.value.as_ref().unwrap()),
        Topic::Requests => ("requests", parts.value.as_ref().unwrap()),
        Topic::Progress => ("progress", parts.value.as_ref().unwrap()),
        Topic::Control => ("control", parts.value.as_ref().unwrap()),
    };
    Some((name, serde_json::from_slice(json).unwrap()))
}

#[test]
fn each_fixture_fits_its_json_schema() {
    let mut checked = 0;
    for (name, topic, record) in samples::all() {
        let Some((schema_name, json)) = json_of(topic, &record.encode()) else {
            continue;
        };
        let validator = jsonschema::validator_for(&schema(schema_name)).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&json)
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        checked += 1;
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn a_json_schema_refuses_what_the_code_refuses() {
    let validator = jsonschema::validator_for(&schema("progress")).unwrap();
    let good = serde_json::json!({ "v": 1, "kind": "fence", "owner": "a" });
    assert!(validator.is_valid(&good));
    for (member, value) in [("v", 2.into()), ("kind", "x".into()), ("more", Value::Null)] {
        let mut bad = good.clone();
        bad[member] = value;
        assert!(!validator.is_valid(&bad), "{bad}");
    }
    let mut missing = good;
    missing.as_object_mut().unwrap().remove("owner");
    assert!(!validator.is_valid(&missing));
}
