//! One batch of each partition at a time. Records that come while one is on its way are held here, and handed over
//! together once it is answered: the driver's thread goes round without sleeping for as long as it has a batch ready and
//! five records of its partition are unanswered (librdkafka 2.12, `rd_kafka_toppar_producer_serve`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use eventlog_port::{NewRecord, TopicPartition};

use crate::writer_delivery::Ticket;
use crate::writer_target::Target;

/// A record that waits for the batch before it.
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
        });
        self.numbers.insert(of.clone(), number);
        number
    }

    /// Whether a batch is on its way, so that what comes now is held.
    pub(crate) fn is_busy(&self, flow: usize) -> bool {
        let flow = &self.flows[flow];
        flow.out > 0 || !flow.held.is_empty()
    }

    /// Keeps a record until the batch before it is answered.
    pub(crate) fn hold(&mut self, flow: usize, held: Held) {
        self.flows[flow].held.push_back(held);
    }

    /// The driver has taken a record over.
    pub(crate) fn handed_over(&mut self, flow: usize, ticket: Ticket) {
        if self.of_place.len() <= ticket.place {
            self.of_place.resize(ticket.place + 1, 0);
        }
        self.of_place[ticket.place] = flow;
        self.flows[flow].out += 1;
    }

    /// The driver has answered a record. The flow's number if it was the last one out and others are held.
    pub(crate) fn answered(&mut self, ticket: Ticket) -> Option<usize> {
        let number = *self.of_place.get(ticket.place)?;
        let flow = &mut self.flows[number];
        flow.out = flow.out.saturating_sub(1);
        (flow.out == 0 && !flow.held.is_empty()).then_some(number)
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

    #[test]
    fn what_comes_while_a_batch_is_out_is_handed_over_when_all_of_it_is_answered() {
        let mut flows = Flows::default();
        let (a, b) = (TopicPartition::new("t", 0), TopicPartition::new("t", 1));
        let (a, b) = (flows.number(&a), flows.number(&b));
        assert!(!flows.is_busy(a));
        flows.handed_over(a, ticket(3));
        flows.handed_over(a, ticket(5));
        assert!(flows.is_busy(a) && !flows.is_busy(b));
        let target = Arc::new(Target {
            full_name: "t".to_owned(),
            partitions: 2,
            max_record_bytes: 1,
            max_message_bytes: 1,
        });
        for place in [6, 7] {
            let (target, record) = (Arc::clone(&target), NewRecord::default());
            let ticket = ticket(place);
            flows.hold(
                a,
                Held {
                    target,
                    record,
                    ticket,
                },
            );
        }
        assert_eq!(flows.answered(ticket(5)), None);
        assert_eq!(flows.answered(ticket(3)), Some(a));
        let (to, held) = flows.release(a);
        let places: Vec<usize> = held.iter().map(|held| held.ticket.place).collect();
        assert_eq!((to, places), (TopicPartition::new("t", 0), vec![6, 7]));
        assert!(!flows.is_busy(a));
        assert!(flows.release_all().is_empty());
    }
}
