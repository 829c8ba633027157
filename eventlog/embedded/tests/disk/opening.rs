//! Who may open a folder, and what it must hold.

use std::fs;

use eventlog_embedded::{Config, EmbeddedLog, OpenError};
use tempfile::TempDir;

use crate::support::{config, open};

#[tokio::test]
async fn a_second_process_is_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let first = Config {
        holder: "postrider serve".to_owned(),
        ..config(directory.path())
    };
    let first = EmbeddedLog::open(first).unwrap();
    let refused = EmbeddedLog::open(config(directory.path()))
        .map(drop)
        .unwrap_err();
    let said = refused.to_string();
    assert!(matches!(refused, OpenError::InUse { .. }), "{said}");
    assert!(said.contains("postrider serve"), "{said}");
    assert!(said.contains(&std::process::id().to_string()), "{said}");
    drop(first);
    drop(open(directory.path()));
}

#[tokio::test]
async fn a_newer_data_version_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    drop(open(directory.path()));
    let format = directory.path().join("format.json");
    let newer = fs::read_to_string(&format).unwrap().replace(":1}", ":2}");
    fs::write(&format, &newer).unwrap();
    let refused = EmbeddedLog::open(config(directory.path()))
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(
            refused,
            OpenError::NewerVersion {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(&format).unwrap(), newer);
}

#[tokio::test]
async fn a_folder_of_something_else_is_refused() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("thesis.txt"), "words").unwrap();
    let refused = EmbeddedLog::open(config(directory.path()))
        .map(drop)
        .unwrap_err();
    assert!(matches!(refused, OpenError::NotALog { .. }), "{refused}");
    fs::write(directory.path().join("format.json"), "{").unwrap();
    let refused = EmbeddedLog::open(config(directory.path()))
        .map(drop)
        .unwrap_err();
    assert!(matches!(refused, OpenError::NotALog { .. }), "{refused}");
}
