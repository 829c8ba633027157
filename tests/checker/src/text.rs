//! Bytes in JSON: text where they are UTF-8, so that people can read it, else their numbers.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes as JSON has them.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Numbers(Vec<u8>),
}

impl Bytes {
    fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Numbers(bytes.to_vec()),
        }
    }

    fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Numbers(bytes) => bytes,
        }
    }
}

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    Bytes::new(bytes).serialize(to)
}

pub(crate) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<u8>, D::Error> {
    Bytes::deserialize(from).map(Bytes::into_vec)
}

/// Bytes that may not be there.
pub(crate) mod option {
    use super::{Bytes, Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option, reason = "serde hands over the field")]
    pub(crate) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(Bytes::new).serialize(to)
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Bytes>::deserialize(from)?.map(Bytes::into_vec))
    }
}

/// Names and bytes, in their order.
pub(crate) mod headers {
    use super::{Bytes, Deserialize, Deserializer, Serialize, Serializer};

    type Headers = Vec<(String, Option<Vec<u8>>)>;

    pub(crate) fn serialize<S: Serializer>(
        headers: &[(String, Option<Vec<u8>>)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let shown = headers
            .iter()
            .map(|(name, value)| (name, value.as_deref().map(Bytes::new)));
        shown.collect::<Vec<_>>().serialize(to)
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Headers, D::Error> {
        let read = Vec::<(String, Option<Bytes>)>::deserialize(from)?;
        let bytes = |(name, value): (String, Option<Bytes>)| (name, value.map(Bytes::into_vec));
        Ok(read.into_iter().map(bytes).collect())
    }
}
