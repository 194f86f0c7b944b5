//! Who did what to what, and what came of it: for what must be answered for later.

use std::{borrow::Cow, fmt, net::IpAddr};

use crate::{Facts, redact::redacted, request_id::RequestId, trace_context::TraceId};

/// The target of every audit event.
pub(crate) const TARGET: &str = "palisade::audit";

/// A sensitive operation, told of exactly once, when it has ended.
///
/// It is one `tracing` event of target `palisade::audit` at `INFO`, with `action`, `object`, `actor`, `outcome`, `reason`, and of a
/// request its `request_id`, `trace_id` and the `client`'s address. Dropped before anything was said of its end, by a `?`, a panic or
/// a client that went away, its outcome is `unfinished`. Secrets that are seen in it are taken out.
///
/// Under [`logs`](https://docs.rs/palisade/latest/palisade/logs/) no level and no sampling leaves it out, and where there are files it has one of its own.
///
/// ```
/// use palisade::{Audit, Facts, Rejection, Kind, Principal};
/// async fn delete(caller: Principal, facts: Facts) -> Result<(), Rejection> {
///     let audit = Audit::new("user.delete").on("user:12").by(&facts);
///     if !caller.has_role("admin") {
///         audit.because("not an admin").refused();
///         return Err(Rejection::new(Kind::Forbidden));
///     }
///     // ..
///     audit.succeeded();
///     Ok(())
/// }
/// ```
#[derive(Debug)]
#[must_use = "it is told of when it ends, and dropped at once it is `unfinished`"]
pub struct Audit {
    action: Cow<'static, str>,
    object: Option<String>,
    actor: Option<String>,
    reason: Option<String>,
    client: Option<IpAddr>,
    request_id: Option<RequestId>,
    trace_id: Option<TraceId>,
    outcome: &'static str,
}

impl Audit {
    /// What is done, such as `user.delete`.
    pub fn new(action: impl Into<Cow<'static, str>>) -> Self {
        Self {
            action: action.into(),
            object: None,
            actor: None,
            reason: None,
            client: None,
            request_id: None,
            trace_id: None,
            outcome: "unfinished",
        }
    }

    /// On what it is done, such as `user:12`.
    pub fn on(mut self, object: impl fmt::Display) -> Self {
        self.object = Some(object.to_string());
        self
    }

    /// By whom, and in which request: the [principal's](crate::Principal) id, or `anonymous`.
    pub fn by(mut self, facts: &Facts) -> Self {
        self.actor = Some(facts.principal().map_or("anonymous", |principal| principal.id()).to_owned());
        self.client = facts.address();
        self.request_id = facts.request_id().cloned();
        self.trace_id = facts.trace().map(|trace| trace.trace_id());
        self
    }

    /// By whom, where there is no request: a job, a command.
    pub fn actor(mut self, name: impl fmt::Display) -> Self {
        self.actor = Some(name.to_string());
        self
    }

    /// Why it ended as it did.
    pub fn because(mut self, reason: impl fmt::Display) -> Self {
        self.reason = Some(reason.to_string());
        self
    }

    /// It was done.
    pub fn succeeded(self) {
        self.ended("succeeded");
    }

    /// It was not allowed.
    pub fn refused(self) {
        self.ended("refused");
    }

    /// It was tried, and went wrong.
    pub fn failed(self) {
        self.ended("failed");
    }

    /// Dropping it tells.
    fn ended(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        tracing::info!(
            target: TARGET,
            action = &*redacted(&self.action),
            object = self.object.as_deref().map(redacted).as_deref(),
            actor = self.actor.as_deref().map(redacted).as_deref(),
            outcome = self.outcome,
            reason = self.reason.as_deref().map(redacted).as_deref(),
            client = self.client.map(tracing::field::display),
            request_id = self.request_id.as_ref().map(tracing::field::display),
            trace_id = self.trace_id.map(tracing::field::display),
            "audit"
        );
    }
}
