//! Tells an orchestrator, and a person, how the service is.
//!
//! | route | answers |
//! |---|---|
//! | `/health/live`, `/health/liveness` | 200 while the process runs; touches nothing, so a broken database restarts nothing |
//! | `/health/ready`, `/ready` | 200 when every critical check passes, else 503 |
//! | `/health` | the same for people, ten times a second; each check by name for those whom [`Access`] lets in |
//! | `/health/ping` | `pong` |
//!
//! Checks run all at once, and at most once a second however often they are asked for. A service with a route of one of
//! these paths panics when the routers are merged, as axum does.
//!
//! ```
//! use std::time::Duration;
//! use palisade::{Check, Health, Stack};
//! # async fn ping() -> Result<(), std::io::Error> { Ok(()) }
//! # fn main() -> Result<(), palisade::ConfigError> {
//! let stack = Stack::production().build()?;
//! let health = Health::new().check(Check::new("database", || ping()).timeout(Duration::from_secs(1)).critical());
//! let app: axum::Router = health.router(&stack).merge(stack.wrap(axum::Router::new()));
//! # Ok(()) }
//! ```
//!
//! Probes go through [`Stack::probes`]: no limit, no authentication, no host check, no redirect.
//!
//! [`Access`]: crate::Access

mod check;

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Request, State},
    routing::get,
};
use axum_core::response::IntoResponse;
use futures_util::future::join_all;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};

pub use self::check::Check;
use crate::{Access, Response, Stack, error_tracking::Expected, rate_limit::presets};

/// The checks of a service and the routes that tell of them.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Health {
    checks: Vec<Check>,
}

#[derive(Debug)]
struct Running {
    checks: Vec<Check>,
    since: Instant,
    access: Access,
    /// What the last round of checks found, and when. Locked while one is running: who comes then waits for it.
    latest: Mutex<Option<(Instant, Found)>>,
}

/// The status of the whole, and each check by name.
type Found = (StatusCode, Value);

/// How long a round of checks is good for.
const FRESH: Duration = Duration::from_secs(1);

impl Health {
    /// No checks yet: ready as soon as it answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more check.
    pub fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// The routes, to be merged with the application's in either order.
    pub fn router<S: Clone + Send + Sync + 'static>(self, stack: &Stack) -> Router<S> {
        let (checks, since, access) = (self.checks, Instant::now(), stack.visitors().clone());
        let running = Arc::new(Running { checks, since, access, latest: Mutex::new(None) });
        let probes = Router::new()
            .route("/health/live", get(live))
            .route("/health/liveness", get(live))
            .route("/health/ready", get(ready))
            .route("/ready", get(ready))
            .route("/health/ping", get(|| async { uncached("pong") }))
            .with_state(Arc::clone(&running));
        let pages = Router::new().route("/health", get(report)).with_state(running);
        let limited = presets::health().build().map_or_else(|_| stack.probes(), |limit| stack.probes().limits(limit));
        stack.beside(stack.probes().wrap(probes).merge(limited.wrap(pages)))
    }
}

async fn live() -> Response {
    uncached(Json(json!({ "status": "pass" })))
}

async fn ready(State(running): State<Arc<Running>>) -> Response {
    let (status, _) = running.found().await;
    expected((status, uncached(Json(json!({ "status": word(status) })))).into_response())
}

async fn report(State(running): State<Arc<Running>>, request: Request) -> Response {
    let (status, checks) = running.found().await;
    let mut told = json!({ "status": word(status) });
    if running.access.allows(&request.into_parts().0) {
        told["uptimeSeconds"] = running.since.elapsed().as_secs().into();
        told["checks"] = checks;
    }
    expected((status, uncached(Json(told))).into_response())
}

/// A probe comes every few seconds, and is answered as it should be.
fn expected(mut response: Response) -> Response {
    response.extensions_mut().insert(Expected);
    response
}

impl Running {
    /// What a round of checks found that is not older than [`FRESH`].
    async fn found(&self) -> Found {
        let mut latest = self.latest.lock().await;
        if let Some((at, found)) = &*latest
            && at.elapsed() < FRESH
        {
            return found.clone();
        }
        let found = self.check().await;
        *latest = Some((Instant::now(), found.clone()));
        found
    }

    /// All checks at once; 503 when a critical one fails.
    async fn check(&self) -> Found {
        let results = join_all(self.checks.iter().map(Check::run)).await;
        let broken = self.checks.iter().zip(&results).any(|(check, result)| check.is_critical() && result.is_err());
        let named = self.checks.iter().zip(&results).map(|(check, result)| {
            // The reason of a failure is in the log: it may name hosts and users.
            (check.name().to_owned(), json!({ "status": if result.is_ok() { "pass" } else { "fail" } }))
        });
        let status = if broken { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        (status, Value::Object(named.collect()))
    }
}

fn word(status: StatusCode) -> &'static str {
    if status.is_success() { "pass" } else { "fail" }
}

/// Yesterday's health is nobody's.
fn uncached(body: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], body).into_response()
}
