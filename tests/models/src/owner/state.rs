//! What one state of the model holds.

use super::log::{Input, OUTPUTS, Record, Topic};
use super::rules::Bounds;

/// The logs, the two processes that may own the partition, the group, and what a judge remembers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The log's time, in ticks.
    pub now: u8,
    /// Records in `events`.
    pub accepted: u8,
    /// Whether a request is still being ingested.
    pub ingesting: bool,
    /// The outputs, in the order of [`OUTPUTS`].
    pub logs: [Vec<Record>; 5],
    /// The processes.
    pub processes: [Process; 2],
    /// By output: what writers that have ended had sent, and what may land yet; each in its order.
    pub late: [Vec<Vec<Record>>; 5],
    /// What the group says.
    pub group: Group,
    /// What the bounds leave.
    pub left: Left,
    /// What happened outside of the log.
    pub seen: Seen,
}

/// The consumer group on `events`, as far as this partition goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// Which process it has given the partition to.
    pub holder: Option<usize>,
    /// When it last heard from it.
    pub heard: u8,
}

/// What the bounds leave.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    /// See [`Bounds::interruptions`].
    pub interruptions: u8,
    /// See [`Bounds::checkpoints`].
    pub checkpoints: u8,
    /// See [`Bounds::full`].
    pub full: u8,
}

/// What happened outside of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// A send began before its due time.
    pub early: bool,
    /// A send began though the outcome of its input was in the log, and counted.
    pub needless: bool,
    /// A send began in an epoch whose outcomes are ignored.
    pub useless: bool,
    /// A process began the same attempt twice, and had not died or lost the partition in between.
    pub repeated: bool,
}

/// A process that may own the partition. Frozen is no state of its own: it may take no step for
/// as long as others take theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Process {
    /// Where it is on its way to act.
    pub phase: Phase,
    /// The epoch of its fence.
    pub epoch: u8,
    /// By output: the offset of its fence.
    pub fences: [u8; 5],
    /// By output: the offset behind its last acknowledged append.
    pub acknowledged: [u8; 5],
    /// The inputs that it knows of and that are not done, ascending.
    pub open: Vec<(Input, Work)>,
    /// What it has appended and not seen the end of; for each output in order.
    pub queue: Vec<Append>,
    /// By delivery: the attempts that it has begun, one bit each.
    pub begun: [u8; 2],
    /// When the last group commit was sent that succeeded.
    pub lease: Option<u8>,
    /// When a commit was sent that succeeded, and whose answer is still to come.
    pub commit: Option<u8>,
}

/// Where a process is on its way to act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not running, or running and without the partition.
    #[default]
    Down,
    /// It has been given the partition, or has ended its epoch, and is to fence anew.
    Assigned,
    /// Its first fences are on their way: `progress`.
    FencingFirst,
    /// The first is acknowledged.
    Fenced,
    /// The other fences are on their way.
    FencingRest,
    /// It acts.
    Running,
}

/// How far an undone input has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Work {
    /// Nothing is under way.
    Todo,
    /// A request is on the wire, begun in this epoch.
    Wire(u8),
    /// The receiver's answer is known, success or not, and not appended.
    Answered(bool),
    /// The outcome is appended and not acknowledged; with the answer, unless put off.
    Appending(Option<bool>),
}

/// An append under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Append {
    /// Where to.
    pub topic: Topic,
    /// What.
    pub record: Record,
    /// Its offset, once it has landed; the owner doesn't know yet.
    pub landed: Option<u8>,
}

impl Process {
    /// Whether it may start something that only the present owner may: its lease holds.
    pub fn leased(&self, now: u8) -> bool {
        self.lease == Some(now)
    }

    /// The append to `topic` that is next to land or to be acknowledged.
    pub fn head(&self, topic: Topic) -> Option<&Append> {
        self.queue.iter().find(|append| append.topic == topic)
    }

    /// Notes `input` as open, unless it is known.
    pub fn open(&mut self, input: Input, work: Work) {
        if let Err(place) = self.open.binary_search_by_key(&input, |(known, _)| *known) {
            self.open.insert(place, (input, work));
        }
    }

    /// How far `input` has come; `None` where it is done or not known.
    pub fn work(&mut self, input: Input) -> Option<&mut Work> {
        let place = self
            .open
            .binary_search_by_key(&input, |(known, _)| *known)
            .ok()?;
        Some(&mut self.open[place].1)
    }

    /// Notes `input` as done.
    pub fn done(&mut self, input: Input) {
        self.open.retain(|(known, _)| *known != input);
    }
}

impl State {
    /// The first process owns the partition, its fences are down, and nothing has happened.
    pub fn initial(bounds: &Bounds) -> State {
        let mut state = State {
            now: 0,
            accepted: 0,
            ingesting: bounds.ingest,
            logs: Default::default(),
            processes: Default::default(),
            late: Default::default(),
            group: Group {
                holder: Some(0),
                heard: 0,
            },
            left: Left {
                interruptions: bounds.interruptions,
                checkpoints: bounds.checkpoints,
                full: bounds.full,
            },
            seen: Seen::default(),
        };
        for topic in OUTPUTS {
            let body = super::log::Body::Fence;
            state.log_mut(topic).push(Record {
                epoch: 1,
                at: 0,
                body,
            });
        }
        let first = &mut state.processes[0];
        *first = Process {
            phase: Phase::Running,
            epoch: 1,
            lease: Some(0),
            ..Process::default()
        };
        first.acknowledged = [1; 5];
        if !bounds.ingest {
            (0..bounds.deliveries).for_each(|_| state.accept());
        }
        state
    }

    /// One more record in `events`; whoever acts comes across it at once.
    pub fn accept(&mut self) {
        let input = Input {
            source: super::log::Source::Events,
            offset: self.accepted,
        };
        self.accepted += 1;
        for process in &mut self.processes {
            if process.phase == Phase::Running {
                process.open(input, Work::Todo);
            }
        }
    }

    /// The records of `topic`.
    pub fn log(&self, topic: Topic) -> &[Record] {
        &self.logs[topic as usize]
    }

    /// The records of `topic`.
    pub fn log_mut(&mut self, topic: Topic) -> &mut Vec<Record> {
        &mut self.logs[topic as usize]
    }
}
