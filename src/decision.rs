//! What a guard decided: one record, whoever decided, for the log, the metrics and the facts.

use std::{cmp::Ordering, fmt, ops::ControlFlow, sync::Arc};

use http::request::Parts;

use crate::{Facts, Kind, Rejection, Response};

/// How seriously a guard is to be taken. A rollout goes from `Report`, with a look at what it would refuse, to `Enforce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum Mode {
    /// Does not look.
    Off,
    /// Decides, logs and counts, and lets the request through.
    Report,
    /// Refuses.
    #[default]
    Enforce,
}

impl Mode {
    /// `off`, `report` or `enforce`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Report => "report",
            Self::Enforce => "enforce",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The name of a policy or a rule: a literal, or one that the operator gave and all who use it share.
#[derive(Debug, Clone)]
pub struct Label(Name);

#[derive(Debug, Clone)]
enum Name {
    Literal(&'static str),
    Shared(Arc<str>),
}

impl Label {
    /// The name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Literal(name) => name,
            Name::Shared(name) => name,
        }
    }
}

impl From<&'static str> for Label {
    fn from(name: &'static str) -> Self {
        Self(Name::Literal(name))
    }
}

impl From<Arc<str>> for Label {
    fn from(name: Arc<str>) -> Self {
        Self(Name::Shared(name))
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Label {}

impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Label {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

/// Where decisions are logged.
const TARGET: &str = "palisade::decision";

/// One guard's objection to one request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    guard: &'static str,
    policy: Label,
    reason: &'static str,
    mode: Mode,
}

impl Decision {
    /// The guard, such as `rate_limit`.
    pub const fn guard(&self) -> &'static str {
        self.guard
    }

    /// The policy or rule within the guard, such as `api`.
    pub fn policy(&self) -> &str {
        self.policy.as_str()
    }

    /// The slug of the rejection: see the [table](crate::rejection).
    pub const fn reason(&self) -> &'static str {
        self.reason
    }

    /// In which mode the guard was.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// `refused`, or `reported` where the request went through all the same.
    pub const fn outcome(&self) -> &'static str {
        match self.mode {
            Mode::Enforce => "refused",
            Mode::Off | Mode::Report => "reported",
        }
    }
}

impl Mode {
    /// Records that `guard` objects to a request by `policy`; breaks with the refusal if this mode says so.
    ///
    /// For guards of one's own: what they object to is logged and counted like everything else. The names become labels,
    /// so they must not come from the request.
    ///
    /// # Errors
    /// `Break` with the answer, in [`Mode::Enforce`].
    pub fn object(
        self,
        head: &mut Parts,
        guard: &'static str,
        policy: impl Into<Label>,
        rejection: Rejection,
    ) -> ControlFlow<Response> {
        object(head, self, guard, policy, rejection)
    }
}

/// [`Mode::object`], as the layers say it.
pub(crate) fn object(
    head: &mut Parts,
    mode: Mode,
    guard: &'static str,
    policy: impl Into<Label>,
    rejection: Rejection,
) -> ControlFlow<Response> {
    if mode == Mode::Off {
        return ControlFlow::Continue(());
    }
    let is_refused = mode == Mode::Enforce;
    if is_refused && head.extensions.get::<Facts>().is_none() && !is_logged(mode, rejection.kind()) {
        // Nobody will hear of it but the client.
        return ControlFlow::Break(rejection.respond(head));
    }
    let facts = Facts::of(head);
    note(&facts, mode, guard, policy, rejection.kind());
    if is_refused { ControlFlow::Break(rejection.respond_to(Some(&facts))) } else { ControlFlow::Continue(()) }
}

/// Such decisions come by the thousand when they come at all; the metric has them.
const fn comes_in_thousands(mode: Mode, kind: Kind) -> bool {
    matches!((mode, kind), (Mode::Enforce, Kind::QuotaExceeded | Kind::Banned))
}

fn is_logged(mode: Mode, kind: Kind) -> bool {
    if comes_in_thousands(mode, kind) {
        tracing::enabled!(target: TARGET, tracing::Level::DEBUG)
    } else {
        tracing::enabled!(target: TARGET, tracing::Level::INFO)
    }
}

/// Logs and keeps a decision that is made already.
pub(crate) fn note(facts: &Facts, mode: Mode, guard: &'static str, policy: impl Into<Label>, kind: Kind) {
    let decision = Decision { guard, policy: policy.into(), reason: kind.slug(), mode };
    macro_rules! tell {
        ($level:ident) => {
            tracing::$level!(
                target: TARGET,
                guard = decision.guard,
                policy = decision.policy(),
                outcome = decision.outcome(),
                reason = decision.reason,
                mode = mode.as_str(),
                route = facts.route(),
                request_id = facts.request_id().map(tracing::field::display),
                trace_id = facts.logged_trace_id(),
                client = facts.address().map(tracing::field::display),
                "a guard objects"
            )
        };
    }
    if comes_in_thousands(mode, kind) {
        tell!(debug);
    } else {
        tell!(info);
    }
    facts.push_decision(decision);
}
