//! Any record of any topic, for tools that read them all.

use crate::accepted::Accepted;
use crate::attempts::AttemptsRecord;
use crate::control::Fact;
use crate::dead_letter::DeadLetterRecord;
use crate::error::DecodeError;
use crate::inbox::InboxEvent;
use crate::parts::Parts;
use crate::progress::ProgressRecord;
use crate::quarantine::Quarantined;
use crate::request::Request;
use crate::retry::RetryRecord;
use crate::routed::Routed;
use crate::topics::Topic;

macro_rules! records {
    ($($(#[$doc:meta])* $topic:pat => $name:ident($body:ty),)+) => {
        /// A record of some topic.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Record { $($(#[$doc])* $name($body),)+ }

        impl Record {
            /// The record as it is appended. A payload is shared, not copied.
            #[must_use]
            pub fn encode(&self) -> Parts {
                match self { $(Self::$name(record) => record.encode(),)+ }
            }

            /// Reads a record of `topic`.
            ///
            /// # Errors
            /// A version that this program does not know, or a record that is none of that topic's.
            pub fn decode(topic: Topic, parts: &Parts) -> Result<Self, DecodeError> {
                match topic { $($topic => <$body>::decode(parts).map(Self::$name),)+ }
            }
        }

        $(
            impl From<$body> for Record {
                fn from(record: $body) -> Self {
                    Self::$name(record)
                }
            }
        )+
    };
}

records! {
    /// Of `inbox`.
    Topic::Inbox => Inbox(InboxEvent),
    /// Of `routed`.
    Topic::Routed => Routed(Routed),
    /// Of `events`.
    Topic::Events => Events(Accepted),
    /// Of `retry.<tier>`.
    Topic::Retry(_) => Retry(RetryRecord),
    /// Of `attempts`.
    Topic::Attempts => Attempts(AttemptsRecord),
    /// Of `dead-letters`.
    Topic::DeadLetters => DeadLetters(DeadLetterRecord),
    /// Of `requests`.
    Topic::Requests => Requests(Request),
    /// Of `progress`.
    Topic::Progress => Progress(ProgressRecord),
    /// Of `control`.
    Topic::Control => Control(Fact),
    /// Of `quarantine`.
    Topic::Quarantine => Quarantine(Quarantined),
}
