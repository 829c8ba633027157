//! One batch of each partition at a time, and the fuller they are, the fewer: down to one in 10 ms. Records that come
//! while one is on its way are held here, and handed over together later: the driver's thread goes round without
//! sleeping for as long as it has a batch ready and five records of its partition are unanswered (librdkafka 2.12,
//! `rd_kafka_toppar_producer_serve`). A partition that was idle has its record sent at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use eventlog_port::{NewRecord, TopicPartition};
use tokio::time::Instant;

use crate::writer_delivery::Ticket;
use crate::writer_target::Target;

/// From one batch of a partition to the next it takes this long for each record of the first, up to [`PACED`] of them,
/// or half as long where another partition's is due. A request costs both sides more than the records in it do, so
/// those share one that come close together; one that comes later than that after the last does not wait.
const PACE: Duration = Duration::from_millis(5);
const PACED: u32 = 2;

/// A record that waits: for the batch before it, or for the pace.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) target: Arc<Target>,
    pub(crate) record: NewRecord,
    pub(crate) ticket: Ticket,
}

/// What of one partition is with the driver, and what waits.
#[derive(Debug)]
struct Flow {
    of: TopicPartition,
    out: usize,
    held: VecDeque<Held>,
    /// When the last batch was begun, and how many records it has.
    begun: Option<Instant>,
    batch: u32,
}

impl Flow {
    /// How much of the pace is over since the last batch was begun: 1 and more when the next may go.
    fn elapsed(&self, now: Instant) -> f64 {
        let Some(begun) = self.begun else {
            return f64::INFINITY;
        };
        let pace = PACE * self.batch.clamp(1, PACED);
        now.saturating_duration_since(begun).div_duration_f64(pace)
    }

    fn is_waited_for(&self) -> bool {
        self.out == 0 && !self.held.is_empty()
    }
}

/// The partitions of a writer.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    numbers: BTreeMap<TopicPartition, usize>,
    flows: Vec<Flow>,
    /// Of which flow the record with each place is that was handed over.
    of_place: Vec<usize>,
}

impl Flows {
    /// The number of a partition's flow.
    pub(crate) fn number(&mut self, of: &TopicPartition) -> usize {
        if let Some(number) = self.numbers.get(of) {
            return *number;
        }
        let number = self.flows.len();
        self.flows.push(Flow {
            of: of.clone(),
            out: 0,
            held: VecDeque::new(),
            begun: None,
            batch: 0,
        });
        self.numbers.insert(of.clone(), number);
        number
    }

    /// Whether what comes now is held: a batch is on its way, or the last one has just gone.
    pub(crate) fn is_busy(&self, flow: usize, now: Instant) -> bool {
        let flow = &self.flows[flow];
        flow.out > 0 || !flow.held.is_empty() || flow.elapsed(now) < 1.0
    }

    /// Keeps a record until it is due.
    pub(crate) fn hold(&mut self, flow: usize, held: Held) {
        self.flows[flow].held.push_back(held);
    }

    /// The driver has taken a record over.
    pub(crate) fn handed_over(&mut self, flow: usize, ticket: Ticket, now: Instant) {
        if self.of_place.len() <= ticket.place {
            self.of_place.resize(ticket.place + 1, 0);
        }
        self.of_place[ticket.place] = flow;
        let flow = &mut self.flows[flow];
        if flow.out == 0 {
            flow.begun = Some(now);
            flow.batch = 0;
        }
        flow.out += 1;
        flow.batch += 1;
    }

    /// The driver has answered a record.
    pub(crate) fn answered(&mut self, ticket: Ticket) {
        if let Some(number) = self.of_place.get(ticket.place) {
            let flow = &mut self.flows[*number];
            flow.out = flow.out.saturating_sub(1);
        }
    }

    /// The flows whose next batch is to be handed over. When one is due, those go along that will be soon: wake-ups are
    /// shared, too.
    pub(crate) fn due(&self, now: Instant) -> Vec<usize> {
        let waiting = self.flows.iter().enumerate();
        let waiting = waiting.filter(|(_, flow)| flow.is_waited_for());
        let elapsed: Vec<(usize, f64)> = waiting
            .map(|(number, flow)| (number, flow.elapsed(now)))
            .collect();
        if elapsed.iter().all(|(_, elapsed)| *elapsed < 1.0) {
            return Vec::new();
        }
        let soon = elapsed.into_iter().filter(|(_, elapsed)| *elapsed >= 0.5);
        soon.map(|(number, _)| number).collect()
    }

    /// Takes what is held of one flow, and says where it goes.
    pub(crate) fn release(&mut self, flow: usize) -> (TopicPartition, VecDeque<Held>) {
        let flow = &mut self.flows[flow];
        (flow.of.clone(), std::mem::take(&mut flow.held))
    }

    /// Takes everything that is held.
    pub(crate) fn release_all(&mut self) -> Vec<Held> {
        self.flows
            .iter_mut()
            .flat_map(|flow| flow.held.drain(..))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(place: usize) -> Ticket {
        Ticket {
            place,
            kib: 1,
            opens: false,
        }
    }

    fn held(place: usize) -> Held {
        Held {
            target: Arc::new(Target {
                full_name: "t".to_owned(),
                partitions: 2,
                max_record_bytes: 1,
                max_message_bytes: 1,
            }),
            record: NewRecord::default(),
            ticket: ticket(place),
        }
    }

    fn two() -> (Flows, usize, usize) {
        let mut flows = Flows::default();
        let (a, b) = (TopicPartition::new("t", 0), TopicPartition::new("t", 1));
        let (a, b) = (flows.number(&a), flows.number(&b));
        (flows, a, b)
    }

    #[test]
    fn what_comes_while_a_batch_is_out_is_handed_over_when_all_of_it_is_answered() {
        let (mut flows, a, b) = two();
        let now = Instant::now();
        assert!(!flows.is_busy(a, now));
        flows.handed_over(a, ticket(3), now);
        flows.handed_over(a, ticket(5), now);
        let later = now + PACE * 2;
        assert!(flows.is_busy(a, later) && !flows.is_busy(b, later));
        flows.hold(a, held(6));
        flows.hold(a, held(7));
        flows.answered(ticket(5));
        assert_eq!(flows.due(later), Vec::<usize>::new());
        flows.answered(ticket(3));
        assert_eq!(flows.due(later), [a]);
        let (to, held) = flows.release(a);
        let places: Vec<usize> = held.iter().map(|held| held.ticket.place).collect();
        assert_eq!((to, places), (TopicPartition::new("t", 0), vec![6, 7]));
        assert!(!flows.is_busy(a, later));
        assert!(flows.release_all().is_empty());
    }

    #[test]
    fn an_answered_batch_is_followed_once_its_pace_is_over_and_others_go_along() {
        let (mut flows, a, b) = two();
        let now = Instant::now();
        flows.handed_over(a, ticket(1), now);
        flows.answered(ticket(1));
        let sooner = now + PACE / 4;
        assert!(flows.is_busy(a, sooner) && !flows.is_busy(b, sooner));
        flows.hold(a, held(1));
        flows.handed_over(b, ticket(2), sooner);
        flows.answered(ticket(2));
        flows.hold(b, held(2));
        assert_eq!(flows.due(now + PACE * 9 / 10), Vec::<usize>::new());
        assert_eq!(flows.due(now + PACE), [a, b]);
        flows.release(b);
        flows.handed_over(b, ticket(2), now + PACE * 3 / 4);
        flows.answered(ticket(2));
        flows.hold(b, held(3));
        assert_eq!(flows.due(now + PACE), [a], "the other has just been served");
    }

    #[test]
    fn the_larger_a_batch_the_later_the_next() {
        for (records, pace) in [(1, PACE), (2, PACE * 2), (50, PACE * 2)] {
            let (mut flows, a, _) = two();
            let now = Instant::now();
            for place in 0..records {
                flows.handed_over(a, ticket(place), now);
            }
            for place in 0..records {
                flows.answered(ticket(place));
            }
            flows.hold(a, held(0));
            let just = Duration::from_micros(1);
            assert!(flows.due(now + pace - just).is_empty(), "{records} records");
            assert_eq!(flows.due(now + pace + just), [a], "{records} records");
        }
    }
}
