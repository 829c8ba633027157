//! Reading along the rows of one owner, bucket by bucket.

use std::collections::VecDeque;
use std::ops::Bound;

use projections_port::ViewError;
use projections_port::walk::Walk;

use crate::read::{Reading, Stored};
use crate::tables::{Table, row_key};

/// Rows that are read at a time.
const CHUNK: usize = 500;

/// Buckets that are looked up at a time.
const BUCKETS: i32 = 500;

/// The rows of one owner in the order of their keys, or against it.
pub(crate) struct Along<'a> {
    reading: Reading<'a>,
    table: Table,
    owner: Vec<u8>,
    lower: Vec<u8>,
    upper: Vec<u8>,
    descending: bool,
    /// Buckets that are known to come.
    buckets: VecDeque<i64>,
    /// The range in which further ones may be.
    unknown: Option<(i64, i64)>,
    /// The bucket that is being read, and what of it is left.
    current: Option<(i64, Vec<u8>, Vec<u8>)>,
}

/// The bounds of everything.
pub(crate) const FIRST: &[u8] = &[0];
pub(crate) const LAST: &[u8] = &[u8::MAX; 40];

impl<'a> Along<'a> {
    pub(crate) fn new(reading: Reading<'a>, table: Table, owner: Vec<u8>, walk: &Walk) -> Self {
        let after = |key: Vec<u8>| [key.as_slice(), &[0]].concat();
        let (lower, first) = match &walk.lower {
            Bound::Unbounded => (FIRST.to_vec(), i64::MIN),
            Bound::Included(at) => (row_key(at), table.bucket(at.accepted_at)),
            Bound::Excluded(at) => (after(row_key(at)), table.bucket(at.accepted_at)),
        };
        let (upper, last) = match &walk.upper {
            Bound::Unbounded => (LAST.to_vec(), i64::MAX),
            Bound::Included(at) => (after(row_key(at)), table.bucket(at.accepted_at)),
            Bound::Excluded(at) => (row_key(at), table.bucket(at.accepted_at)),
        };
        Self {
            reading,
            table,
            owner,
            lower,
            upper,
            descending: walk.descending,
            buckets: VecDeque::new(),
            unknown: (!walk.is_empty()).then_some((first, last)),
            current: None,
        }
    }

    /// Everything of `owner` from `lower` on, ascending.
    pub(crate) fn from(
        reading: Reading<'a>,
        table: Table,
        owner: Vec<u8>,
        lower: Vec<u8>,
        first: i64,
    ) -> Self {
        Self {
            reading,
            table,
            owner,
            lower,
            upper: LAST.to_vec(),
            descending: false,
            buckets: VecDeque::new(),
            unknown: Some((first, i64::MAX)),
            current: None,
        }
    }

    /// The first rows of one bucket, from a key on.
    pub(crate) async fn first_of(
        reading: Reading<'_>,
        table: Table,
        owner: &[u8],
        bucket: i64,
        from: Option<Vec<u8>>,
    ) -> Result<Vec<Stored>, ViewError> {
        let from = from.as_deref().unwrap_or(FIRST);
        let values = (owner, bucket, from, LAST, CHUNK as i32);
        reading
            .cql
            .rows(&reading.generation.of(table).up, values)
            .await
    }

    /// The next rows; `None` behind the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Stored>>, ViewError> {
        loop {
            let Some((bucket, lower, upper)) = self.current.take() else {
                let Some(bucket) = self.next_bucket().await? else {
                    return Ok(None);
                };
                self.current = Some((bucket, self.lower.clone(), self.upper.clone()));
                continue;
            };
            let of = self.reading.generation.of(self.table);
            let statement = if self.descending { &of.down } else { &of.up };
            let values = (&self.owner, bucket, &lower, &upper, CHUNK as i32);
            let rows: Vec<Stored> = self.reading.cql.rows(statement, values).await?;
            if rows.len() == CHUNK
                && let Some((last, ..)) = rows.last()
            {
                self.current = Some(if self.descending {
                    (bucket, lower, last.clone())
                } else {
                    (bucket, [last.as_slice(), &[0]].concat(), upper)
                });
            }
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
        }
    }

    async fn next_bucket(&mut self) -> Result<Option<i64>, ViewError> {
        if let Some(bucket) = self.buckets.pop_front() {
            return Ok(Some(bucket));
        }
        let Some((first, last)) = self.unknown.take() else {
            return Ok(None);
        };
        let generation = self.reading.generation;
        let statement = if self.descending {
            &generation.buckets_down
        } else {
            &generation.buckets_up
        };
        let values = (self.table.code(), &self.owner, first, last, BUCKETS);
        let rows: Vec<(i64,)> = self.reading.cql.rows(statement, values).await?;
        if rows.len() == BUCKETS.unsigned_abs() as usize
            && let Some((end,)) = rows.last()
        {
            self.unknown = Some(if self.descending {
                (first, end.saturating_sub(1))
            } else {
                (end.saturating_add(1), last)
            });
        }
        self.buckets = rows.into_iter().map(|(bucket,)| bucket).collect();
        Ok(self.buckets.pop_front())
    }
}
