//! JSON objects of which no member is given twice: readers differ in which one they take, so nobody
//! can say which was meant.

use std::fmt;

use problem::{Problem, body};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads a body that is to be a JSON object.
///
/// # Errors
/// 400 for what is no such JSON.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    match body::json::<Strict>(bytes)?.0 {
        Value::Object(members) => Ok(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Problem::new(
                http::StatusCode::BAD_REQUEST,
                "invalid_json",
                "the body must be a JSON object",
            ))
        }
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = from.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Strict(value))) = from.next_entry::<String, _>()? {
            if members.insert(name, value).is_some() {
                // The name may be long, or a secret in the wrong place: line and column say where.
                return Err(A::Error::custom("a member is given twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_whose_members_are_given_once() {
        let read = object(br#"{"a": [1, -2, 2.5, null, true, {"b": "\u00e9"}]}"#).unwrap();
        let value: Value = serde_json::from_str(r#"{"a":[1,-2,2.5,null,true,{"b":"é"}]}"#).unwrap();
        assert_eq!(Value::Object(read), value);
        for bad in [
            "",
            "[]",
            "1",
            "null",
            "{",
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"\u0062":2}}"#,
        ] {
            assert_eq!(
                object(bad.as_bytes()).unwrap_err().code(),
                "invalid_json",
                "{bad}"
            );
        }
    }
}
