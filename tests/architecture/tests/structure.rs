//! The structure holds, and the rules that say so can fail.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::fs;
use std::path::{Path, PathBuf};

use architecture::{Package, source_violations, violations};
use cargo_metadata::{DependencyKind, MetadataCommand};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new()
        .current_dir(workspace())
        .no_deps()
        .exec()
        .unwrap();
    let package = |package: cargo_metadata::Package| {
        let of = |tests: bool| {
            let of_kind = package
                .dependencies
                .iter()
                .filter(|d| (d.kind == DependencyKind::Development) == tests)
                .map(|d| d.name.clone());
            of_kind
                .filter(|name| *name != package.name.as_str())
                .collect::<Vec<_>>()
        };
        Package {
            name: package.name.to_string(),
            needs: of(false),
            tests_need: of(true),
        }
    };
    metadata.packages.into_iter().map(package).collect()
}

#[test]
fn arrows_point_down_and_drivers_stay_in_quarantine() {
    let packages = packages();
    assert!(
        packages.iter().any(|package| package.name == "postrider"),
        "read the workspace"
    );
    let found = violations(&packages);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_licence_is_compatible() {
    let metadata = MetadataCommand::new()
        .current_dir(workspace())
        .exec()
        .unwrap();
    assert!(metadata.packages.len() > 50, "read the dependencies");
    let bad = metadata.packages.iter().filter(|package| {
        !package
            .license
            .as_deref()
            .is_some_and(architecture::licence::is_compatible)
    });
    let bad: Vec<String> = bad
        .map(|package| format!("{}: {:?}", package.name, package.license))
        .collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

fn made_up(name: &str, needs: &[&str], tests_need: &[&str]) -> Package {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    Package {
        name: name.to_owned(),
        needs: owned(needs),
        tests_need: owned(tests_need),
    }
}

#[test]
fn every_kind_of_wrong_arrow_is_found() {
    for (package, said) in [
        (
            made_up("domain", &["schemas"], &[]),
            "domain (Domain) needs schemas (Schemas)",
        ),
        (
            made_up("eventlog-port", &["eventlog-kafka"], &[]),
            "needs eventlog-kafka (Adapter)",
        ),
        (
            made_up("eventlog-kafka", &["eventlog-embedded"], &[]),
            "needs eventlog-embedded",
        ),
        (
            made_up("ingest", &["dispatcher"], &[]),
            "ingest (Role) needs dispatcher (Role)",
        ),
        (
            made_up("retry-scheduler", &["dispatcher"], &[]),
            "needs dispatcher (Role)",
        ),
        (
            made_up("ingest", &["eventlog-embedded"], &[]),
            "needs eventlog-embedded (Adapter)",
        ),
        (
            made_up("ingest", &["postrider"], &[]),
            "needs postrider (Server)",
        ),
        (
            made_up("postrider", &["models"], &[]),
            "needs models (Outside)",
        ),
        (
            made_up("eventlog-port", &["rdkafka"], &[]),
            "names the driver rdkafka",
        ),
        (
            made_up("postrider", &[], &["fjall"]),
            "names the driver fjall",
        ),
        (made_up("stranger", &[], &[]), "stranger has no layer"),
    ] {
        let found = violations(std::slice::from_ref(&package));
        assert!(
            found.iter().any(|line| line.contains(said)),
            "{said}: {found:?}"
        );
    }
    let fine = [
        made_up(
            "dispatcher",
            &["retry-scheduler", "eventlog-port", "schemas", "domain"],
            &[],
        ),
        made_up(
            "postrider",
            &["dispatcher", "ingest", "eventlog-kafka"],
            &[],
        ),
        made_up("eventlog-embedded", &["eventlog-port", "fjall"], &[]),
    ];
    assert_eq!(violations(&fine), Vec::<String>::new());
}

#[test]
fn sources_keep_to_it_too() {
    let root = workspace();
    let mut found = Vec::new();
    let mut seen = 0;
    for path in sources(&root) {
        let relative = path
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        // The rules themselves, and what they are tried on, name what they look for.
        if !relative.starts_with("tests/architecture/") {
            found.extend(source_violations(
                &relative,
                &fs::read_to_string(&path).unwrap(),
            ));
            seen += 1;
        }
    }
    assert!(seen > 20, "read the sources");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_driver_and_an_unbiased_select_are_found_in_a_source() {
    let adapter = source_violations("server/src/a.rs", "projections_scylla::Store::open()");
    assert_eq!(adapter, Vec::<String>::new());
    let driver = source_violations("server/src/a.rs", "use scylla::client;");
    assert_eq!(driver, ["server/src/a.rs names scylla::"]);
    let found = source_violations("ingest/src/lib.rs", "use rdkafka::consumer;\n");
    assert_eq!(found, ["ingest/src/lib.rs names rdkafka::"]);
    let chance = "fn f() {\n    tokio::select! {\n        a = b => {}\n    }\n}";
    assert_eq!(
        source_violations("a.rs", chance),
        ["a.rs:2 selects without `biased`"]
    );
    let fine = "tokio::select! {\n    biased;\n    a = b => {}\n}";
    assert_eq!(source_violations("a.rs", fine), Vec::<String>::new());
}

/// Nothing is built for tests of a target that says it has none: one that was written there would never run.
#[test]
fn what_is_not_built_for_tests_has_none() {
    let metadata = MetadataCommand::new()
        .current_dir(workspace())
        .no_deps()
        .exec()
        .unwrap();
    let mut looked_at = Vec::new();
    for package in metadata.packages {
        let out = package.targets.iter().filter(|target| !target.test);
        let out: Vec<_> = out
            .filter(|target| !target.is_bench() && !target.is_example())
            .collect();
        if out.is_empty() {
            continue;
        }
        assert!(
            !out.iter().any(|target| target.is_test()),
            "{}: {out:?}",
            package.name
        );
        looked_at.push(package.name.to_string());
        let folder = package.manifest_path.parent().unwrap().join("src");
        for path in sources(folder.as_std_path()) {
            let text = fs::read_to_string(&path).unwrap();
            assert!(!has_a_test(&text), "{} has a test", path.display());
        }
    }
    looked_at.sort_unstable();
    assert_eq!(looked_at, ["bench", "crash", "models", "simulation"]);
}

fn has_a_test(source: &str) -> bool {
    source.contains("#[test]") || source.contains("::test]") || source.contains("::test(")
}

#[test]
fn a_test_is_found_in_a_source() {
    assert!(has_a_test("#[test]\nfn a() {}"));
    assert!(has_a_test(
        "#[tokio::test(flavor = \"multi_thread\")]\nasync fn a() {}"
    ));
    assert!(!has_a_test("use crate::tests::a;"));
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
