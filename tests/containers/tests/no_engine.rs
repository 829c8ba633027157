//! A machine without a container engine is told so, and nothing is run.

use std::path::Path;
use std::process::Command;

#[test]
fn without_an_engine_the_command_is_not_run_and_it_is_said_why() {
    let ran = std::env::temp_dir().join(format!("no-engine-{}", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_containers"))
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .args(["--", "touch"])
        .arg(&ran)
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{said}");
    for why in ["touch: not run", "container engine", "/nowhere/docker.sock"] {
        assert!(said.contains(why), "{said}");
    }
    assert!(!Path::new(&ran).exists(), "the command was run");
}
