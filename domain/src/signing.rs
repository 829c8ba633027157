//! Signatures of what is sent, in two forms: Standard Webhooks 1.0 and the older one that Stripe
//! made known. Both are an HMAC-SHA256 over the moment and the body, so that neither can be changed
//! or sent again later.

mod secret;
mod verify;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

pub use secret::{BadSecret, Secret};
pub use verify::{BadSignature, Verified, verify_standard, verify_stripe};

use crate::time::Timestamp;

/// How far a signature's moment may lie from now, in seconds, unless somebody says otherwise: what
/// the libraries of both forms take.
pub const TOLERANCE_SECONDS: i64 = 300;

/// A moment as signatures have it: whole seconds since 1970, rounded down.
#[must_use]
pub const fn seconds(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1_000)
}

/// One signature of the header `webhook-signature`, `v1,<base64>`, over `<id>.<timestamp>.<body>`
/// (Standard Webhooks 1.0, "Signature scheme"). Several are joined with a space. `timestamp` is in
/// seconds.
#[must_use]
pub fn standard(secret: &Secret, id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut text = String::with_capacity(STANDARD_LENGTH);
    push_standard(&mut text, secret, id, &timestamp.to_string(), body);
    text
}

/// The length of one signature in Standard Webhooks' form.
pub const STANDARD_LENGTH: usize = "v1,".len() + 44;

/// The length of one signature in the older form, with the comma in front.
pub const STRIPE_LENGTH: usize = ",v1=".len() + 64;

/// As [`standard`], behind what is in `to` already; `timestamp` in decimal digits.
pub fn push_standard(to: &mut String, secret: &Secret, id: &str, timestamp: &str, body: &[u8]) {
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    to.push_str("v1,");
    BASE64.encode_string(secret.decoded().sign(&parts), to);
}

/// The header `x-webhook-signature`: `t=<seconds>,v1=<hex>[,v1=<hex>]` over `<seconds>.<body>`, one
/// signature for each of `secrets`, keyed with the secret's text as it is.
#[must_use]
pub fn stripe<'a>(
    secrets: impl IntoIterator<Item = &'a Secret>,
    timestamp: i64,
    body: &[u8],
) -> String {
    let timestamp = timestamp.to_string();
    let mut text = String::with_capacity(16 + STRIPE_LENGTH);
    text.push_str("t=");
    text.push_str(&timestamp);
    for secret in secrets {
        push_stripe(&mut text, secret, &timestamp, body);
    }
    text
}

/// One signature of the older form, with the comma in front, behind what is in `to` already.
pub fn push_stripe(to: &mut String, secret: &Secret, timestamp: &str, body: &[u8]) {
    let parts = [timestamp.as_bytes(), b".", body];
    let mut digits = [0; 64];
    let digest = secret.literal().sign(&parts);
    to.push_str(",v1=");
    if hex::encode_to_slice(digest, &mut digits).is_ok() {
        to.extend(digits.iter().map(|&digit| char::from(digit)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chance::Seeded;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn secret(text: &str) -> Secret {
        Secret::parse(text).unwrap()
    }

    #[test]
    fn the_vector_of_the_standard() {
        // standard-webhooks/standard-webhooks, libraries/*/test: the same in every language.
        let key = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(
            standard(&key, ID, AT, BODY),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn the_older_form_is_keyed_with_the_text_as_it_is() {
        // printf '1614265330.{"test": 2432232314}' | openssl dgst -sha256 -hmac "$SECRET"
        let key = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let other = secret("any string");
        let text = stripe([&key, &other], AT, BODY);
        assert_eq!(
            text,
            "t=1614265330,\
             v1=2e37df5d4a028c51a7f3133d64ae1e300d2c2c900f1b1d49d4369ad2530f8964,\
             v1=08de8c1a088246da6a33976a8a906a04213ec16df14cedeeef934c8469bc1320"
        );
        assert_eq!(text.len(), "t=1614265330".len() + 2 * STRIPE_LENGTH);
    }

    #[test]
    fn seconds_round_down_on_both_sides_of_1970() {
        for (millis, expected) in [(0, 0), (999, 0), (1_000, 1), (-1, -1), (-1_000, -1)] {
            assert_eq!(
                seconds(Timestamp::from_millis(millis)),
                expected,
                "{millis}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_nothing_else_does(
            seed: u64, id in "[A-Za-z0-9_-]{1,40}", at in 0_i64..4_000_000_000, age in -300_i64..=300,
            body in proptest::collection::vec(any::<u8>(), 0..300), flip: usize, bit in 0_u8..8,
        ) {
            let mut chance = Seeded::new(seed);
            let (old, new, strange) = (
                Secret::generate(&mut chance), Secret::generate(&mut chance), Secret::generate(&mut chance),
            );
            let both = [&new, &old];
            let now = at + age;
            let header = format!("{} {}", standard(&new, &id, at, &body), standard(&old, &id, at, &body));
            let time = at.to_string();
            let check = |secrets: &[&Secret], id: &str, time: &str, body: &[u8], now| {
                verify_standard(secrets, id, time, &header, body, now, TOLERANCE_SECONDS)
            };
            let signed = stripe(both, at, &body);
            let check_stripe = |secrets: &[&Secret], body: &[u8], now| {
                verify_stripe(secrets, &signed, body, now, TOLERANCE_SECONDS)
            };
            prop_assert_eq!(check(&both, &id, &time, &body, now), Ok(Verified { key: 0, age_seconds: age }));
            prop_assert_eq!(check(&[&strange, &old], &id, &time, &body, now).map(|v| v.key), Ok(1));
            prop_assert_eq!(check(&[&strange], &id, &time, &body, now), Err(BadSignature::NoMatch));
            prop_assert_eq!(check(&both, &id, &time, &body, at + 301), Err(BadSignature::TooOld));
            prop_assert_eq!(check(&both, &id, &time, &body, at - 301), Err(BadSignature::TooNew));
            let longer = format!("{id}x");
            prop_assert_eq!(check(&both, &longer, &time, &body, now), Err(BadSignature::NoMatch));
            prop_assert_eq!(check_stripe(&[&old], &body, now), Ok(Verified { key: 0, age_seconds: age }));
            prop_assert_eq!(check_stripe(&[&strange], &body, now), Err(BadSignature::NoMatch));
            let mut changed = body.clone();
            if changed.is_empty() { changed.push(0) } else { let at = flip % changed.len(); changed[at] ^= 1 << bit }
            prop_assert_eq!(check(&both, &id, &time, &changed, now), Err(BadSignature::NoMatch));
            prop_assert_eq!(check_stripe(&both, &changed, now), Err(BadSignature::NoMatch));
        }

        #[test]
        fn no_header_makes_a_check_panic(header in ".{0,80}", time in ".{0,20}", now: i64) {
            let key = secret("any string");
            let _ = verify_standard(&[&key], "a", &time, &header, b"", now, TOLERANCE_SECONDS);
            let _ = verify_stripe(&[&key], &header, b"", now, TOLERANCE_SECONDS);
        }
    }
}
