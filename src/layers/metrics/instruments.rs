//! What is measured: something counted, something that goes up and down, something spread out. Handles, updated in place.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::buckets::Buckets;

/// Counts up. A cheap handle: clones count the same. Past `u64::MAX` it begins anew at 0, which scrapers take for a restart.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// The count so far.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }

    #[cfg(feature = "metrics-facade")]
    pub(super) fn at_least(&self, count: u64) {
        self.0.fetch_max(count, Relaxed);
    }
}

/// Goes up and down. A cheap handle: clones share the value.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// The value is this now.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// So much more, or less where it is negative.
    pub fn add(&self, value: f64) {
        add(&self.0, value);
    }

    /// One more.
    pub fn inc(&self) {
        self.add(1.0);
    }

    /// One less.
    pub fn dec(&self) {
        self.add(-1.0);
    }

    /// The value now.
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }
}

/// How values are spread, in fixed buckets. A cheap handle: clones share the counts. Its memory does not grow.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Cells>);

/// The counts of a histogram.
#[derive(Debug)]
pub(super) struct Cells {
    buckets: Buckets,
    sum: AtomicU64,
    /// One more than the bounds: the last is for what no bound holds.
    counts: Box<[AtomicU64]>,
}

impl Histogram {
    pub(super) fn new(buckets: &Buckets) -> Self {
        Self(Arc::new(Cells::new(buckets)))
    }

    /// One more value. What is no number, not finite, or less than 0 is left out: it would spoil the sum, which must only grow.
    pub fn observe(&self, value: f64) {
        if (0.0..f64::INFINITY).contains(&value) {
            self.0.observe(value);
        }
    }

    /// One more value, in seconds.
    pub fn record(&self, took: Duration) {
        self.observe(took.as_secs_f64());
    }

    /// Starts a clock that records the seconds until it is stopped or dropped.
    ///
    /// ```
    /// # fn main() -> Result<(), palisade::ConfigError> {
    /// let metrics = palisade::metrics::MetricsLayer::new();
    /// let renders = metrics.timer("render_duration_seconds", "Time to render a page.")?;
    /// let timing = renders.start();
    /// // .. render ..
    /// timing.stop();
    /// assert_eq!(renders.count(), 1);
    /// # Ok(()) }
    /// ```
    pub fn start(&self) -> Timer {
        Timer { histogram: Some(self.clone()), started: Instant::now() }
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.0.count()
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.0.sum()
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.0
    }
}

impl Cells {
    pub(super) fn new(buckets: &Buckets) -> Self {
        let counts = (0..=buckets.bounds().len()).map(|_| AtomicU64::new(0)).collect();
        Self { buckets: buckets.clone(), sum: AtomicU64::new(0), counts }
    }

    /// Answers in which bucket the value went.
    #[inline]
    pub(super) fn observe(&self, value: f64) -> usize {
        let bucket = self.buckets.of(value);
        self.counts[bucket].fetch_add(1, Relaxed);
        add(&self.sum, value);
        bucket
    }

    pub(super) fn bounds(&self) -> &[f64] {
        self.buckets.bounds()
    }

    pub(super) fn counts(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().map(|count| count.load(Relaxed))
    }

    pub(super) fn count(&self) -> u64 {
        self.counts().sum()
    }

    pub(super) fn sum(&self) -> f64 {
        f64::from_bits(self.sum.load(Relaxed))
    }
}

/// A floating-point sum in an atomic word.
fn add(sum: &AtomicU64, value: f64) {
    let mut known = sum.load(Relaxed);
    while let Err(newer) = sum.compare_exchange_weak(known, (f64::from_bits(known) + value).to_bits(), Relaxed, Relaxed)
    {
        known = newer;
    }
}

/// A running clock. Dropped, it records the time since [`Histogram::start`], also when what it times is cancelled or panics.
#[derive(Debug)]
#[must_use = "dropped at once, it times nothing"]
pub struct Timer {
    histogram: Option<Histogram>,
    started: Instant,
}

impl Timer {
    /// Records the time, and tells it.
    pub fn stop(self) -> Duration {
        self.started.elapsed()
    }

    /// Records nothing.
    pub fn discard(mut self) {
        self.histogram = None;
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(histogram) = self.histogram.take() {
            histogram.record(self.started.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn nothing_is_lost_among_many_threads() {
        let (counter, gauge, histogram) = (Counter::default(), Gauge::default(), Histogram::new(&Buckets::seconds()));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..25_000 {
                        counter.inc();
                        gauge.inc();
                        histogram.observe(0.5);
                    }
                });
            }
        });
        assert_eq!(counter.value(), 200_000);
        assert!((gauge.value() - 200_000.0).abs() < f64::EPSILON);
        assert_eq!(histogram.count(), 200_000);
        assert!((histogram.sum() - 100_000.0).abs() < f64::EPSILON, "halves add up exactly");
    }

    #[test]
    fn what_is_no_number_or_not_finite_or_less_than_nothing_does_not_spoil_the_sum() {
        let histogram = Histogram::new(&Buckets::seconds());
        for value in [f64::NAN, 1.0, f64::INFINITY, f64::NEG_INFINITY, -1.0, f64::NAN, -f64::MIN_POSITIVE] {
            histogram.observe(value);
        }
        assert_eq!((histogram.count(), histogram.sum()), (1, 1.0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_records_when_it_is_dropped_unless_it_is_discarded() {
        let histogram = Histogram::new(&Buckets::seconds());
        let dropped = histogram.start();
        let stopped = histogram.start();
        let discarded = histogram.start();
        tokio::time::advance(Duration::from_secs(2)).await;
        drop(dropped);
        assert_eq!(stopped.stop(), Duration::from_secs(2));
        discarded.discard();
        assert_eq!((histogram.count(), histogram.sum()), (2, 4.0));
    }
}
