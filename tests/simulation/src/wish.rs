//! What clients want to send, in this world and in one of real servers: how it is drawn, sent and written down.

use checker::history::Request;
use domain::chance::{Chance as _, Seeded};

/// Members that an event may have beside what it must have.
const MORE: [&str; 4] = [
    r#","priority":"high""#,
    r#","priority":"low""#,
    r#","deliver_after":3"#,
    r#","source":"shop","tags":["a","b"]"#,
];

/// What clients draw from.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Types of events, one as often as another.
    pub types: &'static [&'static str],
    /// How many endpoints there are to choose from.
    pub endpoints: usize,
    /// How many of a hundred have a key.
    pub keyed: u64,
    /// How many of a hundred go to one endpoint.
    pub addressed: u64,
}

/// What a client wants to send, as often as it takes.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The type.
    pub event_type: &'static str,
    /// Which endpoint it goes to; `None` where it goes to all that subscribe.
    pub endpoint: Option<usize>,
    /// The idempotency key.
    pub key: Option<String>,
    payload: String,
    /// The key is an event id.
    is_id: bool,
    more: &'static str,
    /// Not a request that can be taken.
    is_bad: bool,
}

impl Wish {
    /// The next one, after those `before` it: a key may be one of theirs.
    #[must_use]
    pub fn draw(number: u64, mix: &Mix, before: &[Self], chance: &mut Seeded) -> Self {
        let pick = |count: usize, chance: &mut Seeded| {
            usize::try_from(chance.below(count as u64)).unwrap_or(0)
        };
        let is_keyed = chance.below(100) < mix.keyed;
        let payload = payload(number, chance);
        let keyed: Vec<&Self> = before.iter().filter(|wish| wish.key.is_some()).collect();
        if is_keyed && !keyed.is_empty() && chance.one_in(4) {
            let again = keyed[pick(keyed.len(), chance)].clone();
            // The same again, or something else under the same key.
            return if chance.one_in(3) {
                Self { payload, ..again }
            } else {
                again
            };
        }
        let which = pick(mix.endpoints, chance);
        let endpoint = (chance.below(100) < mix.addressed).then_some(which);
        let event_type = mix.types[pick(mix.types.len(), chance)];
        let more = MORE.get(pick(12, chance)).copied().unwrap_or_default();
        Self {
            event_type,
            endpoint,
            key: is_keyed.then(|| format!("k{number}")),
            payload,
            is_id: chance.one_in(3),
            more,
            is_bad: chance.one_in(25),
        }
    }

    /// The body of the request; `endpoint` is the id of the one that it goes to.
    #[must_use]
    pub fn body(&self, endpoint: Option<&str>) -> String {
        let mut body = String::from("{");
        if !self.is_bad {
            body += &format!(r#""event_type":"{}","#, self.event_type);
        }
        if let Some(id) = endpoint {
            body += &format!(r#""endpoint_id":"{id}","#);
        }
        if let Some(key) = &self.key {
            let name = if self.is_id {
                "event_id"
            } else {
                "idempotency_key"
            };
            body += &format!(r#""{name}":"{key}","#);
        }
        body + &format!(r#""payload":{}{}}}"#, self.payload, self.more)
    }

    /// What a client writes down before it sends that.
    #[must_use]
    pub fn line(&self, sent_at: i64, endpoint: Option<String>) -> Request {
        Request {
            sent_at,
            payload: self.payload.clone().into_bytes(),
            event_type: self.event_type.to_owned(),
            endpoint,
            key: self.key.clone(),
            answer: None,
        }
    }
}

/// A payload that nobody else sends, spelled as few would.
fn payload(number: u64, chance: &mut Seeded) -> String {
    let shape = match chance.below(4) {
        0 => r#" "id":9007199254740993, "é":"\u00e9" "#,
        1 => r#""a":1,"a":2"#,
        2 => r#""list":[1, 2.50 ,3e2]"#,
        _ => r#""customer":"c""#,
    };
    let filler = "x".repeat(usize::try_from(chance.below(40)).unwrap_or(0));
    format!(r#"{{"n":{number},"total":99.90,{shape},"filler":"{filler}"}}"#)
}
