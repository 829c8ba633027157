//! The rules that a variant can leave out.

/// A rule, or the part of one, that can be taken away by itself. The names say what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// L1: no reader hands out a record below `next`.
    NextGuardsEveryReader,
    /// L2: what is done above the resume offset takes room in the window.
    WindowCountsTheDone,
    /// L3: the cursor moves on when a lane is full.
    CursorMovesOn,
    /// L3: what the cursor passes in a lagging lane is noted.
    PassedIsNoted,
    /// L4: a lane is served only from inside the index's range.
    ServedInsideTheRange,
    /// L4: where the index is full, its range ends.
    RangeEndsWhereFull,
    /// L4: the range grows backwards.
    GrowsBackwards,
    /// L4: the range grows forwards.
    GrowsForwards,
    /// L5: going live is decided where the cursor is moved.
    LiveDecidedWithTheCursor,
    /// L6: a lagging lane has a record.
    LaggingHasRecord,
    /// L6: the record says what is done above its resume offset.
    RecordHasBitmap,
    /// L6: the record stays while an undone one is below the checkpoint.
    RecordStays,
    /// L7: the partition's record is the last of its set.
    PartitionRecordLast,
    /// L7: without it, the set does not count.
    HalfSetIsIgnored,
    /// L7: the partition's record names where the whole set begins.
    NamesWhereSetBegins,
    /// L8: the input offset passes no undone record that no lane's record holds.
    InputOffsetHeldBack,
    /// L8: the same for requests.
    RequestOffsetHeldBack,
    /// L9: the output offset is not above an outcome whose input is not below the input offset.
    OutputOffsetHeldBack,
    /// L9: nor above the end as it was when the lanes were read.
    OutputEndAsRead,
    /// L10: readers pass what was done ahead.
    DoneAheadIsPassed,
    /// L10: what is on the wire is not cancelled.
    OnTheWireIsRefused,
    /// L11: nothing of a strict key is sent before what is ahead of it.
    HeadBlocksItsKey,
    /// L12: a blocked key is split off.
    BlockedKeyIsSplit,
    /// L13: a takeover begins with an empty index.
    IndexEmptyAtTakeover,
    /// L14: a lane that needs its record no more says so.
    ReleaseIsRecorded,
    /// L15: an owner's first set is whole.
    FirstSetIsWhole,
    /// L16: what was done ahead is in the partition's record.
    AheadIsInTheCheckpoint,
    /// L17: the outcome of a cancel names the record.
    CancelNamesTheRecord,
    /// L17: the outcome of a cancel names the request.
    CancelNamesTheRequest,
    /// L18: the next of a key is sent after the end of its head is durable.
    NextAfterDurableEnd,
    /// L19: the notes are an endpoint's, not a lane's.
    NotesAreTheEndpoints,
    /// L20: a key is merged when both lanes are live.
    MergedWhenBothLive,
    /// L20: and when what they hold fits into one window.
    MergedWhenItFits,
    /// L21: a takeover reads notes of failure.
    NotesAreRead,
    /// L21: the lane's record has the head's attempt.
    RecordHasHead,
    /// L21: by its offset, wherever the lane has come to.
    RecordNamesHead,
    /// L22: the room for notes is each lane's own.
    RoomIsTheLanes,
}
