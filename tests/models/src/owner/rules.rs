//! The rules as switches, and the bounds of a search.

/// One rule of `docs/protocol.md`, or one part of one, that a variant leaves out. What the owner
/// does instead is said beside each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// W1: a request for two endpoints is two appends.
    OneAppend,
    /// W2: after an append that failed, those accepted after it may still land.
    PrefixWriter,
    /// W3: the API writes a cancellation by itself.
    SoleWriter,
    /// W4: what is not durable yet can be read, and its offset is used again if it is lost.
    DurableEnd,
    /// O1: a failure is two appends, one that it failed and one that it is to be tried again.
    OneOutcome,
    /// O2: an input is done once its outcome is accepted by the writer.
    DurableThenDone,
    /// O3a: what failed is appended again, in the same epoch.
    EndEpoch,
    /// O3b: it fences anew, but takes what was not acknowledged as not written.
    ReadAgain,
    /// O3c: a request on the wire is forgotten, and sent again.
    KeepWire,
    /// O3d: the outcome of a request carries the epoch in which it began.
    NewEpochOnWire,
    /// O4a: the other outputs are fenced first, `progress` last.
    ProgressFirst,
    /// O4b: only `progress` is fenced.
    FenceAll,
    /// O4c: the epoch is chosen before the fence lands: one more than the highest seen.
    EpochIsOffset,
    /// O5a: every record counts.
    IgnoreLower,
    /// O5b: a reader that resumes has forgotten the highest epoch it had seen.
    EpochWithPosition,
    /// O6: an owner that finds a higher epoch goes on.
    StopAtHigher,
    /// O14: a retry that it appended is an input at once, without a look at `progress`.
    Confirm,
    /// O7a: sends start without a lease.
    Lease,
    /// O7b: the lease runs from when the commit's answer came.
    LeaseFromSending,
    /// O7c: fences are appended without a lease.
    FenceUnderLease,
    /// O8: a takeover trusts the checkpoint alone.
    ReadOutputs,
    /// O9a: the partition's record comes first, the lanes' after it.
    PartitionLast,
    /// O9b: the cursor's offset is written without what is undone below it.
    UndoneBelow,
    /// O9c: an output is read from its end as of the checkpoint.
    OldestOutcome,
    /// O9d: that end is the log's, not what has been acknowledged.
    AcknowledgedEnd,
    /// O9e: positions are read from without the epoch as of them.
    EpochAsOfPosition,
    /// O9f: the epoch beside a position is the writer's own.
    EpochBelowPosition,
    /// O9g: a checkpoint is written without a look at `progress` first.
    LookFirst,
    /// O10a: a start without an outcome spends its number.
    StartSpendsNothing,
    /// O10b: a start without an outcome is not sent again.
    SentAgain,
    /// O11: what was read last wins.
    HighestStep,
    /// O12: putting off spends an attempt.
    PutOffSpendsNothing,
    /// O13: due is on the machine's own clock, which is ahead.
    LogTime,
}

/// How far a search goes. Everything else follows from these.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Deliveries: one record each in `events`.
    pub deliveries: u8,
    /// Attempts a delivery has.
    pub attempts: u8,
    /// Crashes, failed appends and lost leases, all together. Each is followed by a takeover.
    pub interruptions: u8,
    /// Checkpoints begun.
    pub checkpoints: u8,
    /// Times that a lane is full as a retry comes back in time.
    pub full: u8,
    /// Whether crashes are the only interruptions, and receivers always accept.
    pub calm: bool,
    /// The last tick: it stands for any time long after. The others are half a session each, which
    /// is also what a tier delays by; a failed attempt is due again after two.
    pub last_tick: u8,
    /// Whether starts are noted.
    pub starts: bool,
    /// Whether an owner may do other things between an append's landing and its acknowledgement.
    /// Without, an acknowledgement comes at once or never.
    pub slow_acks: bool,
    /// Whether the answer to a commit may take its time.
    pub slow_commits: bool,
    /// Whether a process's clock may stand still while it is suspended, so that its lease seems to
    /// hold for ever. Then all must hold but what the lease alone promises.
    pub stopped_clock: bool,
    /// Whether the events come while it runs, in one request.
    pub ingest: bool,
}
