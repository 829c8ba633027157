//! A command that runs on the containers, with all the processes that it starts.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus, Stdio};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// A shell's exit code for what ended by a signal is this much above the signal's number.
const BY_SIGNAL: u8 = 128;

/// A process group. Dropped before it has ended, all of it is killed.
struct Group {
    child: Child,
    ended: bool,
}

impl Drop for Group {
    fn drop(&mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw).filter(|_| !self.ended) {
            // It may have ended this very moment: then there is nothing left to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs `command` with `environment`, in a process group of its own. Cancelled, the whole group is killed.
///
/// # Errors
/// When it can't be started.
pub(crate) async fn run(
    command: &mut Command,
    environment: &[(&str, String)],
) -> anyhow::Result<ExitStatus> {
    for (name, value) in environment {
        command.env(name, value);
    }
    command.stdin(Stdio::null()).process_group(0);
    let shown = format!("{:?}", command.as_std().get_program());
    let child = command
        .spawn()
        .with_context(|| format!("starting {shown}"))?;
    let mut group = Group {
        child,
        ended: false,
    };
    let status = group.child.wait().await?;
    group.ended = true;
    Ok(status)
}

/// What this process ends with, when its command ended with `status`.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let by_signal = || {
        let signal = status.signal().and_then(|signal| u8::try_from(signal).ok());
        signal.map_or(u8::MAX, |signal| BY_SIGNAL + signal)
    };
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or_else(by_signal))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn the_exit_status_and_the_environment_are_passed_on() {
        let mut command = Command::new("sh");
        command.args(["-c", "exit $CODE"]);
        let status = run(&mut command, &[("CODE", "7".to_owned())]).await;
        let status = status.unwrap();
        assert_eq!(status.code(), Some(7));
        assert_eq!(exit_code(status), ExitCode::from(7));
        let mut killed = Command::new("sh");
        killed.args(["-c", "kill -9 $$"]);
        let status = run(&mut killed, &[]).await.unwrap();
        assert_eq!(exit_code(status), ExitCode::from(137));
        assert!(run(&mut Command::new("/there/is/none"), &[]).await.is_err());
    }

    /// What the command has started ends with it, too.
    #[tokio::test]
    async fn cancelled_the_whole_group_ends() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = format!(
            "sh -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; while :; do read -r -t 60 _; done' & wait"
        );
        let mut command = Command::new("bash");
        command.args(["-c", &script.replace("sh -c", "bash -c")]);
        let running = timeout(Duration::from_secs(10), async {
            let connected = listener.accept();
            let environment = [];
            let running = run(&mut command, &environment);
            tokio::select! {
                biased;
                ended = running => panic!("{ended:?}"),
                connected = connected => connected.unwrap().0,
            }
        });
        let connection = running.await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut byte = [0];
        loop {
            match connection.try_read(&mut byte) {
                Ok(0) => break,
                Ok(_) => panic!("it writes nothing"),
                Err(_) => assert!(Instant::now() < deadline, "the grandchild still lives"),
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}
