//! Who writes what: a claim's state, and how it is taken over.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;

use domain::time::{Clock, Timestamp};
use projections_port::encoding::bytes::{Reader, Writer};
use projections_port::encoding::{Damage, attempt, key, state};
use projections_port::ledger::Ledger;
use projections_port::{Accounting, Batch, Progress, ViewError};
use schemas::ids::EndpointId;
use schemas::text::TenantId;
use schemas::topics::Topic;

use crate::cql::Cql;
use crate::error::unavailable;
use crate::expire::{shortened, unlist_emptied};
use crate::op::{self, Op};
use crate::read::Reading;
use crate::tables::Generation;

/// How a claim's name begins that folds a partition of `events` and what its owner writes.
const DELIVERIES: &str = "deliveries/";
/// As [`DELIVERIES`]: a partition of `inbox` and its `routed`.
const ACCEPTANCES: &str = "acceptances/";

/// The row among claims that says what was told to be forgotten.
pub(crate) const EXPIRED: &str = "expired";

/// Behind the kinds of [`state`]: of a tenant's deliveries to an endpoint, how many the fold of `inbox`
/// has routed, less how many the fold of `events` has taken on.
pub(crate) const ONLY_ROUTED: u8 = 8;
/// The last turn: its time, and in how many pieces its writes lie.
const COMMIT_KEY: &[u8] = &[9];
/// The first key behind that.
const BEHIND_COMMIT: &[u8] = &[9, 0];
/// A piece.
const PIECE: u8 = 10;

/// Rows of state that are read at a time.
const PAGE: i32 = 2_000;

/// A row among claims: its name, the epoch whose state counts, what it shows.
pub(crate) type ClaimRow = (String, Option<i64>, Option<Vec<u8>>);

/// A row of state: key and value.
pub(crate) type StateRow = (Vec<u8>, Vec<u8>);

/// What one process folds at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim(String);

impl Claim {
    pub(crate) fn deliveries(partition: u32) -> Self {
        Self(format!("{DELIVERIES}{partition}"))
    }

    pub(crate) fn acceptances(partition: u32) -> Self {
        Self(format!("{ACCEPTANCES}{partition}"))
    }

    /// Whose a batch is.
    pub(crate) fn of(batch: &Batch) -> Self {
        match batch.progress.first() {
            Some(advance) => Self::folding(advance.topic, advance.partition),
            None => Self::deliveries(0),
        }
    }

    /// Whose a partition is.
    pub(crate) fn folding(topic: Topic, partition: u32) -> Self {
        match topic {
            Topic::Inbox | Topic::Routed => Self::acceptances(partition),
            Topic::Events
            | Topic::Retry(_)
            | Topic::Attempts
            | Topic::DeadLetters
            | Topic::Requests
            | Topic::Progress
            | Topic::Control
            | Topic::Quarantine => Self::deliveries(partition),
        }
    }

    /// The one of a row among claims.
    pub(crate) const fn named(name: String) -> Self {
        Self(name)
    }

    pub(crate) const fn name(&self) -> &str {
        self.0.as_str()
    }
}

/// A count's key: whose deliveries, and where to.
pub(crate) type Counted = (TenantId, EndpointId);

/// Counts of one claim, or of several together.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) ledger: Ledger,
    pub(crate) only_routed: BTreeMap<Counted, i64>,
}

/// A claim as its owner knows it.
pub(crate) struct Owned {
    pub(crate) claim: Claim,
    pub(crate) epoch: i64,
    /// The time of the last turn.
    pub(crate) at: i64,
    pub(crate) progress: BTreeMap<(Topic, u32), Progress>,
    pub(crate) counts: Counts,
}

/// What one turn does.
#[derive(Default)]
pub(crate) struct Turn {
    pub(crate) ops: Vec<Op>,
    pub(crate) progress: BTreeMap<(Topic, u32), Progress>,
    /// Which of the `only_routed` counts moved.
    pub(crate) routed: BTreeMap<Counted, ()>,
}

/// Another process has taken the claim over.
#[derive(Debug, thiserror::Error)]
#[error("{0} is another process's now")]
struct TakenOver(String);

/// Microseconds by `clock`, which is what times of writes are in.
pub(crate) fn micros(clock: &dyn Clock) -> i64 {
    clock.now().as_millis().saturating_mul(1_000)
}

/// How many bits of an epoch tell takers of one millisecond apart.
const EPOCH_CHANCE: u32 = 20;

/// An epoch above `known`, and its moment in milliseconds: chance in its lower bits, so that two who take at
/// once don't take the same.
fn next_epoch(known: i64, clock: &dyn Clock) -> (i64, i64) {
    let behind = (known >> EPOCH_CHANCE).saturating_add(1);
    let millis = clock.now().as_millis().max(behind);
    // Each state's seed is the system's own randomness.
    let chance = RandomState::new().build_hasher().finish() & ((1 << EPOCH_CHANCE) - 1);
    let epoch = (millis << EPOCH_CHANCE) | i64::try_from(chance).unwrap_or(0);
    (epoch, millis)
}

/// How often a claim's state is read again when others write it meanwhile: each of them can do so once.
const READ_AGAIN: usize = 5;

impl Owned {
    /// Takes a claim over: whoever had it writes where nobody reads from here on. What it had committed
    /// and not spread is spread.
    pub(crate) async fn take(
        cql: &Cql,
        generation: &Generation,
        clock: &Arc<dyn Clock>,
        claim: Claim,
    ) -> Result<Self, ViewError> {
        let name = claim.name();
        let known = holder(cql, generation, name).await?;
        let (epoch, millis) = next_epoch(known.0, &**clock);
        let at = millis.saturating_mul(1_000);
        cql.run(&generation.take, (at, epoch, name)).await?;
        // From here on an earlier owner can commit once more at most, and nobody shows it but the next.
        let (live, rows) = settled(cql, generation, name, epoch).await?;
        let mut owned = Self {
            claim: claim.clone(),
            epoch,
            at,
            progress: BTreeMap::new(),
            counts: Counts::default(),
        };
        let committed = owned.load(&rows)?;
        if let Some((at, pieces)) = committed {
            owned.at = owned.at.max(at + 1);
            let ops = pieces_of(&rows, at, pieces)?;
            op::spread(cql, generation, &ops, at).await?;
            let lists = shortened(&ops);
            if !lists.is_empty() {
                let before = expired(cql, generation).await?;
                let reading = Reading { cql, generation };
                unlist_emptied(reading, lists, before, owned.at).await?;
            }
        }
        let kept = rows
            .iter()
            .filter(|(key, _)| key.first() != Some(&PIECE) && key != COMMIT_KEY);
        // With the time that writes have come to: clocks differ, and whoever takes over next must be later.
        let none = (COMMIT_KEY.to_vec(), commit_row(owned.at, 0));
        let kept: Vec<_> = kept
            .chain([&none])
            .map(|(key, value)| (owned.at, value, name, epoch, key))
            .collect();
        for rows in op::by_size(&kept, |row| row.1.len() + row.4.len() + 64) {
            cql.batch(&generation.put_state, rows.to_vec()).await?;
        }
        cql.run(&generation.live, (owned.at, epoch, name)).await?;
        owned.show(cql, generation).await?;
        if let Some(live) = live {
            cql.run(&generation.drop_state, (owned.at, name, live))
                .await?;
        }
        Ok(owned)
    }

    fn load(&mut self, rows: &[StateRow]) -> Result<Option<(i64, u64)>, Damage> {
        let mut committed = None;
        for (key, value) in rows {
            if key == COMMIT_KEY {
                committed = Some(read_commit(value)?);
            } else if key.first() == Some(&state::PROGRESS) {
                let partition = state::progress_of_key(key)?;
                self.progress
                    .insert(partition, state::decode_progress(value)?);
            }
        }
        self.counts.add(rows)?;
        Ok(committed)
    }

    /// Commits a turn and spreads it. After an error whoever holds this must take the claim over again.
    pub(crate) async fn turn(
        &mut self,
        cql: &Cql,
        generation: &Generation,
        clock: &Arc<dyn Clock>,
        turn: Turn,
    ) -> Result<(), ViewError> {
        self.commit(cql, generation, clock, &turn).await?;
        // Who takes over after this read finds the commit, and spreads it as well: the same cells.
        let name = self.claim.name();
        if holder(cql, generation, name).await?.0 != self.epoch {
            return Err(unavailable(TakenOver(name.to_owned())));
        }
        op::spread(cql, generation, &turn.ops, self.at).await?;
        self.progress.extend(turn.progress);
        self.show(cql, generation).await
    }

    /// Writes a turn into the claim's state: its writes in pieces, then all that moves with it at once.
    pub(crate) async fn commit(
        &mut self,
        cql: &Cql,
        generation: &Generation,
        clock: &Arc<dyn Clock>,
        turn: &Turn,
    ) -> Result<(), ViewError> {
        self.at = micros(&**clock).max(self.at + 1);
        let at = self.at;
        let pieces = op::encode(&turn.ops, at);
        let mut rows = self.moved(turn);
        let (name, epoch) = (self.claim.name(), self.epoch);
        for (index, piece) in (0_u32..).zip(&pieces) {
            let key = [&[PIECE], index.to_be_bytes().as_slice()].concat();
            cql.run(&generation.put_state, (at, piece, name, epoch, key))
                .await?;
        }
        rows.push((COMMIT_KEY.to_vec(), commit_row(at, pieces.len())));
        let rows = rows
            .iter()
            .map(|(key, value)| (at, value, name, epoch, key));
        cql.batch(&generation.put_state, rows.collect()).await
    }

    /// The rows of state that a turn moves.
    fn moved(&mut self, turn: &Turn) -> Vec<StateRow> {
        let mut rows = Vec::new();
        for ((topic, partition), progress) in &turn.progress {
            let key = state::progress_key(*topic, *partition);
            rows.push((key, state::encode_progress(progress)));
        }
        let ledger = &mut self.counts.ledger;
        for (tenant, endpoint) in ledger.take_moved() {
            rows.push(match endpoint {
                Some(endpoint) => (
                    state::accounting_key(&tenant, &endpoint),
                    state::encode_accounting(&ledger.accounting(&tenant, &endpoint)),
                ),
                None => (
                    state::undelivered_key(&tenant),
                    state::encode_undelivered(&ledger.undelivered(&tenant)),
                ),
            });
        }
        for counted in turn.routed.keys() {
            let mut value = Writer::new();
            value.signed(self.counts.only_routed.get(counted).copied().unwrap_or(0));
            let mut key = state::accounting_key(&counted.0, &counted.1);
            key[0] = ONLY_ROUTED;
            rows.push((key, value.finish()));
        }
        rows
    }

    /// Tells readers how far the rows are.
    async fn show(&self, cql: &Cql, generation: &Generation) -> Result<(), ViewError> {
        let mut to = Writer::new();
        to.number(self.progress.len() as u64);
        for ((topic, partition), progress) in &self.progress {
            attempt::write_topic(*topic, &mut to);
            to.number(u64::from(*partition));
            to.bytes(&state::encode_progress(progress));
        }
        let values = (self.at, to.finish(), self.claim.name());
        cql.run(&generation.show, values).await
    }
}

/// What a claim has shown.
pub(crate) fn shown(value: &[u8]) -> Result<BTreeMap<(Topic, u32), Progress>, Damage> {
    let mut from = Reader::new(value)?;
    let rows = attempt::many(&mut from, |from| {
        let partition = (attempt::read_topic(from)?, from.small()?);
        Ok((partition, state::decode_progress(from.bytes()?)?))
    })?;
    from.end()?;
    Ok(rows.into_iter().collect())
}

fn commit_row(at: i64, pieces: usize) -> Vec<u8> {
    let mut commit = Writer::new();
    commit.signed(at);
    commit.number(pieces as u64);
    commit.finish()
}

/// The time and the pieces of what [`commit_row`] has written.
fn read_commit(value: &[u8]) -> Result<(i64, u64), Damage> {
    let mut from = Reader::new(value)?;
    Ok((from.signed()?, from.number()?))
}

/// The time of a claim's last turn, where that is not shown yet: its rows may be there or not. The state is that of `live`.
pub(crate) async fn unfinished(
    cql: &Cql,
    generation: &Generation,
    name: &str,
    live: i64,
) -> Result<Option<i64>, ViewError> {
    let found = state_rows(cql, generation, name, live, COMMIT_KEY, BEHIND_COMMIT).await?;
    let Some((_, commit)) = found.first() else {
        return Ok(None);
    };
    let (committed_at, _) = read_commit(commit)?;
    // A turn is shown with its own time. Read after the commit: before it, another turn could come in between.
    let shown: Vec<(Option<i64>,)> = cql.rows(&generation.shown_at, (name,)).await?;
    let shown_at = shown.first().and_then(|(at,)| *at);
    let is_shown = shown_at.is_some_and(|at| at >= committed_at);
    Ok(Some(committed_at).filter(|_| !is_shown))
}

/// The state of a claim that `epoch` has taken, and the epoch that it lies under: read again until nobody
/// committed to it or copied and dropped it in between.
async fn settled(
    cql: &Cql,
    generation: &Generation,
    name: &str,
    epoch: i64,
) -> Result<(Option<i64>, Vec<StateRow>), ViewError> {
    let taken = || unavailable(TakenOver(name.to_owned()));
    for _ in 0..READ_AGAIN {
        let before = holder(cql, generation, name).await?;
        if before.0 != epoch {
            return Err(taken());
        }
        let Some(live) = before.1 else {
            return Ok((None, Vec::new()));
        };
        let read = |from, end| state_rows(cql, generation, name, live, from, end);
        let commit = read(COMMIT_KEY, BEHIND_COMMIT).await?;
        let rows = read(&[0], &[u8::MAX]).await?;
        let is_same = read(COMMIT_KEY, BEHIND_COMMIT).await? == commit
            && rows.iter().find(|(key, _)| key == COMMIT_KEY) == commit.first();
        if is_same && holder(cql, generation, name).await? == before {
            return Ok((Some(live), rows));
        }
    }
    Err(taken())
}

/// The epoch that has taken a claim, 0 for none, and the one whose state counts.
async fn holder(
    cql: &Cql,
    generation: &Generation,
    claim: &str,
) -> Result<(i64, Option<i64>), ViewError> {
    let rows: Vec<(Option<i64>, Option<i64>)> = cql.rows(&generation.claim, (claim,)).await?;
    let (taken, live) = rows.first().copied().unwrap_or_default();
    Ok((taken.unwrap_or(0), live))
}

/// The rows of a claim's state from `from` up to `end`.
pub(crate) async fn state_rows(
    cql: &Cql,
    generation: &Generation,
    claim: &str,
    epoch: i64,
    from: &[u8],
    end: &[u8],
) -> Result<Vec<StateRow>, ViewError> {
    let mut all = Vec::new();
    let mut from = from.to_vec();
    loop {
        let values = (claim, epoch, &from, end, PAGE);
        let rows: Vec<(Vec<u8>, Option<Vec<u8>>)> = cql.rows(&generation.state, values).await?;
        let is_last = rows.len() < PAGE.unsigned_abs() as usize;
        if let Some((last, _)) = rows.last() {
            from = [last.as_slice(), &[0]].concat();
        }
        let rows = rows.into_iter();
        all.extend(rows.filter_map(|(key, value)| Some((key, value?))));
        if is_last {
            return Ok(all);
        }
    }
}

/// The writes of the turn committed at `at`. Pieces of a later one: that turn was spread before.
fn pieces_of(rows: &[StateRow], at: i64, pieces: u64) -> Result<Vec<Op>, Damage> {
    let mut all = Vec::new();
    for (key, value) in rows {
        if key.first() != Some(&PIECE) {
            continue;
        }
        let index: [u8; 4] = key[1..].try_into().map_err(|_| Damage::Short)?;
        let (of, ops) = op::decode(value)?;
        if of == at && u64::from(u32::from_be_bytes(index)) < pieces {
            all.extend(ops);
        }
    }
    Ok(all)
}

impl Counts {
    /// Adds counts as they lie in a claim's state. Of each count, at most once a claim.
    pub(crate) fn add(&mut self, rows: &[StateRow]) -> Result<(), Damage> {
        for (key, value) in rows {
            match key.first() {
                Some(&state::ACCOUNTING) => {
                    let (tenant, endpoint) = state::accounting_of_key(key)?;
                    let mut counts = state::decode_accounting(value)?;
                    counts += self.ledger.accounting(&tenant, &endpoint);
                    self.ledger.load(tenant, endpoint, counts);
                }
                Some(&state::UNDELIVERED) => {
                    let tenant = key::tenant_of(&key[1..])?;
                    let mut counts = state::decode_undelivered(value)?;
                    let known = self.ledger.undelivered(&tenant);
                    counts.no_route += known.no_route;
                    counts.duplicate += known.duplicate;
                    counts.conflict += known.conflict;
                    self.ledger.load_events(tenant, counts);
                }
                Some(&ONLY_ROUTED) => {
                    let counted = state::accounting_of_key(key)?;
                    let mut from = Reader::new(value)?;
                    *self.only_routed.entry(counted).or_default() += from.signed()?;
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Counts with what is only routed among what is pending. A delivery that the fold of `events` took
    /// on before the fold of `inbox` came to it makes the difference smaller until it does.
    pub(crate) fn merged(&self) -> Ledger {
        let of_deliveries = self.ledger.of_deliveries();
        let mut all: BTreeMap<Counted, Accounting> = of_deliveries
            .map(|(counted, counts)| (counted.clone(), *counts))
            .collect();
        for (counted, net) in &self.only_routed {
            let counts = all.entry(counted.clone()).or_default();
            let net = u64::try_from(*net).unwrap_or(0);
            counts.pending += net;
            counts.deliveries += net;
        }
        let mut merged = Ledger::default();
        for ((tenant, endpoint), counts) in all {
            merged.load(tenant, endpoint, counts);
        }
        for (tenant, counts) in self.ledger.of_events() {
            merged.load_events(tenant.clone(), *counts);
        }
        merged
    }
}

/// Of before when nothing is written any more.
async fn expired(cql: &Cql, generation: &Generation) -> Result<Timestamp, ViewError> {
    let rows: Vec<ClaimRow> = cql.rows(&generation.claims, ()).await?;
    let said = rows.into_iter().find(|(claim, ..)| claim == EXPIRED);
    let said = said.and_then(|(_, _, value)| value);
    let never = Timestamp::from_millis(i64::MIN);
    Ok(said.map_or(Ok(never), |value| moment(&value))?)
}

/// The moment that a row among claims says.
pub(crate) fn moment(value: &[u8]) -> Result<Timestamp, Damage> {
    state::decode_moment(value)
}
