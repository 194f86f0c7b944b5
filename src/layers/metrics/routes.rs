//! What is told over HTTP: `/metrics` for a scraper, `/health/metrics` for people and scripts.

use std::sync::Arc;

use axum::{Json, Router, extract::State, response::IntoResponse as _, routing::get};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};

use super::{MetricsLayer, accept::Format, exposition::Exposition, process::Process, window::Report};
use crate::Response;

/// What others have to tell at a scrape.
type More = Arc<dyn Fn(&mut Exposition) + Send + Sync>;

impl MetricsLayer {
    /// `/metrics` and `/health/metrics`, open to whoever reaches them: for a listener of their own, or behind an
    /// [`Access`](crate::Access). [`Stack::inner_routes`](crate::Stack::inner_routes) has them too.
    ///
    /// `/metrics` answers in the format that `Accept` asks for: the Prometheus text format 0.0.4 or `OpenMetrics` 1.0; with the
    /// feature `compression` gzipped for those who accept it. `/health/metrics` is JSON: `uptimeSeconds`, `memoryBytes`, and
    /// of the last `windowSeconds`, 60 to 65 once it has run so long, `requestsPerSecond`, `errorRate` (the part that was
    /// answered with a 5xx), `p50Seconds`, `p95Seconds` and `p99Seconds`. Probes, scrapes and whatever else goes through
    /// [`Stack::probes`](crate::Stack::probes) are no part of it. What is not known is `null`.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        self.router_with(Arc::new(|_| {}))
    }

    pub(crate) fn router_with<S: Clone + Send + Sync + 'static>(&self, more: More) -> Router<S> {
        let scrape = async |State((metrics, more)): State<(Self, More)>, headers: HeaderMap| -> Response {
            let format = Format::negotiated(&headers);
            let text = metrics.write(format, &*more);
            let vary = (header::VARY, HeaderValue::from_static("accept"));
            ([(header::CONTENT_TYPE, format.answered(&headers)), vary], text).into_response()
        };
        let summary = async |State((metrics, _)): State<(Self, More)>| -> Response {
            let uncached = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (uncached, Json(metrics.summary())).into_response()
        };
        let routes = Router::new().route("/metrics", get(scrape)).route("/health/metrics", get(summary));
        #[cfg(feature = "compression")]
        let routes = routes.layer(tower_http::compression::CompressionLayer::new());
        routes.with_state((self.clone(), more))
    }

    fn summary(&self) -> Value {
        let window = self.window();
        let [p50, p95, p99] = window.quantiles.map_or([None; 3], |quantiles| quantiles.map(Some));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of bytes")]
        let memory = Process::read().resident_bytes.map(|bytes| bytes as u64);
        json!({
            "uptimeSeconds": self.handle.shared.now_millis() / 1000,
            "memoryBytes": memory,
            "windowSeconds": window.seconds,
            "requestsPerSecond": window.per_second,
            "errorRate": window.error_rate,
            "p50Seconds": p50,
            "p95Seconds": p95,
            "p99Seconds": p99,
        })
    }

    /// The same, beside the statistics of errors and in their spelling.
    pub(crate) fn traffic(&self) -> Value {
        let window = self.window();
        let [p50, p95, p99] = window.quantiles.map_or([None; 3], |quantiles| quantiles.map(Some));
        json!({
            "window_seconds": window.seconds,
            "requests_per_second": window.per_second,
            "p50_seconds": p50,
            "p95_seconds": p95,
            "p99_seconds": p99,
        })
    }

    fn window(&self) -> Report {
        let (requests, now) = (&self.handle.shared.requests, self.handle.shared.now_millis());
        requests.window.report(now, &requests.totals(), requests.bounds())
    }
}
