//! Cursors: where a page of one list ends or begins, as a text that clients hand back and needn't
//! understand. It names a row, so it stays true while rows arrive; and it knows the list and the
//! filters that it belongs to, so it is never taken for another's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use domain::time::Timestamp;
use projections_port::Cursor;
use schemas::ids::EndpointId;
use sha2::{Digest, Sha256};

/// The longest cursor that is looked at, in bytes; ours have about 150.
const LONGEST: usize = 512;

/// Bytes of the hash in front: enough that damage and mixing up are noticed. It keeps nobody out,
/// and needn't: a cursor shows no row that its holder may not see without it.
const CHECK: usize = 8;

/// A row of a list.
pub(crate) trait Place: Sized {
    /// As text, without `|`.
    fn write(&self) -> String;
    /// Back from it.
    fn read(text: &str) -> Option<Self>;
}

impl Place for Cursor {
    fn write(&self) -> String {
        let delivery = self.delivery.map(|id| id.to_string()).unwrap_or_default();
        let at = self.accepted_at.as_millis();
        format!("{at};{};{delivery}", self.acceptance)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let accepted_at = Timestamp::from_millis(parts.next()?.parse().ok()?);
        let acceptance = parts.next()?.parse().ok()?;
        let delivery = match parts.next()? {
            "" => None,
            id => Some(id.parse().ok()?),
        };
        Some(Self {
            accepted_at,
            acceptance,
            delivery,
        })
    }
}

impl Place for EndpointId {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Place for usize {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Where a page is, seen from a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At<P> {
    /// The page behind it.
    Behind(P),
    /// The page in front of it.
    Before(P),
}

/// Which list, of whom, with which filters, in which order.
#[derive(Clone, Debug)]
pub(crate) struct ListId(pub(crate) String);

impl ListId {
    /// The text for a page of this list.
    pub(crate) fn seal<P: Place>(&self, at: &At<P>) -> String {
        let text = match at {
            At::Behind(place) => format!("n|{}", place.write()),
            At::Before(place) => format!("p|{}", place.write()),
        };
        let sealed = [self.check(&text).as_slice(), text.as_bytes()].concat();
        BASE64.encode(sealed)
    }

    /// What a text that a client hands back says; `None` when it is none of this list's.
    pub(crate) fn open<P: Place>(&self, sealed: &str) -> Option<At<P>> {
        if sealed.len() > LONGEST {
            return None;
        }
        let bytes = BASE64.decode(sealed).ok()?;
        let (check, text) = bytes.split_at_checked(CHECK)?;
        let text = std::str::from_utf8(text).ok()?;
        if self.check(text) != check {
            return None;
        }
        let (direction, place) = text.split_once('|')?;
        let place = P::read(place)?;
        match direction {
            "n" => Some(At::Behind(place)),
            "p" => Some(At::Before(place)),
            _ => None,
        }
    }

    fn check(&self, text: &str) -> [u8; CHECK] {
        let mut hash = Sha256::new_with_prefix(b"postrider cursor 1\0");
        hash.update(self.0.as_bytes());
        hash.update(b"\0");
        hash.update(text.as_bytes());
        let digest = hash.finalize();
        std::array::from_fn(|i| digest[i])
    }
}

#[cfg(test)]
mod tests {
    use schemas::ids::DeliveryId;
    use schemas::origin::{Acceptance, Run};

    use super::*;

    #[test]
    fn a_cursor_says_what_it_said_to_its_own_list_only() {
        let list = ListId("events of a".to_owned());
        let acceptance = Acceptance::inbox(3, u64::MAX);
        let endpoint = EndpointId::new(Timestamp::default(), 7);
        let delivery = DeliveryId::derive(acceptance, Timestamp::default(), endpoint, Run::First);
        for delivery in [None, Some(delivery)] {
            let at = At::Behind(Cursor {
                accepted_at: Timestamp::from_millis(-5),
                acceptance,
                delivery,
            });
            let sealed = list.seal(&at);
            assert_eq!(list.open(&sealed), Some(at));
            assert_eq!(ListId("of b".to_owned()).open::<Cursor>(&sealed), None);
            for at in 0..sealed.len() {
                let mut damaged = sealed.clone().into_bytes();
                damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
                let damaged = String::from_utf8(damaged).unwrap();
                assert_eq!(list.open::<Cursor>(&damaged), None, "at {at}");
            }
        }
        let before = At::Before(endpoint);
        assert_eq!(list.open(&list.seal(&before)), Some(before));
        for bad in ["", "x", "AAAA", &"A".repeat(10_000), "é"] {
            assert_eq!(list.open::<Cursor>(bad), None);
        }
    }
}
