//! Receivers that write down what they have before they answer.

use std::sync::{Arc, Mutex, PoisonError};

use checker::history::{Arrival, Reply as Noted};
use end_to_end::receiver::{Answering, Got, Receiver, Reply};
use rustix::process::{Pid, Signal, kill_process};

use crate::journal::{Journal, Line};
use crate::sender::Senders;
use crate::times::now;

/// How a receiver behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Takes everything.
    Steady,
    /// Fails a fifth of the first attempts, and of the second and third.
    Flaky,
    /// Refuses a sixth for good, and fails some of the others once.
    Refusing,
}

impl Manner {
    /// Every one, with the name of its receiver.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::Steady, "load.steady"),
        (Self::Flaky, "load.flaky"),
        (Self::Refusing, "load.refusing"),
    ];

    fn status(self, delivery: &str, attempt: &str) -> u16 {
        let first = attempt == "1";
        let drawn = hash(delivery);
        match self {
            Self::Steady => 200,
            Self::Flaky if ["1", "2", "3"].contains(&attempt) => {
                if hash(&format!("{delivery}{attempt}")).is_multiple_of(5) {
                    503
                } else {
                    200
                }
            }
            Self::Refusing if drawn.is_multiple_of(6) => 404,
            Self::Refusing if first && drawn % 6 == 1 => 500,
            Self::Flaky | Self::Refusing => 200,
        }
    }
}

/// FNV-1a: the same delivery is met the same way each time.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Stops a process (SIGSTOP) between what it has sent and the good answer to that, once.
#[derive(Clone, Default)]
pub struct Trap(Arc<Mutex<Set>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Set {
    #[default]
    Off,
    For(u32),
    Sprung,
}

impl Trap {
    /// Waits for a request of this process.
    pub fn set(&self, pid: u32) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Set::For(pid);
    }

    /// Whether it has caught it.
    #[must_use]
    pub fn is_sprung(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) == Set::Sprung
    }

    fn meet(&self, pid: Option<u32>) {
        let mut set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Set::For(wanted) = *set else { return };
        let raw = pid.filter(|pid| *pid == wanted);
        let raw = raw.and_then(|pid| i32::try_from(pid).ok());
        let stopped = raw
            .and_then(Pid::from_raw)
            .map(|pid| kill_process(pid, Signal::STOP));
        if matches!(stopped, Some(Ok(()))) {
            *set = Set::Sprung;
        }
    }
}

/// Starts a receiver of that manner.
///
/// # Errors
/// When it can't listen.
pub async fn start(
    manner: Manner,
    journal: Arc<Journal>,
    senders: Arc<Senders>,
    trap: Trap,
) -> anyhow::Result<Receiver> {
    let answering: Answering = Arc::new(move |got| {
        let status = manner.status(got.header("x-webhook-id"), got.header("webhook-attempt"));
        let pid = senders.pid((got.from, got.to));
        if let Err(error) = journal.write(&Line::Arrived(pid, arrival(got, status))) {
            // What could not be written down is not answered.
            eprintln!("a receiver can't write: {error:#}");
            return Reply::Reset;
        }
        if status == 200 {
            trap.meet(pid);
        }
        Reply::status(status)
    });
    Receiver::start_asking(answering).await
}

fn arrival(got: &Got, status: u16) -> Arrival {
    let path = got.line.split(' ').nth(1).unwrap_or_default();
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    };
    Arrival {
        at: now(),
        url: format!("http://{}{path}", got.header("host")),
        headers: got.headers.iter().map(header).collect(),
        body: got.body.to_vec(),
        reply: Noted::Status(status),
        life: None,
    }
}
