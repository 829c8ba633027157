//! The partition, what its owner keeps, and what it has written.

/// How many inbox partitions are routed here.
pub(super) const INBOXES: usize = 2;

/// The highest origin taken of each inbox partition; 0 is none.
pub(super) type Highest = [u8; INBOXES];

/// Where a record of `events` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// The inbox partition.
    pub(crate) inbox: usize,
    /// Its place among the partition's origins, by (offset, endpoint id), from 1.
    pub(crate) rank: u8,
}

/// A record of `progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Marker {
    /// Below `offset` all is done; `highest` is as of it.
    Checkpoint {
        /// An offset of `events`.
        offset: u8,
        /// The highest origins below it.
        highest: Highest,
    },
    /// The cursor was at `offset`; `highest` is as of it.
    Note {
        /// An offset of `events`, a multiple of the interval.
        offset: u8,
        /// The highest origins below it.
        highest: Highest,
    },
}

/// An offset of `events` and the highest origins below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct AsOf {
    /// The offset.
    pub(crate) offset: u8,
    /// The highest origins below it.
    pub(crate) highest: Highest,
}

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// The partition of `events`, with what retention has taken: its truth is judged by all of it.
    pub(crate) log: Vec<Origin>,
    /// The first offset that can still be read.
    pub(crate) start: u8,
    /// The offsets whose outcome is durable, once for each outcome.
    pub(crate) ended: Vec<u8>,
    /// The last checkpoint in `progress`.
    pub(crate) checkpointed: AsOf,
    /// The notes in `progress`, one an offset: they are the same whoever wrote them, or SCAN fails.
    pub(crate) notes: Vec<AsOf>,
    /// The owner's memory.
    pub(crate) owner: Owner,
    /// Takeovers left.
    pub(crate) takeovers: u8,
}

/// An owner's memory: gone with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    /// The next offset to pass.
    pub(crate) cursor: u8,
    /// The highest origins below the cursor.
    pub(crate) highest: Highest,
    /// Taken, and without a durable outcome.
    pub(crate) open: Vec<u8>,
    /// Below it, all is done.
    pub(crate) floor: u8,
    /// The highest origins below the floor.
    pub(crate) floor_highest: Highest,
    /// The floor that its last checkpoint named.
    pub(crate) told: u8,
    /// On the way to `progress`.
    pub(crate) queue: Vec<Marker>,
    /// A note not appended yet. Empty but where a variant leaves R9 out.
    pub(crate) unnoted: Option<Marker>,
}

impl Owner {
    pub(super) fn at(from: AsOf) -> Self {
        let AsOf { offset, highest } = from;
        Self {
            cursor: offset,
            highest,
            floor: offset,
            floor_highest: highest,
            told: offset,
            ..Self::default()
        }
    }
}

impl State {
    pub(super) fn new(takeovers: u8) -> Self {
        Self {
            log: Vec::new(),
            start: 0,
            ended: Vec::new(),
            checkpointed: AsOf::default(),
            notes: Vec::new(),
            owner: Owner::default(),
            takeovers,
        }
    }

    pub(super) fn checkpoint(&self) -> AsOf {
        self.checkpointed
    }

    /// What a router may append next of `inbox`: anything that was appended before, or the next.
    pub(super) fn may_arrive(&self, inbox: usize) -> impl Iterator<Item = Origin> + use<> {
        // Which inbox partition comes first is a matter of names.
        let named = inbox == 0 || !self.log.is_empty();
        let ranks = self
            .log
            .iter()
            .filter(|origin| origin.inbox == inbox)
            .map(|origin| origin.rank);
        let next = ranks.max().unwrap_or(0) + 1;
        (1..=next)
            .filter(move |_| named)
            .map(move |rank| Origin { inbox, rank })
    }

    /// A marker becomes durable.
    pub(super) fn land(&mut self, marker: Marker) {
        match marker {
            Marker::Checkpoint { offset, highest } => self.checkpointed = AsOf { offset, highest },
            Marker::Note { offset, highest } => self.keep_note(AsOf { offset, highest }),
        }
    }

    /// The same note again, by the next owner, changes nothing.
    fn keep_note(&mut self, note: AsOf) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Moves the owner's floor up to its oldest open record, folding in what it passes.
    pub(super) fn raise_floor(&mut self) {
        let owner = &mut self.owner;
        let floor = owner.open.iter().copied().min().unwrap_or(owner.cursor);
        for origin in &self.log[usize::from(owner.floor)..usize::from(floor)] {
            let highest = &mut owner.floor_highest[origin.inbox];
            *highest = origin.rank.max(*highest);
        }
        owner.floor = floor;
    }
}
