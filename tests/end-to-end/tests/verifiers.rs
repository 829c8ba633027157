//! Other people's code accepts every signature that an attempt is sent with, and refuses what was
//! changed on the way, what another secret signed, and what is old.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use domain::time::Timestamp;
use end_to_end::attempts::{Attempt, now};
use end_to_end::verifiers::{ALL, Signed, verdicts};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const ANY: &str = "any string, as the older form has it";

/// Libraries that check the older form.
const OLDER: [&str; 2] = ["stripe (Python)", "stripe (JavaScript)"];

/// A request as it is sent at `at`, to a receiver that knows the first of `secrets`.
fn sent(secrets: &[&str], body: &str, at: Timestamp) -> Signed {
    let attempt = Attempt {
        secrets,
        event_type: "orders/create",
        body: body.as_bytes(),
        at,
    };
    Signed {
        headers: attempt.headers().unwrap(),
        body: body.as_bytes().to_vec(),
        secret: secrets[0].to_owned(),
    }
}

const BODY: &str = r#"{"total": 99.90, "n": 9007199254740993, "n": 1, "a": "\u00e9 é"}"#;

#[test]
fn every_library_accepts_what_is_sent() {
    let push = format!(r#"{{"commits": "{}"}}"#, "é\\u00e9 ".repeat(90_000));
    let mut requests = Vec::new();
    for body in [BODY, "{}", "[]", r#"" ""#, "7", &push] {
        for secrets in [
            &[SECRET][..],
            &[SECRET, OTHER],
            &[OTHER, SECRET],
            &[ANY],
            &[ANY, SECRET],
        ] {
            requests.push(sent(secrets, body, now()));
        }
    }
    // While two keys sign, who still knows the old one accepts it, too.
    let rotated = Signed {
        secret: SECRET.to_owned(),
        ..sent(&[OTHER, SECRET], BODY, now())
    };
    requests.push(rotated);
    for (request, verdicts) in requests.iter().zip(verdicts(&requests).unwrap()) {
        assert_eq!(verdicts.len(), ALL);
        let refused: Vec<_> = verdicts.iter().filter(|(_, why)| why.is_some()).collect();
        assert!(refused.is_empty(), "{refused:?} of {:?}", request.headers);
    }
}

/// What was done to a request, and the libraries that can't tell: the older form does not sign the id.
type Damage = (&'static str, fn(&mut Signed), &'static [&'static str]);

const DAMAGES: [Damage; 7] = [
    ("a byte", |request| request.body[10] ^= 1, &[]),
    ("a byte more", |request| request.body.push(b' '), &[]),
    ("all but the front", |request| request.body.truncate(5), &[]),
    (
        "another secret",
        |request| request.secret = OTHER.to_owned(),
        &[],
    ),
    (
        "another text of the secret",
        |request| request.secret = ANY.to_owned(),
        &[],
    ),
    (
        "the id",
        |request| {
            let id = "evt_0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c";
            request.headers.insert("webhook-id", id.parse().unwrap());
        },
        &OLDER,
    ),
    (
        "the moment",
        |request| {
            let later = (now().as_millis() / 1_000 + 60).to_string();
            let older = request.headers["x-webhook-signature"].to_str().unwrap();
            let (_, signatures) = older.split_once(',').unwrap();
            let older = format!("t={later},{signatures}").parse().unwrap();
            request.headers.insert("x-webhook-signature", older);
            request
                .headers
                .insert("webhook-timestamp", later.parse().unwrap());
        },
        &[],
    ),
];

#[test]
fn every_library_refuses_what_was_changed() {
    let damaged = |(_, damage, _): &Damage| {
        let mut request = sent(&[SECRET], BODY, now());
        damage(&mut request);
        request
    };
    let requests: Vec<Signed> = DAMAGES.iter().map(damaged).collect();
    for ((what, _, blind), verdicts) in DAMAGES.iter().zip(verdicts(&requests).unwrap()) {
        assert_eq!(verdicts.len(), ALL);
        for (library, refusal) in verdicts {
            let is_accepted = blind.contains(&library.as_str());
            assert_eq!(
                refusal.is_none(),
                is_accepted,
                "{what}: {library} {refusal:?}"
            );
        }
    }
}

/// Stripe's code asks of the future nothing; of the past it does.
#[test]
fn every_library_refuses_what_is_old() {
    let minutes = |minutes: i64| Timestamp::from_millis(now().as_millis() + minutes * 60_000);
    let requests = [-6, -4, 4].map(|at| sent(&[SECRET], BODY, minutes(at)));
    for (is_old, verdicts) in [true, false, false]
        .iter()
        .zip(verdicts(&requests).unwrap())
    {
        for (library, refusal) in verdicts {
            assert_eq!(refusal.is_some(), *is_old, "{library} {refusal:?}");
        }
    }
}
