//! The settings of the metrics.

use std::sync::Arc;

use super::{
    Handle, MetricsLayer, Shared, buckets::Buckets, decisions::Decisions, exposition::labels, names::Names,
    registry::Registry, requests::Requests,
};
use crate::ConfigError;

/// A [`MetricsLayer`] in the making. Nothing is checked before [`build`](Self::build).
#[derive(Debug, Clone)]
#[must_use]
pub struct MetricsBuilder {
    names: Names,
    buckets: Option<Buckets>,
    series: usize,
    process: bool,
    build_info: Option<String>,
}

impl MetricsBuilder {
    pub(super) const fn new() -> Self {
        Self { names: Names::Prometheus, buckets: None, series: 2000, process: true, build_info: None }
    }

    /// Under which names requests are told of. Those of Prometheus unless others are asked for.
    pub fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// The buckets of the durations of requests, in seconds. Unless said otherwise [`Buckets::seconds`], or
    /// [`Buckets::open_telemetry`] with [`Names::OpenTelemetry`].
    pub fn buckets(mut self, buckets: Buckets) -> Self {
        self.buckets = Some(buckets);
        self
    }

    /// How many sets of label values each metric may have, that of the requests and each of one's own; 2000 unless said
    /// otherwise. What comes past it is counted as `overflow`. Of those of the requests a quarter is kept for 4xx and a quarter
    /// for 5xx: a client that tries every method on every route does not take the room of a failure.
    pub fn series(mut self, most: usize) -> Self {
        self.series = most;
        self
    }

    /// Whether to tell of the process: memory, CPU, file descriptors (Linux alone). On unless switched off.
    pub fn process(mut self, told: bool) -> Self {
        self.process = told;
        self
    }

    /// What is running: `build_info` with these labels, for the release that a change of behaviour came with.
    pub fn build_info(mut self, name: &str, version: &str, revision: &str) -> Self {
        self.build_info = Some(labels([("name", name), ("version", version), ("revision", revision)]));
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// Buckets that do not grow, or no room for any series.
    pub fn build(self) -> Result<MetricsLayer, ConfigError> {
        let mut mistakes = ConfigError::default();
        if let Some(buckets) = &self.buckets {
            mistakes.keep(buckets.check("metrics buckets"));
        }
        if self.series == 0 {
            mistakes.push("metrics series", "are 0, which leaves nothing to tell");
        }
        mistakes.or(())?;
        Ok(self.make())
    }

    pub(super) fn make(self) -> MetricsLayer {
        let buckets = self.buckets.unwrap_or_else(|| match self.names {
            Names::Prometheus => Buckets::seconds(),
            Names::OpenTelemetry => Buckets::open_telemetry(),
        });
        let shared = Shared {
            started: tokio::time::Instant::now().into_std(),
            process: self.process,
            build_info: self.build_info,
            series: self.series,
            requests: Requests::new(self.names, buckets, self.series),
            decisions: Decisions::new(self.series),
            registry: Registry::default(),
            #[cfg(feature = "metrics-facade")]
            facade: super::facade::Known::default(),
        };
        MetricsLayer { handle: Arc::new(Handle { shared: Arc::new(shared), probes: false }) }
    }
}
