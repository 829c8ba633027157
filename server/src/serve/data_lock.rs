//! One server on a data directory: the lanes' index in it is one process's, wherever log and views are.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Held as long as the process lives: the system lets go of it, however that ends.
pub(super) struct DataLock(#[expect(dead_code, reason = "held, not read")] File);

impl DataLock {
    /// Makes the directory where it isn't there, and takes it.
    ///
    /// # Errors
    /// When another process has it, by that process's name; when the file system refuses.
    pub(super) fn take(data: &Path, holder: &str) -> Result<Self> {
        let shown = data.display();
        fs::create_dir_all(data).with_context(|| format!("{shown}"))?;
        let path = data.join("serve.lock");
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut file = opened.with_context(|| format!("{}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut other = String::new();
                file.read_to_string(&mut other)?;
                bail!(
                    "the data directory {shown} is in use by {}; --data names another",
                    other.trim()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{}", path.display()));
            }
        }
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        writeln!(file, "{holder} (process {})", std::process::id())?;
        Ok(Self(file))
    }
}
