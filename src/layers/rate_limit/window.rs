//! The exact sliding window: every unit admitted in the last period is remembered, without HTTP in it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keys that may stand in each other's way; a full set forgets the one that is at rest soonest.
const WAYS: usize = 8;

/// A fixed number of keys with the times of their last admissions, in sets that are locked one by one for a few moves.
#[derive(Debug)]
pub(super) struct Windows {
    sets: Box<[Mutex<[Row; WAYS]>]>,
    evictions: std::sync::atomic::AtomicU64,
}

/// One key: a ring of times, oldest first.
#[derive(Debug)]
struct Row {
    key: u64,
    times: Box<[u64]>,
    oldest: usize,
    len: usize,
}

/// What a window answers: how many units it still has, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether the units asked for fit.
    pub(super) fits: bool,
    /// Units left, those asked for already taken if they fit.
    pub(super) left: u32,
    /// Ticks until the units asked for fit; 0 if they do.
    pub(super) wait: u64,
    /// Ticks until nothing counts any more.
    pub(super) rest: u64,
}

impl Windows {
    /// Room for so many keys, each with up to `most` admissions in its window. All memory is taken here.
    pub(super) fn new(keys: usize, most: u32) -> Self {
        let row = || Row { key: 0, times: vec![0; most as usize].into(), oldest: 0, len: 0 };
        let set = || Mutex::new(std::array::from_fn(|_| row()));
        Self { sets: (0..keys.div_ceil(WAYS).max(1)).map(|_| set()).collect(), evictions: 0.into() }
    }

    fn set(&self, key: u64) -> MutexGuard<'_, [Row; WAYS]> {
        // Multiply and shift: the upper bits choose the set, evenly for any number of sets.
        let index = (u128::from(key) * self.sets.len() as u128) >> 64;
        self.sets[usize::try_from(index).unwrap_or_default()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `cost` units fit into the `count` of the `period` that ends now. With `take`, takes them if they do.
    pub(super) fn check(&self, key: u64, (count, period): (u32, u64), now: u64, cost: u32, take: bool) -> Seen {
        let mut set = self.set(key);
        let Some(row) = set.iter_mut().find(|row| row.key == key && row.len > 0) else {
            let fits = cost <= count;
            if fits && take && cost > 0 {
                self.claim(&mut set, key, period, now).push(now, cost);
            }
            let left = if fits { count - cost } else { count };
            let rest = if fits && cost > 0 { period } else { 0 };
            return Seen { fits, left, wait: if fits { 0 } else { u64::MAX }, rest };
        };
        row.forget(now, period);
        let used = u32::try_from(row.len).unwrap_or(u32::MAX);
        let free = count.saturating_sub(used);
        if cost <= free {
            if take {
                row.push(now, cost);
            }
            let rest = if cost > 0 { period } else { row.rest(now, period) };
            return Seen { fits: true, left: free - cost, wait: 0, rest };
        }
        // So many of the oldest must have left the window before the cost fits.
        let must_leave = (cost - free) as usize;
        let wait =
            if cost > count { u64::MAX } else { row.time(must_leave - 1).saturating_add(period).saturating_sub(now) };
        Seen { fits: false, left: free, wait, rest: row.rest(now, period) }
    }

    fn claim<'a>(&self, set: &'a mut [Row; WAYS], key: u64, period: u64, now: u64) -> &'a mut Row {
        let mut chosen = 0;
        for index in 0..WAYS {
            set[index].forget(now, period);
            if set[index].rest(now, period) < set[chosen].rest(now, period) {
                chosen = index;
            }
        }
        let row = &mut set[chosen];
        if row.len > 0 {
            self.evictions.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        (row.key, row.oldest, row.len) = (key, 0, 0);
        row
    }

    /// Gives back `cost` units that were taken at `at`, as far as they still count.
    pub(super) fn refund(&self, key: u64, at: u64, cost: u32) {
        let mut set = self.set(key);
        if let Some(row) = set.iter_mut().find(|row| row.key == key) {
            row.remove(at, cost as usize);
        }
    }

    /// Forgets a key. Answers whether it was known.
    pub(super) fn reset(&self, key: u64) -> bool {
        let mut set = self.set(key);
        let row = set.iter_mut().find(|row| row.key == key && row.len > 0);
        row.map(|row| row.len = 0).is_some()
    }

    /// Keys with something in their window, as of their own last check.
    pub(super) fn used(&self) -> usize {
        let live = |set: &Mutex<[Row; WAYS]>| {
            set.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|row| row.len > 0).count()
        };
        self.sets.iter().map(live).sum()
    }

    /// How many keys were forgotten with something in their window, for want of room.
    pub(super) fn evictions(&self) -> u64 {
        self.evictions.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Row {
    /// The `index`-th oldest time.
    fn time(&self, index: usize) -> u64 {
        self.times.get((self.oldest + index) % self.times.len().max(1)).copied().unwrap_or_default()
    }

    /// Drops what has left the window: what came a whole period ago counts no more.
    fn forget(&mut self, now: u64, period: u64) {
        while self.len > 0 && self.time(0).saturating_add(period) <= now {
            self.oldest = (self.oldest + 1) % self.times.len();
            self.len -= 1;
        }
    }

    /// Ticks until the newest has left the window.
    fn rest(&self, now: u64, period: u64) -> u64 {
        if self.len == 0 { 0 } else { self.time(self.len - 1).saturating_add(period).saturating_sub(now) }
    }

    /// A clock that went back does not put the ring out of order: nothing is older than its forerunner.
    fn push(&mut self, now: u64, cost: u32) {
        let now = if self.len > 0 { now.max(self.time(self.len - 1)) } else { now };
        for _ in 0..cost {
            let place = (self.oldest + self.len) % self.times.len();
            self.times[place] = now;
            self.len += 1;
        }
    }

    fn remove(&mut self, at: u64, mut units: usize) {
        let mut kept = 0;
        for index in 0..self.len {
            let time = self.time(index);
            if time == at && units > 0 {
                units -= 1;
                continue;
            }
            let place = (self.oldest + kept) % self.times.len();
            self.times[place] = time;
            kept += 1;
        }
        self.len = kept;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The window against a plain list of all admissions.
        #[test]
        fn it_admits_exactly_what_a_full_list_would(
            count in 1_u32..6,
            arrivals in prop::collection::vec((0_u64..50, 0_u32..4, any::<bool>()), 1..200),
        ) {
            let windows = Windows::new(8, count);
            let (period, mut now, mut list) = (100, 1, VecDeque::<u64>::new());
            for (gap, cost, give_back) in arrivals {
                now += gap;
                list.retain(|time| time + period > now);
                let fits = list.len() + cost as usize <= count as usize;
                let seen = windows.check(7, (count, period), now, cost, true);
                prop_assert_eq!(seen.fits, fits);
                if fits {
                    list.extend((0..cost).map(|_| now));
                } else if cost <= count {
                    let left_at = |time| list.iter().filter(|admitted| *admitted + period > time).count();
                    let fits_at = |time| left_at(time) + cost as usize <= count as usize;
                    prop_assert!(!fits_at(now + seen.wait - 1), "refused until then");
                    prop_assert!(fits_at(now + seen.wait), "admitted then");
                } else {
                    prop_assert_eq!(seen.wait, u64::MAX);
                }
                if fits && give_back {
                    windows.refund(7, now, cost);
                    list.truncate(list.len() - cost as usize);
                }
            }
        }
    }

    #[test]
    fn a_full_set_forgets_who_is_at_rest_soonest() {
        let windows = Windows::new(WAYS, 1);
        for key in 1..=WAYS as u64 {
            assert!(windows.check(key, (1, 1000), key, 1, true).fits);
        }
        assert!(windows.check(99, (1, 1000), 50, 1, true).fits, "a newcomer is never refused");
        assert_eq!(windows.evictions(), 1);
        assert!(windows.check(1, (1, 1000), 51, 1, false).fits, "the one soonest at rest was forgotten");
        assert!(!windows.check(2, (1, 1000), 51, 1, false).fits);
    }

    #[test]
    fn a_clock_that_goes_back_or_ends_refuses_nobody_for_ever_and_never_panics() {
        let windows = Windows::new(8, 2);
        assert!(windows.check(1, (2, 100), 1000, 1, true).fits);
        assert!(windows.check(1, (2, 100), 10, 1, true).fits);
        assert!(!windows.check(1, (2, 100), 10, 1, true).fits);
        assert!(windows.check(1, (2, 100), 1100, 2, true).fits);
        assert!(windows.check(2, (2, 1 << 62), 1 << 62, 2, true).fits);
        assert!(!windows.check(2, (2, 1 << 62), u64::MAX >> 1, 1, true).fits);
        windows.check(2, (2, u64::MAX), u64::MAX, 2, true);
    }
}
