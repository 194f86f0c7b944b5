//! One thing the service depends on.

use std::{error::Error, fmt, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, TryFutureExt as _},
};

use crate::redact::redacted;

type Probe = dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync;

/// A named check with a timeout. One that is not critical is reported, and takes nothing out of service.
#[derive(Clone)]
#[must_use]
pub struct Check {
    name: Arc<str>,
    probe: Arc<Probe>,
    timeout: Duration,
    critical: bool,
}

impl Check {
    /// `probe` is called at most once a second, when somebody asks, and must be done within a second unless [`timeout`](Self::timeout) says otherwise.
    pub fn new<F, T, R, E>(name: impl Into<Arc<str>>, probe: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<R, E>> + Send + 'static,
        R: 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let probe = move || probe().map_ok(drop).map_err(|error| error.into().to_string()).boxed();
        Self { name: name.into(), probe: Arc::new(probe), timeout: Duration::from_secs(1), critical: false }
    }

    /// How long it may take. The orchestrator's own patience is 1 s in Kubernetes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Without it, the service is not ready.
    pub fn critical(mut self) -> Self {
        self.critical = true;
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_critical(&self) -> bool {
        self.critical
    }

    /// Runs the check; a late or panicking one has failed.
    pub(super) async fn run(&self) -> Result<(), String> {
        let probe = AssertUnwindSafe(async { (self.probe)().await }).catch_unwind();
        let result = match tokio::time::timeout(self.timeout, probe).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err("panicked".to_owned()),
            Err(_) => Err(format!("no answer within {:?}", self.timeout)),
        };
        if let Err(reason) = &result {
            tracing::warn!(target: "palisade::health", check = &*self.name, critical = self.critical, reason = &*redacted(reason), "a check failed");
        }
        result
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, timeout, critical, .. } = self;
        f.debug_struct("Check")
            .field("name", name)
            .field("timeout", timeout)
            .field("critical", critical)
            .finish_non_exhaustive()
    }
}
