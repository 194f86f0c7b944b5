//! The exact sliding window: every unit admitted in the last period is remembered, without HTTP in it.

use std::{
    collections::TryReserveError,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Keys that may stand in each other's way; a full set forgets the one that is at rest soonest.
const WAYS: usize = 8;

/// A fixed number of keys with the times of their last admissions, in sets that are locked one by one for a few moves.
pub(super) struct Windows {
    sets: Box<[Mutex<[Row; WAYS]>]>,
    /// What a row has room for.
    most: u32,
    /// The longest period that is asked about: what is older, nobody asks about.
    longest: u64,
    evictions: std::sync::atomic::AtomicU64,
}

/// One key: a ring of times, oldest first.
#[derive(Debug)]
struct Row {
    key: u64,
    times: Box<[u64]>,
    oldest: usize,
    len: usize,
    /// When all have left the windows they were admitted to.
    rests_at: u64,
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
    /// Ticks until something is left; 0 if something is.
    pub(super) next: u64,
    /// Ticks until nothing counts any more.
    pub(super) rest: u64,
    /// The time under which the units asked for are kept, if they were taken.
    pub(super) at: u64,
}

impl Windows {
    /// Room for so many keys, each with up to `most` admissions in any period up to the `longest`. All memory is taken here.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub(super) fn new(keys: usize, most: u32, longest: u64) -> Result<Self, TryReserveError> {
        let count = keys.div_ceil(WAYS).max(1);
        // All rows as one, to hear whether there is room before any is made: to make one asks nobody.
        Vec::<u64>::new().try_reserve_exact(count.saturating_mul(WAYS).saturating_mul(most as usize))?;
        let row = || Row { key: 0, times: vec![0; most as usize].into(), oldest: 0, len: 0, rests_at: 0 };
        let mut sets = Vec::new();
        sets.try_reserve_exact(count)?;
        sets.resize_with(count, || Mutex::new(std::array::from_fn(|_| row())));
        Ok(Self { sets: sets.into(), most, longest, evictions: 0.into() })
    }

    /// Whether a key has room for so many admissions in such a period.
    pub(super) const fn holds(&self, count: u32, period: u64) -> bool {
        count <= self.most && period <= self.longest
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
                self.claim(&mut set, key, now).push(now, period, cost);
            }
            let left = if fits { count - cost } else { count };
            let rest = if fits && cost > 0 { period } else { 0 };
            let next = if left > 0 { 0 } else { rest };
            return Seen { fits, left, wait: if fits { 0 } else { u64::MAX }, next, rest, at: now };
        };
        let free = row.free(count, now, period);
        let fits = cost <= free;
        let mut at = now;
        if fits && take {
            row.forget(now, self.longest);
            at = row.push(now, period, cost);
        }
        let left = if fits { free - cost } else { free };
        let wait = match cost {
            _ if fits => 0,
            cost if cost > count => u64::MAX,
            cost => row.wait(count - cost, now, period),
        };
        let rest = if fits && cost > 0 { period } else { row.rest(now, period) };
        let next = if left > 0 { 0 } else { row.wait(count.saturating_sub(1), now, period) };
        Seen { fits, left, wait, next, rest, at }
    }

    /// Takes `units`, or as many of them as fit.
    pub(super) fn take_up_to(&self, key: u64, (count, period): (u32, u64), now: u64, units: u32) {
        let mut set = self.set(key);
        let row = match set.iter().position(|row| row.key == key && row.len > 0) {
            Some(known) => &mut set[known],
            None if units > 0 => self.claim(&mut set, key, now),
            None => return,
        };
        row.forget(now, self.longest);
        let units = units.min(row.free(count, now, period));
        row.push(now, period, units);
    }

    fn claim<'a>(&self, set: &'a mut [Row; WAYS], key: u64, now: u64) -> &'a mut Row {
        let busy = |row: &Row| if row.len == 0 { 0 } else { row.rests_at.saturating_sub(now) };
        let mut chosen = 0;
        for index in 1..WAYS {
            if busy(&set[index]) < busy(&set[chosen]) {
                chosen = index;
            }
        }
        let row = &mut set[chosen];
        if busy(row) > 0 {
            self.evictions.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        (row.key, row.oldest, row.len, row.rests_at) = (key, 0, 0, 0);
        row
    }

    /// Gives back `cost` units that were taken at `at`, as far as they still count.
    pub(super) fn refund(&self, key: u64, at: u64, cost: u32) {
        let mut set = self.set(key);
        if let Some(row) = set.iter_mut().find(|row| row.key == key && row.len > 0) {
            row.remove(at, cost as usize);
        }
    }

    /// Forgets a key. Answers whether it was known.
    pub(super) fn reset(&self, key: u64) -> bool {
        let mut set = self.set(key);
        let row = set.iter_mut().find(|row| row.key == key && row.len > 0);
        row.map(|row| row.len = 0).is_some()
    }

    /// Keys with something in their window.
    pub(super) fn used(&self, now: u64) -> usize {
        let live = |set: &Mutex<[Row; WAYS]>| {
            let set = set.lock().unwrap_or_else(PoisonError::into_inner);
            set.iter().filter(|row| row.len > 0 && row.rests_at > now).count()
        };
        self.sets.iter().map(live).sum()
    }

    /// How many keys were forgotten with something in their window, for want of room.
    pub(super) fn evictions(&self) -> u64 {
        self.evictions.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Whom it counts is nobody's business, and how many times is no line in a log.
impl fmt::Debug for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windows").field("sets", &self.sets.len()).field("most", &self.most).finish_non_exhaustive()
    }
}

impl Row {
    /// How many have left the window: what came a whole period ago counts no more.
    fn gone(&self, now: u64, period: u64) -> usize {
        let (mut gone, mut end) = (0, self.len);
        while gone < end {
            let middle = usize::midpoint(gone, end);
            if self.time(middle).saturating_add(period) <= now { gone = middle + 1 } else { end = middle }
        }
        gone
    }

    /// How many more of a count there is room for.
    fn free(&self, count: u32, now: u64, period: u64) -> u32 {
        count.saturating_sub(u32::try_from(self.len - self.gone(now, period)).unwrap_or(u32::MAX))
    }

    /// Ticks until no more than `may_stay` are left in the window.
    fn wait(&self, may_stay: u32, now: u64, period: u64) -> u64 {
        let gone = self.gone(now, period);
        match (self.len - gone).saturating_sub(may_stay as usize) {
            0 => 0,
            must_leave => self.time(gone + must_leave - 1).saturating_add(period).saturating_sub(now),
        }
    }

    /// The `index`-th oldest time.
    fn time(&self, index: usize) -> u64 {
        self.times.get((self.oldest + index) % self.times.len().max(1)).copied().unwrap_or_default()
    }

    /// Drops what has left the window of the longest period.
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

    /// A clock that went back does not put the ring out of order: nothing is older than its forerunner. Answers the time
    /// that was written.
    fn push(&mut self, now: u64, period: u64, cost: u32) -> u64 {
        let now = if self.len > 0 { now.max(self.time(self.len - 1)) } else { now };
        if cost > 0 {
            self.rests_at = self.rests_at.max(now.saturating_add(period));
        }
        for _ in 0..cost {
            // Full, by what counts in a longer period than this one: there the oldest is of no more use than any other.
            if self.len == self.times.len() {
                self.oldest = (self.oldest + 1) % self.times.len();
                self.len -= 1;
            }
            let place = (self.oldest + self.len) % self.times.len();
            self.times[place] = now;
            self.len += 1;
        }
        now
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
mod tests;
