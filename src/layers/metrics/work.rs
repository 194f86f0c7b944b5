//! Ready-made metrics of what a service does beside answering: jobs, database, other services, models, storage.

use std::{fmt, future::Future};

use tokio::time::Instant;

use super::{Buckets, Counter, Family, Histogram, MetricsLayer};
use crate::ConfigError;

/// How a piece of work ended, in the label `outcome`.
const SUCCEEDED: &str = "succeeded";
const FAILED: &str = "failed";
/// Neither was said: it was cancelled, or panicked.
const ABANDONED: &str = "abandoned";

/// Background jobs: `jobs_started_total` by `job`; `job_duration_seconds` by `job` and `outcome`, whose `_count` is how many
/// have ended so.
///
/// ```
/// use palisade::metrics::{Jobs, MetricsLayer};
/// # async fn send_mails() -> Result<(), std::io::Error> { Ok(()) }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let metrics = MetricsLayer::new();
/// let jobs = Jobs::new(&metrics)?;
/// jobs.start("mails").watch(send_mails()).await?;
/// let job = jobs.start("report");
/// // .. work ..
/// job.succeeded();   // or `failed`; dropped, it was abandoned
/// assert!(metrics.render().contains("job_duration_seconds_count{job=\"mails\",outcome=\"succeeded\"} 1"));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Jobs {
    started: Family<Counter, 1>,
    seconds: Family<Histogram, 2>,
}

impl Jobs {
    /// Registers them.
    ///
    /// # Errors
    /// One of the names is taken.
    pub fn new(metrics: &MetricsLayer) -> Result<Self, ConfigError> {
        let labels = ["job", "outcome"];
        let (count, time) = ("jobs_started_total", "job_duration_seconds");
        let started = metrics.counters(count, "Jobs started.", ["job"]);
        let seconds = metrics.histograms(time, "Time a job took.", labels, Buckets::slow_seconds());
        let (started, seconds) = both(metrics, (count, started), (time, seconds))?;
        Ok(Self { started, seconds })
    }

    /// A job begins.
    pub fn start<'a>(&self, job: &'a str) -> Running<'a, 2> {
        self.started.of([job]).inc();
        Running::new(&self.seconds, [job, ABANDONED])
    }
}

/// Queries: `database_query_duration_seconds` by `operation` and `outcome`.
#[derive(Debug, Clone)]
pub struct DatabaseCalls {
    seconds: Family<Histogram, 2>,
}

impl DatabaseCalls {
    /// Registers them.
    ///
    /// # Errors
    /// The name is taken.
    pub fn new(metrics: &MetricsLayer) -> Result<Self, ConfigError> {
        let (name, labels) = ("database_query_duration_seconds", ["operation", "outcome"]);
        Ok(Self { seconds: metrics.histograms(name, "Time a query took.", labels, Buckets::seconds())? })
    }

    /// A query begins. The operation is a name such as `find_user`, not the statement.
    pub fn start<'a>(&self, operation: &'a str) -> Running<'a, 2> {
        Running::new(&self.seconds, [operation, ABANDONED])
    }
}

/// Calls of other services: `external_call_duration_seconds` by `service`, `operation` and `outcome`.
#[derive(Debug, Clone)]
pub struct ExternalCalls {
    seconds: Family<Histogram, 3>,
}

impl ExternalCalls {
    /// Registers them.
    ///
    /// # Errors
    /// The name is taken.
    pub fn new(metrics: &MetricsLayer) -> Result<Self, ConfigError> {
        let (name, labels) = ("external_call_duration_seconds", ["service", "operation", "outcome"]);
        Ok(Self { seconds: metrics.histograms(name, "Time a call took.", labels, Buckets::seconds())? })
    }

    /// A call begins.
    pub fn start<'a>(&self, service: &'a str, operation: &'a str) -> Running<'a, 3> {
        Running::new(&self.seconds, [service, operation, ABANDONED])
    }
}

/// Calls of language models: `model_call_duration_seconds` by `model` and `outcome`, `model_tokens_total` by `model` and
/// `direction` (`input`, `output`).
#[derive(Debug, Clone)]
pub struct ModelCalls {
    seconds: Family<Histogram, 2>,
    tokens: Family<Counter, 2>,
}

impl ModelCalls {
    /// Registers them.
    ///
    /// # Errors
    /// One of the names is taken.
    pub fn new(metrics: &MetricsLayer) -> Result<Self, ConfigError> {
        let labels = ["model", "outcome"];
        let (count, time) = ("model_tokens_total", "model_call_duration_seconds");
        let tokens = metrics.counters(count, "Tokens read and written.", ["model", "direction"]);
        let seconds = metrics.histograms(time, "Time a model took to answer.", labels, Buckets::slow_seconds());
        let (tokens, seconds) = both(metrics, (count, tokens), (time, seconds))?;
        Ok(Self { seconds, tokens })
    }

    /// A call begins.
    pub fn start<'a>(&self, model: &'a str) -> Running<'a, 2> {
        Running::new(&self.seconds, [model, ABANDONED])
    }

    /// What a call has used.
    pub fn tokens(&self, model: &str, input: u64, output: u64) {
        self.tokens.of([model, "input"]).add(input);
        self.tokens.of([model, "output"]).add(output);
    }
}

/// Files and objects: `storage_operation_duration_seconds` by `operation` and `outcome`, `storage_bytes_total` by `operation`.
#[derive(Debug, Clone)]
pub struct StorageCalls {
    seconds: Family<Histogram, 2>,
    bytes: Family<Counter, 1>,
}

impl StorageCalls {
    /// Registers them.
    ///
    /// # Errors
    /// One of the names is taken.
    pub fn new(metrics: &MetricsLayer) -> Result<Self, ConfigError> {
        let labels = ["operation", "outcome"];
        let (count, time) = ("storage_bytes_total", "storage_operation_duration_seconds");
        let bytes = metrics.counters(count, "Bytes read and written.", ["operation"]);
        let seconds = metrics.histograms(time, "Time an operation on the storage took.", labels, Buckets::seconds());
        let (bytes, seconds) = both(metrics, (count, bytes), (time, seconds))?;
        Ok(Self { seconds, bytes })
    }

    /// An operation begins, such as `put`.
    pub fn start<'a>(&self, operation: &'a str) -> Running<'a, 2> {
        Running::new(&self.seconds, [operation, ABANDONED])
    }

    /// What an operation has moved.
    pub fn bytes(&self, operation: &str, bytes: u64) {
        self.bytes.of([operation]).add(bytes);
    }
}

/// Two metrics that make sense together: where one cannot be registered the other is not either.
fn both<A, B>(
    metrics: &MetricsLayer,
    (one_name, one): (&str, Result<A, ConfigError>),
    (other_name, other): (&str, Result<B, ConfigError>),
) -> Result<(A, B), ConfigError> {
    let mut mistakes = ConfigError::default();
    match (mistakes.keep(one), mistakes.keep(other)) {
        (Some(one), Some(other)) => return Ok((one, other)),
        (Some(_), None) => metrics.handle.shared.registry.forget(one_name),
        (None, Some(_)) => metrics.handle.shared.registry.forget(other_name),
        (None, None) => {}
    }
    Err(mistakes)
}

/// A piece of work that is being timed. Dropped without a word, it counts as `abandoned`.
#[must_use = "dropped at once, it is abandoned at once"]
pub struct Running<'a, const N: usize> {
    seconds: Family<Histogram, N>,
    /// The last is the outcome.
    labels: [&'a str; N],
    started: Instant,
}

impl<'a, const N: usize> Running<'a, N> {
    fn new(seconds: &Family<Histogram, N>, labels: [&'a str; N]) -> Self {
        Self { seconds: seconds.clone(), labels, started: Instant::now() }
    }

    /// It has done what it should.
    pub fn succeeded(self) {
        self.end(SUCCEEDED);
    }

    /// It has not.
    pub fn failed(self) {
        self.end(FAILED);
    }

    /// Waits for it, and takes the outcome from its result.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn watch<T, E>(self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let result = work.await;
        self.end(if result.is_ok() { SUCCEEDED } else { FAILED });
        result
    }

    /// The drop records it.
    fn end(mut self, outcome: &'a str) {
        if let Some(last) = self.labels.last_mut() {
            *last = outcome;
        }
    }
}

impl<const N: usize> Drop for Running<'_, N> {
    fn drop(&mut self) {
        self.seconds.of(self.labels).record(self.started.elapsed());
    }
}

impl<const N: usize> fmt::Debug for Running<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("labels", &self.labels).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_is_counted_by_how_it_ended() {
        let metrics = MetricsLayer::new();
        let (jobs, calls) = (Jobs::new(&metrics).unwrap(), ExternalCalls::new(&metrics).unwrap());
        let slow = |result: Result<(), ()>| async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            result
        };
        assert_eq!(jobs.start("mails").watch(slow(Ok(()))).await, Ok(()));
        assert_eq!(jobs.start("mails").watch(slow(Err(()))).await, Err(()));
        drop(jobs.start("mails").watch(slow(Ok(()))));
        calls.start("bank", "charge").succeeded();
        calls.start("bank", "charge").failed();
        let panicked = std::panic::catch_unwind(|| {
            let _running = calls.start("bank", "refund");
            panic!("in the call");
        });
        assert!(panicked.is_err());
        let text = metrics.render();
        for line in [
            r#"jobs_started_total{job="mails"} 3"#,
            r#"job_duration_seconds_count{job="mails",outcome="succeeded"} 1"#,
            r#"job_duration_seconds_sum{job="mails",outcome="succeeded"} 2"#,
            r#"job_duration_seconds_count{job="mails",outcome="failed"} 1"#,
            r#"job_duration_seconds_count{job="mails",outcome="abandoned"} 1"#,
            r#"external_call_duration_seconds_count{service="bank",operation="charge",outcome="succeeded"} 1"#,
            r#"external_call_duration_seconds_count{service="bank",operation="charge",outcome="failed"} 1"#,
            r#"external_call_duration_seconds_count{service="bank",operation="refund",outcome="abandoned"} 1"#,
        ] {
            assert!(text.lines().any(|have| have == line), "{line} in {text}");
        }
    }

    #[test]
    fn every_kind_of_work_has_its_metrics_and_is_registered_once() {
        let metrics = MetricsLayer::new();
        let models = ModelCalls::new(&metrics).unwrap();
        let storage = StorageCalls::new(&metrics).unwrap();
        let database = DatabaseCalls::new(&metrics).unwrap();
        models.start("small").succeeded();
        models.tokens("small", 100, 7);
        storage.start("put").succeeded();
        storage.bytes("put", 4096);
        database.start("find_user").failed();
        let text = metrics.render();
        for line in [
            r#"model_call_duration_seconds_count{model="small",outcome="succeeded"} 1"#,
            r#"model_tokens_total{model="small",direction="input"} 100"#,
            r#"model_tokens_total{model="small",direction="output"} 7"#,
            r#"storage_operation_duration_seconds_count{operation="put",outcome="succeeded"} 1"#,
            r#"storage_bytes_total{operation="put"} 4096"#,
            r#"database_query_duration_seconds_count{operation="find_user",outcome="failed"} 1"#,
        ] {
            assert!(text.lines().any(|have| have == line), "{line} in {text}");
        }
        assert!(ModelCalls::new(&metrics).is_err() && StorageCalls::new(&metrics).is_err());
        assert!(metrics.render().contains("model_tokens_total{"), "the first still count");
    }

    #[test]
    fn what_cannot_be_registered_as_a_whole_leaves_nothing_behind() {
        for taken in ["jobs_started", "job_duration_seconds"] {
            let metrics = MetricsLayer::new();
            metrics.gauge(taken, "Ours.").unwrap();
            assert_eq!(Jobs::new(&metrics).unwrap_err().mistakes().len(), 1);
            assert_eq!(metrics.render().matches("# TYPE job").count(), 1, "{}", metrics.render());
        }
        let metrics = MetricsLayer::new();
        Jobs::new(&metrics).unwrap();
        assert_eq!(Jobs::new(&metrics).unwrap_err().mistakes().len(), 2);
    }
}
