//! `postrider log append --lines`: many records in flight.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bytes::{Bytes, BytesMut};
use eventlog_port::{AppendError, Appended, Appending, NewRecord, TopicPartition, Writer};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::append::{known, told};
use crate::output::{Output, bytes};

/// Bytes that one read of standard input may bring, and lines come in batches of one read.
const CHUNK: usize = 64 << 10;

/// Batches of lines that wait to be appended.
const BATCHES: usize = 4;

/// The longest line in bytes: no topic of any log takes a larger record.
const MAX_LINE: usize = 64 << 20;

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// How many lines that were not confirmed are named.
const NAMED: usize = 20;

/// Appends every line of standard input. After the first that fails no more are read.
///
/// # Errors
/// Says which lines were not confirmed.
pub(super) async fn append(
    writer: &dyn Writer,
    to: &TopicPartition,
    template: &NewRecord,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let (batches, mut lines) = mpsc::channel(BATCHES);
    // Ends with the input, or with the process: a thread can't be woken out of a read.
    let reading = tokio::task::spawn_blocking(move || split(io::stdin().lock(), &batches));
    drop(reading);
    let mut run = Run::new(to, json, output);
    while !run.is_over() {
        tokio::select! {
            biased;
            answer = run.answer() => run.answered(answer)?,
            batch = lines.recv(), if run.reads => {
                run.take(batch.transpose(), writer, template).await?;
            }
        }
    }
    run.summary()
}

/// Cuts the input into lines. A last line without its end is a line too.
fn split(mut input: impl Read, lines: &mpsc::Sender<io::Result<Vec<Bytes>>>) {
    let mut rest = BytesMut::new();
    loop {
        let begun = rest.len();
        rest.resize(begun + CHUNK, 0);
        let read = input.read(&mut rest[begun..]);
        rest.truncate(begun + read.as_ref().map_or(0, |read| *read));
        let is_end = matches!(read, Ok(0));
        let batch = read.and_then(|_| match whole_lines(&mut rest, begun) {
            _ if rest.len() > MAX_LINE => Err(io::Error::other("a line is longer than 64 MiB")),
            batch if is_end && !rest.is_empty() => {
                Ok(batch.into_iter().chain([rest.split().freeze()]).collect())
            }
            batch => Ok(batch),
        });
        let ends = is_end || batch.is_err();
        if lines.blocking_send(batch).is_err() || ends {
            return;
        }
    }
}

/// Takes the lines that are whole, without their ends; `searched` bytes are known to hold none.
fn whole_lines(rest: &mut BytesMut, mut searched: usize) -> Vec<Bytes> {
    let mut lines = Vec::new();
    while let Some(found) = rest[searched..].iter().position(|byte| *byte == b'\n') {
        let mut line = rest.split_to(searched + found + 1);
        line.truncate(searched + found);
        lines.push(line.freeze());
        searched = 0;
    }
    lines
}

/// What one call has done so far.
struct Run<'a> {
    to: &'a TopicPartition,
    json: bool,
    output: &'a mut Output,
    /// What was accepted and has not been answered, each with its line's number.
    pending: VecDeque<(u64, Appending)>,
    /// Whether more lines are to be appended.
    reads: bool,
    lines: u64,
    bytes: u64,
    appended: u64,
    offsets: Option<(u64, u64)>,
    failed: Vec<u64>,
    first: Option<AppendError>,
    begun: Instant,
    shown: Option<Instant>,
}

impl<'a> Run<'a> {
    fn new(to: &'a TopicPartition, json: bool, output: &'a mut Output) -> Self {
        let begun = Instant::now();
        let shows = !json && io::stderr().is_terminal();
        Self {
            to,
            json,
            output,
            pending: VecDeque::new(),
            reads: true,
            lines: 0,
            bytes: 0,
            appended: 0,
            offsets: None,
            failed: Vec::new(),
            first: None,
            begun,
            shown: shows.then_some(begun),
        }
    }

    fn is_over(&self) -> bool {
        !self.reads && self.pending.is_empty()
    }

    /// The oldest answer; waits for ever where none is to come.
    async fn answer(&mut self) -> (u64, Result<Appended, AppendError>) {
        match self.pending.front_mut() {
            Some((line, appending)) => (*line, appending.await),
            None => std::future::pending().await,
        }
    }

    fn answered(&mut self, (line, answer): (u64, Result<Appended, AppendError>)) -> Result<()> {
        self.pending.pop_front();
        match answer {
            Ok(appended) => self.confirmed(appended)?,
            Err(error) => self.refused(line, error),
        }
        if self.pending.is_empty() {
            self.output.flush()?;
        }
        Ok(())
    }

    fn confirmed(&mut self, appended: Appended) -> Result<()> {
        self.appended += 1;
        let first = self.offsets.map_or(appended.offset, |(first, _)| first);
        self.offsets = Some((first, appended.offset));
        self.show();
        if self.json {
            told(self.to, appended, true, self.output)
        } else {
            Ok(())
        }
    }

    fn refused(&mut self, line: u64, error: AppendError) {
        self.failed.push(line);
        self.first.get_or_insert(error);
        self.reads = false;
    }

    async fn take(
        &mut self,
        batch: io::Result<Option<Vec<Bytes>>>,
        writer: &dyn Writer,
        template: &NewRecord,
    ) -> Result<()> {
        let batch = batch.context("reading standard input")?;
        self.reads = batch.is_some();
        for line in batch.into_iter().flatten() {
            if !self.reads {
                break;
            }
            self.lines += 1;
            self.bytes += line.len() as u64;
            let record = NewRecord {
                value: Some(line),
                ..template.clone()
            };
            match writer.append(self.to, record).await {
                Ok(appending) => self.pending.push_back((self.lines, appending)),
                Err(error) => self.refused(self.lines, error),
            }
        }
        Ok(())
    }

    fn show(&mut self) {
        if self
            .shown
            .is_some_and(|shown| shown.elapsed() >= SHOW_EVERY)
        {
            self.shown = Some(Instant::now());
            eprint!("\r{} lines read, {} appended ", self.lines, self.appended);
        }
    }

    fn summary(self) -> Result<()> {
        if self.shown.is_some_and(|shown| shown > self.begun) {
            eprintln!();
        }
        if !self.json {
            self.output.line(&self.told())?;
        }
        self.output.flush()?;
        let Some(error) = self.first else {
            return Ok(());
        };
        let known = known(error.outcome());
        let named: Vec<String> = self.failed.iter().take(NAMED).map(u64::to_string).collect();
        let more = self.failed.len().saturating_sub(NAMED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let what = format!(
            "{} of {} lines not confirmed: line {}{more}; no line after {} was read. Of the first, \
             {known}",
            self.failed.len(),
            self.lines,
            named.join(", "),
            self.lines
        );
        Err(anyhow!(error).context(what))
    }

    fn told(&self) -> String {
        let Self { to, appended, .. } = self;
        let Some((first, last)) = self.offsets else {
            return format!("nothing appended to {to}");
        };
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "for people, at a glance")]
        let rate = *appended as f64 / seconds;
        format!(
            "{appended} records ({}) appended to {to}, offsets {first} to {last}, in {seconds:.2} s: \
             {rate:.0}/s",
            bytes(self.bytes)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(input: &[u8]) -> Vec<Bytes> {
        let (batches, mut lines) = mpsc::channel(100);
        split(input, &batches);
        drop(batches);
        let batches = std::iter::from_fn(|| lines.blocking_recv());
        batches.flat_map(Result::unwrap).collect()
    }

    #[test]
    fn lines_are_cut_byte_for_byte() {
        assert!(lines_of(b"").is_empty());
        assert_eq!(
            lines_of(b"a\n\nb\r\n\xff"),
            ["a".as_bytes(), b"", b"b\r", b"\xff"]
        );
        let long = vec![b'x'; 3 * CHUNK + 5];
        let input = [&long[..], b"\n", &long, b"\n"].concat();
        assert_eq!(lines_of(&input), [&long[..], &long]);
    }
}
