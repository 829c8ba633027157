//! What a turn writes into tables of rows: made once, committed with the turn, spread then.

use std::collections::BTreeMap;

use projections_port::ViewError;
use projections_port::encoding::Damage;
use projections_port::encoding::bytes::{Reader, Writer};

use crate::cql::{Cql, together};
use crate::tables::{Generation, Table};

/// What is done to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Put,
    /// What only routes say of a delivery: a column that the fold of `inbox` has for itself.
    PutRouted,
    Drop,
    DropRouted,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Put, Self::PutRouted, Self::Drop, Self::DropRouted];

    pub(crate) const fn is_put(self) -> bool {
        match self {
            Self::Put | Self::PutRouted => true,
            Self::Drop | Self::DropRouted => false,
        }
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Op {
    pub(crate) table: Table,
    pub(crate) kind: Kind,
    pub(crate) owner: Vec<u8>,
    pub(crate) bucket: i64,
    pub(crate) key: Vec<u8>,
    /// Empty where something is dropped.
    pub(crate) value: Vec<u8>,
}

/// The most bytes of one request.
const REQUEST: usize = 128 << 10;

impl Op {
    fn size(&self) -> usize {
        self.owner.len() + self.key.len() + self.value.len() + 32
    }
}

/// The writes of turn `at` as values of at most about [`REQUEST`] bytes each.
pub(crate) fn encode(ops: &[Op], at: i64) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    for ops in by_size(ops, Op::size) {
        let mut to = Writer::new();
        to.signed(at);
        to.number(ops.len() as u64);
        for op in ops {
            to.byte(op.table.code().unsigned_abs());
            let kind = Kind::ALL.iter().position(|kind| *kind == op.kind);
            to.number(kind.unwrap_or(0) as u64);
            to.bytes(&op.owner);
            to.signed(op.bucket);
            to.bytes(&op.key);
            to.bytes(&op.value);
        }
        chunks.push(to.finish());
    }
    chunks
}

/// The writes back, with their turn.
pub(crate) fn decode(value: &[u8]) -> Result<(i64, Vec<Op>), Damage> {
    let mut from = Reader::new(value)?;
    let at = from.signed()?;
    let mut ops = Vec::new();
    for _ in 0..from.number()? {
        let table = Table::of_code(from.byte()?).ok_or(Damage::Value("a table"))?;
        let kind = usize::try_from(from.number()?).ok();
        let kind = kind.and_then(|kind| Kind::ALL.get(kind));
        ops.push(Op {
            table,
            kind: *kind.ok_or(Damage::Value("a kind"))?,
            owner: from.bytes()?.to_vec(),
            bucket: from.signed()?,
            key: from.bytes()?.to_vec(),
            value: from.bytes()?.to_vec(),
        });
    }
    from.end()?;
    Ok((at, ops))
}

/// Runs of `items` that together are not larger than a request, one item at least.
pub(crate) fn by_size<T>(items: &[T], size: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut runs = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (at, item) in items.iter().enumerate() {
        let size = size(item);
        if at > begin && bytes + size > REQUEST {
            runs.push(&items[begin..at]);
            (begin, bytes) = (at, 0);
        }
        bytes += size;
    }
    if begin < items.len() {
        runs.push(&items[begin..]);
    }
    runs
}

/// Writes them, those of one partition together. `at` is their time; of two of one cell in one turn the
/// later holds.
pub(crate) async fn spread(
    cql: &Cql,
    generation: &Generation,
    ops: &[Op],
    at: i64,
) -> Result<(), ViewError> {
    generation.list(cql, ops, at).await?;
    let mut groups: BTreeMap<_, BTreeMap<&[u8], &Op>> = BTreeMap::new();
    for op in ops {
        let group = (op.table, op.owner.as_slice(), op.bucket, op.kind);
        groups.entry(group).or_default().insert(&op.key, op);
    }
    let mut requests = Vec::new();
    for ((table, owner, bucket, kind), ops) in groups {
        let ops: Vec<&Op> = ops.into_values().collect();
        let statement = generation.of(table).write(kind);
        for ops in by_size(&ops, |op| op.size()) {
            let ops = ops.to_vec();
            requests.push(async move {
                if kind.is_put() {
                    let values = ops.iter().map(|op| (at, &op.value, owner, bucket, &op.key));
                    cql.batch(statement, values.collect()).await
                } else {
                    let values = ops.iter().map(|op| (at, owner, bucket, &op.key));
                    cql.batch(statement, values.collect()).await
                }
            });
        }
    }
    together(requests).await.map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed case panics")]
mod tests {
    use super::*;

    #[test]
    fn a_turn_comes_back_however_large() {
        let op = |n: usize| Op {
            table: Table::ALL[n % 6],
            kind: Kind::ALL[n % 4],
            owner: vec![1; n % 7],
            bucket: -(n as i64),
            key: n.to_be_bytes().to_vec(),
            value: vec![2; n * 300],
        };
        let ops: Vec<Op> = (0..100).map(op).collect();
        let chunks = encode(&ops, 77);
        assert!(chunks.len() > 5);
        let largest = chunks.iter().map(Vec::len).max().unwrap();
        assert!(largest < REQUEST + 40_000);
        let mut back = Vec::new();
        for chunk in &chunks {
            let (at, ops) = decode(chunk).unwrap();
            assert_eq!(at, 77);
            back.extend(ops);
        }
        assert_eq!(back, ops);
        assert!(encode(&[], 1).is_empty());
        assert_eq!(decode(&chunks[0][..9]).unwrap_err(), Damage::Short);
    }
}
