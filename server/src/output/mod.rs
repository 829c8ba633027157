//! What a command prints: to standard output, buffered, safe for a terminal.

mod json;
mod safe;
mod table;
mod units;

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, Write};

use anyhow::Result;
use serde::Serialize;

pub(crate) use safe::{misleads, safe, safe_text};
pub(crate) use table::Table;
pub(crate) use units::{bytes, kept, rfc3339};

/// Bytes that are gathered before they are written.
const BUFFER: usize = 64 << 10;

/// Whoever read the output has closed it.
#[derive(Debug)]
pub(crate) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the output was closed")
    }
}

impl std::error::Error for Closed {}

/// Where a command prints.
pub(crate) struct Output(BufWriter<Box<dyn Write + Send>>);

impl Output {
    /// Standard output.
    pub(crate) fn standard() -> Self {
        Self(BufWriter::with_capacity(BUFFER, Box::new(io::stdout())))
    }

    /// One line for people. Control characters in it must have been dealt with.
    pub(crate) fn line(&mut self, line: &str) -> Result<()> {
        let written = self.0.write_all(line.as_bytes());
        told(written.and_then(|()| self.0.write_all(b"\n")))
    }

    /// One JSON object on a line of its own, for programs.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        json::write(&mut self.0, value).or_else(|error| told(Err(error)))?;
        told(self.0.write_all(b"\n"))
    }

    /// Hands on what has gathered.
    pub(crate) fn flush(&mut self) -> Result<()> {
        told(self.0.flush())
    }

    /// The end.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.flush()
    }
}

fn told(written: io::Result<()>) -> Result<()> {
    written.map_err(|error| {
        if error.kind() == ErrorKind::BrokenPipe {
            Closed.into()
        } else {
            anyhow::Error::new(error).context("writing to standard output")
        }
    })
}
