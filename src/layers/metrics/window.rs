//! The last minute out of counts that only grow: rate, errors, 95th percentile. Constant memory, no task.
//!
//! Every five seconds in which there is a request, the first of them notes the totals of that moment. What the totals have
//! grown by since a note is what happened since.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

const WINDOW_MILLIS: u64 = 60_000;
const STEP_MILLIS: u64 = 5_000;

/// All requests so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Totals {
    errors: u64,
    buckets: Box<[u64]>,
}

impl Totals {
    pub(super) fn none(buckets: usize) -> Self {
        Self { errors: 0, buckets: vec![0; buckets].into() }
    }

    pub(super) fn add(&mut self, counts: impl Iterator<Item = u64>, is_error: bool) {
        for (sum, count) in self.buckets.iter_mut().zip(counts) {
            *sum += count;
            self.errors += if is_error { count } else { 0 };
        }
    }

    pub(super) fn requests(&self) -> u64 {
        self.buckets.iter().sum()
    }

    pub(super) fn since(&self, earlier: &Self) -> Self {
        let buckets = self.buckets.iter().zip(&earlier.buckets).map(|(now, then)| now.saturating_sub(*then)).collect();
        Self { errors: self.errors.saturating_sub(earlier.errors), buckets }
    }
}

#[derive(Debug)]
pub(super) struct Window {
    due: AtomicU64,
    /// The oldest first. As many as fit into the window, and one.
    notes: Mutex<VecDeque<(u64, Totals)>>,
}

/// The last minute, or what there was of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Report {
    pub(super) seconds: f64,
    pub(super) per_second: f64,
    pub(super) error_rate: Option<f64>,
    /// Half, 95 and 99 of a hundred took no longer.
    pub(super) quantiles: Option<[f64; 3]>,
}

impl Window {
    pub(super) fn new(none: Totals) -> Self {
        Self { due: AtomicU64::new(STEP_MILLIS), notes: Mutex::new(VecDeque::from([(0, none)])) }
    }

    /// Notes the totals if it is time to. To be called before a request is counted.
    #[inline]
    pub(super) fn turn(&self, now: u64, totals: impl FnOnce() -> Totals) {
        if now >= self.due.load(Relaxed) {
            self.note(now, totals);
        }
    }

    #[cold]
    fn note(&self, now: u64, totals: impl FnOnce() -> Totals) {
        // Who finds another at it has nothing to wait for.
        let Ok(mut notes) = self.notes.try_lock() else { return };
        if now < self.due.load(Relaxed) {
            return;
        }
        notes.push_back((now, totals()));
        while notes.get(1).is_some_and(|(at, _)| at + WINDOW_MILLIS <= now) {
            notes.pop_front();
        }
        self.due.store(now + STEP_MILLIS, Relaxed);
    }

    pub(super) fn report(&self, now: u64, totals: &Totals, bounds: &[f64]) -> Report {
        let (from, grown) = {
            let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
            let start = now.saturating_sub(WINDOW_MILLIS);
            let next = notes.partition_point(|(at, _)| *at <= start);
            match next.checked_sub(1).and_then(|last| notes.get(last)) {
                // The window is as long as the note before it is old, up to a step longer than a minute.
                Some((at, then)) if at + STEP_MILLIS > start => (*at, totals.since(then)),
                // Nothing came between the end of that step and the next note: it holds for the window's start too.
                _ => (start, totals.since(notes.get(next).map_or(totals, |(_, then)| then))),
            }
        };
        let requests = grown.requests();
        let part = |count: u64| (requests > 0).then(|| float(count) / float(requests));
        let seconds = float(now - from) / 1000.0;
        Report {
            seconds,
            // Of less than a second one cannot say what a second would have brought.
            per_second: float(requests) / seconds.max(1.0),
            error_rate: part(grown.errors),
            quantiles: (requests > 0).then(|| [0.5, 0.95, 0.99].map(|part| quantile(part, &grown.buckets, bounds))),
        }
    }
}

/// As `histogram_quantile` of `PromQL` has it: values are spread evenly in their bucket, and what no bound holds is the last bound.
fn quantile(quantile: f64, counts: &[u64], bounds: &[f64]) -> f64 {
    let rank = quantile * float(counts.iter().sum());
    let (mut below, mut lower) = (0, 0.0);
    for (count, upper) in counts.iter().zip(bounds) {
        if float(below + count) >= rank && *count > 0 {
            return lower + (upper - lower) * (rank - float(below)) / float(*count);
        }
        (below, lower) = (below + count, *upper);
    }
    lower
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and told as a rate")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window that is told of requests as the recorder does, and what it then says.
    struct Told {
        window: Window,
        totals: Totals,
    }

    impl Told {
        fn new() -> Self {
            Self { window: Window::new(Totals::none(3)), totals: Totals::none(3) }
        }

        fn request(&mut self, at: u64, bucket: usize, is_error: bool) {
            self.window.turn(at, || self.totals.clone());
            self.totals.add((0..3).map(|place| u64::from(place == bucket)), is_error);
        }

        fn report(&self, now: u64) -> Report {
            self.window.report(now, &self.totals, &[0.1, 1.0])
        }
    }

    #[test]
    fn a_steady_rate_is_told_as_it_is() {
        let mut told = Told::new();
        for at in 0..300_000 / 100 {
            told.request(at * 100, 0, at % 10 == 0);
        }
        let report = told.report(300_000);
        assert!((60.0..=65.0).contains(&report.seconds), "{report:?}");
        assert!((report.per_second - 10.0).abs() < 0.05, "{report:?}");
        assert!((report.error_rate.unwrap() - 0.1).abs() < 0.001, "{report:?}");
        assert!(told.window.notes.lock().unwrap().len() <= 14);
    }

    #[test]
    fn what_is_more_than_a_minute_old_is_forgotten_also_when_nothing_comes_after_it() {
        let mut told = Told::new();
        told.request(1_000, 0, true);
        assert_eq!(told.report(1_000).error_rate, Some(1.0));
        assert_eq!(told.report(60_999).error_rate, Some(1.0));
        let nothing = told.report(66_000);
        assert_eq!((nothing.per_second, nothing.error_rate, nothing.quantiles), (0.0, None, None));
        told.request(200_000, 0, false);
        let one = told.report(200_000);
        assert_eq!((one.seconds, one.error_rate), (60.0, Some(0.0)), "the error of long ago is gone");
        assert!((one.per_second - 1.0 / 60.0).abs() < 1e-9, "one is not a burst: {one:?}");
    }

    #[test]
    fn the_first_second_is_not_a_rate_of_thousands() {
        let mut told = Told::new();
        told.request(1, 0, false);
        assert!((told.report(1).per_second - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_quantile_is_what_promql_would_say() {
        for (counts, expected) in [
            ([100, 0, 0], 0.095),
            ([0, 100, 0], 0.1 + 0.9 * 0.95),
            ([90, 10, 0], 0.1 + 0.9 * 0.5),
            ([0, 0, 7], 1.0),
            ([95, 0, 5], 0.1),
        ] {
            assert!((quantile(0.95, &counts, &[0.1, 1.0]) - expected).abs() < 1e-9, "{counts:?}");
        }
    }
}
