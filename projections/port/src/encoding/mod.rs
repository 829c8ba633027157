//! Rows as bytes, for stores that keep them so: keys that sort as lists go, values behind a version.
//! What can't be read is [`Damage`].

pub mod attempt;
pub mod bytes;
pub mod delivery;
pub mod event;
pub mod first;
pub mod key;
pub mod state;

/// The version in front of every value.
const VERSION: u8 = 1;

/// A stored row that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
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

/// Rows that can't be read. They are folds of the log: nothing is lost.
#[derive(Debug, thiserror::Error)]
#[error("{0}: stop the server and run `postrider views rebuild`")]
pub struct NeedsRebuild(pub String);

impl From<Damage> for crate::ViewError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(Box::new(NeedsRebuild(damage.to_string())))
    }
}
