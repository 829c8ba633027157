//! A record as the log carries it, in no log's own words.

use bytes::Bytes;
use bytestring::ByteString;

/// One header. Names may repeat; order is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: ByteString,
    /// Its bytes; `None` is Kafka's null, which is not the same as empty.
    pub value: Option<Bytes>,
}

impl Header {
    /// A header whose name is known when the program is compiled: nothing is copied.
    #[must_use]
    pub const fn new(name: &'static str, value: Bytes) -> Self {
        Self {
            name: ByteString::from_static(name),
            value: Some(value),
        }
    }
}

/// Key, headers and value of one record. Cloning shares the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The key.
    pub key: Option<Bytes>,
    /// The headers, in the writer's order.
    pub headers: Vec<Header>,
    /// The value; `None` is a tombstone, which only others write.
    pub value: Option<Bytes>,
}

impl Parts {
    /// The value of the first header called `name`, when it is there and not null.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        self.headers
            .iter()
            .find(|h| &*h.name == name)
            .and_then(|h| h.value.as_ref())
    }
}
