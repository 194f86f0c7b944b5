//! Metrics of one's own, beside those of the requests.

use super::{
    Buckets, Counter, Family, Gauge, Histogram, MetricsLayer,
    exposition::Type,
    family::{COUNTER, GAUGE, HISTOGRAM},
    registry::name_mistakes,
};
use crate::ConfigError;

/// # Metrics of one's own
///
/// A name is registered once; the handle is cheap to clone and to keep.
impl MetricsLayer {
    /// Something that only grows. The name ends in `_total`.
    ///
    /// # Errors
    /// A name that is taken, reserved or not understood by scrapers.
    pub fn counter(&self, name: &str, help: &str) -> Result<Counter, ConfigError> {
        self.counters(name, help, []).map(|family| family.of([]))
    }

    /// A counter for each set of values of these labels.
    ///
    /// # Errors
    /// As [`counter`](Self::counter), and labels that are reserved or not understood.
    pub fn counters<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<Family<Counter, N>, ConfigError> {
        self.handle.shared.registry.register(COUNTER, name, help, labels, Buckets::seconds(), self.handle.shared.series)
    }

    /// Something that goes up and down.
    ///
    /// # Errors
    /// As [`counter`](Self::counter).
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, ConfigError> {
        self.gauges(name, help, []).map(|family| family.of([]))
    }

    /// A gauge for each set of values of these labels.
    ///
    /// # Errors
    /// As [`counters`](Self::counters).
    pub fn gauges<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<Family<Gauge, N>, ConfigError> {
        self.handle.shared.registry.register(GAUGE, name, help, labels, Buckets::seconds(), self.handle.shared.series)
    }

    /// How something is spread. What is no number, not finite, or less than 0 is left out: see [`Histogram::observe`].
    ///
    /// # Errors
    /// As [`counter`](Self::counter), and buckets that do not grow.
    pub fn histogram(&self, name: &str, help: &str, buckets: Buckets) -> Result<Histogram, ConfigError> {
        self.histograms(name, help, [], buckets).map(|family| family.of([]))
    }

    /// A histogram for each set of values of these labels.
    ///
    /// # Errors
    /// As [`counters`](Self::counters), and buckets that do not grow.
    pub fn histograms<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        buckets: Buckets,
    ) -> Result<Family<Histogram, N>, ConfigError> {
        self.handle.shared.registry.register(HISTOGRAM, name, help, labels, buckets, self.handle.shared.series)
    }

    /// How long something takes: a histogram of [`Buckets::seconds`], to be [started](Histogram::start).
    ///
    /// # Errors
    /// As [`counter`](Self::counter), and a name that does not end in `_seconds`.
    pub fn timer(&self, name: &str, help: &str) -> Result<Histogram, ConfigError> {
        if !name.ends_with("_seconds") {
            let place = format!("metric `{name}`");
            let mut mistakes = ConfigError::new(&place, "times, so its name must end in `_seconds`");
            for what in name_mistakes(name, Type::Histogram) {
                mistakes.push(&place, what);
            }
            return Err(mistakes);
        }
        self.histogram(name, help, Buckets::seconds())
    }
}
