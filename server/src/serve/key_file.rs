//! The key that seals secrets at rest, in a file that only its owner reads.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use domain::chance::Chance;

/// A key: 256 bits, written as 64 hex digits.
pub(super) type Key = [u8; 32];

/// More than a key file ever has.
const MAX_FILE: u64 = 1 << 10;

/// Bits of a mode by which others than the owner get at a file.
const OTHERS: u32 = 0o077;

/// The key can't be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    /// The file can't be read or made.
    #[error("the key file {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read it.
    #[error(
        "the key file {} may be read by others (mode {mode:04o}); `chmod 600 {}` mends it", path.display(), path.display()
    )]
    Open {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It holds something else.
    #[error("the key file {} does not hold a key: 64 hex digits", path.display())]
    NoKey {
        /// Which.
        path: PathBuf,
    },
    /// Secrets are sealed with a key that isn't there.
    #[error(
        "the key file {} is missing, and endpoints' secrets are sealed with it; put it back, or \
         name it with --secret-key-file", path.display()
    )]
    Lost {
        /// Which.
        path: PathBuf,
    },
}

/// The key in the file at `path`. A file that isn't there is made if `may_make`.
///
/// # Errors
/// See [`KeyError`].
pub(super) fn key(path: &Path, may_make: bool, chance: &mut dyn Chance) -> Result<Key, KeyError> {
    match File::open(path) {
        Ok(file) => read(path, file),
        Err(error) if error.kind() == ErrorKind::NotFound => match may_make {
            true => make(path, chance).map_err(|source| failed(path, source)),
            false => Err(KeyError::Lost {
                path: path.to_owned(),
            }),
        },
        Err(source) => Err(failed(path, source)),
    }
}

fn failed(path: &Path, source: std::io::Error) -> KeyError {
    KeyError::File {
        path: path.to_owned(),
        source,
    }
}

fn read(path: &Path, file: File) -> Result<Key, KeyError> {
    let mode = file
        .metadata()
        .map_err(|source| failed(path, source))?
        .mode()
        & 0o7777;
    if mode & OTHERS != 0 {
        return Err(KeyError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    let read = file.take(MAX_FILE).read_to_string(&mut text);
    read.map_err(|source| failed(path, source))?;
    let mut key = Key::default();
    match hex::decode_to_slice(text.trim(), &mut key) {
        Ok(()) => Ok(key),
        Err(_) => Err(KeyError::NoKey {
            path: path.to_owned(),
        }),
    }
}

/// A new key, on disk before anything is sealed with it: a key that is lost takes the secrets along.
fn make(path: &Path, chance: &mut dyn Chance) -> Result<Key, std::io::Error> {
    let mut key = Key::default();
    for eight in key.as_chunks_mut::<8>().0 {
        *eight = chance.next_u64().to_le_bytes();
    }
    let folder = path
        .parent()
        .filter(|folder| *folder != Path::new(""))
        .unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(format!("{}\n", hex::encode(key)).as_bytes())?;
    file.sync_all()?;
    File::open(folder)?.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use domain::chance::Seeded;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_only() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("data").join("secret.key");
        let mut chance = Seeded::new(1);
        let lost = key(&path, false, &mut chance).unwrap_err();
        assert!(matches!(lost, KeyError::Lost { .. }));
        let made = key(&path, true, &mut chance).unwrap();
        assert_ne!(made, Key::default());
        assert_eq!(key(&path, true, &mut chance).unwrap(), made);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_others_read_or_that_holds_no_key_is_refused() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("secret.key");
        let mut chance = Seeded::new(1);
        key(&path, true, &mut chance).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = key(&path, true, &mut chance).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for text in ["", "00", "not hex", &"0".repeat(66)] {
            fs::write(&path, text).unwrap();
            let error = key(&path, true, &mut chance).unwrap_err();
            assert!(matches!(error, KeyError::NoKey { .. }), "{text}");
        }
    }
}
