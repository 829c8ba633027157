//! Why a record was not decoded.

use std::fmt;

use bytestring::ByteString;

/// The version that this program writes, and the only one that it reads.
pub const VERSION: u32 = 1;

/// A record that was not decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A record of ours, written by a newer program. Its partition stops: whoever went on would
    /// throw away a fact that somebody was promised.
    #[error("the record has version {found}, and this program reads version {VERSION}")]
    UnknownVersion {
        /// The version that the record names.
        found: u64,
    },
    /// Bytes that are no record of ours. They go to quarantine, and the partition moves on.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// What is wrong with a record, and where. Never holds the record's own bytes, so it is fit for a
/// log line; the bytes themselves go to quarantine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct Malformed {
    /// Where.
    pub at: Place,
    /// What.
    pub problem: Problem,
}

impl Malformed {
    pub(crate) const fn new(at: Place, problem: Problem) -> Self {
        Self { at, problem }
    }

    pub(crate) const fn header(name: &'static str, problem: Problem) -> Self {
        Self {
            at: Place::Header(ByteString::from_static(name)),
            problem,
        }
    }
}

/// A part of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The key.
    Key,
    /// The header of this name.
    Header(ByteString),
    /// The value.
    Value,
    /// The record as a whole.
    Record,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("key"),
            Self::Header(name) => write!(f, "header {name:?}"),
            Self::Value => f.write_str("value"),
            Self::Record => f.write_str("record"),
        }
    }
}

/// What is wrong with a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It must be there.
    #[error("is missing")]
    Missing,
    /// It is there twice, under this name or another that means the same.
    #[error("is given twice")]
    Repeated,
    /// It must be text.
    #[error("is not UTF-8")]
    NotUtf8,
    /// It breaks a rule.
    #[error("{0}")]
    Invalid(&'static str),
    /// It is not the JSON that was expected.
    #[error("{fault} at line {line}, column {column}")]
    Json {
        /// Which kind of fault.
        fault: JsonFault,
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
    },
    /// None of the forms in which the topic may be written.
    #[error("is in none of the forms that may be written here")]
    NoKnownForm,
}

impl Problem {
    /// The parser's own message is left out on purpose: it quotes what it read.
    pub(crate) fn json(error: &serde_json::Error) -> Self {
        use serde_json::error::Category;
        let fault = match error.classify() {
            Category::Io | Category::Syntax => JsonFault::Syntax,
            Category::Data => JsonFault::Shape,
            Category::Eof => JsonFault::Truncated,
        };
        Self::Json {
            fault,
            line: error.line(),
            column: error.column(),
        }
    }
}

/// How a piece of JSON disappoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// It is no JSON.
    #[error("bad JSON")]
    Syntax,
    /// It is JSON of another shape: a member missing, unknown, repeated, or of another type.
    #[error("JSON of another shape")]
    Shape,
    /// It ends too early.
    #[error("JSON cut short")]
    Truncated,
}

/// A text that breaks the rule of its type. Says the rule, never the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub &'static str);

impl From<Invalid> for Problem {
    fn from(Invalid(rule): Invalid) -> Self {
        Self::Invalid(rule)
    }
}
