//! Checking a signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Secret;

/// The most signatures of one header that are looked at: more than any sender has keys.
const MAX_SIGNATURES: usize = 16;

/// A signature that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Which of the secrets made it, from 0.
    pub key: usize,
    /// How old it is; negative when its moment is still to come.
    pub age_seconds: i64,
}

/// A signature that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The moment is missing or is no whole number of seconds.
    #[error("the timestamp can't be read")]
    Timestamp,
    /// No signature of a kind that is known.
    #[error("there is no v1 signature")]
    Missing,
    /// None of the secrets made any of the signatures over this body.
    #[error("no signature matches")]
    NoMatch,
    /// Its moment is further back than is tolerated.
    #[error("the timestamp is too old")]
    TooOld,
    /// Its moment is further ahead than is tolerated.
    #[error("the timestamp is too far in the future")]
    TooNew,
}

/// Checks `webhook-id`, `webhook-timestamp` and `webhook-signature` over `body` at `now`, both in
/// seconds. Which signature fits takes the same time wherever it differs.
///
/// # Errors
/// When none of `secrets` signed it, or `tolerance` seconds are passed either way. A wrong
/// signature is told before a wrong moment, so that the moment can be believed.
pub fn verify_standard(
    secrets: &[&Secret],
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now: i64,
    tolerance: i64,
) -> Result<Verified, BadSignature> {
    let at = moment(timestamp)?;
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let digests: Vec<Vec<u8>> = signatures
        .split(' ')
        .filter_map(|one| BASE64.decode(one.strip_prefix("v1,")?).ok())
        .take(MAX_SIGNATURES)
        .collect();
    let key = find(secrets, &digests, |secret, digest| {
        secret.decoded().verify(&parts, digest)
    })?;
    in_time(key, at, now, tolerance)
}

/// Checks `x-webhook-signature` over `body` at `now`, in seconds.
///
/// # Errors
/// As [`verify_standard`].
pub fn verify_stripe(
    secrets: &[&Secret],
    header: &str,
    body: &[u8],
    now: i64,
    tolerance: i64,
) -> Result<Verified, BadSignature> {
    let mut fields = header.split(',').filter_map(|field| field.split_once('='));
    let timestamp = fields.clone().find(|(name, _)| name.trim() == "t");
    let (_, timestamp) = timestamp.ok_or(BadSignature::Timestamp)?;
    let at = moment(timestamp)?;
    let parts = [timestamp.as_bytes(), b".", body];
    let digests: Vec<Vec<u8>> = fields
        .by_ref()
        .filter(|(name, _)| name.trim() == "v1")
        .filter_map(|(_, digits)| hex::decode(digits.trim()).ok())
        .take(MAX_SIGNATURES)
        .collect();
    let key = find(secrets, &digests, |secret, digest| {
        secret.literal().verify(&parts, digest)
    })?;
    in_time(key, at, now, tolerance)
}

fn moment(text: &str) -> Result<i64, BadSignature> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let read = digits.then(|| text.parse().ok()).flatten();
    read.ok_or(BadSignature::Timestamp)
}

fn find(
    secrets: &[&Secret],
    digests: &[Vec<u8>],
    fits: impl Fn(&Secret, &[u8]) -> bool,
) -> Result<usize, BadSignature> {
    if digests.is_empty() {
        return Err(BadSignature::Missing);
    }
    let signed = |secret: &&Secret| digests.iter().any(|digest| fits(secret, digest));
    secrets.iter().position(signed).ok_or(BadSignature::NoMatch)
}

fn in_time(key: usize, at: i64, now: i64, tolerance: i64) -> Result<Verified, BadSignature> {
    let age_seconds = now.saturating_sub(at);
    if age_seconds > tolerance {
        Err(BadSignature::TooOld)
    } else if age_seconds < tolerance.saturating_neg() {
        Err(BadSignature::TooNew)
    } else {
        Ok(Verified { key, age_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const GOOD: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn standard(timestamp: &str, signatures: &str) -> Result<Verified, BadSignature> {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        verify_standard(
            &[&secret],
            id,
            timestamp,
            signatures,
            BODY,
            1_614_265_331,
            300,
        )
    }

    #[test]
    fn a_header_of_many_signatures() {
        let ok = Ok(Verified {
            key: 0,
            age_seconds: 1,
        });
        let others = format!("v1a,xxxx v2,{} v1,AAAA {GOOD}", &GOOD[3..]);
        let late = format!("{} {GOOD}", ["v1,AAAA"; MAX_SIGNATURES].join(" "));
        for (timestamp, signatures, expected) in [
            ("1614265330", GOOD, ok),
            ("1614265330", others.as_str(), ok),
            ("1614265330", late.as_str(), Err(BadSignature::NoMatch)),
            ("1614265330", "", Err(BadSignature::Missing)),
            ("1614265330", &GOOD[3..], Err(BadSignature::Missing)),
            ("1614265330", "v1a,xxxx", Err(BadSignature::Missing)),
            ("1614265331", GOOD, Err(BadSignature::NoMatch)),
            ("", GOOD, Err(BadSignature::Timestamp)),
            ("+1614265330", GOOD, Err(BadSignature::Timestamp)),
            ("1614265330.0", GOOD, Err(BadSignature::Timestamp)),
            ("99999999999999999999", GOOD, Err(BadSignature::Timestamp)),
        ] {
            assert_eq!(
                standard(timestamp, signatures),
                expected,
                "{timestamp} {signatures}"
            );
        }
    }

    #[test]
    fn the_older_form_s_header_as_others_write_it() {
        let secret = Secret::parse("any string").unwrap();
        let good = super::super::stripe([&secret], 1_000, BODY);
        let digits = good.rsplit('=').next().unwrap_or_default();
        let ok = Ok(Verified {
            key: 0,
            age_seconds: 0,
        });
        for (header, expected) in [
            (good.clone(), ok),
            (format!("v0=00,v1={digits}, t=1000"), ok),
            (format!("t=1000,v1=zz,v1={}", digits.to_uppercase()), ok),
            (format!("v1={digits}"), Err(BadSignature::Timestamp)),
            (format!("t=1001,v1={digits}"), Err(BadSignature::NoMatch)),
            ("t=1000".to_owned(), Err(BadSignature::Missing)),
            (format!("t=1000,v0={digits}"), Err(BadSignature::Missing)),
        ] {
            assert_eq!(
                verify_stripe(&[&secret], &header, BODY, 1_000, 300),
                expected,
                "{header}"
            );
        }
    }
}
