//! The bounds of a histogram.

use std::sync::Arc;

use crate::ConfigError;

/// The upper bounds of a histogram's buckets, each of which holds what is at most its bound.
///
/// Checked where they are used: finite, not negative, growing, at least one and at most 64.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets(Arc<[f64]>);

/// Every bucket is a time series for each set of labels.
const MOST: usize = 64;

impl Buckets {
    /// These bounds.
    pub fn new(bounds: impl IntoIterator<Item = f64>) -> Self {
        Self(bounds.into_iter().collect())
    }

    /// From 5 ms to 10 s, as the client libraries of Prometheus have them: what most dashboards expect.
    pub fn seconds() -> Self {
        Self::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
    }

    /// From 5 ms to 10 s, as OpenTelemetry's conventions for HTTP have them.
    pub fn open_telemetry() -> Self {
        Self::new([0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0])
    }

    /// From 100 bytes to 100 MB, by the factor 10.
    pub fn bytes() -> Self {
        Self::exponential(100.0, 10.0, 7)
    }

    /// From 100 ms to about 7 minutes, by the factor 2: for jobs and models.
    pub fn slow_seconds() -> Self {
        Self::exponential(0.1, 2.0, 13)
    }

    /// So many bounds, each the factor times the one before.
    pub fn exponential(first: f64, factor: f64, count: usize) -> Self {
        // One too many is a mistake that is found later; a billion would be found by the allocator.
        Self::new(std::iter::successors(Some(first), |bound| Some(bound * factor)).take(count.min(MOST + 1)))
    }

    pub(super) fn bounds(&self) -> &[f64] {
        &self.0
    }

    /// The place of a value's bucket, which is one past the last bound for what none holds.
    #[inline]
    pub(super) fn of(&self, value: f64) -> usize {
        self.0.iter().position(|bound| value <= *bound).unwrap_or(self.0.len())
    }

    pub(super) fn check(&self, place: &str) -> Result<(), ConfigError> {
        let mistake = |what| Err(ConfigError::new(place, what));
        if self.0.is_empty() || self.0.len() > MOST {
            return mistake("has no buckets, or more than 64");
        }
        // OpenMetrics: with a bound below 0 there is no sum, as it would not only grow.
        if self.0.iter().any(|bound| !(0.0..f64::INFINITY).contains(bound))
            || !self.0.is_sorted_by(|one, next| one < next)
        {
            return mistake("has buckets that are below 0, not finite or do not grow from one to the next");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_is_at_most_its_bound() {
        let buckets = Buckets::new([1.0, 2.0]);
        for (value, place) in
            [(-1.0, 0), (1.0, 0), (1.1, 1), (2.0, 1), (2.1, 2), (f64::INFINITY, 2), (f64::NEG_INFINITY, 0)]
        {
            assert_eq!(buckets.of(value), place, "{value}");
        }
    }

    #[test]
    fn bounds_are_finite_grow_and_are_not_too_many() {
        for good in [Buckets::seconds(), Buckets::open_telemetry(), Buckets::bytes(), Buckets::slow_seconds()] {
            good.check("test").unwrap();
        }
        for bad in [
            Buckets::new([]),
            Buckets::new([1.0, 1.0]),
            Buckets::new([2.0, 1.0]),
            Buckets::new([1.0, f64::INFINITY]),
            Buckets::new([-1.0, 1.0]),
            Buckets::new([f64::NAN]),
            Buckets::exponential(1.0, 2.0, usize::MAX),
            Buckets::exponential(1.0, 1.0, 3),
        ] {
            assert!(bad.check("test").is_err(), "{bad:?}");
        }
    }
}
