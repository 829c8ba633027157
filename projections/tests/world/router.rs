//! What ingest and routers write.

use schemas::accepted::{Accepted, RoutedFrom};
use schemas::delivery::Delivery;
use schemas::event::Priority;
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::inbox::{Door, HttpDoor, InboxEvent};
use schemas::origin::{Acceptance, Position, Run};
use schemas::routed::{Repeated, Routed, RoutesFound};
use schemas::text::IdempotencyKey;
use schemas::topics::Topic;

use super::records::{addressed, endpoint, envelope, partition_of, tenant};
use super::{INBOXES, Live, Queued, World, routes_of};

impl World {
    pub(super) async fn accept_addressed(&mut self) {
        let to = endpoint(self.draw(3) as u64);
        let event = self.name_event();
        let accepted = accepted(&event, to, None);
        let partition = partition_of(to);
        let appended = self
            .append(Topic::Events, partition, accepted.encode())
            .await;
        let acceptance = Acceptance::events(partition, appended.offset);
        self.made(acceptance, appended.appended_at, to);
        self.live.push(Live {
            delivery: Delivery::new(acceptance, appended.appended_at, to, Run::First),
            endpoint: to,
            event,
            step: 0,
            attempts: 0,
            at: acceptance.position(),
        });
    }

    pub(super) async fn accept_in_inbox(&mut self) {
        let partition = self.draw(INBOXES as usize) as u32;
        let routes = self.some_endpoints();
        let (is_kafka, has_key) = (self.draw(3) == 0, self.draw(2) == 0);
        let event = self.name_event();
        let record = inbox_event(&event, &routes, is_kafka, has_key);
        let appended = self.append(Topic::Inbox, partition, record.encode()).await;
        let acceptance = Acceptance::inbox(partition, appended.offset);
        if !is_kafka {
            if has_key {
                let first = (partition, appended.offset, event.clone());
                self.truth.firsts.insert(first);
            }
            let at = appended.appended_at;
            routes.iter().for_each(|to| self.made(acceptance, at, *to));
            self.truth.nowhere[0] += u64::from(routes.is_empty());
        }
        self.queues[partition as usize].push_back(Queued {
            offset: appended.offset,
            accepted_at: appended.appended_at,
            event,
            routes,
            is_kafka,
            has_key,
        });
    }

    /// A router takes up its next record, or one that a crash made it go back to.
    pub(super) async fn route(&mut self) {
        if let Some((partition, copy)) = self.copies.last().cloned()
            && self.draw(4) == 0
        {
            self.append(Topic::Events, partition, copy).await;
            return;
        }
        let inbox = self.draw(INBOXES as usize) as u32;
        let Some(queued) = self.queues[inbox as usize].pop_front() else {
            return;
        };
        if (queued.is_kafka || queued.has_key) && self.draw(3) == 0 {
            return self.repeat(inbox, queued).await;
        }
        if queued.is_kafka {
            let acceptance = Acceptance::inbox(inbox, queued.offset);
            let decision = Routed::Routes(RoutesFound {
                origin: acceptance.position(),
                tenant: tenant(),
                event: kafka_id(inbox, &queued),
                routes: routes_of(&queued.routes),
                control: 0,
            });
            self.decide(inbox, &decision).await;
            // A CloudEvent's source and id are its key, if it brings none.
            let key = match queued.has_key {
                true => queued.event.clone(),
                false => cloud_events_key(&queued.event),
            };
            self.truth.firsts.insert((inbox, queued.offset, key));
            let routes = queued.routes.iter();
            routes.for_each(|to| self.made(acceptance, queued.accepted_at, *to));
            self.truth.nowhere[0] += u64::from(queued.routes.is_empty());
        }
        for to in queued.routes.clone() {
            self.send_on(inbox, &queued, to).await;
        }
    }

    async fn send_on(&mut self, inbox: u32, queued: &Queued, to: EndpointId) {
        let from = RoutedFrom {
            partition: inbox,
            offset: queued.offset,
            accepted_at: queued.accepted_at,
        };
        let id = match queued.is_kafka {
            true => kafka_id(inbox, queued).to_string(),
            false => queued.event.clone(),
        };
        let parts = accepted(&id, to, Some(from)).encode();
        let partition = partition_of(to);
        let appended = self.append(Topic::Events, partition, parts.clone()).await;
        self.copies.push((partition, parts));
        let acceptance = Acceptance::inbox(inbox, queued.offset);
        self.live.push(Live {
            delivery: Delivery::new(acceptance, queued.accepted_at, to, Run::First),
            endpoint: to,
            event: id,
            step: 0,
            attempts: 0,
            at: Position {
                topic: Topic::Events,
                partition,
                offset: appended.offset,
            },
        });
    }

    async fn repeat(&mut self, inbox: u32, queued: Queued) {
        let is_duplicate = self.draw(2) == 0;
        let acceptance = Acceptance::inbox(inbox, queued.offset);
        let repeated = Repeated {
            origin: acceptance.position(),
            tenant: tenant(),
            event: kafka_id(inbox, &queued),
            first: acceptance.position(),
            first_event: "event-0".parse().unwrap(),
        };
        let decision = match is_duplicate {
            true => Routed::Duplicate(repeated),
            false => Routed::Conflict(repeated),
        };
        self.decide(inbox, &decision).await;
        self.truth.nowhere[if is_duplicate { 1 } else { 2 }] += 1;
        if !queued.is_kafka {
            let first = (inbox, queued.offset, queued.event.clone());
            self.truth.firsts.remove(&first);
            self.truth.nowhere[0] -= u64::from(queued.routes.is_empty());
            for to in queued.routes {
                let delivery = DeliveryId::derive(acceptance, queued.accepted_at, to, Run::First);
                self.truth.deliveries.remove(&delivery);
            }
        }
    }

    /// Now and then twice, and the second says something else: the first holds.
    async fn decide(&mut self, inbox: u32, decision: &Routed) {
        self.append(Topic::Routed, inbox, decision.encode()).await;
        if self.draw(3) == 0 {
            let again = Routed::Routes(RoutesFound {
                origin: decision.origin(),
                tenant: tenant(),
                event: "event-0".parse().unwrap(),
                routes: routes_of(&[endpoint(2)]),
                control: 9,
            });
            self.append(Topic::Routed, inbox, again.encode()).await;
        }
    }
}

fn kafka_id(inbox: u32, queued: &Queued) -> EventId {
    EventId::of_inbox(inbox, queued.offset, queued.accepted_at)
}

fn cloud_events_key(id: &str) -> String {
    let key = IdempotencyKey::of_cloud_event(&envelope().source, &id.parse().unwrap());
    key.to_string()
}

fn accepted(event: &str, to: EndpointId, routed: Option<RoutedFrom>) -> Accepted {
    Accepted {
        addressed: addressed(event, to),
        routed,
        control: 0,
        deliver_after: None,
        copied_from: None,
    }
}

fn inbox_event(event: &str, to: &[EndpointId], is_kafka: bool, has_key: bool) -> InboxEvent {
    let http = HttpDoor {
        tenant: tenant(),
        id: event.parse().unwrap(),
        routes: routes_of(to),
        control: 0,
        idempotency_window: has_key.then_some(86_400_000),
        deliver_after: None,
        copied_from: None,
    };
    let mut envelope = envelope();
    if is_kafka {
        envelope.given_id = Some(event.parse().unwrap());
    }
    InboxEvent {
        door: match is_kafka {
            true => Door::Kafka { endpoint: None },
            false => Door::Http(http),
        },
        envelope,
        idempotency_key: has_key.then(|| event.parse().unwrap()),
        ordering_key: None,
        priority: Priority::Normal,
        payload: bytes::Bytes::from_static(b"{}"),
    }
}
