//! What broke since the start, in memory that does not grow.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Failure;
use crate::Facts;

/// How many failures are kept whole.
const LAST: usize = 50;
/// Routes are templates, so that they are as many as the router has; should somebody make them up, they share one count.
const MOST_ROUTES: usize = 500;
/// A cause that is longer is cut.
const LONGEST_CAUSE: usize = 500;
/// Windows, in minutes; of the longest all steps are kept.
const WINDOWS: [u64; 3] = [1, 5, 15];
const STEP: u64 = 5;
const STEPS: usize = 15 * 60 / 5;

#[derive(Debug)]
pub(super) struct Statistics {
    since: Instant,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    client: u64,
    server: u64,
    panics: u64,
    /// Failures that no program can help, and those that ask for a programmer.
    operational: u64,
    programmer: u64,
    types: HashMap<&'static str, u64>,
    routes: HashMap<String, u64>,
    /// Errors by the step of time since the start, for the last of them.
    steps: Steps,
    last: VecDeque<Value>,
}

impl Statistics {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), counts: Mutex::default() }
    }

    /// A request that was answered with a 4xx.
    pub(super) fn client_error(&self, facts: &Facts, reason: &'static str) {
        let step = self.step();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.client += 1;
        counts.count(reason, facts.route(), step);
    }

    pub(super) fn failure(&self, failure: &Failure<'_>) {
        let step = self.step();
        // Made before the lock is taken.
        let noted = noted(failure);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.server += 1;
        counts.panics += u64::from(failure.is_panic());
        if failure.is_operational() {
            counts.operational += 1;
        } else {
            counts.programmer += 1;
        }
        counts.count(failure.reason(), failure.facts().route(), step);
        if counts.last.len() == LAST {
            counts.last.pop_back();
        }
        counts.last.push_front(noted);
    }

    fn step(&self) -> u64 {
        self.since.elapsed().as_secs() / STEP
    }

    pub(super) fn told(&self) -> Value {
        let (elapsed, step) = (self.since.elapsed(), self.step());
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let total = counts.client + counts.server;
        let windows = WINDOWS.map(|minutes| (format!("{minutes}m"), counts.rate(minutes, step, elapsed).into()));
        json!({
            "total_errors": total,
            "error_counts": { "client": counts.client, "server": counts.server, "panic": counts.panics },
            "error_levels": { "info": counts.client, "warning": counts.operational, "error": counts.programmer },
            "error_types": counts.types,
            "error_routes": counts.routes,
            "status_classes": { "4xx": counts.client, "5xx": counts.server },
            "error_rate_per_minute": per_minute(total, elapsed),
            "error_rates_per_minute": serde_json::Map::from_iter(windows),
            "tracking_duration_minutes": elapsed.as_secs_f64() / 60.0,
            "last_errors": counts.last,
        })
    }
}

#[derive(Debug)]
struct Steps([(u64, u64); STEPS]);

impl Default for Steps {
    fn default() -> Self {
        Self([(0, 0); STEPS])
    }
}

impl Counts {
    fn count(&mut self, reason: &'static str, route: &str, step: u64) {
        *self.types.entry(reason).or_default() += 1;
        if let Some(count) = self.routes.get_mut(route) {
            *count += 1;
        } else {
            let name = if self.routes.len() < MOST_ROUTES { route } else { "overflow" };
            *self.routes.entry(name.to_owned()).or_default() += 1;
        }
        let slot = &mut self.steps.0[usize::try_from(step % STEPS as u64).unwrap_or_default()];
        *slot = if slot.0 == step { (step, slot.1 + 1) } else { (step, 1) };
    }

    /// Errors a minute, over the last so many: the running step and those before it.
    fn rate(&self, minutes: u64, now: u64, elapsed: Duration) -> f64 {
        let steps = minutes * 60 / STEP;
        let recent = self.steps.0.iter().filter(|(step, _)| step + steps > now);
        let whole = Duration::from_secs((steps - 1) * STEP + elapsed.as_secs() % STEP);
        per_minute(recent.map(|(_, count)| count).sum(), elapsed.min(whole))
    }
}

/// Of less than a minute one cannot say what a minute would have brought.
#[expect(clippy::cast_precision_loss, reason = "a rate is no count")]
fn per_minute(count: u64, time: Duration) -> f64 {
    count as f64 / (time.as_secs_f64() / 60.0).max(1.0)
}

/// A failure as it is kept.
fn noted(failure: &Failure<'_>) -> Value {
    let facts = failure.facts();
    let cut = failure.cause().char_indices().nth(LONGEST_CAUSE).map_or(failure.cause().len(), |(index, _)| index);
    json!({
        "time": humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        "status": failure.status(),
        "reason": failure.reason(),
        "panic": failure.is_panic(),
        "method": facts.method().as_str(),
        "route": facts.route(),
        "requestId": facts.request_id().map(|id| id.as_str()),
        "traceId": facts.trace().map(|trace| trace.trace_id().to_string()),
        "cause": &failure.cause()[..cut],
    })
}
