//! Every search of the routers' two models.

use super::Routers;
use super::intake::{self, Intake};
use super::lacking::Lacking;
use super::properties as routed;
use super::scenarios::{AGING_KEYS, ASKED_KEYS, DECISIONS, KEYS, MIXED, ROUTES, TWO_ROUTES};
use crate::harness::{Case, explore, explore_for};

macro_rules! routers {
    ($($name:literal: $scenario:ident;)*) => { vec![$(Case {
        name: concat!("router: ", $name),
        rule: None,
        refutes: None,
        run: || explore(Routers { scenario: $scenario, lacking: Lacking::Nothing }),
    }),*] };
}

macro_rules! routers_without {
    ($($rule:ident $lacking:ident in $scenario:ident, $name:literal: $refuted:ident;)*) => {
        vec![$(Case {
            name: concat!("router: ", $name),
            rule: Some(stringify!($rule)),
            refutes: Some(routed::$refuted),
            run: || explore_for(
                Routers { scenario: $scenario, lacking: Lacking::$lacking },
                routed::$refuted,
            ),
        }),*]
    };
}

macro_rules! intake_without {
    ($($rule:ident $lacking:ident, $name:literal: $refuted:ident;)*) => { vec![$(Case {
        name: concat!("intake: ", $name),
        rule: Some(stringify!($rule)),
        refutes: Some(intake::$refuted),
        run: || explore_for(
            Intake { lacking: intake::Lacking::$lacking, ..INTAKE },
            intake::$refuted,
        ),
    }),*] };
}

const INTAKE: Intake = Intake {
    records: 5,
    takeovers: 2,
    lacking: intake::Lacking::Nothing,
};

/// Every search of these models.
pub fn cases() -> Vec<Case> {
    let intake = Case {
        name: "intake",
        rule: None,
        refutes: None,
        run: || explore(INTAKE),
    };
    [
        whole_routers(),
        routes(),
        decisions(),
        keys(),
        vec![intake],
        intake_variants(),
    ]
    .concat()
}

fn whole_routers() -> Vec<Case> {
    routers! {
        "routes": ROUTES;
        "decisions": DECISIONS;
        "keys": KEYS;
        "keys of Kafka records": ASKED_KEYS;
        "both doors": MIXED;
    }
}

fn routes() -> Vec<Case> {
    routers_without! {
        R1 InputOrder in ROUTES, "records out of order": NOTHING_LOST;
        R1 EndpointOrder in ROUTES, "endpoints out of order": NOTHING_LOST;
        R2 Dedup in ROUTES, "no dedup": NOTHING_DOUBLED;
        R2 DedupByEndpoint in ROUTES, "dedup by offset alone": NOTHING_LOST;
        R4 PrefixWriter in TWO_ROUTES, "a writer that leaves gaps": NOTHING_LOST;
        R4 PrefixWriterOfRouted in DECISIONS, "gaps in routed": FIRSTS_ASCEND;
        R4 PrefixOfStrays in ROUTES, "late appends in any order": NOTHING_LOST;
        R4 StartFromCommit in ROUTES, "going on after an error": NOTHING_LOST;
        R5 DurableCommit in ROUTES, "commit at acceptance": NOTHING_LOST;
    }
}

fn decisions() -> Vec<Case> {
    routers_without! {
        R6 ReadBack in DECISIONS, "not read back": AS_DECIDED;
        R6 FirstWins in DECISIONS, "the last decision wins": AS_DECIDED;
        R10 RoutedOfCommit in DECISIONS, "commit at the end of routed": AS_DECIDED;
    }
}

fn keys() -> Vec<Case> {
    routers_without! {
        R7 Redo in KEYS, "own row a duplicate": AS_DECIDED;
        R7 RowFirst in KEYS, "row after the routes": ONE_FIRST;
        R7 RowPerFirst in KEYS, "one row a key": ONE_FIRST;
        R7 LookUpInTurn in ASKED_KEYS, "looked up out of turn": ONE_FIRST;
        R7 RowAfterDecision in ASKED_KEYS, "row before the decision": ONE_FIRST;
        R8 AppendTime in AGING_KEYS, "ages by the router's clock": ONE_FIRST;
        R8 PayloadHash in KEYS, "payloads not compared": ONE_FIRST;
        R8 WindowOfRecord in KEYS, "the router's window": ONE_FIRST;
        R8 RowsOutliveInbox in AGING_KEYS, "rows gone with their window": ONE_FIRST;
    }
}

fn intake_variants() -> Vec<Case> {
    intake_without! {
        R2 HighestPerInbox, "one highest for all": NOTHING_LOST;
        R3 HighestAsOfOffset, "highest as of the cursor": NOTHING_LOST;
        R3 HighestInCheckpoint, "checkpoint without highest": NOTHING_DOUBLED;
        R3 FoldWhatIsDone, "done is not folded in": NOTHING_DOUBLED;
        R9 ScanFromNote, "scan from nothing": SCAN;
        R9 ScanAsOfPast, "scan from the present": SCAN;
        R9 NoteFirst, "note behind the checkpoint": NOTED;
        R11 NoteAboveStart, "note below the start": SCAN;
    }
}
