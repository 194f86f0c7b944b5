//! Counts and times every answer, refusals included, until its body has ended; tells Prometheus.
//!
//! **The rule.** `http_requests_total` and `http_request_duration_seconds` by `method`, `route` and `status`, and
//! `http_requests_in_flight`. The route is the router's template or `unmatched`, never a path; a method outside the known
//! set is `_OTHER`; a request whose client went before the answer is 499. The number of series has a hard cap, past which
//! they share the route `overflow`. What guards objected to is `palisade_decisions_total`.
//!
//! ```
//! use axum::{Router, routing::get};
//! use palisade::metrics::MetricsLayer;
//! let metrics = MetricsLayer::new();
//! let scrape = metrics.clone();
//! let app: Router = Router::new()
//!     .route("/metrics", get(move || async move { scrape.render() }))
//!     .layer(metrics);
//! ```

mod registry;

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use http::request::Parts;
use tower_layer::Layer;

use self::registry::Registry;
pub(crate) use self::registry::escape;
use crate::{End, Facts, Guard, Response, guard::Guarded};

/// The media type of [`MetricsLayer::render`]: the Prometheus text format.
pub const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Measures requests. Clones share one registry. See the [module](self) for the exact rule.
#[derive(Debug, Clone)]
pub struct MetricsLayer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    in_flight: AtomicU64,
}

impl MetricsLayer {
    /// An empty registry of at most 2000 series.
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared { registry: Registry::new(2000), in_flight: AtomicU64::new(0) }) }
    }

    /// Everything measured so far, in the Prometheus text format 0.0.4.
    pub fn render(&self) -> String {
        self.shared.registry.render(self.shared.in_flight.load(Relaxed))
    }

    pub(crate) fn describe(&self) -> String {
        format!("by method, route and status; at most {} series", self.shared.registry.cap())
    }
}

impl Default for MetricsLayer {
    fn default() -> Self {
        Self::new()
    }
}

/// A request in flight.
#[derive(Debug)]
pub struct Measured {
    facts: Facts,
    status: u16,
}

/// What is counted where the client left before it had an answer: nginx's 499.
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl Guard for MetricsLayer {
    type Ticket = Measured;
    const WATCHES_END: bool = true;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Measured> {
        self.shared.in_flight.fetch_add(1, Relaxed);
        ControlFlow::Continue(Measured { facts: Facts::of(head), status: 0 })
    }

    fn on_response(&self, measured: &mut Measured, response: &mut Response) {
        measured.status = response.status().as_u16();
    }

    fn on_end(&self, Measured { facts, status }: Measured, end: End) {
        self.shared.in_flight.fetch_sub(1, Relaxed);
        let status = match (status, end) {
            (0, End::Aborted) => CLIENT_CLOSED_REQUEST,
            (0, _) => 500,
            (status, _) => status,
        };
        self.shared.registry.record(facts.method(), facts.route(), status, facts.started().elapsed());
        facts.each_decision(|decision| self.shared.registry.count(decision));
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}
