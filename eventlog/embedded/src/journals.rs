//! The engine's journals, looked at before and after it has opened them.
//!
//! It replays them one after another, and wherever it can't read on it cuts that file off and goes on
//! with the next. In the newest one that is what a kill leaves. An older one was complete and synced
//! before the next was begun: if it gets shorter, acknowledged records are lost.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How far each journal but the newest was written.
pub(crate) struct Sealed(Vec<(PathBuf, u64)>);

impl Sealed {
    /// Looks at the journals in `database`; none when it isn't there yet.
    pub(crate) fn look(database: &Path) -> io::Result<Self> {
        let mut journals = Vec::new();
        let entries = match fs::read_dir(database) {
            Ok(entries) => entries,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                return Ok(Self(Vec::new()));
            }
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            if let Some(number) = number(&path) {
                journals.push((number, path));
            }
        }
        journals.sort();
        journals.pop();
        let written = |(_, path): (u64, PathBuf)| {
            let bytes = fs::read(&path)?;
            let last = bytes.iter().rposition(|byte| *byte != 0);
            Ok((path, last.map_or(0, |last| last as u64 + 1)))
        };
        journals
            .into_iter()
            .map(written)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// The first journal that is shorter than it was, with what is left of what there was. One that
    /// is gone has been written to tables.
    pub(crate) fn shortened(&self) -> io::Result<Option<(&Path, u64, u64)>> {
        for (path, written) in &self.0 {
            match fs::metadata(path) {
                Ok(now) if now.len() < *written => return Ok(Some((path, now.len(), *written))),
                Ok(_) => {}
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// A journal's number: the engine names them `0.jnl`, `1.jnl` and so on.
fn number(path: &Path) -> Option<u64> {
    if path.extension()? != "jnl" {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}
