//! The table against an exact model, alone and from several threads.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, LazyLock};
use std::thread;
use std::time::Duration;

use super::{
    super::gcra::{Allowed, Rate, Refused, decide},
    Table, seeded_hasher,
};
use proptest::prelude::*;

/// So many units in as many times a hundred ticks.
fn rate(burst: u32) -> Rate {
    Rate::new(1, Duration::from_nanos(100), burst).unwrap()
}

#[test]
fn memory_is_fixed_and_within_the_promise() {
    for keys in [1000, 12_345, 1_000_000] {
        let table = Table::new(keys).unwrap();
        let memory = table.memory();
        assert!(memory <= keys * 26 && memory >= keys * 20);
        for key in 0..10_000_u64 {
            let _ = table.check(hash(key), &rate(1), 1, 1);
        }
        assert_eq!(table.memory(), memory);
    }
    assert!(Table::new(0).is_ok());
    assert!(Table::new(usize::MAX).is_err());
}

/// As a policy does it, with one seed for all tests.
fn hash(key: impl Hash) -> u64 {
    static SEED: LazyLock<foldhash::quality::SeedableRandomState> = LazyLock::new(seeded_hasher);
    SEED.hash_one(key)
}

#[test]
fn each_seed_hashes_in_its_own_way() {
    let mut hashes: Vec<_> = (0..3).map(|_| seeded_hasher().hash_one("key")).collect();
    hashes.dedup();
    assert_eq!(hashes.len(), 3);
}

#[test]
fn a_debt_under_no_quota_is_all_of_it() {
    let table = Table::new(10).unwrap();
    assert_eq!(table.debt(hash("key"), 5), 0);
    assert_eq!(table.owe(hash("key"), 100, 5), 100);
    assert_eq!(table.owe(hash("key"), 100, 55), 150);
    assert_eq!(table.debt(hash("key"), 105), 100);
    assert_eq!(table.debt(hash("key"), 205), 0);
    assert_eq!(table.owe(hash("key"), u64::MAX, 205), u64::MAX - 205);
}

#[test]
fn a_drain_goes_past_the_quota() {
    let table = Table::new(10).unwrap();
    table.drain(hash("key"), &rate(2), 0, 5);
    assert_eq!(table.check(hash("key"), &rate(2), 0, 1), Err(Refused::Wait { ticks: 400 }));
}

#[test]
fn one_key_from_many_threads_gets_exactly_its_burst() {
    const BURST: u32 = 1234;
    for _ in 0..20 {
        let table = Table::new(100).unwrap();
        let admitted = AtomicU32::new(0);
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..1250 {
                        let verdict = table.check(hash("key"), &rate(BURST), 7, 1);
                        admitted.fetch_add(u32::from(verdict.is_ok()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), BURST);
        assert_eq!(table.used(7), 1);
    }
}

/// All threads meet the same new keys in the same order.
#[test]
fn a_new_key_never_gets_two_budgets() {
    const KEYS: u64 = 20_000;
    for _ in 0..10 {
        let table = Table::new(40_000).unwrap();
        let admitted = AtomicU32::new(0);
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    for key in 0..KEYS {
                        let verdict = table.check(hash(key), &rate(1), 7, 1);
                        admitted.fetch_add(u32::from(verdict.is_ok()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(table.live_evictions(), 0);
        assert_eq!(u64::from(admitted.into_inner()), KEYS);
        assert_eq!(table.used(7) as u64, KEYS);
    }
}

/// Threads force each other's keys out of a table that is far too small. The
/// burst is one, so each admission beyond the first of a key is one that was
/// forgotten, and must have been counted.
#[test]
fn what_is_forgotten_is_counted() {
    const KEYS: u64 = 400;
    for round in 0..10 {
        let table = Table::new(100).unwrap();
        let admitted = AtomicU32::new(0);
        thread::scope(|scope| {
            for thread in 0..4 {
                let (table, admitted) = (&table, &admitted);
                scope.spawn(move || {
                    for i in 0..50_000_u64 {
                        let key = (i * (2 * thread + 2 * round + 1)) % KEYS;
                        let verdict = table.check(hash(key), &rate(1), 7, 1);
                        admitted.fetch_add(u32::from(verdict.is_ok()), Ordering::Relaxed);
                    }
                });
            }
        });
        let forgotten = u64::from(admitted.into_inner()) - table.used(7) as u64;
        assert!(forgotten > 0);
        assert!(forgotten <= table.live_evictions());
    }
}

#[test]
fn a_flood_neither_refuses_nor_frees_anyone() {
    let (table, rate) = (Table::new(1000).unwrap(), rate(10));
    let mut model: HashMap<u64, u64> = HashMap::new();
    for now in 0..300_000_u64 {
        // Every key of the flood is new; every tenth check is of a client that
        // exhausted its quota at the start and keeps coming.
        let flood = table.check(hash((now, "flood")), &rate, now, 1);
        assert!(flood.is_ok());
        let client = now / 10 % 50;
        for _ in 0..if now < 500 { 12 } else { 1 } {
            let tat = model.entry(client).or_default();
            let exact = decide(&rate, *tat, now, 1);
            assert_eq!(table.check(hash(client), &rate, now, 1), exact);
            *tat = exact.map_or(*tat, |allowed| allowed.new_tat);
        }
    }
    let overfull = Table::new(50).unwrap();
    for key in 0..10_000_u64 {
        assert!(overfull.check(hash(key), &rate, key / 100, 1).is_ok());
    }
    assert!(overfull.live_evictions() > 9000);
}

#[test]
fn state_is_kept_to_the_promised_number_of_keys() {
    const KEYS: u64 = 200_000;
    let table = Table::new(250_000).unwrap();
    for key in 0..KEYS {
        assert!(table.check(hash(key), &rate(1), 1, 1).is_ok());
    }
    assert!(table.live_evictions() <= KEYS / 5000);
    assert_eq!(table.used(1) as u64 + table.live_evictions(), KEYS);
    assert_eq!(table.used(101), 0);
}

#[test]
fn tiers_share_one_state() {
    let table = Table::new(10).unwrap();
    let key = hash("key");
    let (free, paid) = (rate(2), rate(5));
    assert!(table.check(key, &free, 0, 2).is_ok());
    assert!(table.check(key, &free, 0, 1).is_err());
    assert_eq!(table.check(key, &paid, 0, 1).map(|a| a.remaining(&paid)), Ok(2));
    assert_eq!(table.used(0), 1);
}

#[test]
fn peek_charges_nothing() {
    let table = Table::new(10).unwrap();
    let key = hash("key");
    for _ in 0..3 {
        assert_eq!(table.peek(key, &rate(2), 0, 1).map(|a| a.remaining(&rate(2))), Ok(1));
    }
    assert_eq!(table.used(0), 0);
    assert!(table.check(key, &rate(2), 0, 2).is_ok());
    assert_eq!(table.peek(key, &rate(2), 1, 1), Err(Refused::Wait { ticks: 99 }));
    assert_eq!(table.peek(key, &rate(2), 100, 1).map(|a| a.spare), Ok(0));
}

#[test]
fn reset_forgets() {
    let table = Table::new(10).unwrap();
    let key = hash("key");
    assert!(!table.reset(key));
    assert!(table.check(key, &rate(1), 0, 1).is_ok());
    assert!(table.check(key, &rate(1), 0, 1).is_err());
    assert!(table.reset(key));
    assert!(table.check(key, &rate(1), 0, 1).is_ok());
}

#[test]
fn what_can_never_be_takes_no_room() {
    let table = Table::new(10).unwrap();
    let key = hash("key");
    assert_eq!(table.check(key, &rate(3), 0, 4), Err(Refused::Never));
    assert_eq!(table.check(key, &rate(3), 0, 0).map(|allowed| allowed.charged), Ok(0));
    assert!(!table.reset(key));
}

#[test]
fn a_refund_gives_back_what_has_not_drained() {
    let table = Table::new(10).unwrap();
    let (key, rate) = (hash("key"), rate(3));
    let receipt = table.check(key, &rate, 0, 3).unwrap();
    table.refund(key, &receipt, 150);
    // A whole burst again, no more: half a unit had drained already.
    assert!(table.check(key, &rate, 150, 3).is_ok());
    assert!(table.check(key, &rate, 150, 1).is_err());
    // This receipt's charge has drained; it does not pay for the new one.
    table.refund(key, &receipt, 300);
    assert!(table.check(key, &rate, 300, 2).is_err());
    table.refund(hash("unknown"), &receipt, 0);
    assert_eq!(table.used(150), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Check(u32),
    Peek(u32),
    Refund,
    Reset,
}

proptest! {
    #[test]
    fn does_as_an_exact_model_does(
        steps in prop::collection::vec(
            (
                0..30_u64,
                -20..60_i64,
                prop_oneof![
                    8 => (1..6_u32).prop_map(Step::Check),
                    2 => (0..6_u32).prop_map(Step::Peek),
                    2 => Just(Step::Refund),
                    1 => Just(Step::Reset),
                ],
            ),
            1..300,
        ),
    ) {
        let (table, rate) = (Table::new(1000).unwrap(), rate(5));
        let mut model: HashMap<u64, (u64, Option<Allowed>)> = HashMap::new();
        let mut now = 1000_u64;
        for (key, step, action) in steps {
            now = now.saturating_add_signed(step);
            let hash = hash(key);
            let (tat, receipt) = model.entry(key).or_default();
            match action {
                Step::Check(cost) => {
                    let exact = decide(&rate, *tat, now, cost);
                    prop_assert_eq!(table.check(hash, &rate, now, cost), exact);
                    if let Ok(allowed) = exact {
                        (*tat, *receipt) = (allowed.new_tat, Some(allowed));
                    }
                }
                Step::Peek(cost) => {
                    prop_assert_eq!(table.peek(hash, &rate, now, cost), decide(&rate, *tat, now, cost));
                }
                Step::Refund => {
                    if let Some(receipt) = receipt.take() {
                        table.refund(hash, &receipt, now);
                        *tat = tat.saturating_sub(receipt.refundable(now));
                    }
                }
                Step::Reset => {
                    table.reset(hash);
                    *tat = 0;
                }
            }
        }
    }

    #[test]
    fn no_time_or_hash_panics(
        checks in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u32>(), 0..64_u32), 1..100),
    ) {
        let table = Table::new(10).unwrap();
        for (hash, now, cost, shift) in checks {
            let day = Rate::new(cost.max(1), Duration::from_secs(86_400), cost.max(1)).unwrap();
            for (hash, now) in [(hash, now >> shift), (hash >> shift, now), (0, now), (u64::MAX, now)] {
                let verdict = table.check(hash, &day, now, cost);
                if let Ok(receipt) = verdict {
                    table.refund(hash, &receipt, now >> 1);
                }
                table.reset(hash ^ 1);
            }
        }
    }
}
