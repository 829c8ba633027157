//! Appends numbered records to a log until it is killed, and says of each that it was confirmed:
//! `appender DIRECTORY FIRST`.

use std::collections::VecDeque;
use std::io::Write;

use crash::{open, partition_of, record, topic};
use eventlog_port::{EventLog, WriterKind, WriterSpec};

type Failed = Box<dyn std::error::Error>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("no directory")?;
    let first: u64 = arguments.next().ok_or("no first number")?.parse()?;
    let log = open(directory.as_ref())?;
    log.ensure(&[topic()]).await?;
    let kind = if first.is_multiple_of(2) {
        WriterKind::Prefix
    } else {
        WriterKind::Ordered
    };
    let spec = WriterSpec {
        kind,
        name: "appender".to_owned(),
        max_in_flight: 500,
    };
    let writer = log.writer(spec).await?;
    let mut stdout = std::io::stdout().lock();
    let mut open = VecDeque::new();
    for number in first.. {
        open.push_back((
            number,
            writer.append(&partition_of(number), record(number)).await?,
        ));
        if open.len() < 400 {
            continue;
        }
        if let Some((confirmed, answer)) = open.pop_front() {
            let offset = answer.await?.offset;
            // One write a line: what is read of it is whole, or not there.
            stdout.write_all(format!("{confirmed} {offset}\n").as_bytes())?;
            stdout.flush()?;
        }
    }
    Ok(())
}
