//! How a run ends: 0 done, 1 failed, 2 wrong use.

use std::fmt;
use std::process::ExitCode;

use crate::cli::LogFormat;
use crate::output::Closed;

const FAILED: u8 = 1;
const WRONG_USE: u8 = 2;

/// What was asked makes no sense; nothing was done.
#[derive(Debug)]
pub(crate) struct WrongUse(pub(crate) String);

impl fmt::Display for WrongUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUse {}

/// The command line or the configuration file is wrong, or help was asked for.
pub(crate) fn wrong_use(error: &clap::Error) -> ExitCode {
    // Nobody is left to tell when this fails.
    drop(error.print());
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The exit code of a run. Says what went wrong, as people or machines read it.
pub(crate) fn code(outcome: anyhow::Result<()>, format: LogFormat) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    // Whoever read our output has seen enough: `postrider log dump | head`.
    if error.is::<Closed>() {
        return ExitCode::SUCCESS;
    }
    let what = explained(&error);
    match format {
        LogFormat::Text => eprintln!("error: {what}"),
        LogFormat::Json => tracing::error!(error = what, "failed"),
    }
    ExitCode::from(if error.is::<WrongUse>() {
        WRONG_USE
    } else {
        FAILED
    })
}

/// The error and what caused it. Many an error's text has its cause's in it: that is not said twice.
fn explained(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn no_cause_is_said_twice() {
        let error = anyhow!("disk full")
            .context("not written: disk full")
            .context("events[0]");
        assert_eq!(explained(&error), "events[0]: not written: disk full");
    }
}
