//! Rows found without a lock, and never more of them than were allowed.

use std::{
    fmt,
    hash::{BuildHasher as _, Hash},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;

/// Rows are sorted by the hash of their key. A reader searches a snapshot; who adds a row makes the next snapshot. That is
/// dear, and happens once for each row.
pub(super) struct Table<T> {
    hasher: RandomState,
    cap: usize,
    rows: ArcSwap<Vec<(u64, Arc<T>)>>,
    adding: Mutex<()>,
}

/// What came of looking for a row that was to be added if absent.
pub(super) enum Added<T> {
    Row(Arc<T>),
    Full,
}

impl<T> Table<T> {
    pub(super) fn new(cap: usize) -> Self {
        Self { hasher: RandomState::default(), cap, rows: ArcSwap::default(), adding: Mutex::new(()) }
    }

    pub(super) fn hash(&self, key: impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(super) const fn cap(&self) -> usize {
        self.cap
    }

    /// Gives `then` the row of this hash that `is` the one; `None` where there is none.
    #[inline]
    pub(super) fn with<R>(&self, hash: u64, is: impl Fn(&T) -> bool, then: impl FnOnce(&Arc<T>) -> R) -> Option<R> {
        find(&self.rows.load(), hash, is).map(then)
    }

    /// The row of this hash that `is` the one, made if it is not there and there is room for it.
    #[cold]
    pub(super) fn add(&self, hash: u64, is: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> Added<T> {
        self.add_where(|| true, hash, is, make)
    }

    /// The same, where there is room by the caller's own reckoning too. It is asked again when nobody else adds.
    #[cold]
    pub(super) fn add_where(
        &self,
        room: impl Fn() -> bool,
        hash: u64,
        is: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> Added<T> {
        // What comes to a full table comes often, and must not wait.
        if self.rows.load().len() >= self.cap || !room() {
            return self.with(hash, is, Arc::clone).map_or(Added::Full, Added::Row);
        }
        let _one_at_a_time = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = self.rows.load();
        if let Some(row) = find(&rows, hash, is) {
            return Added::Row(Arc::clone(row));
        }
        if rows.len() >= self.cap || !room() {
            return Added::Full;
        }
        let row = Arc::new(make());
        let mut more = Vec::with_capacity(rows.len() + 1);
        more.extend_from_slice(&rows);
        more.insert(more.partition_point(|(known, _)| *known < hash), (hash, Arc::clone(&row)));
        self.rows.store(Arc::new(more));
        Added::Row(row)
    }

    /// Every row, in no order that means anything.
    pub(super) fn rows(&self) -> Vec<Arc<T>> {
        self.rows.load().iter().map(|(_, row)| Arc::clone(row)).collect()
    }

    pub(super) fn each(&self, tell: impl FnMut(&T)) {
        self.rows.load().iter().map(|(_, row)| &**row).for_each(tell);
    }
}

fn find<T>(rows: &[(u64, Arc<T>)], hash: u64, is: impl Fn(&T) -> bool) -> Option<&Arc<T>> {
    let first = rows.partition_point(|(known, _)| *known < hash);
    rows[first..].iter().take_while(|(known, _)| *known == hash).map(|(_, row)| row).find(|row| is(row))
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("cap", &self.cap).field("rows", &self.rows.load().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_made_once_and_found_ever_after() {
        let table = Table::new(100);
        for round in 0..3 {
            for number in 0..100_u32 {
                let hash = table.hash(number);
                let found = table.with(hash, |row| *row == number, |row| **row);
                assert_eq!(found, (round > 0).then_some(number));
                assert!(matches!(table.add(hash, |row| *row == number, || number), Added::Row(row) if *row == number));
            }
        }
        assert_eq!(table.rows().len(), 100);
    }

    #[test]
    fn keys_with_one_hash_are_told_apart() {
        let table = Table::new(10);
        for name in ["a", "b", "c"] {
            table.add(7, |row| *row == name, || name);
        }
        for name in ["a", "b", "c"] {
            assert_eq!(table.with(7, |row| *row == name, |row| **row), Some(name));
        }
        assert_eq!(table.with(7, |row| *row == "d", |_| ()), None);
    }

    #[test]
    fn a_full_table_adds_nothing() {
        let table = Table::new(2);
        for number in 0..1000_u32 {
            table.add(table.hash(number), |row| *row == number, || number);
        }
        assert_eq!(table.rows().len(), 2);
        assert!(matches!(table.add(table.hash(1), |row| *row == 1, || 1), Added::Row(_)), "what is there is found");
    }
}
