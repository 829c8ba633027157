//! Clients: they write down what they are about to send, send it to some process, and write down what
//! they were told.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use checker::history::Answer;
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
use crate::wish::{Mix, Wish};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(12);

/// How often a client asks for the same thing.
const TRIES: usize = 6;

/// Types that somebody subscribes to, and one that nobody does.
const TYPES: [&str; 5] = [
    "order.created",
    "order.paid",
    "order.line.added",
    "user.made",
    "nobody",
];

/// Sends everything, and returns when every client has done.
pub(super) async fn run(world: Arc<World>) {
    let mut chance = world.chance(Draws::Clients);
    let mut wishes: Vec<Wish> = Vec::new();
    let mut clients = tokio::task::JoinSet::new();
    let mix = Mix {
        types: &TYPES,
        endpoints: world.plan.endpoints.len(),
        keyed: world.plan.keyed,
        addressed: world.plan.addressed,
    };
    let span = u64::try_from(world.plan.sending.as_millis()).unwrap_or(u64::MAX);
    for number in 0..u64::from(world.plan.events) {
        let wish = Wish::draw(number, &mix, &wishes, &mut chance);
        wishes.push(wish.clone());
        let at = Duration::from_millis(chance.below(span));
        let own = Seeded::new(chance.next_u64());
        clients.spawn(client(Arc::clone(&world), at, wish, own));
    }
    while clients.join_next().await.is_some() {}
}

fn endpoint_id(wish: &Wish, world: &World) -> Option<String> {
    let which = wish.endpoint?;
    Some(world.endpoint_id(which).to_string())
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
    let endpoint = endpoint_id(wish, world);
    let body = wish.body(endpoint.as_deref());
    let line = wish.line(world.clock.now().as_millis(), endpoint);
    let line = world.journal(line);
    let caller = Caller {
        tenant: TENANT.parse().expect("a tenant's name"),
        actor: Actor::Local,
    };
    let request = http::Request::post("/api/v1/events")
        .header("content-type", "application/json")
        .extension(caller)
        .extension(RequestId(format!("req-{line}").into()))
        .body(Body::from(body))
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
