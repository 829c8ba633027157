//! Waiting by tiers: each delay topic has one fixed delay, so a due time is reached as a sum of
//! few of them. Times here are spans; what they are counted from is log time, the caller's.

use std::time::Duration;

use crate::chance::Chance;
use crate::time::Timestamp;

/// What a drawn wait has above its sum of tiers. Each stay ends a little late; as long as all of
/// them together are late by less than this, the sum still ends before the due time, and what is
/// left the lane waits out to the millisecond.
pub const SPARE: Duration = Duration::from_millis(500);

/// The most stays of a drawn wait. Each is one more append.
pub const MAX_STAYS: usize = 5;

/// The first wait of a retry that its lane could not take.
pub const FIRST_PUT_OFF: Duration = Duration::from_secs(1);

/// The longest: about 17 minutes.
pub const LONGEST_PUT_OFF: Duration = Duration::from_secs(1_024);

/// The largest tier of `ladder` (ascending) that is over before `remaining` is; `None` when it is
/// less than the smallest: the lane waits it out. Never early: a tier that would not fit is not
/// taken.
#[must_use]
pub fn fitting(ladder: &[Duration], remaining: Duration) -> Option<Duration> {
    ladder
        .iter()
        .rev()
        .find(|tier| **tier <= remaining)
        .copied()
}

/// How long a retry waits that was put off `times` times before: twice as long each time.
#[must_use]
pub fn put_off(times: u32) -> Duration {
    let doubled = 1_u32
        .checked_shl(times)
        .and_then(|n| FIRST_PUT_OFF.checked_mul(n));
    doubled.map_or(LONGEST_PUT_OFF, |wait| wait.min(LONGEST_PUT_OFF))
}

/// How much longer than until its turn a retry may wait that found its lane full, at most, and at most
/// half as long again: a turn can seldom be met by a sum of few tiers.
pub const LINE_SPREAD: Duration = Duration::from_secs(60);

/// The turn of a retry that finds no room, behind the `last` that was given; not before `first`, and at
/// most [`LONGEST_PUT_OFF`] after that. As many a second as the lane holds at once (`room`), one behind
/// the other: what is due together comes apart, and lining up again, where the lane is slower than that,
/// is no more turns a second, each a few appends.
#[must_use]
pub fn line_up(last: Option<Timestamp>, first: Timestamp, room: usize) -> Timestamp {
    let room = u64::try_from(room).unwrap_or(u64::MAX).max(1);
    let gap = Duration::from_millis(1_000_u64.div_ceil(room));
    let behind = last.map(|last| last.saturating_add(gap));
    let end = first.saturating_add(LONGEST_PUT_OFF);
    behind
        .filter(|turn| *turn <= end)
        .map_or(first, |turn| turn.max(first))
}

/// A wait from `shortest` to `longest`, drawn by chance from those that are a sum of few tiers and
/// [`SPARE`]; where there is no such sum, from all. Never below `shortest`; above `longest` only
/// when that is below `shortest`.
#[must_use]
pub fn draw(
    ladder: &[Duration],
    shortest: Duration,
    longest: Duration,
    chance: &mut dyn Chance,
) -> Duration {
    let longest = longest.max(shortest);
    let mut sums = Vec::new();
    let bounds = (shortest.saturating_sub(SPARE), longest.checked_sub(SPARE));
    if let (low, Some(high)) = bounds {
        // Fewest stays first, and one more for a wider choice.
        for stays in 1..=MAX_STAYS {
            let before = sums.len();
            sums_of(ladder, stays, Duration::ZERO, low, high, &mut sums);
            if before > 0 {
                break;
            }
        }
    }
    if sums.is_empty() {
        let span = u64::try_from((longest - shortest).as_millis()).unwrap_or(u64::MAX);
        return shortest + Duration::from_millis(chance.below(span.saturating_add(1)));
    }
    let picked = chance.below(sums.len() as u64);
    let sum = usize::try_from(picked).ok().and_then(|at| sums.get(at));
    (sum.copied().unwrap_or(shortest) + SPARE).clamp(shortest, longest)
}

/// Every sum of exactly `stays` tiers, none larger than the last of `ladder`, on top of `sum`, from
/// `low` to `high`.
fn sums_of(
    ladder: &[Duration],
    stays: usize,
    sum: Duration,
    low: Duration,
    high: Duration,
    found: &mut Vec<Duration>,
) {
    if stays == 0 {
        if sum >= low {
            found.push(sum);
        }
        return;
    }
    for (at, tier) in ladder.iter().enumerate().rev() {
        let with = sum + *tier;
        let reach = u32::try_from(stays - 1).unwrap_or(u32::MAX);
        let most = with.saturating_add(tier.saturating_mul(reach));
        if most < low {
            break;
        }
        if with <= high {
            sums_of(&ladder[..=at], stays - 1, with, low, high, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Seeded;
    use proptest::prelude::*;

    fn ladder() -> Vec<Duration> {
        (0..9).map(|k| Duration::from_secs(4_u64.pow(k))).collect()
    }

    fn stays(due: Duration, late: Duration) -> (usize, Duration) {
        let (mut waited, mut stays) = (Duration::ZERO, 0);
        while let Some(tier) = fitting(&ladder(), due.saturating_sub(waited)) {
            waited += tier + late;
            stays += 1;
        }
        (stays, waited)
    }

    #[test]
    fn the_default_schedule_takes_five_stays_at_most() {
        let mut chance = Seeded::new(1);
        for wait in [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] {
            let wait = Duration::from_secs(wait);
            for _ in 0..200 {
                let due = draw(&ladder(), wait, wait.mul_f64(1.1), &mut chance);
                assert!(due >= wait && due <= wait.mul_f64(1.1), "{wait:?} {due:?}");
                let (stays, waited) = stays(due, Duration::from_millis(90));
                assert!(stays <= MAX_STAYS, "{wait:?} {due:?}: {stays} stays");
                assert!(waited <= due, "{wait:?}: the lane waits the rest");
            }
        }
    }

    #[test]
    fn putting_off_doubles_and_ends() {
        let waits: Vec<u64> = (0..13).map(|times| put_off(times).as_secs()).collect();
        assert_eq!(
            waits,
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_024, 1_024]
        );
        assert_eq!(put_off(u32::MAX), LONGEST_PUT_OFF);
    }

    #[test]
    fn what_finds_no_room_together_comes_back_apart() {
        let first = Timestamp::from_millis(5_000_000);
        let mut turns = vec![line_up(None, first, 100)];
        for _ in 1..102_400 {
            turns.push(line_up(turns.last().copied(), first, 100));
        }
        let mut in_second = [0; 1_024];
        for turn in &turns {
            in_second[turn.saturating_since(first).as_secs() as usize] += 1;
        }
        assert!(in_second.iter().all(|many| *many == 100));
        // The line is full: the next stands beside the first.
        let end = first.saturating_add(LONGEST_PUT_OFF);
        assert_eq!(line_up(Some(end), first, 100), first);
        // Nobody has lined up for a while.
        assert_eq!(line_up(Some(Timestamp::default()), first, 3), first);
        let after = |room| line_up(Some(first), first, room).saturating_since(first);
        let millis = [0, 1, 100, 256, 501, 999, 1_000, 9_999].map(|room| after(room).as_millis());
        assert_eq!(millis, [1_000, 1_000, 10, 4, 2, 2, 1, 1]);
    }

    proptest! {
        #[test]
        fn never_early_and_never_for_ever(
            wait in 0_u64..200_000_000, jitter in 0_u64..50_000_000, seed in 0_u64..100,
        ) {
            let (wait, jitter) = (Duration::from_millis(wait), Duration::from_millis(jitter));
            let due = draw(&ladder(), wait, wait + jitter, &mut Seeded::new(seed));
            prop_assert!(due >= wait && due <= wait + jitter);
            let (stays, waited) = stays(due, Duration::ZERO);
            prop_assert!(waited <= due && due - waited < Duration::from_secs(1));
            prop_assert!(stays <= 40);
        }
    }
}
