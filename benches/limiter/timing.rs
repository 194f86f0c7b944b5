//! Time per check.

use std::{hint::black_box, sync::Barrier, time::Instant};

/// Nanoseconds per check and thread, each with its part of the keys. Every check must give this answer.
pub(crate) fn time<K: Sync>(keys: &[K], threads: usize, answer: bool, check: impl Fn(&K) -> bool + Sync) -> f64 {
    let run = |keys: &[K]| {
        let start = Instant::now();
        let other = keys.iter().filter(|key| black_box(check(black_box(key))) != answer).count();
        let nanos = start.elapsed().as_secs_f64() * 1e9;
        assert_eq!(other, 0, "the checks were not what they are measured as");
        nanos / u32::try_from(keys.len()).map_or(f64::NAN, f64::from)
    };
    if threads == 1 {
        return run(keys);
    }
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        let work = |part| {
            barrier.wait();
            run(part)
        };
        let parts = keys.chunks(keys.len().div_ceil(threads));
        let running: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        let times: Vec<f64> = running.into_iter().filter_map(|thread| thread.join().ok()).collect();
        assert_eq!(times.len(), threads, "a thread panicked");
        times.iter().sum::<f64>() / u32::try_from(threads).map_or(f64::NAN, f64::from)
    })
}

pub(crate) fn median(times: impl Iterator<Item = f64>) -> f64 {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
