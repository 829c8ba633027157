//! What signs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::chance::Chance;

/// What a secret in Standard Webhooks' form begins with.
const PREFIX: &str = "whsec_";

/// The bytes of a generated secret: 24 to 64 by the standard; as many as the hash has.
const GENERATED: usize = 32;

/// The bytes that a given `whsec_` secret may decode to. The standard asks for 24 to 64; from 16 on
/// (NIST SP 800-107, 5.3.4: 112 bits and more) a secret that is in use elsewhere can be kept.
const DECODED: std::ops::RangeInclusive<usize> = 16..=64;

/// The bytes that a secret's text may have.
const TEXT: std::ops::RangeInclusive<usize> = 1..=256;

/// An HMAC key, its two inner hash states made ready, so that a signature costs its own bytes only.
#[derive(Clone)]
pub(super) struct Key(Hmac<Sha256>);

impl Key {
    fn new(bytes: &[u8]) -> Self {
        Self(Hmac::new_from_slice(bytes).expect("HMAC takes keys of any length"))
    }

    pub(super) fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.over(parts).finalize().into_bytes().into()
    }

    /// Whether `digest` signs `parts`, in a time that does not tell where they differ.
    pub(super) fn verify(&self, parts: &[&[u8]], digest: &[u8]) -> bool {
        self.over(parts).verify_slice(digest).is_ok()
    }

    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

/// A shared secret: `whsec_` and base64, or any text for the older form. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct Secret {
    text: Box<str>,
    decoded: Key,
    literal: Key,
    is_standard: bool,
}

/// A text that can be no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Too short or too long.
    #[error("a secret has 1 to 256 bytes")]
    Length,
    /// Something that would not survive a header, a shell or a configuration file.
    #[error("a secret has no control characters")]
    Control,
    /// `whsec_` and then no base64: no library could make a key of it.
    #[error("what follows whsec_ is base64 with padding")]
    Base64,
    /// `whsec_` and then too few bytes, or too many.
    #[error("what follows whsec_ decodes to 16 to 64 bytes")]
    Size,
}

impl Secret {
    /// Reads a secret as a client gives it, and as it rests.
    ///
    /// # Errors
    /// When it can be none; never quotes it.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        if !TEXT.contains(&text.len()) {
            return Err(BadSecret::Length);
        }
        if text.chars().any(char::is_control) {
            return Err(BadSecret::Control);
        }
        let Some(encoded) = text.strip_prefix(PREFIX) else {
            // Raw bytes are how the standard's libraries take a key that is not in its form.
            return Ok(Self::new(text.into(), text.as_bytes(), false));
        };
        let decoded = BASE64.decode(encoded).map_err(|_| BadSecret::Base64)?;
        if !DECODED.contains(&decoded.len()) {
            return Err(BadSecret::Size);
        }
        Ok(Self::new(text.into(), &decoded, true))
    }

    /// A new one in Standard Webhooks' form, of 256 random bits. `chance` has to be fit for keys.
    #[must_use]
    pub fn generate(chance: &mut dyn Chance) -> Self {
        let mut bytes = [0; GENERATED];
        for eight in bytes.chunks_exact_mut(8) {
            eight.copy_from_slice(&chance.next_u64().to_le_bytes());
        }
        let text = format!("{PREFIX}{}", BASE64.encode(bytes));
        Self::new(text.into(), &bytes, true)
    }

    fn new(text: Box<str>, decoded: &[u8], is_standard: bool) -> Self {
        Self {
            decoded: Key::new(decoded),
            literal: Key::new(text.as_bytes()),
            text,
            is_standard,
        }
    }

    /// The text, to be shown to its owner or to be sealed.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Whether it is in Standard Webhooks' form, so that any of its libraries takes it as it is.
    #[must_use]
    pub const fn is_standard(&self) -> bool {
        self.is_standard
    }

    pub(super) const fn decoded(&self) -> &Key {
        &self.decoded
    }

    pub(super) const fn literal(&self) -> &Key {
        &self.literal
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Seeded;

    #[test]
    fn what_can_be_a_secret() {
        let long = "x".repeat(256);
        let too_long = "x".repeat(257);
        let of = |bytes: usize| format!("whsec_{}", BASE64.encode(vec![7; bytes]));
        let (short, least, most, over) = (of(15), of(16), of(64), of(65));
        for (text, expected) in [
            ("", Err(BadSecret::Length)),
            ("x", Ok(false)),
            ("any string, é", Ok(false)),
            (&long, Ok(false)),
            (&too_long, Err(BadSecret::Length)),
            ("a\nb", Err(BadSecret::Control)),
            ("whsec_", Err(BadSecret::Size)),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Ok(true)),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
                Err(BadSecret::Base64),
            ),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa_-",
                Err(BadSecret::Base64),
            ),
            (&short, Err(BadSecret::Size)),
            (&least, Ok(true)),
            (&most, Ok(true)),
            (&over, Err(BadSecret::Size)),
        ] {
            let read = Secret::parse(text);
            assert_eq!(
                read.as_ref().map(Secret::is_standard),
                expected.as_ref().copied(),
                "{text}"
            );
            if let Ok(secret) = read {
                assert_eq!(secret.reveal(), text);
            }
        }
    }

    #[test]
    fn a_generated_one_is_read_back_and_repeats_with_its_seed() {
        let make = |seed| Secret::generate(&mut Seeded::new(seed));
        let secret = make(1);
        let read = Secret::parse(secret.reveal()).unwrap();
        assert_eq!(read.decoded().sign(&[b"x"]), secret.decoded().sign(&[b"x"]));
        assert_eq!(read.literal().sign(&[b"x"]), secret.literal().sign(&[b"x"]));
        assert_ne!(
            secret.decoded().sign(&[b"x"]),
            secret.literal().sign(&[b"x"])
        );
        assert_eq!(secret.reveal(), make(1).reveal());
        assert_ne!(secret.reveal(), make(2).reveal());
    }

    #[test]
    fn it_is_not_shown() {
        let secret = Secret::parse("any string").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn the_key_of_rfc_4231() {
        // Test case 2.
        let digest = Key::new(b"Jefe").sign(&[b"what do ya want ", b"for nothing?"]);
        assert_eq!(
            hex::encode(digest),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
