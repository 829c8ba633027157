//! One seed, one history, byte for byte: told by two processes that share nothing.

use std::process::Command;

fn digest(seed: &str) -> Vec<u8> {
    let ran = Command::new(env!("CARGO_BIN_EXE_simulation"))
        .args(["--seed", seed, "--digest"])
        .output()
        .expect("the program starts");
    assert!(ran.status.success(), "seed {seed} runs");
    ran.stdout
}

#[test]
fn two_processes_tell_one_history() {
    for seed in ["1", "2", "3", "7", "23"] {
        assert_eq!(digest(seed), digest(seed), "of seed {seed}");
    }
    assert_ne!(digest("3"), digest("7"));
}
