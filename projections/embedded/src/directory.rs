//! The folder of views: who holds it, which version wrote it, which generation of rows counts.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{OpenError, io_error};

/// The version of what lies in the folder: spaces, keys, values.
const DATA_VERSION: u64 = 1;

const FORMAT_NAME: &str = "postrider embedded views";

/// The file that says what the folder holds.
const FORMAT: &str = "format.json";

/// What each folder of a generation of rows begins with.
const ROWS: &str = "rows-";

#[derive(Serialize, Deserialize)]
struct Format {
    format: String,
    version: u64,
    /// The generation of rows that counts.
    generation: u64,
}

/// A folder that is held by this process for as long as this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    generation: u64,
    _lock: File,
}

impl Directory {
    /// Takes the folder, making it when it isn't there. What a rebuild that was cut short has left is
    /// removed.
    pub(crate) fn take(path: &Path, holder: &str) -> Result<Self, OpenError> {
        fs::create_dir_all(path).map_err(|source| io_error(path, source))?;
        let lock = lock(path, holder)?;
        let directory = Self {
            path: path.to_owned(),
            generation: generation(path)?,
            _lock: lock,
        };
        directory.remove_others();
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the rows that count are.
    pub(crate) fn rows(&self) -> PathBuf {
        self.rows_of(self.generation)
    }

    /// Where the rows of the next generation go.
    pub(crate) fn next_rows(&self) -> PathBuf {
        self.rows_of(self.generation + 1)
    }

    /// Where idempotency keys are.
    pub(crate) fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    /// Lets the next generation count, and removes the one before.
    pub(crate) fn switch(&mut self) -> Result<(), OpenError> {
        write_format(&self.path, self.generation + 1)?;
        self.generation += 1;
        self.remove_others();
        Ok(())
    }

    fn rows_of(&self, generation: u64) -> PathBuf {
        self.path.join(format!("{ROWS}{generation}"))
    }

    /// Only room is lost when it fails, and the next start tries again.
    pub(crate) fn remove_others(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else {
            return;
        };
        let own = self.rows();
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().map(|name| name.to_string_lossy());
            let is_rows = name.is_some_and(|name| name.starts_with(ROWS));
            if is_rows
                && path != own
                && let Err(error) = fs::remove_dir_all(&path)
            {
                tracing::warn!(folder = %path.display(), %error, "old rows could not be removed");
            }
        }
    }
}

fn lock(path: &Path, holder: &str) -> Result<File, OpenError> {
    let lock_path = path.join("lock");
    let failed = |source| io_error(&lock_path, source);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock_path);
    let mut file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(failed)?;
            return Err(OpenError::InUse {
                directory: path.to_owned(),
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

/// The generation that counts, in a folder that may be new.
fn generation(path: &Path) -> Result<u64, OpenError> {
    let format_path = path.join(FORMAT);
    let not_views = |problem| OpenError::NotViews {
        directory: path.to_owned(),
        problem,
    };
    let bytes = match fs::read(&format_path) {
        Ok(bytes) => bytes,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            if holds_anything_else(path).map_err(|source| io_error(path, source))? {
                return Err(not_views("there is no format.json"));
            }
            write_format(path, 1)?;
            return Ok(1);
        }
        Err(other) => return Err(io_error(&format_path, other)),
    };
    let format: Format =
        serde_json::from_slice(&bytes).map_err(|_| not_views("format.json can't be read"))?;
    if format.format != FORMAT_NAME {
        return Err(not_views("format.json names something else"));
    }
    let (found, known) = (format.version, DATA_VERSION);
    if found > known {
        return Err(OpenError::NewerVersion {
            directory: path.to_owned(),
            found,
            known,
        });
    }
    Ok(format.generation)
}

/// Whether there is more in the folder than the lock that was just taken, and what an attempt to
/// make views that was cut short may have left.
fn holds_anything_else(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != "lock" && name != "format.json.new" {
            return Ok(true);
        }
    }
    Ok(false)
}

fn write_format(folder: &Path, generation: u64) -> Result<(), OpenError> {
    let path = folder.join(FORMAT);
    let write = || {
        let format = Format {
            format: FORMAT_NAME.to_owned(),
            version: DATA_VERSION,
            generation,
        };
        let new = path.with_extension("json.new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&format)?)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| io_error(&path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_and_a_generation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("views");
        let mut first = Directory::take(&path, "first").unwrap();
        let refused = Directory::take(&path, "second").unwrap_err();
        assert!(refused.to_string().contains("in use by first (process "));
        fs::create_dir_all(first.rows()).unwrap();
        fs::create_dir_all(first.next_rows()).unwrap();
        let (old, new) = (first.rows(), first.next_rows());
        first.switch().unwrap();
        assert!(!old.exists() && new.exists());
        fs::create_dir_all(first.next_rows()).unwrap();
        drop(first);
        let again = Directory::take(&path, "again").unwrap();
        assert_eq!(again.rows(), new);
        assert!(!again.next_rows().exists(), "left by a rebuild cut short");
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |content: &str| {
            fs::write(folder.path().join(FORMAT), content).unwrap();
            Directory::take(folder.path(), "x").unwrap_err().to_string()
        };
        assert!(refused("{").contains("can't be read"));
        let other = r#"{"format":"x","version":1,"generation":1}"#;
        assert!(refused(other).contains("something else"));
        let newer = r#"{"format":"postrider embedded views","version":2,"generation":1}"#;
        assert!(refused(newer).contains("data version 2"));
        fs::remove_file(folder.path().join(FORMAT)).unwrap();
        fs::write(folder.path().join("letter"), "").unwrap();
        let refused = Directory::take(folder.path(), "x").unwrap_err();
        assert!(refused.to_string().contains("no Postrider views"));
    }
}
