//! Small values inside the JSON records.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use domain::time::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::Invalid;

/// A moment in JSON: milliseconds since 1970-01-01T00:00:00Z, as Kafka stamps records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(pub Timestamp);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(self.0.as_millis())
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        i64::deserialize(from).map(|millis| Self(Timestamp::from_millis(millis)))
    }
}

impl JsonSchema for At {
    fn schema_name() -> Cow<'static, str> {
        "At".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "format": "int64",
            "description": "milliseconds since 1970-01-01T00:00:00Z",
        })
    }
}

/// Bytes in JSON that are mostly text: `{"utf8": "…"}` where they are UTF-8, else `{"base64": "…"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Bytes);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BlobInJson<'a> {
    Utf8(Cow<'a, str>),
    Base64(Cow<'a, str>),
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => BlobInJson::Utf8(text.into()),
            Err(_) => BlobInJson::Base64(BASE64.encode(&self.0).into()),
        }
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match BlobInJson::deserialize(from)? {
            BlobInJson::Utf8(text) => Ok(Self(text.into_owned().into())),
            BlobInJson::Base64(text) => from_base64(&text).map(Self),
        }
    }
}

impl JsonSchema for Blob {
    fn schema_name() -> Cow<'static, str> {
        "Blob".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BlobInJson::json_schema(generator)
    }
}

fn from_base64<E: de::Error>(text: &str) -> Result<Bytes, E> {
    // The decoder's own message would quote the text.
    BASE64
        .decode(text)
        .map(Bytes::from)
        .map_err(|_| E::custom("not base64 with padding"))
}

fn base64_schema(description: &'static str) -> Schema {
    json_schema!({
        "type": "string",
        "contentEncoding": "base64",
        "description": description,
    })
}

/// A secret as the log may hold it: sealed by the server's secret key. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Bytes);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// Ascending offsets above a base, each as how many lie between it and the one before: `[0, 2]`
/// above 10 is 11 and 14. Bounded by how many there are, however far they lie apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Gaps(Vec<u64>);

impl Gaps {
    /// Those of `offsets`, which must ascend strictly and lie above `base`.
    ///
    /// # Errors
    /// When they don't.
    pub fn of(base: u64, offsets: &[u64]) -> Result<Self, Invalid> {
        let mut before = base;
        let gap = |offset: &u64| {
            let gap = offset.checked_sub(before)?.checked_sub(1);
            before = *offset;
            gap
        };
        let gaps: Option<Vec<u64>> = offsets.iter().map(gap).collect();
        gaps.map(Self)
            .ok_or(Invalid("offsets ascend strictly above their base"))
    }

    /// The offsets above `base`.
    ///
    /// # Errors
    /// When one would be above 2^64 - 1.
    pub fn offsets(&self, base: u64) -> Result<Vec<u64>, Invalid> {
        let mut before = base;
        let next = |gap: &u64| {
            before = before.checked_add(*gap)?.checked_add(1)?;
            Some(before)
        };
        let offsets: Option<Vec<u64>> = self.0.iter().map(next).collect();
        offsets.ok_or(Invalid("an offset is below 2^64"))
    }
}

macro_rules! base64_in_json {
    ($name:ident, $description:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&BASE64.encode(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from_base64(&<Cow<'de, str>>::deserialize(from)?).map(Self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                base64_schema($description)
            }
        }
    };
}

base64_in_json!(Sealed, "sealed by the server's secret key");

/// JSON that somebody gave, kept as the text it was: numbers of any size, order and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText(String);

impl JsonText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for JsonText {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        match serde_json::from_str::<de::IgnoredAny>(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(Invalid("the text is not JSON")),
        }
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(from)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for JsonText {
    fn schema_name() -> Cow<'static, str> {
        "JsonText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "contentMediaType": "application/json" })
    }
}

/// A finite number. JSON has no others.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Number(f64);

impl Number {
    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Number {
    type Error = Invalid;

    fn try_from(number: f64) -> Result<Self, Invalid> {
        if number.is_finite() {
            Ok(Self(number))
        } else {
            Err(Invalid("a number is finite"))
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::try_from(f64::deserialize(from)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for Number {
    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_give_the_offsets_back() {
        let gaps = Gaps::of(10, &[11, 14, u64::MAX]).unwrap();
        assert_eq!(gaps.offsets(10).unwrap(), [11, 14, u64::MAX]);
        assert_eq!(
            serde_json::to_string(&Gaps::of(10, &[11, 14]).unwrap()).unwrap(),
            "[0,2]"
        );
        assert!(gaps.offsets(11).is_err());
        for bad in [&[10][..], &[9], &[12, 12], &[13, 12]] {
            assert!(Gaps::of(10, bad).is_err(), "{bad:?}");
        }
    }
}
