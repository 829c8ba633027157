//! Groups: who may act for a partition.
//!
//! A group hands each partition of one topic to one of its members. That number is a *claim*; what
//! the member reads, here and in other topics, it reads with a [`Reader`](crate::Reader) of its own.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::GroupError;
use crate::record::Offset;

/// Membership as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// The group's name.
    pub group: String,
    /// The topic whose partitions are shared out.
    pub topic: String,
    /// The member's own name, kept across restarts: one that comes back under its name within the
    /// session finds its partitions as they were. Joining under the name of a live member fences it.
    pub instance: String,
    /// After this long without a sign of life a member loses its claims. At least 6 s on Kafka
    /// (its `group.min.session.timeout.ms`).
    pub session: Duration,
}

/// An offset stored with a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The partition's number.
    pub partition: u32,
    /// The offset from which to go on.
    pub offset: Offset,
    /// Words of the member's own, at most 4,096 bytes.
    pub metadata: String,
}

/// A partition that the member has been given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The partition's number.
    pub partition: u32,
    /// What the group last committed for it. `None` when nothing was ever committed: where to start
    /// is then the member's explicit choice, and never the log's.
    pub committed: Option<Commit>,
}

/// What happens to a member's claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEvent {
    /// The member holds these partitions from now on.
    Assigned(Vec<Claim>),
    /// The member is to give these up. It holds them until it calls [`Member::next`] again, and no
    /// other member is given them before. Commits for them are refused from here on.
    Revoked(Vec<u32>),
    /// The member held these and no longer does; somebody else may be acting for them already.
    Lost(Vec<u32>),
}

/// A member of a group. One that is dropped without [`leave`](Self::leave) keeps its claims until
/// its session runs out, so that it may come back under its name and find them.
#[async_trait]
pub trait Member: Send {
    /// Waits for the next change. Has to be called again within half a session, always: a member
    /// that isn't may be given up for dead. Cancelling the call loses nothing; calling it after a
    /// [`Revoked`](GroupEvent::Revoked) was returned is what gives the partitions up.
    ///
    /// Within the life of a member each partition alternates between assigned and revoked or lost.
    ///
    /// # Errors
    /// [`Fenced`](GroupError::Fenced) once, and from then on, when another took this member's name.
    async fn next(&mut self) -> Result<GroupEvent, GroupError>;

    /// Stores offsets. When it returns they are durable and this member held every partition named.
    ///
    /// # Errors
    /// [`NotHeld`](GroupError::NotHeld) when the group has given one of them to another or is
    /// taking it away. Where that was known before the call, nothing is stored; a commit that a
    /// rebalance overtakes may be, and whoever holds the partition then commits over it.
    async fn commit(&mut self, commits: &[Commit]) -> Result<(), GroupError>;

    /// Gives everything up: at once where the group can be told, so that nobody has to wait, and
    /// after a session at the latest.
    async fn leave(self: Box<Self>);
}
