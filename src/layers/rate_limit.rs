//! Says when one caller has had enough, and when there will be more.
//!
//! **The rule.** A [`Policy`] names a [`Key`] (who is counted) and a [`Quota`] per tier. The tier is the principal's, or
//! `anonymous`; a tier the policy does not list gets the quota of its first. A request over the quota is refused with 429
//! `quota-exceeded`, and with the `Retry-After` after which it is let in: rounded up to seconds, at least 1. Every answer
//! says how much is left: `X-RateLimit-Limit`, `-Remaining`, `-Reset` (seconds until all of it is back).
//!
//! ```
//! use palisade::rate_limit::{Key, Policy, Quota, RateLimitLayer};
//! # fn main() -> Result<(), palisade::ConfigError> {
//! let limits = RateLimitLayer::builder()
//!     .policy(
//!         Policy::new("api", Key::principal_or_address())
//!             .tier("anonymous", Quota::per_minute(10))
//!             .tier("pro", Quota::per_minute(500).burst(50)),
//!     )
//!     .build()?;
//! let app: axum::Router = axum::Router::new().layer(limits);
//! # Ok(()) }
//! ```
//!
//! Memory is fixed when the layer is built: when more keys are active than it was built for, the key with the least debt
//! is forgotten first, so that a flood of addresses refuses nobody else and uses up no memory. IPv6 is counted by /64,
//! IPv4-mapped addresses as IPv4. A request without a key (no address, no header) shares one bucket with all such.
//! The tier is left in the [`Facts`].

mod key;
mod policy;
mod quota;
mod slots;

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, header, request::Parts};
use tower_layer::Layer;

use self::policy::{Compiled, Verdict};
pub use self::{key::Key, policy::Policy, quota::Quota};
use crate::{ConfigError, Facts, Guard, Kind, Rejection, Response, decision::object, guard::Guarded};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Limits requests by key and tier. Clones share their counts. See the [module](self) for the exact rule.
#[derive(Debug, Clone)]
pub struct RateLimitLayer {
    policies: Arc<[Compiled]>,
    headers: bool,
}

/// Collects policies, and every mistake in them.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct RateLimitBuilder {
    policies: Vec<Policy>,
    quiet: bool,
}

impl RateLimitLayer {
    /// Without a policy yet, which is a mistake at [`RateLimitBuilder::build`].
    pub fn builder() -> RateLimitBuilder {
        RateLimitBuilder::default()
    }

    pub(crate) fn describe(&self) -> String {
        self.policies.iter().map(Compiled::describe).collect::<Vec<_>>().join("; ")
    }
}

impl RateLimitBuilder {
    /// One more policy. A request must pass all of them, in this order.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policies.push(policy);
        self
    }

    /// Keeps the headers to refusals: for a limit that no honest client meets.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// No policy, two of one name, a policy without a quota, a quota of nothing: all of them, together.
    pub fn build(self) -> Result<RateLimitLayer, ConfigError> {
        let mut error = ConfigError::default();
        if self.policies.is_empty() {
            error.push("rate limit", "has no policy");
        }
        for (index, policy) in self.policies.iter().enumerate() {
            if self.policies[..index].iter().any(|earlier| earlier.name() == policy.name()) {
                error.push(format_args!("policy `{}`", policy.name()), "is there twice");
            }
        }
        let policies = self.policies.into_iter().filter_map(|policy| error.keep(policy.compile())).collect();
        error.or(RateLimitLayer { policies, headers: !self.quiet })
    }
}

/// What the answer says about the quota.
#[derive(Debug)]
pub struct Remaining {
    limit: u32,
    left: u32,
    reset: Duration,
}

impl Remaining {
    /// Of two policies, the answer tells of the one with less left.
    fn tighter(self, other: Option<Self>) -> Self {
        other.filter(|other| other.left < self.left).unwrap_or(self)
    }

    fn write(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.left));
        headers.insert(RESET, HeaderValue::from(whole_seconds(self.reset)));
    }
}

/// Up, as RFC 9110, 10.2.3 has no fractions and a client that comes early is refused again.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl Guard for RateLimitLayer {
    type Ticket = Option<Remaining>;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Self::Ticket> {
        let facts = Facts::of(head);
        let mut tightest = None;
        for policy in &*self.policies {
            let Some(verdict) = policy.check(head, &facts) else { continue };
            match verdict {
                Verdict::Allowed(left) => tightest = Some(left.tighter(tightest)),
                Verdict::Refused(left, wait) => {
                    let retry_after = whole_seconds(wait).max(1);
                    let rejection = Rejection::new(Kind::QuotaExceeded)
                        .detail(format!("Too many requests. Try again in {retry_after} s."))
                        .member("violated-policies", vec![policy.name()]);
                    let objection = object(head, policy.mode(), "rate_limit", policy.name().to_owned(), rejection);
                    if let ControlFlow::Break(mut response) = objection {
                        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
                        left.write(&mut response);
                        return ControlFlow::Break(response);
                    }
                }
            }
        }
        ControlFlow::Continue(tightest.filter(|_| self.headers))
    }

    fn on_response(&self, left: &mut Self::Ticket, response: &mut Response) {
        if let Some(left) = left
            && !response.headers().contains_key(LIMIT)
        {
            left.write(response);
        }
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_policy_is_named_at_once() {
        let error = RateLimitLayer::builder()
            .policy(Policy::new("a", Key::address()).tier("free", Quota::per_minute(0)))
            .policy(Policy::new("b", Key::address()).tier("free", Quota::per_minute(5).burst(0)))
            .policy(Policy::new("c", Key::address()))
            .policy(Policy::new("c", Key::address()).tier("free", Quota::per_minute(5)))
            .build()
            .unwrap_err();
        assert_eq!(error.mistakes().len(), 4, "{error}");
        assert_eq!(RateLimitLayer::builder().build().unwrap_err().mistakes().len(), 1);
    }

    #[test]
    fn seconds_are_rounded_up() {
        for (millis, seconds) in [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
