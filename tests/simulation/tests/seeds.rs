//! Three hundred worlds, and every one that ever showed something that should not be.

use std::process::Command;

#[test]
fn no_seed_finds_anything() {
    let ran = Command::new(env!("CARGO_BIN_EXE_simulation"))
        .args(["--seeds", "300", "--kept", "--patience", "120"])
        .output()
        .expect("the program starts");
    let told = String::from_utf8_lossy(&ran.stdout);
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{told}\n{errors}");
    println!("{told}");
}
