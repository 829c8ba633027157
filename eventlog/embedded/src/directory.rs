//! The folder of a log: who holds it, which version wrote it, and how much was acknowledged.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::OpenError;

/// The version of what lies in the folder: format file, record encoding, keys of the table of
/// contents.
pub(crate) const DATA_VERSION: u64 = 1;

const FORMAT_NAME: &str = "postrider embedded log";

#[derive(Serialize, Deserialize)]
struct Format {
    format: String,
    version: u64,
}

/// A folder that is held by this process for as long as this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    mark: File,
    _lock: File,
}

impl Directory {
    /// Takes the folder, making it when it isn't there.
    pub(crate) fn take(path: &Path, holder: &str) -> Result<Self, OpenError> {
        fs::create_dir_all(path).map_err(|source| io_error(path, source))?;
        let lock = lock(path, holder)?;
        check_format(path)?;
        let mark_path = path.join("acknowledged");
        let mark = open(&mark_path).map_err(|source| io_error(&mark_path, source))?;
        Ok(Self {
            path: path.to_owned(),
            mark,
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("database")
    }

    pub(crate) fn mark_path(&self) -> PathBuf {
        self.path.join("acknowledged")
    }

    /// Notes that every batch up to `sequence` was acknowledged. Not synced: after a kill it is
    /// exact, after a loss of power it is a lower bound, and never more than what is durable.
    pub(crate) fn note_acknowledged(&self, sequence: u64) -> io::Result<()> {
        let mut note = [0; 12];
        note[..8].copy_from_slice(&sequence.to_be_bytes());
        let crc = crc32c::crc32c(&note[..8]);
        note[8..].copy_from_slice(&crc.to_be_bytes());
        self.mark.write_all_at(&note, 0)
    }

    /// What was noted; `None` when there is no note, or none that can be read.
    pub(crate) fn acknowledged(&self) -> io::Result<Option<u64>> {
        let mut note = [0; 12];
        match self.mark.read_exact_at(&mut note, 0) {
            Ok(()) => {}
            Err(short) if short.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let (sequence, crc) = note.split_at(8);
        if crc32c::crc32c(sequence).to_be_bytes() != crc {
            let mark = self.mark_path();
            tracing::warn!(file = %mark.display(), "note of what was acknowledged is unreadable");
            return Ok(None);
        }
        Ok(sequence.try_into().map(u64::from_be_bytes).ok())
    }
}

fn lock(path: &Path, holder: &str) -> Result<File, OpenError> {
    let lock_path = path.join("lock");
    let failed = |source| io_error(&lock_path, source);
    let mut file = open(&lock_path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(failed)?;
            let directory = path.to_owned();
            return Err(OpenError::InUse {
                directory,
                holder: holder.trim().to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    writeln!(file, "{holder} (process {})", std::process::id()).map_err(failed)?;
    Ok(file)
}

fn check_format(path: &Path) -> Result<(), OpenError> {
    let format_path = path.join("format.json");
    let failed = |source| io_error(&format_path, source);
    let not_a_log = |problem| OpenError::NotALog {
        directory: path.to_owned(),
        problem,
    };
    match fs::read(&format_path) {
        Ok(bytes) => {
            let format: Format = serde_json::from_slice(&bytes)
                .map_err(|_| not_a_log("format.json can't be read"))?;
            if format.format != FORMAT_NAME {
                return Err(not_a_log("format.json names something else"));
            }
            let (found, known) = (format.version, DATA_VERSION);
            if found > known {
                return Err(OpenError::NewerVersion {
                    directory: path.to_owned(),
                    found,
                    known,
                });
            }
            Ok(())
        }
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            if holds_anything_else(path).map_err(|source| io_error(path, source))? {
                return Err(not_a_log("there is no format.json"));
            }
            write_format(path, &format_path).map_err(failed)
        }
        Err(other) => Err(failed(other)),
    }
}

/// Whether there is more in the folder than the lock that was just taken, and what an attempt to
/// make a log that was cut short may have left.
fn holds_anything_else(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != "lock" && name != "format.json.new" {
            return Ok(true);
        }
    }
    Ok(false)
}

fn write_format(folder: &Path, path: &Path) -> io::Result<()> {
    let format = Format {
        format: FORMAT_NAME.to_owned(),
        version: DATA_VERSION,
    };
    let new = path.with_extension("json.new");
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec(&format)?)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        source,
    }
}

/// A file to read and write, made when it isn't there, its content kept.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}
