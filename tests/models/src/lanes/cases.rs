//! The searches: the model as it stands in each world, and each rule, or part of one, left out.

use super::Lanes;
use super::properties::{
    ENDS_ONCE, HANDED_ONCE, KEY_HOLDS_NO_OTHER, KEY_IN_ORDER, LANE_HOLDS_NO_OTHER, NO_GAP,
    NOT_AFTER_END, NOT_EARLY, NOTHING_LOST, WINDOW_BOUNDED,
};
use super::rule::Rule;
use super::world::World;
use super::worlds::{BOTH_LAG, KEYS, KEYS_CANCEL, KEYS_LAG, KEYS_TWICE, LAG, LAG_TWICE};
use crate::harness::{Case, Report, explore, explore_for};

fn whole(world: World) -> Report {
    explore(Lanes {
        world,
        without: None,
    })
}

fn lacking(world: World, rule: Rule, property: &'static str) -> Report {
    explore_for(
        Lanes {
            world,
            without: Some(rule),
        },
        property,
    )
}

macro_rules! holds {
    ($name:literal, $world:ident) => {
        Case {
            name: concat!("lanes: ", $name),
            rule: None,
            refutes: None,
            run: || whole($world),
        }
    };
}

macro_rules! without {
    ($number:literal, $rule:ident, $world:ident, $property:ident) => {
        Case {
            name: concat!("lanes without ", stringify!($rule)),
            rule: Some($number),
            refutes: Some($property),
            run: || lacking($world, Rule::$rule, $property),
        }
    };
}

/// Every search of this model.
pub fn cases() -> Vec<Case> {
    let mut cases = worlds();
    cases.extend(without_rules_of_lanes());
    cases.extend(without_rules_of_checkpoints());
    cases.extend(without_rules_of_requests_and_keys());
    cases
}

fn worlds() -> Vec<Case> {
    vec![
        holds!("one lags", LAG),
        holds!("one lags, two interruptions", LAG_TWICE),
        holds!("both lag", BOTH_LAG),
        holds!("a key is blocked", KEYS),
        holds!("a key is blocked, two interruptions", KEYS_TWICE),
        holds!("a key is blocked, both lag", KEYS_LAG),
        holds!("a blocked head is cancelled", KEYS_CANCEL),
    ]
}

fn without_rules_of_lanes() -> Vec<Case> {
    vec![
        without!("L1", NextGuardsEveryReader, LAG, HANDED_ONCE),
        without!("L2", WindowCountsTheDone, LAG, WINDOW_BOUNDED),
        without!("L3", CursorMovesOn, BOTH_LAG, LANE_HOLDS_NO_OTHER),
        without!("L3", PassedIsNoted, LAG, NO_GAP),
        without!("L4", ServedInsideTheRange, LAG, NO_GAP),
        without!("L4", RangeEndsWhereFull, BOTH_LAG, NO_GAP),
        without!("L4", GrowsBackwards, LAG, NOTHING_LOST),
        without!("L4", GrowsForwards, BOTH_LAG, NOTHING_LOST),
        without!("L5", LiveDecidedWithTheCursor, BOTH_LAG, NO_GAP),
        without!("L13", IndexEmptyAtTakeover, LAG_TWICE, NO_GAP),
        without!("L22", RoomIsTheLanes, KEYS_LAG, KEY_HOLDS_NO_OTHER),
    ]
}

fn without_rules_of_checkpoints() -> Vec<Case> {
    vec![
        without!("L6", LaggingHasRecord, LAG, NOTHING_LOST),
        without!("L6", RecordHasBitmap, LAG, NOT_AFTER_END),
        without!("L6", RecordStays, LAG_TWICE, NOTHING_LOST),
        without!("L7", PartitionRecordLast, LAG, NOTHING_LOST),
        without!("L7", HalfSetIsIgnored, KEYS, KEY_IN_ORDER),
        without!("L7", NamesWhereSetBegins, LAG, NOTHING_LOST),
        without!("L8", InputOffsetHeldBack, LAG, NOTHING_LOST),
        without!("L8", RequestOffsetHeldBack, LAG, NOTHING_LOST),
        without!("L9", OutputOffsetHeldBack, LAG_TWICE, NOT_AFTER_END),
        without!("L9", OutputEndAsRead, LAG, ENDS_ONCE),
        without!("L14", ReleaseIsRecorded, LAG_TWICE, NOT_AFTER_END),
        without!("L15", FirstSetIsWhole, LAG_TWICE, NOT_AFTER_END),
    ]
}

fn without_rules_of_requests_and_keys() -> Vec<Case> {
    vec![
        without!("L10", DoneAheadIsPassed, LAG, NOT_AFTER_END),
        without!("L10", OnTheWireIsRefused, LAG, ENDS_ONCE),
        without!("L16", AheadIsInTheCheckpoint, LAG, NOT_AFTER_END),
        without!("L17", CancelNamesTheRecord, LAG, NOT_AFTER_END),
        without!("L17", CancelNamesTheRequest, LAG, ENDS_ONCE),
        without!("L11", HeadBlocksItsKey, KEYS, KEY_IN_ORDER),
        without!("L12", BlockedKeyIsSplit, KEYS, KEY_HOLDS_NO_OTHER),
        without!("L18", NextAfterDurableEnd, KEYS_TWICE, KEY_IN_ORDER),
        without!("L19", NotesAreTheEndpoints, KEYS, NO_GAP),
        without!("L20", MergedWhenBothLive, KEYS_TWICE, NO_GAP),
        without!("L20", MergedWhenItFits, KEYS, WINDOW_BOUNDED),
        without!("L21", NotesAreRead, KEYS, NOT_EARLY),
        without!("L21", RecordHasHead, KEYS, NOT_EARLY),
        without!("L21", RecordNamesHead, KEYS_TWICE, NOT_EARLY),
    ]
}
