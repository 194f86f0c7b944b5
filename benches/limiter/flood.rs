//! Legitimate clients amid a flood of distinct keys, against an exact model; and what governor's memory does then.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "statistics, on numbers far below 2^52"
)]

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    hash::BuildHasher as _,
    net::IpAddr,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use palisade::rate_limit::engine::{Rate, Table, decide, seeded_hasher};

use crate::keys::{Key, mix};

const FLOOD: u64 = 20_000_000;
const CLIENTS: usize = 10_000;
/// One key of the flood per microsecond.
const STEP: u64 = 1_000;

/// What a client does. One that creeps is in as little debt as the flood at first: in an overfull table it may be
/// forgotten before it is drained.
struct Behaviour {
    name: &'static str,
    /// Requests at its first appearance.
    at_once: u32,
    /// Requests per increment, after that.
    pace: f64,
}

const BEHAVIOURS: [Behaviour; 3] = [
    Behaviour { name: "drained", at_once: 12, pace: 2.0 },
    Behaviour { name: "steady", at_once: 1, pace: 0.9 },
    Behaviour { name: "creeping", at_once: 1, pace: 3.0 },
];

/// What became of the clients of one behaviour.
#[derive(Clone, Copy, Default)]
struct Tally {
    checks: u64,
    refused: u64,
    false_denials: u64,
    wrong_admissions: u64,
}

/// One unit per second, ten at once: a million keys of the flood are in debt.
fn quota() -> Rate {
    Rate::new(10, Duration::from_secs(10), 10).expect("a rate")
}

pub(crate) fn run() {
    println!("{FLOOD} keys at one per microsecond, each once, amid {CLIENTS} clients");
    for capacity in [1_250_000, 1_000_000, 100_000] {
        flood(capacity);
    }
    for load in [80, 90, 100] {
        fill(4_000_000, load);
    }
    governor_grows::<IpAddr>();
    governor_grows::<String>();
}

fn flood(capacity: usize) {
    let (rate, hasher) = (quota(), seeded_hasher());
    let before = resident();
    let table = Table::new(capacity).expect("memory");
    let mut tats = vec![0; CLIENTS];
    let first = |client: usize| Reverse((mix(client as u64) % rate.increment(), client));
    let mut due: BinaryHeap<_> = (0..CLIENTS).map(first).collect();
    let mut tallies = [Tally::default(); 3];
    let mut flood_denied = 0_u64;
    let started = Instant::now();
    for i in 0..FLOOD {
        let now = i * STEP;
        flood_denied += u64::from(table.check(hasher.hash_one(i), &rate, now, 1).is_err());
        while let Some(&Reverse((at, client))) = due.peek() {
            if at > now {
                break;
            }
            due.pop();
            let (behaviour, tally) = (&BEHAVIOURS[client % 3], &mut tallies[client % 3]);
            let requests = if tats[client] == 0 { behaviour.at_once } else { 1 };
            for _ in 0..requests {
                let exact = decide(&rate, tats[client], now, 1);
                let ours = table.check(hasher.hash_one(client as u64 | 1 << 63), &rate, now, 1);
                if let Ok(allowed) = exact {
                    tats[client] = allowed.new_tat;
                }
                tally.checks += 1;
                tally.refused += u64::from(exact.is_err());
                tally.false_denials += u64::from(exact.is_ok() && ours.is_err());
                tally.wrong_admissions += u64::from(exact.is_err() && ours.is_ok());
            }
            due.push(Reverse((now + (rate.increment() as f64 / behaviour.pace) as u64, client)));
        }
    }
    let lost = table.live_evictions();
    println!(
        "capacity {capacity}: {:.1} MiB, {:.1} bytes per key, resident {:+.1} MiB; {flood_denied} of the flood denied, \
         live evictions {lost} ({:.4} %), in use {}, {:.0} ns per check",
        mib(table.memory()),
        table.memory() as f64 / capacity as f64,
        mib(resident()) - mib(before),
        100.0 * lost as f64 / FLOOD as f64,
        table.used(FLOOD * STEP),
        started.elapsed().as_nanos() as f64 / FLOOD as f64,
    );
    for (Behaviour { name, .. }, tally) in BEHAVIOURS.iter().zip(tallies) {
        let Tally { checks, refused, false_denials, wrong_admissions } = tally;
        println!(
            "    {name:>8} clients: {checks:>6} checks, {refused:>6} refused by the model; \
             false denials {false_denials}, wrong admissions {wrong_admissions}"
        );
    }
}

/// As many live keys as this share of the capacity: how many are lost?
fn fill(capacity: usize, percent: usize) {
    let rate = Rate::new(1, Duration::from_secs(3600), 1).expect("a rate");
    let (table, hasher) = (Table::new(capacity).expect("memory"), seeded_hasher());
    let keys = (capacity * percent / 100) as u64;
    for key in 0..keys {
        assert!(table.check(hasher.hash_one(key), &rate, 1 + key, 1).is_ok());
    }
    let is_forgotten = |key: &u64| table.peek(hasher.hash_one(key), &rate, keys, 1).is_ok();
    let forgotten = (0..keys).filter(is_forgotten).count();
    println!(
        "load {percent:>3} %: {keys} keys, {} live evictions, {forgotten} forgotten ({:.5} %)",
        table.live_evictions(),
        100.0 * forgotten as f64 / keys as f64,
    );
}

fn governor_grows<K: Key>() {
    let before = resident();
    let quota = Quota::per_second(NonZeroU32::MIN);
    let governor: DefaultKeyedRateLimiter<K> = RateLimiter::keyed(quota);
    let admitted = (0..FLOOD).filter(|i| governor.check_key(&K::make(*i)).is_ok()).count();
    println!(
        "governor, {FLOOD} keys ({}): resident {:+.1} MiB; {admitted} admitted",
        K::NAME,
        mib(resident()) - mib(before)
    );
}

/// The bytes of this process that are in memory, by Linux; elsewhere 0.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<usize>().ok());
    pages.unwrap_or_default() * 4096
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
