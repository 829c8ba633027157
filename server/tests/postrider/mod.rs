//! Runs the real program on a log of its own.

#![allow(dead_code, reason = "each test program uses some of it")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The program, told where a log is that only this test knows.
pub(crate) struct Postrider {
    pub(crate) folder: TempDir,
    arguments: Vec<String>,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Postrider {
    /// On an embedded log that isn't there yet.
    pub(crate) fn embedded() -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data").display().to_string();
        Self {
            folder,
            arguments: vec!["--data".to_owned(), data],
        }
    }

    /// On the broker that the environment names, under a prefix that nobody else has.
    pub(crate) fn kafka() -> Self {
        let brokers = std::env::var("POSTRIDER_TEST_KAFKA").unwrap_or_else(|_| {
            panic!(
                "POSTRIDER_TEST_KAFKA does not name a broker. Start one: \
                 scripts/services start kafka && eval \"$(scripts/services env)\""
            )
        });
        let folder = TempDir::new().unwrap();
        let unique = folder
            .path()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .replace('.', "");
        let log = format!("--log=kafka://{brokers}");
        Self {
            folder,
            arguments: vec![log, format!("--kafka-prefix=cli-{unique}-")],
        }
    }

    /// Without any argument but those of each call.
    pub(crate) fn bare() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            arguments: Vec::new(),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The command, not started: only this test's settings, in its own folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
        command.env_clear().current_dir(self.folder.path());
        command.args(arguments).args(&self.arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, b"")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        fed(self.command(arguments), input)
    }

    /// A run that must end well.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.ok_with(arguments, b"")
    }

    pub(crate) fn ok_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let ran = self.run_with(arguments, input);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        ran.out
    }

    /// A run that must end well and prints JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        json(&self.ok(arguments))
    }
}

/// One JSON object a line.
pub(crate) fn json(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Runs a command to its end, feeding it from another thread: it may refuse to read.
pub(crate) fn fed(mut command: Command, input: &[u8]) -> Ran {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    Ran {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}
