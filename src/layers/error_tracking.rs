//! Sees every 5xx and every panic, and tells the log once with what is needed to find the cause.
//!
//! **The rule.** An answer of 500 or more is one `ERROR` event of target `palisade::error` with status, reason, method,
//! route, request id and cause; so is an answer that broke off, by a panic in its body (the stream is
//! cut) or an error in it. The cause is never sent.
//! Panics in guards and handlers are caught by the guards' plumbing, answered as 500 `internal-error`, and seen here like any other.
//!
//! ```
//! let app: axum::Router = axum::Router::new().layer(palisade::error_tracking::ErrorTrackingLayer::new());
//! ```
//!
//! Counts are kept by [`ErrorTrackingLayer::statistics`].

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use http::request::Parts;
use serde_json::{Value, json};
use tower_layer::Layer;

use crate::{End, Facts, Guard, Rejection, Response, guard::Guarded};

/// Logs and counts what broke. See the [module](self) for the exact rule.
#[derive(Debug, Clone)]
pub struct ErrorTrackingLayer {
    counts: Arc<Counts>,
}

#[derive(Debug)]
struct Counts {
    since: Instant,
    client_errors: AtomicU64,
    server_errors: AtomicU64,
    panics: AtomicU64,
}

impl ErrorTrackingLayer {
    /// Counts from now on.
    #[must_use]
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        let counts = Counts { since: Instant::now(), client_errors: zero(), server_errors: zero(), panics: zero() };
        Self { counts: Arc::new(counts) }
    }

    /// What broke since the start, as JSON: `total_errors`, `error_counts` (a panic is a `server` error too), `error_rate_per_minute`, `tracking_duration_minutes`.
    pub fn statistics(&self) -> Value {
        let Counts { since, client_errors, server_errors, panics } = &*self.counts;
        let (client, server) = (client_errors.load(Relaxed), server_errors.load(Relaxed));
        let minutes = since.elapsed().as_secs_f64() / 60.0;
        #[expect(clippy::cast_precision_loss, reason = "a rate is no count")]
        let rate = (client + server) as f64 / minutes.max(1.0);
        json!({
            "total_errors": client + server,
            "error_counts": { "client": client, "server": server, "panic": panics.load(Relaxed) },
            "error_rate_per_minute": rate,
            "tracking_duration_minutes": minutes,
        })
    }
}

impl Default for ErrorTrackingLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl Guard for ErrorTrackingLayer {
    type Ticket = Facts;
    const WATCHES_END: bool = true;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Facts> {
        ControlFlow::Continue(Facts::of(head))
    }

    fn on_response(&self, facts: &mut Facts, response: &mut Response) {
        let status = response.status();
        if status.is_client_error() {
            self.counts.client_errors.fetch_add(1, Relaxed);
        }
        if !status.is_server_error() {
            return;
        }
        let rejection = response.extensions().get::<Rejection>();
        // A refusal that the application answers in its own way, with a 503 say, is still no fault of the service.
        if rejection.is_some_and(|rejection| rejection.kind().status().is_client_error()) {
            return;
        }
        self.counts.server_errors.fetch_add(1, Relaxed);
        let reason = rejection.map_or("handler", |rejection| rejection.kind().slug());
        let cause = rejection.and_then(Rejection::reported_cause).unwrap_or("none given");
        if rejection.is_some_and(Rejection::is_panic) {
            self.counts.panics.fetch_add(1, Relaxed);
        }
        report(facts, status.as_u16(), reason, cause);
    }

    fn on_end(&self, facts: Facts, end: End) {
        let (reason, cause) = match end {
            End::Panicked(message) => ("body-panic", message),
            End::Failed(error) => ("broken-off", error),
            _ => return,
        };
        self.counts.server_errors.fetch_add(1, Relaxed);
        if reason == "body-panic" {
            self.counts.panics.fetch_add(1, Relaxed);
        }
        report(&facts, 0, reason, cause);
    }
}

/// `status` is that of the answer, 0 where its head was gone before it broke.
fn report(facts: &Facts, status: u16, reason: &str, cause: &str) {
    tracing::error!(
        target: "palisade::error",
        status,
        reason,
        cause,
        method = %facts.method(),
        route = facts.route(),
        request_id = facts.request_id().map(tracing::field::display),
        trace_id = facts.logged_trace_id(),
        "a request failed"
    );
}

impl<S> Layer<S> for ErrorTrackingLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}
