//! The members of the request's object, each as the text that it is.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

macro_rules! members {
    ($($name:ident = $text:literal,)+) => {
        /// A member that an event may have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Member {
            $($name,)+
        }

        impl Member {
            const COUNT: usize = [$($text),+].len();

            fn named(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// Where it is, as a JSON pointer.
            pub(super) const fn pointer(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("/", $text),)+
                }
            }
        }
    };
}

members! {
    EventType = "event_type",
    Payload = "payload",
    EndpointId = "endpoint_id",
    EventId = "event_id",
    OrderingKey = "ordering_key",
    Priority = "priority",
    IdempotencyKey = "idempotency_key",
    DeliverAfter = "deliver_after",
    Source = "source",
    Tags = "tags",
}

/// The most unknown members that are told; the rest of a body full of them adds nothing.
const MOST_UNKNOWN: usize = 32;

/// What a body holds. Each member is read over once, and not into anything.
#[derive(Default)]
pub(super) struct Members<'a> {
    found: [Option<&'a RawValue>; Member::COUNT],
    pub(super) unknown: Vec<String>,
    pub(super) repeated: Vec<Member>,
}

impl<'a> Members<'a> {
    /// The JSON of a member. One that is null says nothing.
    pub(super) fn get(&self, member: Member) -> Option<&'a str> {
        self.raw(member).filter(|json| *json != "null")
    }

    /// As [`get`](Self::get), null as it is.
    pub(super) fn raw(&self, member: Member) -> Option<&'a str> {
        self.found[member as usize].map(RawValue::get)
    }

    fn add(&mut self, member: Member, json: &'a RawValue) {
        let is_new = self.found[member as usize].replace(json).is_none();
        if !is_new && !self.repeated.contains(&member) {
            self.repeated.push(member);
        }
    }
}

/// A member's name: known, or as it is.
enum Name {
    Known(Member),
    Unknown(String),
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                let known = Member::named(name).map(Name::Known);
                Ok(known.unwrap_or_else(|| Name::Unknown(name.to_owned())))
            }
        }

        from.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event as a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some((name, json)) = map.next_entry::<Name, &RawValue>()? {
                    match name {
                        Name::Known(member) => members.add(member, json),
                        Name::Unknown(name) if members.unknown.len() < MOST_UNKNOWN => {
                            members.unknown.push(name);
                        }
                        Name::Unknown(_) => {}
                    }
                }
                Ok(members)
            }
        }

        from.deserialize_map(Object)
    }
}
