//! Who did something.

use std::fmt;
use std::str::FromStr;

use crate::error::Invalid;
use crate::ids::KeyId;
use crate::text::text_in_json;

/// Who asked for a change. Its text is the key's id, `local` or `dispatcher`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// The holder of an API key.
    Key(KeyId),
    /// Somebody on loopback, where no key is asked for.
    Local,
    /// The owner of the endpoint's partition, by itself.
    Dispatcher,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => id.fmt(f),
            Self::Local => f.write_str("local"),
            Self::Dispatcher => f.write_str("dispatcher"),
        }
    }
}

impl FromStr for Actor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "local" => Ok(Self::Local),
            "dispatcher" => Ok(Self::Dispatcher),
            key => key.parse().map(Self::Key),
        }
    }
}

text_in_json!(
    Actor,
    "^(local|dispatcher|key_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})$",
    "an actor is local, dispatcher, or a key's id"
);
