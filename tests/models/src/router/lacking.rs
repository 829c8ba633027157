//! What a variant leaves out.

/// The rule, or the part of one, that a variant of the routers' model does without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lacking {
    /// Nothing: the protocol as it is.
    Nothing,
    /// R1: the router may take the second record before the first.
    InputOrder,
    /// R1: the routes of one record are appended in descending order.
    EndpointOrder,
    /// R2: the owner takes whatever comes.
    Dedup,
    /// R2: the owner compares offsets and not endpoints.
    DedupByEndpoint,
    /// R4: an append that fails is made again behind those accepted since, by the same writer.
    PrefixWriter,
    /// R4: the same, in `routed`.
    PrefixWriterOfRouted,
    /// R4: what a writer left on the way lands in any order, with gaps.
    PrefixOfStrays,
    /// R4: after an error the router goes on where it was, with a new writer.
    StartFromCommit,
    /// R5: it commits what was accepted.
    DurableCommit,
    /// R6: it acts on its own decision without reading it back.
    ReadBack,
    /// R6: the last decision about an offset wins.
    FirstWins,
    /// R7: a row with the record's own offset makes it a duplicate.
    Redo,
    /// R7: the row is written some time after the routes.
    RowFirst,
    /// R7: the store keeps one row a key, the latest first's.
    RowPerFirst,
    /// R7: a record is looked up while one with its key below it is open.
    LookUpInTurn,
    /// R7: the row is written before the decision is known to be the first.
    RowAfterDecision,
    /// R8: ages are measured by the router's clock.
    AppendTime,
    /// R8: a payload is not compared.
    PayloadHash,
    /// R8: a record that states its window is judged by the router's setting.
    WindowOfRecord,
    /// R8: a row goes when its window is over.
    RowsOutliveInbox,
    /// R10: the commit names the end of `routed`.
    RoutedOfCommit,
}
