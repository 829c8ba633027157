//! What must have become of everything in `inbox`, worked out from the topics alone: by a naive reading of the
//! protocol that shares no code with the router.

use std::collections::{BTreeMap, BTreeSet};

use schemas::accepted::Accepted;
use schemas::ids::EndpointId;
use schemas::inbox::{Door, InboxEvent};
use schemas::routed::Routed;
use schemas::topics::Topic;

use crate::world::{EVENTS, INBOX, World};

/// A route: inbox partition, offset, endpoint.
pub(crate) type Origin = (u32, u64, EndpointId);

/// What ought to be delivered, and what the owners of `events` take.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) owed: BTreeSet<Origin>,
    pub(crate) taken: Vec<Origin>,
    /// Copies that owners drop.
    pub(crate) dropped: usize,
    pub(crate) duplicates: usize,
    pub(crate) conflicts: usize,
    pub(crate) unreadable: usize,
}

impl Account {
    /// Nothing lost, nothing doubled.
    pub(crate) fn check(&self, what: &str) {
        let taken: BTreeSet<Origin> = self.taken.iter().copied().collect();
        assert_eq!(taken.len(), self.taken.len(), "{what}: doubled");
        let lost: Vec<_> = self.owed.difference(&taken).collect();
        let strange: Vec<_> = taken.difference(&self.owed).collect();
        assert!(lost.is_empty(), "{what}: lost {lost:?}");
        assert!(strange.is_empty(), "{what}: not owed {strange:?}");
    }
}

/// The first decision about each offset: those that are above all before them.
async fn decisions(world: &World, partition: u32) -> BTreeMap<u64, Routed> {
    let mut first = BTreeMap::new();
    for record in world.records(Topic::Routed, partition).await {
        let Ok(decision) = Routed::decode(&record.into_parts()) else {
            continue;
        };
        let offset = decision.origin().offset;
        if first
            .last_key_value()
            .is_none_or(|(last, _)| offset > *last)
        {
            first.insert(offset, decision);
        }
    }
    first
}

pub(crate) async fn account(world: &World) -> Account {
    let mut account = Account::default();
    let mut inbox = BTreeMap::new();
    for partition in 0..INBOX {
        owed(world, partition, &mut account, &mut inbox).await;
    }
    for partition in 0..EVENTS {
        taken(world, partition, &mut account, &inbox).await;
    }
    account
}

async fn owed(
    world: &World,
    partition: u32,
    account: &mut Account,
    inbox: &mut BTreeMap<(u32, u64), InboxEvent>,
) {
    let decisions = decisions(world, partition).await;
    let mut firsts: BTreeMap<String, (i64, Vec<u8>)> = BTreeMap::new();
    for record in world.records(Topic::Inbox, partition).await {
        let (offset, at) = (record.offset, record.appended_at.as_millis());
        let decided = decisions.get(&offset);
        let Ok(event) = InboxEvent::decode(&record.into_parts()) else {
            assert!(
                matches!(decided, Some(Routed::Unreadable(_))),
                "{partition}/{offset}"
            );
            account.unreadable += 1;
            continue;
        };
        inbox.insert((partition, offset), event.clone());
        if let Some(key) = &event.idempotency_key {
            let window = 24 * 3_600 * 1_000;
            let first = firsts.get(key.as_str());
            if let Some((_, payload)) = first.filter(|(first, _)| at - first < window) {
                if payload[..] == event.payload[..] {
                    assert!(matches!(decided, Some(Routed::Duplicate(_))), "{decided:?}");
                    account.duplicates += 1;
                } else {
                    assert!(matches!(decided, Some(Routed::Conflict(_))), "{decided:?}");
                    account.conflicts += 1;
                }
                continue;
            }
            firsts.insert(key.as_str().to_owned(), (at, event.payload.to_vec()));
        }
        let routes = match (&event.door, decided) {
            (Door::Http(door), None) => door.routes.clone(),
            (Door::Kafka { .. }, Some(Routed::Routes(found))) => found.routes.clone(),
            (_, decided) => panic!("{partition}/{offset}: {decided:?}"),
        };
        let to = routes.as_slice().iter();
        account
            .owed
            .extend(to.map(|route| (partition, offset, route.endpoint)));
    }
}

/// The owner's rule: above the highest (offset, endpoint) of its inbox partition, or dropped (R2).
async fn taken(
    world: &World,
    partition: u32,
    account: &mut Account,
    inbox: &BTreeMap<(u32, u64), InboxEvent>,
) {
    let mut highest: BTreeMap<u32, (u64, EndpointId)> = BTreeMap::new();
    for record in world.records(Topic::Events, partition).await {
        let accepted = Accepted::decode(&record.into_parts()).unwrap();
        let Some(from) = accepted.routed else {
            continue;
        };
        let addressed = &accepted.addressed;
        let above = (from.offset, addressed.endpoint);
        if highest
            .get(&from.partition)
            .is_some_and(|highest| above <= *highest)
        {
            account.dropped += 1;
            continue;
        }
        highest.insert(from.partition, above);
        let event = &inbox[&(from.partition, from.offset)];
        assert_eq!(addressed.payload, event.payload);
        assert_eq!(addressed.envelope, event.envelope);
        account
            .taken
            .push((from.partition, from.offset, addressed.endpoint));
    }
}
