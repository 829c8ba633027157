//! How rows lie in the store: keys that sort as lists go, values behind a version.

pub(crate) mod attempt;
pub(crate) mod bytes;
pub(crate) mod delivery;
pub(crate) mod event;
pub(crate) mod first;
pub(crate) mod key;
pub(crate) mod state;

/// The version in front of every value.
const VERSION: u8 = 1;

/// A stored row that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damage {
    /// It ends too early.
    #[error("a stored row ends too early")]
    Short,
    /// It goes on where it should end.
    #[error("a stored row is too long")]
    Long,
    /// Its version is another.
    #[error("a stored row has version {0}, which this program doesn't read")]
    Version(u8),
    /// Something in it can't be.
    #[error("a stored row has {0} that can't be read")]
    Value(&'static str),
    /// A row that another names isn't there.
    #[error("a row that is listed isn't there")]
    Missing,
}
