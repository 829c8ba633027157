//! How secrets rest: sealed with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), bound to what they
//! belong to, so that a sealed value moved to another endpoint does not open.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::chance::Chance;

/// The bytes of a nonce. Long enough that random ones never meet (same draft, section 3.1).
const NONCE: usize = 24;

/// What is longer by sealing: the nonce in front and the tag behind.
pub const OVERHEAD: usize = NONCE + 16;

/// Seals and opens with one key. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct Sealer(XChaCha20Poly1305);

/// A value that does not open: another key sealed it, it belongs to something else, or it is damaged.
/// Which of them cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open with this secret key")]
pub struct NotOurs;

impl Sealer {
    /// A sealer with `key`.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(&key.into()))
    }

    /// Seals `plain` for `context`. `chance` has to be fit for keys.
    #[must_use]
    pub fn seal(&self, plain: &[u8], context: &[u8], chance: &mut dyn Chance) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        for eight in nonce.chunks_exact_mut(8) {
            eight.copy_from_slice(&chance.next_u64().to_le_bytes());
        }
        let payload = Payload {
            msg: plain,
            aad: context,
        };
        let sealed = self
            .0
            .encrypt(XNonce::from_slice(&nonce), payload)
            .expect("nothing that is sealed comes near the cipher's limit of 256 GiB");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what was sealed for `context`.
    ///
    /// # Errors
    /// When it was not, or not with this key.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Vec<u8>, NotOurs> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or(NotOurs)?;
        let payload = Payload {
            msg: sealed,
            aad: context,
        };
        self.0
            .decrypt(XNonce::from_slice(nonce), payload)
            .map_err(|_| NotOurs)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

/// What a sealed value of the endpoint with id `endpoint` is bound to: `what` is a secret's id, or
/// `header:<name in lower case>` for a custom header. Frozen: what was sealed must open for ever.
#[must_use]
pub fn context(endpoint: &str, what: &str) -> Vec<u8> {
    // An id has no NUL, so no two pairs read the same.
    ["postrider sealed 1", endpoint, what]
        .join("\0")
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chance::Seeded;

    #[test]
    fn a_value_that_was_sealed_once_opens_for_ever() {
        let context = context("ep_1", "sec_1");
        assert_eq!(context, b"postrider sealed 1\0ep_1\0sec_1");
        let sealed = Sealer::new([7; 32]).seal(b"whsec_x", &context, &mut Seeded::new(1));
        assert_eq!(
            hex::encode(&sealed),
            "9bc2036f7fd0c5cf8de03f96324142bf20f5aa57577da319516a8a570f09296e66305978eb85843427d03ec28be504"
        );
    }

    #[test]
    fn the_vector_of_the_draft_opens() {
        // draft-irtf-cfrg-xchacha-03, appendix A.3.1.
        let key: Vec<u8> = (0x80..0xa0).collect();
        let aad = [
            0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
        ];
        let nonce: Vec<u8> = (0x40..0x58).collect();
        let text = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39\
                    ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
                    21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";
        let sealed = [nonce, hex::decode(text).unwrap()].concat();
        let plain = Sealer::new(key.try_into().unwrap())
            .open(&sealed, &aad)
            .unwrap();
        assert!(plain.starts_with(b"Ladies and Gentlemen of the class of '99"));
    }

    proptest! {
        #[test]
        fn it_opens_as_it_was_and_nowhere_else(
            plain in proptest::collection::vec(any::<u8>(), 0..100), seed: u64, at: usize, bit in 0_u8..8,
        ) {
            let sealer = Sealer::new([1; 32]);
            let mut chance = Seeded::new(seed);
            let here = context("ep_1", "a");
            let mut sealed = sealer.seal(&plain, &here, &mut chance);
            prop_assert_eq!(sealed.len(), plain.len() + OVERHEAD);
            prop_assert_ne!(&sealed, &sealer.seal(&plain, &here, &mut chance));
            prop_assert_eq!(sealer.open(&sealed, &here), Ok(plain));
            for elsewhere in [context("ep_1", "b"), context("ep_2", "a"), Vec::new()] {
                prop_assert_eq!(sealer.open(&sealed, &elsewhere), Err(NotOurs));
            }
            prop_assert_eq!(Sealer::new([2; 32]).open(&sealed, &here), Err(NotOurs));
            prop_assert_eq!(sealer.open(&sealed[..sealed.len() - 1], &here), Err(NotOurs));
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(sealer.open(&sealed, &here), Err(NotOurs));
        }
    }

    #[test]
    fn what_is_too_short_does_not_open() {
        let sealer = Sealer::new([1; 32]);
        for length in [0, 1, NONCE, OVERHEAD - 1, OVERHEAD] {
            assert_eq!(sealer.open(&vec![0; length], b""), Err(NotOurs), "{length}");
        }
    }
}
