//! Sees every 5xx and every panic, and tells the log once with what is needed to find the cause.
//!
//! **The rule.** An answer of 500 or more is one `ERROR` event of target `palisade::error` with status, reason, method,
//! route, request id and cause; so is an answer that broke off, by a panic in its body (the stream is
//! cut) or an error in it. The cause is never sent. A readiness probe that fails is none: the check that failed is told.
//! Panics in guards and handlers are caught by the guards' plumbing, answered as 500 `internal-error`, and seen here like any other.
//!
//! ```
//! let app: axum::Router = axum::Router::new().layer(palisade::error_tracking::ErrorTrackingLayer::new());
//! ```
//!
//! Counts, rates and the last failures are kept by [`ErrorTrackingLayer::statistics`]. Secrets that are seen in a cause (a token, a
//! password in a URL) are taken out of it before it goes anywhere. Others can be told by a [`Reporter`]; with the feature `sentry`,
//! [`SentryReporter`] is one.
//!
//! ```
//! use palisade::error_tracking::{ErrorTrackingLayer, Failure};
//! let tracking = ErrorTrackingLayer::new().reporter(|failure: &Failure<'_>| {
//!     eprintln!("{} on {}: {}", failure.reason(), failure.facts().route(), failure.cause());
//! });
//! ```

mod failure;
#[cfg(feature = "sentry")]
mod sentry;
mod statistics;

use std::{ops::ControlFlow, sync::Arc};

use http::request::Parts;
use serde_json::Value;
use tower_layer::Layer;

pub use self::failure::{Ended, Failure, Reporter};
#[cfg(feature = "sentry")]
pub use self::sentry::{SentryBuilder, SentryReporter};
use self::{failure::Reporters, statistics::Statistics};
use crate::{
    End, Facts, Guard, Rejection, Response,
    guard::{Guarded, panic::caught},
    redact::{redacted, redacted_head},
};

/// On an answer of 500 or more that is no failure: a probe that says the service is not ready has done its work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected;

/// Logs and counts what broke. See the [module](self) for the exact rule.
#[derive(Debug, Clone)]
pub struct ErrorTrackingLayer {
    statistics: Arc<Statistics>,
    reporters: Reporters,
    #[cfg(feature = "sentry")]
    keeps_headers: bool,
    is_traced: bool,
}

/// What is longer of a cause is nobody's to read, and a client may have written it.
const LONGEST_CAUSE: usize = 16 * 1024;

impl ErrorTrackingLayer {
    /// Counts from now on.
    #[must_use]
    pub fn new() -> Self {
        let statistics = Arc::new(Statistics::new());
        Self {
            statistics,
            reporters: Reporters(Arc::new([])),
            #[cfg(feature = "sentry")]
            keeps_headers: false,
            is_traced: true,
        }
    }

    /// One more who is told of every failure. What panics in it is caught and logged.
    #[must_use]
    pub fn reporter(mut self, reporter: impl Reporter) -> Self {
        #[cfg(feature = "sentry")]
        {
            self.keeps_headers |= reporter.wants_headers();
        }
        let reporters = self.reporters.0.iter().cloned().chain([Arc::new(reporter) as Arc<dyn Reporter>]);
        self.reporters = Reporters(reporters.collect());
        self
    }

    /// Without [`Reporter::ended`].
    pub(crate) fn untraced(self) -> Self {
        Self { is_traced: false, ..self }
    }

    /// What broke since the start, as JSON: `total_errors` and `error_counts` (a panic is a `server` error too), `error_levels`
    /// (`info`: 4xx; `warning`: 502 to 504, which a sound program meets; `error`: the other 5xx), `error_types` by reason,
    /// `error_routes`, `status_classes`, `error_rate_per_minute` since the start and `error_rates_per_minute` over the last 1, 5 and
    /// 15 minutes, `tracking_duration_minutes`, and the `last_errors`, 50 at most. Memory does not grow with traffic. `/errors/stats` of
    /// a [`Stack`](crate::Stack) also has `requests_per_second`, `p50_seconds`, `p95_seconds` and `p99_seconds` of the last minute (`window_seconds`).
    pub fn statistics(&self) -> Value {
        self.statistics.told()
    }

    fn failed(&self, failure: &Failure<'_>) {
        let failure = Failure { cause: &redacted_head(failure.cause, LONGEST_CAUSE).0, ..*failure };
        // A subscriber that panics takes nobody else's report away.
        let _ = caught(|| log(&failure, &self.reporters.0));
        self.statistics.failure(&failure);
        self.each_reporter(|reporter| reporter.report(&failure));
    }

    fn each_reporter(&self, tell: impl Fn(&dyn Reporter)) {
        for reporter in &*self.reporters.0 {
            if let Err(panic) = caught(|| tell(&**reporter)) {
                tracing::error!(target: "palisade::error", panic = %redacted(&panic.message), "a reporter panicked");
            }
        }
    }
}

impl Default for ErrorTrackingLayer {
    fn default() -> Self {
        Self::new()
    }
}

/// What is remembered of a request until it has ended.
#[derive(Debug)]
pub struct Pending {
    facts: Facts,
    /// 0 until there is an answer.
    status: u16,
    /// One failure is told of once, though its body may break off too.
    has_failed: bool,
    is_traced: bool,
}

impl Guard for ErrorTrackingLayer {
    type Ticket = Pending;
    const WATCHES_END: bool = true;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Pending> {
        let facts = Facts::of(head);
        #[cfg(feature = "sentry")]
        if self.keeps_headers {
            facts.keep_headers(&head.headers);
        }
        ControlFlow::Continue(Pending { facts, status: 0, has_failed: false, is_traced: self.is_traced })
    }

    fn on_response(&self, pending: &mut Pending, response: &mut Response) {
        let status = response.status();
        pending.status = status.as_u16();
        if !(status.is_client_error() || status.is_server_error()) {
            return;
        }
        if response.extensions().get::<Expected>().is_some() {
            pending.is_traced = false;
            return;
        }
        let facts = &pending.facts;
        let rejection = response.extensions().get::<Rejection>();
        let reason = rejection.map_or("handler", |rejection| rejection.kind().slug());
        // A refusal that the application answers in its own way, with a 503 say, is still no fault of the service.
        let is_refusal = rejection.is_some_and(|rejection| rejection.kind().status().is_client_error());
        if status.is_client_error() {
            self.statistics.client_error(facts, reason);
        } else if !is_refusal {
            let cause = rejection.and_then(Rejection::reported_cause).unwrap_or("none given");
            let is_panic = rejection.is_some_and(Rejection::is_panic);
            let error_type = rejection.and_then(Rejection::reported_type);
            pending.has_failed = true;
            self.failed(&Failure { facts, status: status.as_u16(), reason, cause, error_type, is_panic });
        }
    }

    fn on_end(&self, Pending { facts, status, has_failed, is_traced }: Pending, end: End) {
        let broke = match end {
            End::Panicked(message) => Some(("body-panic", message, true)),
            End::Failed(error) => Some(("broken-off", error, false)),
            End::Complete | End::Aborted => None,
        };
        if let Some((reason, cause, is_panic)) = broke.filter(|_| !has_failed) {
            self.failed(&Failure { facts: &facts, status: 0, reason, cause, error_type: None, is_panic });
        }
        if is_traced {
            self.each_reporter(|reporter| reporter.ended(&Ended { facts: &facts, status, end }));
        }
    }
}

fn log(failure: &Failure<'_>, reporters: &[Arc<dyn Reporter>]) {
    if let Some((first, others)) = reporters.split_first() {
        return first.while_logged(&mut || log(failure, others));
    }
    let facts = failure.facts();
    tracing::error!(
        target: "palisade::error",
        status = failure.status(),
        reason = failure.reason(),
        cause = failure.cause(),
        operational = failure.is_operational(),
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
