//! The protocol's document knows every field.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use schemas::{headers, json_schema};
use serde_json::Value;

/// The section "Records" of `docs/protocol.md`.
fn records() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once("\n## Records\n").unwrap();
    let end = rest.find("\n## ").unwrap_or(rest.len());
    rest[..end].to_owned()
}

/// Names of members, and the words of every enumeration.
fn names(schema: &Value, to: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                to.extend(properties.keys().cloned());
            }
            let words = members
                .get("enum")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            to.extend(
                words
                    .chain(members.get("const"))
                    .filter_map(Value::as_str)
                    .map(str::to_owned),
            );
            members.values().for_each(|value| names(value, to));
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_field_is_documented() {
    let mut all: BTreeSet<String> = headers::ALL.iter().map(|name| (*name).to_owned()).collect();
    for file in json_schema::all() {
        names(&serde_json::from_str(&file.text).unwrap(), &mut all);
    }
    assert!(all.len() > 150, "{}", all.len());
    let records = records();
    let missing: Vec<&String> = all
        .iter()
        .filter(|name| !records.contains(&format!("`{name}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "not in docs/protocol.md, section Records: {missing:?}"
    );
}
