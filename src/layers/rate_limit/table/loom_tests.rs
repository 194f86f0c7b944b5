//! Models of the races for a slot, on two sets of two ways.
//!
//! `RUSTFLAGS="--cfg palisade_loom" cargo test --release --lib loom_tests`. Not `--cfg loom`: tokio, hyper and others
//! answer to that, and then have no network.

use std::time::Duration;

use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

use super::{Rate, Table};

const TICKS: u64 = 10;

fn rate(ticks: u64, burst: u32) -> Rate {
    Rate::new(1, Duration::from_nanos(ticks), burst).unwrap()
}

fn once() -> Rate {
    rate(TICKS, 1)
}

/// Hashes whose home is the first set for even, the second for odd numbers.
fn key(number: u64) -> u64 {
    number << 63 | (number + 1) << 40
}

fn model(preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(run);
}

/// Checks a key in each of so many threads; how many were admitted.
fn admitted(table: &Arc<Table>, rate: Rate, keys: &[u64], now: u64) -> u64 {
    let threads: Vec<_> = keys[1..]
        .iter()
        .map(|&key| {
            let table = Arc::clone(table);
            thread::spawn(move || u64::from(table.check(key, &rate, now, 1).is_ok()))
        })
        .collect();
    let own = u64::from(table.check(keys[0], &rate, now, 1).is_ok());
    own + threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
}

#[test]
fn two_threads_on_one_new_key_admit_one() {
    model(4, || {
        let table = Arc::new(Table::new(1).unwrap());
        assert_eq!(admitted(&table, once(), &[key(0), key(0)], 1), 1);
        assert!(table.check(key(0), &once(), 1, 1).is_err());
        assert_eq!(table.used(1), 1);
        assert_eq!(table.live_evictions(), 0);
    });
}

#[test]
fn two_threads_on_one_new_key_in_a_full_table_admit_one() {
    model(3, || {
        let table = Arc::new(Table::new(1).unwrap());
        for other in 1..=4 {
            assert!(table.check(key(other), &once(), other, 1).is_ok());
        }
        assert_eq!(admitted(&table, once(), &[key(0), key(0)], 5), 1);
        assert!(table.check(key(0), &once(), 5, 1).is_err());
        assert!((1..=2).contains(&table.live_evictions()));
    });
}

#[test]
fn three_threads_on_one_new_key_admit_one() {
    model(2, || {
        let table = Arc::new(Table::new(1).unwrap());
        assert_eq!(admitted(&table, once(), &[key(0); 3], 1), 1);
        assert!(table.check(key(0), &once(), 1, 1).is_err());
        assert_eq!(table.used(1), 1);
    });
}

/// A key at rest is charged while its slot is taken for another key: a charge
/// that is forgotten is counted, and the other key's is kept.
#[test]
fn a_charge_lost_to_a_claim_is_counted() {
    model(3, || {
        let table = Arc::new(Table::new(1).unwrap());
        assert!(table.check(key(1), &once(), 0, 1).is_ok());
        for other in 2..=4 {
            assert!(table.check(key(other), &once(), TICKS, 1).is_ok());
        }
        let now = TICKS + 1;
        assert_eq!(admitted(&table, once(), &[key(1), key(0)], now), 2);
        let again = u64::from(table.check(key(0), &once(), now, 1).is_ok());
        let again = again + u64::from(table.check(key(1), &once(), now, 1).is_ok());
        assert!(again <= table.live_evictions());
    });
}

/// Two new keys race for slots of a full table: what is forgotten is counted.
#[test]
fn two_keys_claim_at_once() {
    model(3, || {
        let table = Arc::new(Table::new(1).unwrap());
        for other in 2..=4 {
            assert!(table.check(key(other), &once(), 1, 1).is_ok());
        }
        assert_eq!(admitted(&table, once(), &[key(0), key(1)], 2), 2);
        let known = table.used(2) as u64;
        assert!(known + table.live_evictions() >= 5);
    });
}

/// Nobody is refused on account of the key whose slot was taken.
#[test]
fn a_new_key_does_not_inherit_debt() {
    model(3, || {
        let table = Arc::new(Table::new(1).unwrap());
        for other in 1..=4 {
            assert!(table.check(key(other), &rate(1000, 1), 1, 1).is_ok());
        }
        let twice = rate(TICKS, 2);
        assert_eq!(admitted(&table, twice, &[key(0), key(0)], 2), 2);
        assert!(table.check(key(0), &twice, 2, 1).is_err());
    });
}
