//! Counts and times every answer, refusals included, until its body has ended; tells Prometheus.
//!
//! **The rule.** `http_requests_total` and `http_request_duration_seconds` by `method`, `route` and `status`,
//! `http_requests_in_flight`, `http_response_body_bytes_total` (as sent) and `http_request_body_bytes_total` (as read, where a
//! [`BodyLimitLayer`](crate::body_limit::BodyLimitLayer) stands); or the [`Names`] of OpenTelemetry. The route is the router's template or `unmatched`, never a path; a method outside the known
//! set is `_OTHER`; a method that the route has not (405) is `unmatched`; a request whose client went before the answer is 499. The
//! number of series has a hard cap, of which 4xx and 5xx have a quarter each; past it they share one `overflow` for each class of status. An answer that was begun and not ended counts as its status all the same, and in
//! `http_responses_broken_off_total` by `route` and `how`: `aborted` (the client went, which is how an event stream ends),
//! `failed` or `panicked` (its body did). What guards objected to is `palisade_decisions_total`. Beside them:
//! `process_*`, `palisade_build_info`, `palisade_uptime_seconds`, and whatever of one's own is registered here.
//!
//! ```
//! use axum::Router;
//! use palisade::metrics::MetricsLayer;
//! # fn main() -> Result<(), palisade::ConfigError> {
//! let metrics = MetricsLayer::new();
//! let orders = metrics.counters("orders_total", "Orders placed.", ["channel"])?;
//! orders.of(["web"]).inc();
//! assert!(metrics.render().contains("orders_total{channel=\"web\"} 1"));
//! let app: Router = Router::new().layer(metrics.clone());   // what is measured
//! let inner: Router = metrics.router();                     // `/metrics`, for a listener of its own
//! # Ok(()) }
//! ```
//!
//! Of the same metrics twice on a way the outer ones count. What axum's `nest_service` serves is `unmatched`, as axum does not
//! tell its route: `.nest("/files", Router::new().route_service("/{*path}", service))` in its place is told as `/files/{*path}`.
//!
//! A request costs no lock and no allocation here, once its series is known. Memory is bounded: nothing grows with the number
//! of requests.

mod accept;
mod buckets;
mod builder;
mod decisions;
mod exemplars;
mod exposition;
#[cfg(feature = "metrics-facade")]
mod facade;
mod family;
mod instruments;
mod names;
mod own;
mod process;
mod registry;
mod requests;
mod routes;
mod table;
mod window;
mod work;

use std::{ops::ControlFlow, sync::Arc, time::Instant};

use http::request::Parts;
use tower_layer::Layer;

pub(crate) use self::exposition::{Exposition, Type, labels};
#[cfg(feature = "metrics-facade")]
pub use self::facade::FacadeRecorder;
pub use self::{
    accept::Format,
    buckets::Buckets,
    builder::MetricsBuilder,
    family::Family,
    instruments::{Counter, Gauge, Histogram, Timer},
    names::Names,
    work::{DatabaseCalls, ExternalCalls, Jobs, ModelCalls, Running, StorageCalls},
};
use self::{
    decisions::Decisions,
    process::Process,
    registry::Registry,
    requests::{Code, Requests, Taken, known},
};
use crate::{End, Facts, Guard, Response, guard::Guarded};

/// Measures requests. Clones share one registry. See the [module](self) for the exact rule.
#[derive(Debug, Clone)]
pub struct MetricsLayer {
    handle: Arc<Handle>,
}

/// One pointer, as it is cloned and moved with every request.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// Whether what is counted here is the operator's own asking.
    probes: bool,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    process: bool,
    build_info: Option<String>,
    series: usize,
    requests: Requests,
    decisions: Decisions,
    registry: Registry,
    #[cfg(feature = "metrics-facade")]
    facade: facade::Known,
}

impl MetricsLayer {
    /// The default settings: the names and buckets of Prometheus, at most 2000 series per metric.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().make()
    }

    /// Other settings.
    pub const fn builder() -> MetricsBuilder {
        MetricsBuilder::new()
    }

    /// Everything measured so far, in the Prometheus text format 0.0.4.
    pub fn render(&self) -> String {
        self.render_as(Format::Text)
    }

    /// Everything measured so far, in this format.
    pub fn render_as(&self, format: Format) -> String {
        self.write(format, &|_| {})
    }

    fn write(&self, format: Format, more: &dyn Fn(&mut Exposition)) -> String {
        let shared = &*self.handle.shared;
        if format == Format::OpenMetrics {
            shared.requests.wants_exemplars();
        }
        let mut out = Exposition::new(format);
        shared.requests.write(&mut out);
        shared.decisions.write(&mut out);
        more(&mut out);
        if shared.process {
            Process::read().write(&mut out);
        }
        out.family("palisade_uptime_seconds", Type::Gauge, "Time since the metrics were made.");
        out.sample("palisade_uptime_seconds", "", shared.now_millis() / 1000);
        out.family("palisade_build_info", Type::Gauge, "The version of palisade.");
        out.sample("palisade_build_info", &labels([("version", env!("CARGO_PKG_VERSION"))]), 1);
        if let Some(info) = &shared.build_info {
            out.family("build_info", Type::Gauge, "What is running.");
            out.sample("build_info", info, 1);
        }
        shared.registry.write(&mut out);
        out.finish()
    }

    /// What tells these metrics from others.
    fn addr(&self) -> usize {
        Arc::as_ptr(&self.handle.shared).addr()
    }

    /// The same for probes and scrapes, which are counted but no part of the last minute's rate.
    pub(crate) fn probes(&self) -> Self {
        Self { handle: Arc::new(Handle { shared: Arc::clone(&self.handle.shared), probes: true }) }
    }

    pub(crate) fn describe(&self) -> String {
        format!("by method, route and status; at most {} series", self.handle.shared.requests.cap())
    }
}

impl Shared {
    /// Since these metrics were made, on tokio's clock, so that a test can advance it.
    fn now_millis(&self) -> u64 {
        millis(tokio::time::Instant::now().into_std().saturating_duration_since(self.started))
    }
}

fn millis(time: std::time::Duration) -> u64 {
    // `as_millis` reckons in 128 bits.
    time.as_secs().saturating_mul(1000).saturating_add(time.subsec_millis().into())
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
    code: Code,
    /// Not where the same metrics stand further out.
    counts: bool,
}

/// What is counted where the client left before it had an answer: nginx's 499.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// How an answer ended, as a label.
const fn word(end: End) -> &'static str {
    match end {
        End::Complete => "complete",
        End::Aborted => "aborted",
        End::Failed(_) => "failed",
        End::Panicked(_) => "panicked",
    }
}

impl Guard for MetricsLayer {
    type Ticket = Measured;
    const WATCHES_END: bool = true;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Measured> {
        let facts = Facts::of(head);
        let counts = !facts.was_counted_by(self.addr());
        let https = facts.client().is_some_and(|client| client.is_https());
        let code = Code { method: known(&head.method), https, status: 0 };
        if counts {
            self.handle.shared.requests.begin(code.method, https);
        }
        ControlFlow::Continue(Measured { facts, code, counts })
    }

    fn on_response(&self, measured: &mut Measured, response: &mut Response) {
        measured.code.status = response.status().as_u16();
    }

    fn watches_end(&self, measured: &Measured) -> bool {
        measured.counts
    }

    fn on_end(&self, Measured { facts, code, counts }: Measured, end: End) {
        if !counts {
            return;
        }
        // Who is asked again with the same facts, by a layer that tries twice, counts again.
        facts.set_counted(self.addr());
        let shared = &*self.handle.shared;
        let status = match (code.status, end) {
            (0, End::Aborted) => CLIENT_CLOSED_REQUEST,
            (0, _) => 500,
            (status, End::Complete) => status,
            (status, how) => {
                shared.requests.broken_off(&facts, word(how));
                status
            }
        };
        let now = tokio::time::Instant::now().into_std();
        let time = now.saturating_duration_since(facts.started());
        let taken = Taken { time, received: facts.received(), sent: facts.sent() };
        let now = millis(now.saturating_duration_since(shared.started));
        shared.requests.end(Code { status, ..code }, taken, &facts, now);
        if self.handle.probes {
            shared.requests.was_probe(status, taken);
        }
        facts.each_decision(|decision| shared.decisions.count(decision));
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}
