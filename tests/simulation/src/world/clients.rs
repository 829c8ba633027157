//! Clients: they write down what they are about to send, send it to some process, and write down what
//! they were told.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use checker::history::{Answer, Request};
use domain::chance::{Chance, Seeded};
use domain::time::Clock as _;
use http_body_util::BodyExt as _;
use problem::{Caller, RequestId};
use schemas::actor::Actor;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use super::World;
use super::links::Links;
use super::{Draws, TENANT};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(12);

/// How often a client asks for the same thing.
const TRIES: usize = 6;

/// What a client wants to send, as often as it takes.
#[derive(Clone, Debug)]
struct Wish {
    event_type: &'static str,
    payload: String,
    endpoint: Option<usize>,
    key: Option<String>,
    /// The key is an event id.
    is_id: bool,
    more: String,
    /// Not a request that can be taken.
    is_bad: bool,
}

/// Sends everything, and returns when every client has done.
pub(super) async fn run(world: Arc<World>) {
    let mut chance = world.chance(Draws::Clients);
    let mut wishes: Vec<Wish> = Vec::new();
    let mut clients = tokio::task::JoinSet::new();
    let span = u64::try_from(world.plan.sending.as_millis()).unwrap_or(u64::MAX);
    for number in 0..u64::from(world.plan.events) {
        let wish = wish(&world, number, &wishes, &mut chance);
        wishes.push(wish.clone());
        let at = Duration::from_millis(chance.below(span));
        let own = Seeded::new(chance.next_u64());
        clients.spawn(client(Arc::clone(&world), at, wish, own));
    }
    while clients.join_next().await.is_some() {}
}

fn wish(world: &World, number: u64, before: &[Wish], chance: &mut Seeded) -> Wish {
    const TYPES: [&str; 5] = [
        "order.created",
        "order.paid",
        "order.line.added",
        "user.made",
        "nobody",
    ];
    let plan = &world.plan;
    let is_keyed = chance.below(100) < plan.keyed;
    let payload = payload(number, chance);
    let keyed: Vec<&Wish> = before.iter().filter(|w| w.key.is_some()).collect();
    if is_keyed && !keyed.is_empty() && chance.one_in(4) {
        let again = keyed[usize::try_from(chance.below(keyed.len() as u64)).unwrap_or(0)].clone();
        // The same again, or something else under the same key.
        return if chance.one_in(3) {
            Wish { payload, ..again }
        } else {
            again
        };
    }
    let which = usize::try_from(chance.below(plan.endpoints.len() as u64)).unwrap_or(0);
    let endpoint = (chance.below(100) < plan.addressed).then_some(which);
    let event_type = TYPES[usize::try_from(chance.below(5)).unwrap_or(0)];
    let more = match chance.below(12) {
        0 => r#","priority":"high""#,
        1 => r#","priority":"low""#,
        2 => r#","deliver_after":3"#,
        3 => r#","source":"shop","tags":["a","b"]"#,
        _ => "",
    };
    Wish {
        event_type,
        payload,
        endpoint,
        key: is_keyed.then(|| format!("k{number}")),
        is_id: chance.one_in(3),
        more: more.to_owned(),
        is_bad: chance.one_in(25),
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

impl Wish {
    fn body(&self, world: &World) -> String {
        let mut body = String::from("{");
        if !self.is_bad {
            body += &format!(r#""event_type":"{}","#, self.event_type);
        }
        if let Some(id) = self.endpoint_id(world) {
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

    fn endpoint_id(&self, world: &World) -> Option<String> {
        self.endpoint
            .map(|which| world.endpoint_id(which).to_string())
    }
}

async fn client(world: Arc<World>, at: Duration, wish: Wish, mut chance: Seeded) {
    sleep(at).await;
    for _ in 0..TRIES {
        let (door, links) = door(&world, &mut chance).await;
        let answer = ask(&world, &wish, door, &links).await;
        // Who has no key can't know whether asking again sends it twice; some do all the same.
        let asks_again = match answer {
            Some(status) => status >= 500,
            None => true,
        };
        if !asks_again || (wish.key.is_none() && chance.one_in(2)) {
            return;
        }
        sleep(Duration::from_millis(500 + chance.below(2_000))).await;
    }
}

/// The door of some process that is up.
async fn door(world: &World, chance: &mut Seeded) -> (Router, Arc<Links>) {
    loop {
        let doors = world.doors();
        if doors.is_empty() {
            sleep(Duration::from_millis(300)).await;
            continue;
        }
        let which = usize::try_from(chance.below(doors.len() as u64)).unwrap_or(0);
        return doors[which].clone();
    }
}

/// Asks once. `None`: the answer never came.
async fn ask(world: &World, wish: &Wish, door: Router, links: &Links) -> Option<u16> {
    let line = Request {
        sent_at: world.clock.now().as_millis(),
        payload: wish.payload.clone().into_bytes(),
        event_type: wish.event_type.to_owned(),
        endpoint: wish.endpoint_id(world),
        key: wish.key.clone(),
        answer: None,
    };
    let line = world.journal(line);
    let caller = Caller {
        tenant: TENANT.parse().expect("a tenant's name"),
        actor: Actor::Local,
    };
    let request = http::Request::post("/api/v1/events")
        .header("content-type", "application/json")
        .extension(caller)
        .extension(RequestId(format!("req-{line}").into()))
        .body(Body::from(wish.body(world)))
        .expect("a request that can be made");
    let answering = async {
        let response = door.oneshot(request).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?;
        Some((status, body.to_bytes()))
    };
    let answer = tokio::select! {
        biased;
        () = links.ended() => None,
        answer = timeout(PATIENCE, answering) => answer.ok().flatten(),
    };
    let (status, body) = answer?;
    let at = world.clock.now().as_millis();
    let body = body.to_vec();
    world.told(line, Answer { at, status, body });
    Some(status)
}
