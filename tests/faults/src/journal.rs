//! What clients, receivers and the runner write down before they do it, a line each; and the history that a
//! folder of such lines comes to.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use checker::History;
use checker::history::{Answer, Arrival, Became, ProcessLine, Record, Request, Views};
use serde::{Deserialize, Serialize};

/// The files of a folder.
const FILES: [&str; 5] = ["processes", "clients", "receivers", "log", "views"];

/// A line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A client is about to send this.
    Sends(u64, Request),
    /// A client was told this.
    Told(u64, Answer),
    /// A receiver has this, from the process of that number, and is about to answer.
    Arrived(Option<u32>, Arrival),
    /// What became of a process, and its number where it has one.
    Process(Option<u32>, ProcessLine),
    /// Others wrote what nobody can read, and the broker said that it is there.
    Foreign(String, u32, u64),
    /// What the log has.
    Record(String, u32, Record),
    /// What the views have.
    Views(Views),
}

impl Line {
    const fn file(&self) -> usize {
        match self {
            Self::Process(..) => 0,
            Self::Sends(..) | Self::Told(..) | Self::Foreign(..) => 1,
            Self::Arrived(..) => 2,
            Self::Record(..) => 3,
            Self::Views(..) => 4,
        }
    }
}

/// A folder that is written.
pub struct Journal {
    folder: PathBuf,
    files: [Mutex<File>; 5],
    requests: AtomicU64,
}

fn path(folder: &Path, file: usize) -> PathBuf {
    folder.join(format!("{}.jsonl", FILES[file]))
}

impl Journal {
    /// A new one in `folder`, which is made.
    ///
    /// # Errors
    /// When it can't be.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let open = |file: usize| {
            let path = path(folder, file);
            let mut options = OpenOptions::new();
            let opened = options.create_new(true).append(true).open(&path);
            opened
                .map(Mutex::new)
                .with_context(|| path.display().to_string())
        };
        Ok(Self {
            folder: folder.to_owned(),
            files: [open(0)?, open(1)?, open(2)?, open(3)?, open(4)?],
            requests: AtomicU64::new(0),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The number of the next request.
    #[must_use]
    pub fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::SeqCst)
    }

    /// Writes a line: with its return it has left this process.
    ///
    /// # Errors
    /// When it can't be written; then what it announces must not be done.
    pub fn write(&self, line: &Line) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let file = &self.files[line.file()];
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(file.write_all(&text)?)
    }

    /// Begins anew what is dumped when all is over.
    ///
    /// # Errors
    /// When the files can't be emptied.
    pub fn forget_dumps(&self) -> anyhow::Result<()> {
        for file in &self.files[3..] {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.set_len(0)?;
        }
        Ok(())
    }
}

/// The history of a folder.
///
/// # Errors
/// When a file or a line of it can't be read.
pub fn read(folder: &Path) -> anyhow::Result<History> {
    let mut history = History::default();
    let mut numbers = BTreeMap::new();
    let mut lives: Vec<(u32, i64, u64)> = Vec::new();
    for file in 0..FILES.len() {
        let path = path(folder, file);
        let lines = File::open(&path).with_context(|| path.display().to_string())?;
        for (number, line) in BufReader::new(lines).lines().enumerate() {
            let line: Line = serde_json::from_str(&line?)
                .with_context(|| format!("{}:{}", path.display(), number + 1))?;
            add(&mut history, &mut numbers, &mut lives, line)?;
        }
    }
    Ok(history)
}

fn add(
    history: &mut History,
    numbers: &mut BTreeMap<u64, usize>,
    lives: &mut Vec<(u32, i64, u64)>,
    line: Line,
) -> anyhow::Result<()> {
    match line {
        Line::Sends(number, request) => {
            let before = numbers.insert(number, history.requests.len());
            ensure!(before.is_none(), "request {number} is there twice");
            history.requests.push(request);
        }
        Line::Told(number, answer) => {
            let index = numbers.get(&number).context("an answer to no request")?;
            history.requests[*index].answer = Some(answer);
        }
        Line::Arrived(pid, arrival) => {
            // Which life had that number at that time: the last to have been started under it.
            let of_pid = |(of, at, _): &&(u32, i64, u64)| Some(*of) == pid && *at <= arrival.at;
            let life = lives.iter().rfind(of_pid).map(|(_, _, life)| *life);
            history.arrivals.push(Arrival { life, ..arrival });
        }
        Line::Process(pid, line) => {
            // That it was started is written before it is, when it has no number yet.
            let started = history.processes.iter();
            let mut started = started.filter(|l| l.what == Became::Started);
            let started = started.find(|started| started.life == line.life);
            match (pid, started.map(|started| started.at)) {
                (Some(pid), Some(at)) => lives.push((pid, at, line.life)),
                (Some(_), None) => anyhow::bail!("life {} was never started", line.life),
                (None, _) => history.processes.push(line),
            }
        }
        Line::Foreign(topic, partition, offset) => {
            history.foreign.insert((topic, partition, offset));
        }
        Line::Record(topic, partition, record) => {
            history
                .partitions
                .entry((topic, partition))
                .or_default()
                .push(record);
        }
        Line::Views(views) => history.views.push(views),
    }
    Ok(())
}
