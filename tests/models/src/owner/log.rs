//! The partition's topics as the model has them, and the one way in which every reader reads them.

/// An output of the owner: it alone writes this partition of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// `retry.<tier0>`, which is an input too.
    Tier0,
    /// `retry.<tier1>`, which is an input too.
    Tier1,
    /// `attempts`.
    Attempts,
    /// `dead-letters`.
    DeadLetters,
    /// `progress`.
    Progress,
}

/// Every output; the index of a topic in it is its index wherever there is one value a topic.
pub const OUTPUTS: [Topic; 5] = [
    Topic::Tier0,
    Topic::Tier1,
    Topic::Attempts,
    Topic::DeadLetters,
    Topic::Progress,
];

/// The outputs that hold outcomes: all but `progress`.
pub const OUTCOMES: [Topic; 4] = [
    Topic::Tier0,
    Topic::Tier1,
    Topic::Attempts,
    Topic::DeadLetters,
];

/// Where an input record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// `events`: written by ingest and the router, without an epoch.
    Events,
    /// `retry.<tier0>`.
    Tier0,
    /// `retry.<tier1>`.
    Tier1,
}

/// The two tiers, as source and as topic.
pub const TIERS: [(Source, Topic); 2] =
    [(Source::Tier0, Topic::Tier0), (Source::Tier1, Topic::Tier1)];

/// One input record, as an outcome names it: its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Input {
    /// The topic it lies in.
    pub source: Source,
    /// Its offset there. In `events` the delivery's number too.
    pub offset: u8,
}

impl Input {
    /// The tier it lies in; `None` for `events`.
    pub fn topic(self) -> Option<Topic> {
        match self.source {
            Source::Events => None,
            Source::Tier0 => Some(Topic::Tier0),
            Source::Tier1 => Some(Topic::Tier1),
        }
    }
}

/// A record of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Record {
    /// The epoch that it carries; a fence of `progress` gets its own as it lands.
    pub epoch: u8,
    /// The log's time as it landed, in ticks; kept in the tiers only, where it starts the delay.
    pub at: u8,
    /// What it says.
    pub body: Body,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Body {
    /// The epoch begins here.
    Fence,
    /// What came of one input.
    Outcome(Outcome),
    /// A note: an attempt begins. Ends nothing.
    Start(Input),
    /// The lanes' part of a checkpoint: which events below the cursor are undone, one bit each.
    Lanes(u8),
    /// The partition's part of a checkpoint, which makes the set count.
    Partition(Checkpoint),
}

/// What came of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Outcome {
    /// Whose.
    pub delivery: u8,
    /// The input that it is the outcome of.
    pub origin: Input,
    /// One more than its origin's.
    pub step: u8,
    /// Attempts spent so far, this one counted.
    pub spent: u8,
    /// Attempts whose failure or success was seen: for the judge alone.
    pub made: u8,
    /// What happened.
    pub what: What,
}

/// What happened to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// Another attempt is to come, not before this tick.
    Again(u8),
    /// Delivered.
    Succeeded,
    /// Dead-lettered.
    Dead,
    /// Cancelled.
    Cancelled,
    /// Failed, and what comes next is said elsewhere: only in the variant without O1.
    Failed,
}

impl What {
    /// Whether the delivery ends with it.
    pub fn ends(self) -> bool {
        match self {
            What::Succeeded | What::Dead | What::Cancelled => true,
            What::Again(_) | What::Failed => false,
        }
    }
}

/// What the partition's record of a checkpoint says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Checkpoint {
    /// The offset in `progress` up to which its writer had read and found no higher epoch; its set
    /// lies at or above.
    pub begins: u8,
    /// In `events`: below it all is done or in the lanes' part.
    pub cursor: u8,
    /// In each tier as an input: below it all is done.
    pub below: [Position; 2],
    /// In each topic of [`OUTCOMES`]: where a takeover begins to read what was done.
    pub outputs: [Position; 4],
}

/// An offset, and the highest epoch among the records below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The next offset to read.
    pub offset: u8,
    /// The highest epoch below it.
    pub epoch: u8,
}

/// The records of `log` from `start` up to the offset `end` that count: those whose epoch is not
/// below the highest before them. With `lenient` every record counts (the variant without O5).
pub fn counted(
    log: &[Record],
    start: Position,
    end: usize,
    lenient: bool,
) -> impl Iterator<Item = (u8, &Record)> {
    let mut highest = start.epoch;
    let first = usize::from(start.offset);
    log[..end]
        .iter()
        .enumerate()
        .skip(first)
        .filter_map(move |(offset, record)| {
            let counts = lenient || record.epoch >= highest;
            highest = highest.max(record.epoch);
            counts.then_some((as_offset(offset), record))
        })
}

/// The highest epoch among the records of `log` below `offset`.
pub fn epoch_below(log: &[Record], offset: u8) -> u8 {
    log[..usize::from(offset)]
        .iter()
        .map(|record| record.epoch)
        .max()
        .unwrap_or(0)
}

/// An index as an offset.
pub fn as_offset(index: usize) -> u8 {
    u8::try_from(index).expect("a model's logs have a few dozen records at most")
}
