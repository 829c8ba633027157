//! Every code that a problem may have is in `docs/api.md`, and every code there is one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where problems are made.
const SOURCES: [&str; 4] = [
    "api/src",
    "api/problem/src",
    "ingest/src",
    "server/src/serve",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(at: &Path, to: &mut Vec<String>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, to);
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            to.push(code.to_owned());
        }
    }
}

/// The words in quotes that are a slug in snake case.
fn slugs(text: &str) -> BTreeSet<String> {
    let is_slug = |word: &&str| {
        let fits = |c: char| c.is_ascii_lowercase() || c == '_';
        !word.is_empty() && word.chars().all(fits)
    };
    // Quotes that delimit nothing.
    let text = text.replace("'\"'", "").replace("\\\"", "");
    let words = text.split('"').skip(1).step_by(2);
    words.filter(is_slug).map(str::to_owned).collect()
}

/// The codes in the table under "Errors".
fn documented() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/api.md")).unwrap();
    let table = text.split("\n## Errors\n").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned())
        .collect()
}

/// The slugs that stand where a problem's code does.
fn coded(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for make in [
        "Problem::new(",
        "Problem::unavailable(",
        "Self::new(",
        "refused(",
    ] {
        for call in text.split(make).skip(1) {
            // Status and code come first; what follows is for people.
            let head: String = call.chars().take(120).collect();
            found.extend(slugs(&head).into_iter().take(1));
        }
    }
    found
}

#[test]
fn every_code_is_documented_and_every_documented_code_is_one() {
    let mut texts = Vec::new();
    for source in SOURCES {
        sources(&root().join(source), &mut texts);
    }
    let documented = documented();
    let all: BTreeSet<String> = texts.iter().flat_map(|text| slugs(text)).collect();
    let stale: Vec<_> = documented.difference(&all).collect();
    assert!(
        stale.is_empty(),
        "documented, and nowhere in the source: {stale:?}"
    );
    let coded: BTreeSet<String> = texts.iter().flat_map(|text| coded(text)).collect();
    let missing: Vec<_> = coded.difference(&documented).collect();
    assert!(missing.is_empty(), "not documented: {missing:?}");
    assert!(coded.len() > 15, "{coded:?}");
}
