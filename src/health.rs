//! Tells an orchestrator, and a person, how the service is.
//!
//! | route | answers |
//! |---|---|
//! | `/health/live`, `/health/liveness` | 200 while the process runs; touches nothing, so a broken database restarts nothing |
//! | `/health/ready`, `/ready` | 200 when every critical check passes, else 503 |
//! | `/health` | the same, with each check by name |
//! | `/health/ping` | `pong` |
//!
//! ```
//! use std::time::Duration;
//! use palisade::{Check, Health, Stack};
//! # async fn ping() -> Result<(), std::io::Error> { Ok(()) }
//! # fn main() -> Result<(), palisade::ConfigError> {
//! let stack = Stack::production().build()?;
//! let health = Health::new().check(Check::new("database", || ping()).timeout(Duration::from_secs(1)).critical());
//! let app = health.router(&stack).merge(stack.wrap(axum::Router::new()));
//! # Ok(()) }
//! ```
//!
//! Probes go through [`Stack::probes`]: no limit, no authentication, no host check, no redirect.

mod check;

use std::{sync::Arc, time::Instant};

use axum::{Json, Router, extract::State, routing::get};
use axum_core::response::IntoResponse;
use futures_util::future::join_all;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

pub use self::check::Check;
use crate::{Response, Stack};

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
}

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
    pub fn router(self, stack: &Stack) -> Router {
        let running = Arc::new(Running { checks: self.checks, since: Instant::now() });
        let routes = Router::new()
            .route("/health", get(report))
            .route("/health/live", get(live))
            .route("/health/liveness", get(live))
            .route("/health/ready", get(ready))
            .route("/ready", get(ready))
            .route("/health/ping", get(|| async { uncached("pong") }))
            .with_state(running);
        stack.beside(stack.probes().wrap(routes))
    }
}

async fn live() -> Response {
    uncached(Json(json!({ "status": "pass" })))
}

async fn ready(State(running): State<Arc<Running>>) -> Response {
    let (status, _) = running.check().await;
    (status, uncached(Json(json!({ "status": word(status) })))).into_response()
}

async fn report(State(running): State<Arc<Running>>) -> Response {
    let (status, checks) = running.check().await;
    let uptime = running.since.elapsed().as_secs();
    (status, uncached(Json(json!({ "status": word(status), "uptimeSeconds": uptime, "checks": checks }))))
        .into_response()
}

impl Running {
    /// All checks at once; 503 when a critical one fails.
    async fn check(&self) -> (StatusCode, Value) {
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
