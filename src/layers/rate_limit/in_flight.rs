//! How many requests of a key are running, without HTTP in it.

use std::{
    collections::TryReserveError,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Keys that may stand in each other's way; when all of a set are running, those that come share one count.
const WAYS: usize = 8;
/// The name of that shared count.
const SHARED: u64 = 0;

/// A fixed number of keys with their counts, in sets that are locked one by one for a few moves.
pub(super) struct InFlight {
    sets: Box<[Mutex<Set>]>,
}

/// `(key, running)`; the last is the shared one.
type Set = [(u64, u32); WAYS + 1];

impl InFlight {
    /// # Errors
    /// When the memory cannot be had.
    pub(super) fn new(keys: usize) -> Result<Self, TryReserveError> {
        let count = keys.div_ceil(WAYS).max(1);
        let mut sets = Vec::new();
        sets.try_reserve_exact(count)?;
        sets.resize_with(count, Mutex::default);
        Ok(Self { sets: sets.into() })
    }

    fn set(&self, key: u64) -> MutexGuard<'_, Set> {
        let index = (u128::from(key) * self.sets.len() as u128) >> 64;
        self.sets[usize::try_from(index).unwrap_or_default()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of this key run.
    pub(super) fn running(&self, key: u64) -> u32 {
        self.set(key).iter().find(|(known, running)| *known == key && *running > 0).map_or(0, |(_, running)| *running)
    }

    /// Lets one more run, if that makes no more than `count`. Answers how many then run, and under which name they are
    /// counted: to be given to [`leave`](Self::leave).
    pub(super) fn enter(&self, key: u64, count: u32, cost: u32) -> Result<(u32, u64), u32> {
        let mut set = self.set(key);
        let known = set[..WAYS].iter().position(|(known, running)| *known == key && *running > 0);
        let place = known.or_else(|| set[..WAYS].iter().position(|(_, running)| *running == 0)).unwrap_or(WAYS);
        let name = if place == WAYS { SHARED } else { key };
        let running = set[place].1;
        match running.checked_add(cost).filter(|more| *more <= count) {
            Some(more) => {
                set[place] = (name, more);
                Ok((more, name))
            }
            None => Err(running),
        }
    }

    /// One that entered `key` under `name` has ended.
    pub(super) fn leave(&self, key: u64, name: u64, cost: u32) {
        let mut set = self.set(key);
        let counted = |(known, running): &&mut (u64, u32)| *known == name && *running > 0;
        let place = if name == SHARED { set.get_mut(WAYS) } else { set[..WAYS].iter_mut().find(counted) };
        if let Some((_, running)) = place {
            *running = running.saturating_sub(cost);
        }
    }

    /// Keys with something running.
    pub(super) fn used(&self) -> usize {
        let live = |set: &Mutex<Set>| {
            set.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|(_, running)| *running > 0).count()
        };
        self.sets.iter().map(live).sum()
    }
}

/// Whom it counts is nobody's business, and how many times is no line in a log.
impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").field("sets", &self.sets.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_run_as_may_and_no_more() {
        let in_flight = InFlight::new(8).unwrap();
        assert_eq!(in_flight.enter(1, 2, 1), Ok((1, 1)));
        assert_eq!(in_flight.enter(1, 2, 1), Ok((2, 1)));
        assert_eq!(in_flight.enter(1, 2, 1), Err(2));
        assert_eq!(in_flight.enter(2, 2, 1), Ok((1, 2)));
        in_flight.leave(1, 1, 1);
        assert_eq!(in_flight.running(1), 1);
        assert_eq!(in_flight.enter(1, 2, 1), Ok((2, 1)));
        assert_eq!(in_flight.used(), 2);
    }

    #[test]
    fn past_its_room_keys_share_a_count_and_give_it_back() {
        let in_flight = InFlight::new(WAYS).unwrap();
        for key in 1..=WAYS as u64 {
            in_flight.enter(key, 1, 1).unwrap();
        }
        assert_eq!(in_flight.enter(100, 1, 1), Ok((1, SHARED)));
        assert_eq!(in_flight.enter(101, 1, 1), Err(1), "the shared count is full");
        in_flight.leave(100, SHARED, 1);
        assert_eq!(in_flight.enter(101, 1, 1), Ok((1, SHARED)));
        in_flight.leave(3, 3, 1);
        assert_eq!(in_flight.enter(102, 1, 1), Ok((1, 102)));
    }
}
