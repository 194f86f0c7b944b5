//! Charges that may be given back later, and what that is worth by then, without HTTP in it.
//!
//! A flow drains as time passes, and what has drained is not given back: it is there already. How much of a charge is
//! left to be given back is the least its key has owed since, had everything else been known in time. So each key with
//! open reservations keeps, from each of them to the next, the least it owed in between; whatever is given back lowers
//! that from the reservation on. Windows drain nothing before their end, and need none of this.

use std::{
    collections::TryReserveError,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::limit::{Limit, Moment, Receipt, Standing, Store};

/// Keys that may stand in each other's way; when all of a set have open reservations, those that come get nothing back.
const WAYS: usize = 8;

/// A fixed number of keys with open reservations, in sets that are locked one by one for a few moves.
pub(super) struct Reservations {
    sets: Box<[Mutex<[Row; WAYS]>]>,
}

#[derive(Debug, Default)]
struct Row {
    key: u64,
    /// In the order they were made: as many as the key has requests on their way.
    open: Vec<Open>,
    made: u64,
}

#[derive(Debug)]
struct Open {
    number: u64,
    /// The least ticks owed between this reservation and the next.
    least: u64,
}

/// A charge with its receipt, and where it is noted.
#[derive(Debug)]
pub(super) struct Reserved {
    receipt: Receipt,
    noted: Option<(usize, u64)>,
}

impl Reservations {
    /// # Errors
    /// When the memory cannot be had.
    pub(super) fn new(keys: usize) -> Result<Self, TryReserveError> {
        let count = keys.div_ceil(WAYS).max(1);
        let mut sets = Vec::new();
        sets.try_reserve_exact(count)?;
        sets.resize_with(count, Mutex::default);
        Ok(Self { sets: sets.into() })
    }

    fn set(&self, key: u64) -> MutexGuard<'_, [Row; WAYS]> {
        let index = (u128::from(key) * self.sets.len() as u128) >> 64;
        self.sets[usize::try_from(index).unwrap_or_default()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Charges a key, if the charge fits, until it is settled.
    pub(super) fn reserve(
        &self,
        store: &Store,
        key: u64,
        limit: &Limit,
        moment: Moment,
        cost: u32,
    ) -> Result<(Standing, Reserved), Standing> {
        let mut set = self.set(key);
        let known = set.iter().position(|row| row.key == key && !row.open.is_empty());
        let place = known.or_else(|| set.iter().position(|row| row.open.is_empty()));
        if let Some(row) = known.map(|place| &mut set[place]) {
            row.note_debt(store.debt(key, moment));
        }
        let (standing, receipt) = store.charge(key, limit, moment, cost)?;
        let (Receipt::Flow(allowed), Limit::Flow(_), Some(place)) = (receipt, limit, place) else {
            return Ok((standing, Reserved { receipt, noted: None }));
        };
        let row = &mut set[place];
        (row.key, row.made) = (key, row.made.wrapping_add(1));
        row.open.push(Open { number: row.made, least: allowed.new_tat.saturating_sub(moment.now) });
        Ok((standing, Reserved { receipt, noted: Some((place, row.made)) }))
    }

    /// Ends a reservation of `cost` units, of which `actual` were used; more than that is charged as well.
    pub(super) fn settle(
        &self,
        store: &Store,
        key: u64,
        limit: &Limit,
        reserved: &Reserved,
        (cost, actual): (u32, u32),
        moment: Moment,
    ) {
        let mut set = self.set(key);
        if let Some((place, number)) = reserved.noted {
            let row = &mut set[place];
            row.note_debt(store.debt(key, moment));
            let left = row.left(number);
            if let Limit::Flow(rate) = limit {
                let unused = rate.increment().saturating_mul(u64::from(cost.saturating_sub(actual)));
                let back = unused.min(left);
                store.give_back(key, back);
                row.close(number, back);
            }
        } else if actual < cost && !matches!(limit, Limit::Flow(_)) {
            store.refund(key, limit, reserved.receipt, cost - actual, moment);
        }
        if actual > cost {
            store.drain(key, limit, actual - cost, moment);
        }
    }
}

impl Row {
    /// What the key owes, before something is added to it or taken from it.
    fn note_debt(&mut self, debt: u64) {
        if let Some(last) = self.open.last_mut() {
            last.least = last.least.min(debt);
        }
    }

    /// How much of this reservation is left to be given back.
    fn left(&self, number: u64) -> u64 {
        self.open.iter().filter(|open| open.number >= number).map(|open| open.least).min().unwrap_or_default()
    }

    /// Ends a reservation of which so much is given back.
    fn close(&mut self, number: u64, back: u64) {
        let Some(index) = self.open.iter().position(|open| open.number == number) else { return };
        for open in &mut self.open[index..] {
            open.least = open.least.saturating_sub(back);
        }
        let Open { least, .. } = self.open.remove(index);
        if let Some(before) = index.checked_sub(1).map(|before| &mut self.open[before]) {
            before.least = before.least.min(least);
        }
    }
}

/// Who has reserved is nobody's business.
impl fmt::Debug for Reservations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservations").field("sets", &self.sets.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(seconds: u64) -> Moment {
        Moment { now: 1000 * SECOND + seconds * SECOND, since_1970: 0 }
    }

    /// Ten at once, one a second: five of ten reservations are given back at once, five when all has drained.
    #[test]
    fn what_has_drained_is_not_given_back_a_second_time() {
        let limit = Limit::flow(1, Duration::from_secs(1), 10).unwrap();
        let (store, open) = (Store::new(&[limit], 10).unwrap(), Reservations::new(10).unwrap());
        let reserve = || open.reserve(&store, 7, &limit, at(0), 1).unwrap().1;
        let mut reserved: Vec<_> = (0..10).map(|_| reserve()).collect();
        let late = reserved.split_off(5);
        for each in &reserved {
            open.settle(&store, 7, &limit, each, (1, 0), at(0));
        }
        assert!(open.reserve(&store, 7, &limit, at(5), 10).is_ok());
        for each in &late {
            open.settle(&store, 7, &limit, each, (1, 0), at(5));
        }
        assert_eq!(store.peek(7, &limit, at(5), 0).left, 0);
    }

    #[test]
    fn a_key_without_open_reservations_remembers_nothing() {
        let limit = Limit::flow(1, Duration::from_secs(1), 10).unwrap();
        let (store, open) = (Store::new(&[limit], 10).unwrap(), Reservations::new(1).unwrap());
        for _ in 0..3 {
            let (_, reserved) = open.reserve(&store, 7, &limit, at(0), 10).unwrap();
            open.settle(&store, 7, &limit, &reserved, (10, 0), at(0));
            assert_eq!(store.peek(7, &limit, at(0), 0).left, 10);
        }
    }

    #[test]
    fn keys_past_the_room_get_nothing_back() {
        let limit = Limit::flow(1, Duration::from_secs(1), 10).unwrap();
        let (store, open) = (Store::new(&[limit], 100).unwrap(), Reservations::new(WAYS).unwrap());
        let reserve = |key: u64| (key << 32, open.reserve(&store, key << 32, &limit, at(0), 4).unwrap().1);
        let all: Vec<_> = (1..=12).map(reserve).collect();
        for (key, reserved) in &all {
            open.settle(&store, *key, &limit, reserved, (4, 0), at(0));
        }
        let left: Vec<_> = all.iter().map(|(key, _)| store.peek(*key, &limit, at(0), 0).left).collect();
        assert_eq!(left, [[10; 8].as_slice(), &[6; 4]].concat());
    }
}
