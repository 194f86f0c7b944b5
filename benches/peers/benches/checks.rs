//! One check, beside throttlecrab, whose keys are strings.

use std::{sync::Mutex, time::SystemTime};

use self::{
    contenders::Arena,
    keys::{Key as _, draw},
    timing::{median, time},
};

#[path = "../../limiter/contenders.rs"]
#[allow(dead_code, reason = "its other parts are the other bench's")]
mod contenders;
#[path = "../../limiter/keys.rs"]
#[allow(dead_code, reason = "as above")]
mod keys;
#[path = "../../limiter/timing.rs"]
mod timing;

const ROUNDS: usize = 15;
const CHECKS: usize = 50_000;

fn main() {
    println!("\nns per check, net of the loop, one thread, 24-byte strings, on the clock of std");
    println!("{:>8} | {:>10} {:>10} {:>10} {:>12}", "keys", "floor", "palisade", "governor", "throttlecrab");
    for keys in [1, 10_000] {
        let arena = Arena::<String>::new(keys);
        let store = throttlecrab::AdaptiveStore::with_capacity(usize::try_from(keys).unwrap());
        let crab = Mutex::new(throttlecrab::RateLimiter::new(store));
        // In its own units what the others have: one per 150 s, and enough of them at once.
        let crab = |key: &String| {
            let mut crab = crab.lock().unwrap();
            crab.rate_limit(key, 30_000_000, 24, 3600, 1, SystemTime::now()).is_ok_and(|(allowed, _)| allowed)
        };
        assert!((0..keys).map(String::make).all(|key| crab(&key)));
        let sequence: Vec<String> = draw(keys, false, CHECKS * ROUNDS);
        let rounds: Vec<_> = sequence
            .chunks(CHECKS)
            .map(|keys| {
                [
                    time(keys, 1, true, |_| true),
                    time(keys, 1, true, |key| arena.floor(key)),
                    time(keys, 1, true, |key| arena.table(key)),
                    time(keys, 1, true, |key| arena.governor_std(key)),
                    time(keys, 1, true, crab),
                ]
            })
            .collect();
        let middle = |column: usize| median(rounds.iter().map(|times| times[column]));
        let net = |column: usize| middle(column) - middle(0);
        println!("{keys:>8} | {:>10.1} {:>10.1} {:>10.1} {:>12.1}", net(1), net(2), net(3), net(4));
    }
}
