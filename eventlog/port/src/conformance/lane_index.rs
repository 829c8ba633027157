//! The index of waiting records.

use bytes::Bytes;
use domain::time::Timestamp;

use crate::lane_index::{IndexError, LaneIndex, LaneIndexes, LaneNumber, Note};
use crate::record::{Header, Offset, Record};

/// Indexes under test.
pub struct Fixture<I> {
    /// The indexes.
    pub indexes: I,
    /// How many notes without a record one lane has room for; 100 at the least.
    pub room: u64,
}

const NONE: [Offset; 0] = [];

fn note(offset: Offset) -> Note {
    Note {
        offset,
        record: None,
    }
}

fn notes(lane: LaneNumber, offsets: impl IntoIterator<Item = Offset>) -> Vec<(LaneNumber, Note)> {
    let of_lane = |offset| (lane, note(offset));
    offsets.into_iter().map(of_lane).collect()
}

async fn offsets(index: &dyn LaneIndex, lane: LaneNumber, from: Offset) -> Vec<Offset> {
    let read = index.read(lane, from, usize::MAX).await.unwrap();
    read.iter().map(|note| note.offset).collect()
}

/// Whatever order they came in, from where and as many as asked for.
pub async fn notes_come_back_in_order(fixture: &Fixture<impl LaneIndexes>) {
    let index = fixture.indexes.open(0).await.unwrap();
    index.add(notes(1, [50, 7, 300])).await.unwrap();
    index.add(notes(1, (60..90).rev())).await.unwrap();
    index.add(Vec::new()).await.unwrap();
    let all: Vec<Offset> = [7, 50].into_iter().chain(60..90).chain([300]).collect();
    assert_eq!(offsets(&*index, 1, 0).await, all);
    assert_eq!(offsets(&*index, 1, 7).await, all);
    assert_eq!(offsets(&*index, 1, 8).await, all[1..]);
    assert_eq!(offsets(&*index, 1, 300).await, [300]);
    assert_eq!(offsets(&*index, 1, 301).await, NONE);
    let read = index.read(1, 51, 3).await.unwrap();
    assert_eq!(read, [note(60), note(61), note(62)]);
}

/// A lane has its own notes, a partition its own lanes.
pub async fn lanes_and_partitions_are_apart(fixture: &Fixture<impl LaneIndexes>) {
    let first = fixture.indexes.open(0).await.unwrap();
    let second = fixture.indexes.open(1).await.unwrap();
    let mut both = notes(1, 0..5);
    both.extend(notes(2, 3..8));
    first.add(both).await.unwrap();
    second.add(notes(1, 100..102)).await.unwrap();
    first
        .add(notes(LaneNumber::MAX, [0, Offset::MAX - 1]))
        .await
        .unwrap();
    assert_eq!(offsets(&*first, 1, 2).await, [2, 3, 4]);
    assert_eq!(offsets(&*first, 2, 0).await, [3, 4, 5, 6, 7]);
    assert_eq!(offsets(&*first, 3, 0).await, NONE);
    let last = offsets(&*first, LaneNumber::MAX, 0).await;
    assert_eq!(last, [0, Offset::MAX - 1]);
    assert_eq!(offsets(&*second, 1, 0).await, [100, 101]);
}

/// Adding what is there changes nothing, and takes no room.
pub async fn a_note_written_again_is_there_once(fixture: &Fixture<impl LaneIndexes>) {
    let index = fixture.indexes.open(0).await.unwrap();
    for _ in 0..5 {
        index.add(notes(1, 0..fixture.room)).await.unwrap();
    }
    index.add(notes(1, [10, 9, 10])).await.unwrap();
    let all: Vec<Offset> = (0..fixture.room).collect();
    assert_eq!(offsets(&*index, 1, 0).await, all);
}

/// Below an offset, or all of a lane; nothing else.
pub async fn what_is_forgotten_is_gone(fixture: &Fixture<impl LaneIndexes>) {
    let index = fixture.indexes.open(0).await.unwrap();
    index.add(notes(1, 0..10)).await.unwrap();
    index.add(notes(2, 0..10)).await.unwrap();
    index.forget(1, 4).await.unwrap();
    index.forget(3, 4).await.unwrap();
    assert_eq!(offsets(&*index, 1, 0).await, [4, 5, 6, 7, 8, 9]);
    index.add(notes(1, 2..6)).await.unwrap();
    assert_eq!(offsets(&*index, 1, 0).await, [2, 3, 4, 5, 6, 7, 8, 9]);
    index.forget(1, Offset::MAX).await.unwrap();
    assert_eq!(offsets(&*index, 1, 0).await, NONE);
    assert_eq!(offsets(&*index, 2, 0).await.len(), 10);
    index.forget(2, Offset::MAX).await.unwrap();
    index.add(notes(1, [5])).await.unwrap();
    assert_eq!(offsets(&*index, 1, 0).await, [5]);
    assert_eq!(offsets(&*index, 2, 0).await, NONE);
}

/// What has no room leaves nothing behind, of any lane; forgetting makes room; each lane has its
/// own.
pub async fn a_full_lane_takes_nothing(fixture: &Fixture<impl LaneIndexes>) {
    let room = fixture.room;
    let index = fixture.indexes.open(0).await.unwrap();
    index.add(notes(1, 0..room)).await.unwrap();
    let mut both = notes(2, 0..5);
    both.extend(notes(1, [room]));
    both.extend(notes(3, 0..5));
    assert!(matches!(index.add(both).await, Err(IndexError::Full)));
    let too_many = index.add(notes(4, 0..=room)).await;
    assert!(matches!(too_many, Err(IndexError::Full)));
    for lane in 2..=4 {
        assert_eq!(offsets(&*index, lane, 0).await, NONE);
    }
    assert_eq!(offsets(&*index, 1, room).await, NONE);
    index.add(notes(2, 0..room)).await.unwrap();
    index.forget(1, 10).await.unwrap();
    index.add(notes(1, room..room + 10)).await.unwrap();
    let more = index.add(notes(1, [room + 10])).await;
    assert!(matches!(more, Err(IndexError::Full)));
    index.forget(1, Offset::MAX).await.unwrap();
    index.add(notes(1, 0..room)).await.unwrap();
}

/// An index is one owner's.
pub async fn a_later_owner_begins_empty(fixture: &Fixture<impl LaneIndexes>) {
    let first = fixture.indexes.open(0).await.unwrap();
    let other = fixture.indexes.open(1).await.unwrap();
    first.add(notes(1, 0..5)).await.unwrap();
    other.add(notes(1, 0..5)).await.unwrap();
    let second = fixture.indexes.open(0).await.unwrap();
    assert_eq!(offsets(&*second, 1, 0).await, NONE);
    second.add(notes(1, [7])).await.unwrap();
    let added = first.add(notes(1, [8])).await;
    assert!(matches!(added, Err(IndexError::Superseded)));
    let read = first.read(1, 0, 1).await;
    assert!(matches!(read, Err(IndexError::Superseded)));
    let forgotten = first.forget(1, Offset::MAX).await;
    assert!(matches!(forgotten, Err(IndexError::Superseded)));
    drop(first);
    assert_eq!(offsets(&*second, 1, 0).await, [7]);
    assert_eq!(offsets(&*other, 1, 0).await.len(), 5);
}

/// Where a note holds its record, that is what comes back.
pub async fn records_come_back_whole(fixture: &Fixture<impl LaneIndexes>) {
    let index = fixture.indexes.open(0).await.unwrap();
    let full = Record {
        offset: 3,
        appended_at: Timestamp::from_millis(1_700_000_000_000),
        key: Some(Bytes::from_static(b"key")),
        headers: vec![Header::new("a", "1"), Header::new("a", "")],
        value: Some(vec![7; 10_000].into()),
    };
    let empty = Record {
        offset: 5,
        appended_at: Timestamp::from_millis(0),
        key: None,
        headers: Vec::new(),
        value: None,
    };
    let with = |record: &Record| Note {
        offset: record.offset,
        record: Some(record.clone()),
    };
    let written = [with(&full), note(4), with(&empty)];
    let added = written.iter().map(|note| (1, note.clone())).collect();
    index.add(added).await.unwrap();
    assert_eq!(index.read(1, 0, 10).await.unwrap(), written);
}
