//! What broke, and whom to tell.

use std::{fmt, sync::Arc};

use crate::{End, Facts};

/// A request that broke: answered with a 5xx, or broken off while it was streamed.
#[derive(Debug)]
pub struct Failure<'a> {
    pub(super) facts: &'a Facts,
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) cause: &'a str,
    pub(super) error_type: Option<&'static str>,
    pub(super) is_panic: bool,
}

impl Failure<'_> {
    /// What is known about the request: id, trace, route, method, client, principal, tier.
    pub const fn facts(&self) -> &Facts {
        self.facts
    }

    /// The status of the answer; 0 where its head was gone before it broke.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The slug of the refusal; `handler` where the handler said no more than a status, `body-panic` and `broken-off` for what broke
    /// while it was streamed.
    pub const fn reason(&self) -> &'static str {
        self.reason
    }

    /// Why, without the secrets that were seen in it.
    pub const fn cause(&self) -> &str {
        self.cause
    }

    /// The type of the error that the handler failed with, such as `shop::StorageError`; `None` where that is not known.
    pub const fn error_type(&self) -> Option<&'static str> {
        self.error_type
    }

    /// Whether it was a panic, in a guard, the handler or the body.
    pub const fn is_panic(&self) -> bool {
        self.is_panic
    }

    /// Whether a sound program meets it: a service behind failed, a deadline was missed, it is overloaded. Anything else
    /// asks for a programmer.
    pub fn is_operational(&self) -> bool {
        !self.is_panic && matches!(self.status, 502..=504)
    }
}

/// A request that has ended, well or not.
#[derive(Debug)]
pub struct Ended<'a> {
    pub(super) facts: &'a Facts,
    /// 0 where there was no answer.
    pub(super) status: u16,
    pub(super) end: End<'a>,
}

impl<'a> Ended<'a> {
    /// What is known about the request.
    pub const fn facts(&self) -> &'a Facts {
        self.facts
    }

    /// The answer's status; 499 where the client left before there was one, 500 where there was none for another reason.
    pub const fn status(&self) -> u16 {
        match (self.status, self.end) {
            (0, End::Aborted) => 499,
            (0, _) => 500,
            (status, _) => status,
        }
    }

    /// How the answer's body ended.
    pub const fn end(&self) -> End<'a> {
        self.end
    }
}

/// Told of every failure, once: to send it to whoever tracks errors.
///
/// It is called where the request is served, and must not wait: what takes time belongs in a queue with an end.
pub trait Reporter: Send + Sync + 'static {
    /// One failure.
    fn report(&self, failure: &Failure<'_>);

    /// Every request that has ended, probes left out: for traces. What it does is paid for by all of them.
    fn ended(&self, request: &Ended<'_>) {
        let _ = request;
    }

    /// Whether the headers that a report may name are kept.
    #[cfg(feature = "sentry")]
    #[doc(hidden)]
    fn wants_headers(&self) -> bool {
        false
    }

    /// Runs what writes the failure to the log: one who hears of failures by the log too can close his ears to this one.
    #[doc(hidden)]
    fn while_logged(&self, log: &mut dyn FnMut()) {
        log();
    }
}

impl<F: Fn(&Failure<'_>) + Send + Sync + 'static> Reporter for F {
    fn report(&self, failure: &Failure<'_>) {
        self(failure);
    }
}

#[derive(Clone)]
pub(super) struct Reporters(pub(super) Arc<[Arc<dyn Reporter>]>);

impl fmt::Debug for Reporters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} reporters", self.0.len())
    }
}
