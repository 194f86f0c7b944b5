//! One request per bucket as an example, so that a spike leads to a trace.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use super::exposition::labels;
use crate::Facts;

/// What leads from a number to its request: the trace, or the request's id where there are no traces. One that is not sampled
/// leads nowhere, and nothing else takes its place, or there would be hardly a trace among them.
fn exemplar(facts: &Facts) -> Option<(&'static str, String)> {
    match facts.trace() {
        Some(trace) => trace.is_sampled().then(|| ("trace_id", trace.trace_id().to_string())),
        None => facts.request_id().map(|id| ("request_id", id.to_string())),
    }
}

/// `OpenMetrics` 1.0: what an exemplar's labels may have in characters, names and values together.
const LONGEST: usize = 128;

/// The latest exemplar of each bucket, at most one a second: the others cost a comparison.
#[derive(Debug)]
pub(super) struct Exemplars(Box<[Slot]>);

#[derive(Debug, Default)]
struct Slot {
    /// From when on another is wanted, in milliseconds of the caller's clock.
    due: AtomicU64,
    latest: Mutex<Option<Exemplar>>,
}

#[derive(Debug, Clone)]
pub(super) struct Exemplar {
    labels: Box<str>,
    value: f64,
    at: f64,
}

const FRESH_MILLIS: u64 = 1000;

impl Exemplars {
    pub(super) fn new(buckets: usize) -> Self {
        Self((0..buckets).map(|_| Slot::default()).collect())
    }

    pub(super) fn offer(&self, bucket: usize, value: f64, facts: &Facts, now_millis: u64) {
        if let Some(slot) = self.0.get(bucket)
            && slot.due.load(Relaxed) <= now_millis
            && slot.take(value, facts)
        {
            slot.due.store(now_millis + FRESH_MILLIS, Relaxed);
        }
    }

    pub(super) fn of(&self, bucket: usize) -> Option<Exemplar> {
        self.0.get(bucket)?.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Slot {
    /// Answers whether there was one to take.
    #[cold]
    fn take(&self, value: f64, facts: &Facts) -> bool {
        let Some((label, id)) = exemplar(facts).filter(|(label, id)| label.len() + id.len() <= LONGEST) else {
            return false;
        };
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let exemplar = Exemplar { labels: labels([(label, id.as_str())]).into(), value, at };
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(exemplar);
        true
    }
}

impl fmt::Display for Exemplar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}} {} {:.3}", self.labels, self.value, self.at)
    }
}
