//! Which generation of rows counts, and how another comes to.

use projections_port::ViewError;
use scylla::statement::prepared::PreparedStatement;

use crate::cql::Cql;
use crate::error::{OpenError, unavailable, unusable};
use crate::making::{self, VERSION as KNOWN};
use crate::tables::Generation;

/// The version of the tables, among the names in `meta`.
pub(crate) const VERSION: &str = "version";
/// The generation of rows that counts.
pub(crate) const GENERATION: &str = "generation";
/// Up to which all were dropped.
const DROPPED: &str = "dropped";
/// The one that is being filled; 0: none.
pub(crate) const REBUILDING: &str = "rebuilding";

/// Names the one that rows of an older version give way to.
pub(crate) fn migrating() -> String {
    format!("rows-of-version-{KNOWN}")
}

/// What counts, as it was found.
pub(crate) struct Found {
    generation: Option<i64>,
    version: Option<i64>,
}

/// A later generation counts by now than the one that was to.
#[derive(Debug, thiserror::Error)]
#[error("rows of generation {0} were to count, and others do already")]
struct Passed(i64);

/// The tables of one keyspace.
pub(crate) struct Tables<'a> {
    pub(crate) cql: &'a Cql,
    pub(crate) meta: &'a Meta,
    pub(crate) keyspace: &'a str,
}

impl Tables<'_> {
    /// Reads which generation counts.
    pub(crate) async fn look(&self) -> Result<Found, ViewError> {
        Ok(Found {
            generation: self.meta.get(self.cql, GENERATION).await?,
            version: self.meta.get(self.cql, VERSION).await?,
        })
    }

    /// Refuses tables that a newer program has made, or is about to.
    pub(crate) async fn check_version(&self) -> Result<(), ViewError> {
        self.check(self.meta.get(self.cql, VERSION).await?)
    }

    fn check(&self, version: Option<i64>) -> Result<(), ViewError> {
        match version.filter(|version| *version > KNOWN) {
            Some(version) => {
                let newer = OpenError::NewerVersion {
                    keyspace: self.keyspace.to_owned(),
                    found: version.unsigned_abs(),
                    known: KNOWN.unsigned_abs(),
                };
                Err(unusable(newer))
            }
            None => Ok(()),
        }
    }

    /// Opens the rows that count, and makes them where there are none; those of an older version give way to an empty
    /// generation, which is folded again out of the log. Done again, or by several at once, it comes to the same.
    pub(crate) async fn go_on(&self, found: Found, now: i64) -> Result<Generation, ViewError> {
        // A newer program's tables are not touched.
        self.check(found.version)?;
        let target = match found.generation {
            None => 1,
            Some(counts) if found.version == Some(KNOWN) => {
                // Whoever migrated may have been killed before its rows counted.
                let migrating = self.meta.get(self.cql, &migrating()).await?;
                counts.max(migrating.unwrap_or(0))
            }
            Some(counts) => self.migrating(counts).await?,
        };
        // The version first: who follows into a generation looks at it then, and rows that count without one are an
        // older program's.
        let version = self.meta.raise(self.cql, VERSION, KNOWN).await?;
        self.check(Some(version))?;
        making::make_rows(self.cql, self.keyspace, target).await?;
        if found.generation == Some(target) {
            self.check_counts(target).await?;
            self.drop_before(target).await?;
        } else {
            self.switch(target, now).await?;
        }
        Generation::open(self.cql, self.keyspace, target).await
    }

    /// The generation that rows of an older version give way to: behind what counts, and what is being filled.
    async fn migrating(&self, counts: i64) -> Result<i64, ViewError> {
        let target = match self.meta.get(self.cql, &migrating()).await? {
            Some(target) => target,
            None => {
                let filled = self.meta.get(self.cql, REBUILDING).await?;
                let target = counts.max(filled.unwrap_or(0)) + 1;
                self.meta.raise(self.cql, &migrating(), target).await?
            }
        };
        tracing::info!(
            generation = target,
            "the rows are folded anew: they lie as an older version had them"
        );
        Ok(target)
    }

    /// Lets generation `target`, whose tables are there, count, and drops those before it.
    pub(crate) async fn switch(&self, target: i64, now: i64) -> Result<(), ViewError> {
        self.meta.raise(self.cql, GENERATION, target).await?;
        self.check_counts(target).await?;
        self.meta.put(self.cql, REBUILDING, 0, now).await?;
        self.drop_before(target).await
    }

    /// Checks that none behind `target` counts. If one does, those of `target` were dropped, or are, and were perhaps
    /// made again here: they are dropped once more.
    async fn check_counts(&self, target: i64) -> Result<(), ViewError> {
        let counts = self.meta.get(self.cql, GENERATION).await?;
        if counts.is_some_and(|counts| counts > target) {
            making::drop_rows(self.cql, self.keyspace, target).await?;
            return Err(unavailable(Passed(target)));
        }
        Ok(())
    }

    /// Drops the generations before `counts` that were not dropped yet: whoever should have may have been killed.
    async fn drop_before(&self, counts: i64) -> Result<(), ViewError> {
        let dropped = self.meta.get(self.cql, DROPPED).await?.unwrap_or(0);
        if dropped + 1 >= counts {
            return Ok(());
        }
        for old in dropped + 1..counts {
            making::drop_rows(self.cql, self.keyspace, old).await?;
        }
        self.meta.raise(self.cql, DROPPED, counts - 1).await?;
        Ok(())
    }
}

/// Numbers by name that belong to no generation.
pub(crate) struct Meta {
    put: PreparedStatement,
    get: PreparedStatement,
}

/// A number, and the time of its write; each `None` where it isn't there.
type Written = (Option<i64>, Option<i64>);

impl Meta {
    pub(crate) async fn open(cql: &Cql, keyspace: &str) -> Result<Self, ViewError> {
        let put = format!("UPDATE {keyspace}.meta USING TIMESTAMP ? SET number = ? WHERE name = ?");
        let get = format!("SELECT number, WRITETIME(number) FROM {keyspace}.meta WHERE name = ?");
        Ok(Self {
            put: cql.prepare(put).await?,
            get: cql.prepare(get).await?,
        })
    }

    pub(crate) async fn get(&self, cql: &Cql, name: &str) -> Result<Option<i64>, ViewError> {
        Ok(self.written(cql, name).await?.0)
    }

    /// Puts a number in the place of what is there, whose writer's clock may be ahead.
    pub(crate) async fn put(
        &self,
        cql: &Cql,
        name: &str,
        number: i64,
        now: i64,
    ) -> Result<(), ViewError> {
        let written = self.written(cql, name).await?.1;
        let at = written.map_or(now, |written| now.max(written.saturating_add(1)));
        cql.run(&self.put, (at, number, name)).await
    }

    /// Lets a number that only grows be `number` at least, and says what it is then.
    pub(crate) async fn raise(&self, cql: &Cql, name: &str, number: i64) -> Result<i64, ViewError> {
        let found = self.written(cql, name).await?;
        self.raise_from(cql, name, found, number).await
    }

    /// As [`raise`](Self::raise), of what was found there. Its write comes right behind that one, whatever the clock says:
    /// should this process have stalled since, what others have written covers it; and of two writes of one time both
    /// servers keep the larger value.
    pub(crate) async fn raise_from(
        &self,
        cql: &Cql,
        name: &str,
        (known, written): Written,
        number: i64,
    ) -> Result<i64, ViewError> {
        if let Some(known) = known.filter(|known| *known >= number) {
            return Ok(known);
        }
        let at = written.map_or(1, |written| written.saturating_add(1));
        cql.run(&self.put, (at, number, name)).await?;
        let now = self.get(cql, name).await?;
        Ok(now.unwrap_or(number))
    }

    pub(crate) async fn written(&self, cql: &Cql, name: &str) -> Result<Written, ViewError> {
        let rows: Vec<Written> = cql.rows(&self.get, (name,)).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }
}
