//! Ids. Time and chance are arguments: nothing here reads a clock or draws a number.

use std::fmt;
use std::str::FromStr;

use bytestring::ByteString;
use domain::time::Timestamp;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid, Version};

use crate::error::Invalid;
use crate::origin::{Acceptance, Run};
use crate::text::{checked_text, is_word, text_in_json};

/// A UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, then the low 74 bits of `random`. A
/// moment outside 1970 to 10889, which those 48 bits cannot say, is told as the nearest one.
fn uuid_v7(at: Timestamp, random: u128) -> Uuid {
    const LAST: u64 = (1 << 48) - 1;
    let millis = u64::try_from(at.as_millis()).unwrap_or(0).min(LAST);
    let low = random & ((1 << 62) - 1);
    let high = (random >> 62) & 0xfff;
    Uuid::from_u128((u128::from(millis) << 80) | (7 << 76) | (high << 64) | (0b10 << 62) | low)
}

fn parse_uuid(text: &str, version: Version) -> Option<Uuid> {
    let uuid = (text.len() == 36).then(|| Uuid::try_parse(text).ok())??;
    (uuid.get_version() == Some(version)).then_some(uuid)
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $version:expr, $rule:literal, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What its text begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The UUID behind the prefix.
            #[must_use]
            pub const fn uuid(&self) -> Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            /// Reads the id with its prefix or without, in either case of hex digits.
            fn from_str(text: &str) -> Result<Self, Invalid> {
                let bare = text.strip_prefix($prefix).unwrap_or(text);
                parse_uuid(bare, $version).map(Self).ok_or(Invalid($rule))
            }
        }

        impl TryFrom<Uuid> for $name {
            type Error = Invalid;

            fn try_from(uuid: Uuid) -> Result<Self, Invalid> {
                let fits = uuid.get_version() == Some($version);
                fits.then_some(Self(uuid)).ok_or(Invalid($rule))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            }
        }

        text_in_json!($name, $pattern, $rule);
    };
}

macro_rules! generated_id {
    ($($name:ident),+) => {$(
        impl $name {
            /// An id made at `at`, by the wall clock, from the low 74 bits of `random`; the others
            /// are not used.
            #[must_use]
            pub fn new(at: Timestamp, random: u128) -> Self {
                Self(uuid_v7(at, random))
            }
        }
    )+};
}

prefixed_id! {
    /// An endpoint: `ep_` and a UUIDv7.
    EndpointId, "ep_", Version::SortRand, "an endpoint id is ep_ and a UUIDv7",
    "^ep_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
}

prefixed_id! {
    /// A replay: `rpl_` and a UUIDv7.
    ReplayId, "rpl_", Version::SortRand, "a replay id is rpl_ and a UUIDv7",
    "^rpl_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
}

prefixed_id! {
    /// An API key's public id: `key_` and a UUIDv7. Not the secret.
    KeyId, "key_", Version::SortRand, "a key id is key_ and a UUIDv7",
    "^key_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
}

generated_id!(EndpointId, ReplayId, KeyId);

prefixed_id! {
    /// A delivery: `dlv_` and a UUIDv8 derived from what the delivery is, so that whoever knows
    /// the one knows the other, without a look-up.
    DeliveryId, "dlv_", Version::Custom, "a delivery id is dlv_ and a UUIDv8",
    "^dlv_[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
}

impl DeliveryId {
    /// The id of the delivery of what was accepted at `acceptance`, where it was appended at `accepted_at`, to
    /// `endpoint` in `run`: that time in milliseconds, as a UUIDv7 has it (RFC 9562, section 5.7), so that ids sort by
    /// it, and 74 bits of the SHA-256 of the others. Frozen from the first release on: ids that
    /// were given out must keep their meaning.
    #[must_use]
    pub fn derive(
        acceptance: Acceptance,
        accepted_at: Timestamp,
        endpoint: EndpointId,
        run: Run,
    ) -> Self {
        let position = acceptance.position();
        let mut hash = Sha256::new_with_prefix(b"postrider delivery 2\0");
        hash.update([acceptance.door_code()]);
        hash.update(position.partition.to_be_bytes());
        hash.update(position.offset.to_be_bytes());
        hash.update(endpoint.0.as_bytes());
        match run {
            Run::First => hash.update([0; 16]),
            Run::Replay(replay) => hash.update(replay.0.as_bytes()),
        }
        let random = u128::from_be_bytes(front_of(hash));
        let bytes = uuid_v7(accepted_at, random).into_bytes();
        Self(Builder::from_custom_bytes(bytes).into_uuid())
    }
}

/// The first 16 bytes of what was hashed.
fn front_of(hash: Sha256) -> [u8; 16] {
    let digest = hash.finalize();
    std::array::from_fn(|i| digest[i])
}

checked_text! {
    /// An event's id, and its `webhook-id`: generated (`evt_` and a UUIDv7) or the caller's own,
    /// `[A-Za-z0-9_-]{1,255}`. The text is the identity: it is kept and compared as it was given.
    EventId, "an event id has 1 to 255 letters, digits, '_' or '-'", "^[A-Za-z0-9_-]{1,255}$",
    |text| is_word(text, 255, b"_-")
}

impl EventId {
    /// What the text of a generated id begins with.
    pub const PREFIX: &'static str = "evt_";

    /// A generated id, made at `at`, by the wall clock, from the low 74 bits of `random`.
    #[must_use]
    pub fn new(at: Timestamp, random: u128) -> Self {
        Self::of_uuid(uuid_v7(at, random))
    }

    /// The id of an event that a Kafka producer wrote to partition `partition` of `inbox`, where it
    /// was appended at `at`: derived, so that whoever reads the record gives it the same id.
    #[must_use]
    pub fn of_inbox(partition: u32, offset: u64, at: Timestamp) -> Self {
        let mut hash = Sha256::new_with_prefix(b"postrider event 1\0");
        hash.update(partition.to_be_bytes());
        hash.update(offset.to_be_bytes());
        Self::new(at, u128::from_be_bytes(front_of(hash)))
    }

    fn of_uuid(uuid: Uuid) -> Self {
        Self::known(format!("{}{}", Self::PREFIX, uuid.hyphenated()).into())
    }

    const fn known(text: ByteString) -> Self {
        Self(text)
    }

    /// The UUID of a generated id; `None` for a caller's own.
    #[must_use]
    pub fn uuid(&self) -> Option<Uuid> {
        let bare = self.as_str().strip_prefix(Self::PREFIX)?;
        let uuid = parse_uuid(bare, Version::SortRand)?;
        (!bare.bytes().any(|b| b.is_ascii_uppercase())).then_some(uuid)
    }

    /// The ids that a client may mean by `text`, likeliest first: the text itself, and for a bare
    /// UUIDv7 the generated id that it is short for.
    ///
    /// # Errors
    /// When `text` can be no event id.
    pub fn meant_by(text: &str) -> Result<(Self, Option<Self>), Invalid> {
        let own: Self = text.parse()?;
        match parse_uuid(text, Version::SortRand) {
            Some(uuid) => Ok((Self::of_uuid(uuid), Some(own))),
            None => Ok((own, None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Position;
    use crate::topics::Topic;

    const AT: Timestamp = Timestamp::from_millis(0x0123_4567_89ab);

    #[test]
    fn bits_of_a_version_7_uuid_lie_where_the_rfc_puts_them() {
        assert_eq!(
            EndpointId::new(AT, u128::MAX).to_string(),
            "ep_01234567-89ab-7fff-bfff-ffffffffffff"
        );
        assert_eq!(
            EndpointId::new(AT, 0).to_string(),
            "ep_01234567-89ab-7000-8000-000000000000"
        );
        assert_eq!(
            KeyId::new(Timestamp::from_millis(i64::MIN), 1 << 62).to_string(),
            "key_00000000-0000-7001-8000-000000000000"
        );
        assert_eq!(
            ReplayId::new(Timestamp::from_millis(i64::MAX), 5).to_string(),
            "rpl_ffffffff-ffff-7000-8000-000000000005"
        );
    }

    #[test]
    fn an_id_is_read_with_and_without_its_prefix() {
        let id = EndpointId::new(AT, 42);
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text["ep_".len()..].parse(), Ok(id));
        assert_eq!(text["ep_".len()..].to_uppercase().parse(), Ok(id));
        let bare = id.uuid().simple().to_string();
        for bad in [
            "",
            "ep_",
            "ep_ep_",
            "rpl_01234567-89ab-7000-8000-00000000002a",
            &bare,
        ] {
            assert!(bad.parse::<EndpointId>().is_err(), "{bad}");
        }
        assert!(
            text["ep_".len()..].parse::<DeliveryId>().is_err(),
            "a delivery's is version 8"
        );
        assert_eq!(id.uuid().try_into(), Ok(id));
        assert!(DeliveryId::try_from(id.uuid()).is_err());
    }

    #[test]
    fn a_delivery_id_keeps_its_meaning_for_ever() {
        let endpoint = EndpointId::new(AT, 42);
        let at = |topic, partition, offset| {
            Acceptance::try_from(Position {
                topic,
                partition,
                offset,
            })
            .unwrap()
        };
        let replay = Run::Replay(ReplayId::new(AT, 1));
        let later = Timestamp::from_millis(AT.as_millis() + 1);
        let first = DeliveryId::derive(at(Topic::Events, 3, 120), AT, endpoint, Run::First);
        assert_eq!(
            first.to_string(),
            "dlv_01234567-89ab-8611-b85f-67fe0d0eb83f"
        );
        let all = [
            first,
            DeliveryId::derive(at(Topic::Inbox, 3, 120), AT, endpoint, Run::First),
            DeliveryId::derive(at(Topic::Events, 4, 120), AT, endpoint, Run::First),
            DeliveryId::derive(at(Topic::Events, 3, 121), AT, endpoint, Run::First),
            DeliveryId::derive(
                at(Topic::Events, 3, 120),
                AT,
                EndpointId::new(AT, 43),
                Run::First,
            ),
            DeliveryId::derive(at(Topic::Events, 3, 120), AT, endpoint, replay),
            DeliveryId::derive(at(Topic::Events, 3, 120), later, endpoint, Run::First),
        ];
        assert!(all.iter().all(|id| id <= &all[6]), "they sort by time");
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn an_event_id_is_the_text_that_was_given() {
        let generated = EventId::new(AT, 7);
        assert_eq!(
            generated.as_str(),
            "evt_01234567-89ab-7000-8000-000000000007"
        );
        assert!(generated.uuid().is_some());
        let upper: EventId = "evt_01234567-89AB-7000-8000-000000000007".parse().unwrap();
        assert_eq!(upper.uuid(), None);
        assert_ne!(upper, generated);
        for bad in ["", "a.b", "a b", "é", "a\0", &"x".repeat(256)] {
            assert!(bad.parse::<EventId>().is_err(), "{bad}");
        }
        assert!("x".repeat(255).parse::<EventId>().is_ok());
    }

    #[test]
    fn a_bare_uuid_may_mean_two_ids() {
        let bare = "01234567-89ab-7000-8000-000000000007";
        let (first, second) = EventId::meant_by(bare).unwrap();
        assert_eq!(first, EventId::new(AT, 7));
        assert_eq!(second.unwrap().as_str(), bare);
        assert_eq!(
            EventId::meant_by("order-7").unwrap(),
            ("order-7".parse().unwrap(), None)
        );
    }

    #[test]
    fn an_inbox_record_has_one_id_whoever_reads_it() {
        let id = EventId::of_inbox(3, 120, AT);
        assert_eq!(id, EventId::of_inbox(3, 120, AT));
        assert_ne!(id, EventId::of_inbox(3, 121, AT));
        assert_ne!(id, EventId::of_inbox(4, 120, AT));
        assert!(id.uuid().is_some());
    }
}
