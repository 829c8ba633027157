//! CloudEvents in structured mode: a record whose value is the event in JSON. It is turned into the
//! same event in binary mode, so that both are read by one decoder.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use bytestring::ByteString;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Malformed, Place, Problem};
use crate::headers::{self, CE};
use crate::parts::{Header, Parts};
use crate::text::is_json;

const DATA: &str = "data";
const DATA_BASE64: &str = "data_base64";
const DATA_CONTENT_TYPE: &str = "datacontenttype";

/// The members of a JSON object as they come, those that are there twice included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a CloudEvent as a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(InOrder)
    }
}

pub(super) fn to_binary(parts: &Parts) -> Result<Parts, Malformed> {
    let bad = |problem| Malformed::new(Place::Value, problem);
    let value = parts.value.as_ref().ok_or(bad(Problem::Missing))?;
    let Members(members) =
        serde_json::from_slice(value).map_err(|error| bad(Problem::json(&error)))?;
    let mut headers = plain_headers(parts);
    let mut payload = None;
    for (name, json) in members.iter().filter(|(_, json)| json.get() != "null") {
        let is_first = match name.as_str() {
            DATA => payload.replace(data(value, json, &members)).is_none(),
            DATA_BASE64 => payload.replace(data_base64(json)).is_none(),
            _ => {
                headers.push(attribute(name, json)?);
                true
            }
        };
        if !is_first {
            return Err(bad(Problem::Repeated));
        }
    }
    let payload = payload.transpose()?;
    Ok(Parts {
        key: parts.key.clone(),
        headers,
        // An event without data has an empty payload, as in binary mode.
        value: Some(payload.unwrap_or_default()),
    })
}

/// The headers that mean the same in every form.
fn plain_headers(parts: &Parts) -> Vec<Header> {
    let is_plain = |h: &&Header| !h.name.starts_with(CE) && h.name != headers::CONTENT_TYPE;
    parts.headers.iter().filter(is_plain).cloned().collect()
}

/// Text as it is; a number or a truth value in its JSON spelling, which is CloudEvents' canonical one.
fn attribute(name: &str, json: &RawValue) -> Result<Header, Malformed> {
    let header = match name {
        DATA_CONTENT_TYPE => ByteString::from_static(headers::CONTENT_TYPE),
        other => format!("{CE}{other}").into(),
    };
    let bad = || {
        let problem = Problem::Invalid("an attribute is a text, a number or a truth value");
        Malformed::new(Place::Header(header.clone()), problem)
    };
    let value = match json.get().as_bytes().first() {
        Some(b'"') => text(json).ok_or_else(bad)?,
        Some(b'{' | b'[') | None => return Err(bad()),
        Some(_) => json.get().to_owned(),
    };
    Ok(Header {
        name: header,
        value: Some(value.into()),
    })
}

fn text(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}

/// The payload: the very bytes of `data`; or, where the media type says that they are no JSON and
/// they are a text, that text (CloudEvents 1.0.2 JSON format, section 3.1.1).
fn data(
    value: &Bytes,
    json: &RawValue,
    members: &[(String, &RawValue)],
) -> Result<Bytes, Malformed> {
    let media_type = members.iter().find(|(name, _)| name == DATA_CONTENT_TYPE);
    let media_type = media_type.and_then(|(_, json)| text(json));
    if media_type.is_none_or(|media_type| is_json(&media_type)) {
        return Ok(value.slice_ref(json.get().as_bytes()));
    }
    Ok(text(json).map_or_else(|| value.slice_ref(json.get().as_bytes()), Bytes::from))
}

fn data_base64(json: &RawValue) -> Result<Bytes, Malformed> {
    let bad = Malformed::new(Place::Value, Problem::Invalid("data_base64 must be base64"));
    let text = text(json).ok_or(bad.clone())?;
    BASE64.decode(text).map(Bytes::from).map_err(|_| bad)
}
