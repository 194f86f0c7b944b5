//! What a guard decided: one record, whoever decided, for the log, the metrics and the facts.

use std::{borrow::Cow, fmt, ops::ControlFlow};

use http::request::Parts;

use crate::{Facts, Rejection, Response};

/// How seriously a guard is to be taken. A rollout goes from `Report`, with a look at what it would refuse, to `Enforce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

/// One guard's objection to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    guard: &'static str,
    policy: Cow<'static, str>,
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
        &self.policy
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

/// Records that `guard` objects by `policy`, and refuses if `mode` says so.
pub(crate) fn object(
    head: &mut Parts,
    mode: Mode,
    guard: &'static str,
    policy: impl Into<Cow<'static, str>>,
    rejection: Rejection,
) -> ControlFlow<Response> {
    if mode == Mode::Off {
        return ControlFlow::Continue(());
    }
    let facts = Facts::of(head);
    let decision = Decision { guard, policy: policy.into(), reason: rejection.kind().slug(), mode };
    tracing::info!(
        target: "palisade::decision",
        guard = decision.guard,
        policy = decision.policy(),
        outcome = decision.outcome(),
        reason = decision.reason,
        mode = mode.as_str(),
        route = facts.route(),
        request_id = facts.request_id().map(tracing::field::display),
        client = facts.client().and_then(super::layers::client_ip::ClientIp::addr).map(tracing::field::display),
        "a guard objects"
    );
    facts.push_decision(decision);
    match mode {
        Mode::Enforce => ControlFlow::Break(rejection.respond_to(Some(&facts))),
        Mode::Off | Mode::Report => ControlFlow::Continue(()),
    }
}
