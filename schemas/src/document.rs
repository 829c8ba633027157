//! JSON records: one object, whose first two members are `v`, the version, and `kind`.
//!
//! Writers put those two first, so a reader knows what it reads before it reads it and parses once.
//! An object with its members in another order (a tool has rewritten it) is read all the same.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::Value;

use crate::error::{DecodeError, Malformed, Place, Problem, VERSION};
use crate::headers::{self, Found};
use crate::parts::Parts;

/// A family of JSON records, told apart by `kind`.
pub(crate) trait Document: Sized {
    fn from_kind<'de, D: Deserializer<'de>>(kind: &str, body: D) -> Result<Self, D::Error>;

    fn to_json(&self) -> Vec<u8>;
}

#[derive(Serialize)]
struct Written<'a, T> {
    v: u32,
    kind: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

pub(crate) fn write<T: Serialize>(kind: &'static str, body: &T) -> Vec<u8> {
    serde_json::to_vec(&Written {
        v: VERSION,
        kind,
        body,
    })
    .expect("a record's maps have text keys and its numbers are finite")
}

/// A record whose value is its JSON.
pub(crate) fn write_value<T: Document>(key: Option<Bytes>, record: &T) -> Parts {
    Parts {
        key,
        headers: Vec::new(),
        value: Some(record.to_json().into()),
    }
}

/// Reads a record whose value is its JSON. Headers are nobody's, and are not looked at.
pub(crate) fn read_value<T: Document>(parts: &Parts) -> Result<T, DecodeError> {
    let missing = Malformed::new(Place::Value, Problem::Missing);
    read(parts.value.as_ref().ok_or(missing)?, Place::Value)
}

/// Reads the JSON of a record whose value is a payload.
pub(crate) fn read_header<T: Document>(found: &Found<'_>) -> Result<T, DecodeError> {
    let missing = Malformed::header(headers::JSON, Problem::Missing);
    read(
        found.json.ok_or(missing)?,
        Place::Header(ByteString::from_static(headers::JSON)),
    )
}

/// Reads a record of the family `T` out of the part `at`.
pub(crate) fn read<T: Document>(json: &[u8], at: Place) -> Result<T, DecodeError> {
    let mut head = Head::default();
    let mut parser = serde_json::Deserializer::from_slice(json);
    let result = InOrder {
        head: &mut head,
        family: std::marker::PhantomData,
    }
    .deserialize(&mut parser)
    .and_then(|record| parser.end().map(|()| record));
    match (result, head) {
        (Ok(record), _) => Ok(record),
        (
            Err(_),
            Head {
                version: Some(found),
                ..
            },
        ) if found != u64::from(VERSION) => Err(DecodeError::UnknownVersion { found }),
        (Err(error), Head { has_kind: true, .. }) => {
            Err(Malformed::new(at, Problem::json(&error)).into())
        }
        (Err(_), Head { .. }) => read_in_any_order(json, at),
    }
}

fn read_in_any_order<T: Document>(json: &[u8], at: Place) -> Result<T, DecodeError> {
    const NO_HEAD: Problem = Problem::Invalid("must be an object with a whole v and a text kind");
    let value = match serde_json::from_slice(json) {
        Ok(value) => value,
        Err(error) => return Err(Malformed::new(at, Problem::json(&error)).into()),
    };
    let Value::Object(mut members) = value else {
        return Err(Malformed::new(at, NO_HEAD).into());
    };
    let Some(found) = members.remove("v").and_then(|v| v.as_u64()) else {
        return Err(Malformed::new(at, NO_HEAD).into());
    };
    if found != u64::from(VERSION) {
        return Err(DecodeError::UnknownVersion { found });
    }
    let Some(Value::String(kind)) = members.remove("kind") else {
        return Err(Malformed::new(at, NO_HEAD).into());
    };
    T::from_kind(&kind, Value::Object(members))
        .map_err(|error| Malformed::new(at, Problem::json(&error)).into())
}

/// How far the first members could be read.
#[derive(Default)]
struct Head {
    version: Option<u64>,
    has_kind: bool,
}

struct InOrder<'h, T> {
    head: &'h mut Head,
    family: std::marker::PhantomData<T>,
}

impl<'de, T: Document> DeserializeSeed<'de> for InOrder<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, T: Document> Visitor<'de> for InOrder<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object that begins with v and kind")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let out_of_order = || de::Error::custom("v and kind do not come first");
        if map.next_key::<&str>()? != Some("v") {
            return Err(out_of_order());
        }
        let version = map.next_value()?;
        self.head.version = Some(version);
        if version != u64::from(VERSION) {
            return Err(de::Error::custom("unknown version"));
        }
        if map.next_key::<&str>()? != Some("kind") {
            return Err(out_of_order());
        }
        let kind: &str = map.next_value()?;
        self.head.has_kind = true;
        T::from_kind(kind, MapAccessDeserializer::new(map))
    }
}

/// The schema of `T` with `v` and `kind` in front.
pub(crate) fn schema<T: JsonSchema>(kind: &str, generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator);
    let object = schema.ensure_object();
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.insert("v".into(), serde_json::json!({ "const": VERSION }));
        properties.insert("kind".into(), serde_json::json!({ "const": kind }));
    }
    if let Some(Value::Array(required)) = object.get_mut("required") {
        required.splice(0..0, ["v".into(), "kind".into()]);
    }
    schema
}

/// Declares a family of JSON records.
macro_rules! documents {
    (
        $(#[$doc:meta])*
        $vis:vis enum $name:ident { $($(#[$kind_doc:meta])* $kind:literal => $variant:ident($body:ty),)+ }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(
            clippy::large_enum_variant,
            reason = "the small kinds are rare, and a box would cost each other record"
        )]
        $vis enum $name { $($(#[$kind_doc])* $variant($body),)+ }

        impl $name {
            /// Every kind, as `kind` names it.
            $vis const KINDS: &'static [&'static str] = &[$($kind),+];

            /// Which kind this is, as `kind` names it.
            #[must_use]
            $vis const fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)+ }
            }
        }

        impl crate::document::Document for $name {
            fn from_kind<'de, D: serde::Deserializer<'de>>(
                kind: &str,
                body: D,
            ) -> Result<Self, D::Error> {
                match kind {
                    $($kind => <$body as serde::Deserialize>::deserialize(body).map(Self::$variant),)+
                    other => Err(serde::de::Error::unknown_variant(other, Self::KINDS)),
                }
            }

            fn to_json(&self) -> Vec<u8> {
                match self { $(Self::$variant(body) => crate::document::write(self.kind(), body),)+ }
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let kinds = [$(crate::document::schema::<$body>($kind, generator)),+];
                schemars::json_schema!({ "oneOf": kinds })
            }
        }
    };
}
pub(crate) use documents;
