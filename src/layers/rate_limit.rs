//! Says when one caller has had enough, and when there will be more.
//!
//! **The rule.** A [`Policy`] names a [`Key`] (who is counted) and a [`Quota`] per tier. The tier is the principal's, or
//! `anonymous`; one that the policy does not list is `anonymous` too, or else [`Policy::quota`], or the least. Several policies are one decision: a request
//! that one of them refuses charges none. It is refused with 429 `quota-exceeded`, the names of the policies, and the
//! `Retry-After` after which it is let in: rounded up to seconds, at least 1. Every answer says how much is left, in the
//! headers that [`Headers`] names.
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
//!     .policy(Policy::new("daily", Key::principal_or_address()).quota(Quota::per_day(10_000)))
//!     .build()?;
//! let app: axum::Router = axum::Router::new().layer(limits);
//! # Ok(()) }
//! ```
//!
//! Memory is fixed when the layer is built: when more keys are active than it was built for, the key with the least debt
//! is forgotten first, so that a flood of addresses refuses nobody else and uses up no memory. IPv6 is counted by /64 and
//! by /48, IPv4-mapped addresses as IPv4. A request without a key (no address, no header) shares one bucket with all such,
//! unless [`Policy::missing_key`] says otherwise. The tier is left in the [`Facts`].

mod caller;
mod charge;
mod compiled;
mod cost;
mod digits;
mod gcra;
mod headers;
mod in_flight;
mod introspection;
mod key;
mod limit;
mod lists;
mod login;
mod penalty;
mod policy;
pub mod presets;
mod quota;
mod refused;
mod reservations;
mod rules;
mod table;
mod window;

use std::{ops::ControlFlow, sync::Arc};

use arc_swap::ArcSwap;
use http::request::Parts;
use tower_layer::Layer;

pub(crate) use self::introspection::write;
use self::{caller::Caller, compiled::Compiled, headers::Tightest, limit::Moment, lists::Lists, penalty::Penalties};
pub use self::{
    cost::Cost,
    headers::{Draft, Headers},
    introspection::{Left, PolicySnapshot},
    key::{Key, Subject},
    login::{Attempt, LoginLimit, LoginLimitBuilder},
    penalty::PenaltyLadder,
    policy::{MissingKey, Policy},
    quota::Quota,
    refused::Refused,
};
use crate::{ConfigError, End, Facts, Guard, Mode, Response, guard::Guarded};

/// The arithmetic and the table, for benches and models. No part of the API: it may change with any version.
#[doc(hidden)]
pub mod engine {
    pub use super::{
        gcra::{Allowed, Rate, RateError, Refused, decide},
        table::{Table, seeded_hasher},
    };
}

/// Limits requests by key and tier. Clones share their counts. See the [module](self) for the exact rule.
#[derive(Debug, Clone)]
pub struct RateLimitLayer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    rules: ArcSwap<Rules>,
    clock: Clock,
}

/// All that can be replaced while running.
#[derive(Debug)]
struct Rules {
    policies: Vec<Compiled>,
    /// Where there are any.
    lists: Option<Lists>,
    penalties: Option<Penalties>,
    headers: Headers,
    jitter: u64,
    refusal: Option<refused::Hook>,
    /// Whether requests are told their tier, for which they need facts.
    keeps_facts: bool,
    /// Whether a policy waits for the cost of a request.
    settles: bool,
}

/// Collects policies, and every mistake in them.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct RateLimitBuilder {
    policies: Vec<Policy>,
    allowed: Vec<String>,
    denied: Vec<String>,
    allowed_principals: Vec<String>,
    denied_principals: Vec<String>,
    penalty: Option<PenaltyLadder>,
    headers: Headers,
    jitter: std::time::Duration,
    refusal: Option<refused::Hook>,
}

impl RateLimitLayer {
    /// Without a policy yet, which is a mistake at [`RateLimitBuilder::build`].
    pub fn builder() -> RateLimitBuilder {
        RateLimitBuilder::default()
    }

    /// Puts other policies in the place of these, at once and for all clones. Requests on their way end under the old.
    ///
    /// A policy of the same name goes on with the counts it had, if it has as many keys and counts alike (a sliding window:
    /// up to the greatest count it was made for). What a caller has used is kept as time: a key with half its quota spent
    /// for the next 30 s owes 30 s under the new quota too. A sliding window keeps the requests themselves.
    ///
    /// # Errors
    /// As [`RateLimitBuilder::build`]; then nothing is replaced.
    pub fn replace(&self, builder: RateLimitBuilder) -> Result<(), ConfigError> {
        let mut rules = builder.compile()?;
        let earlier = self.shared.rules.load_full();
        for policy in &mut rules.policies {
            if let Some(earlier) = earlier.policies.iter().find(|earlier| earlier.name() == policy.name()) {
                policy.succeed(earlier);
            }
        }
        if let (Some(penalties), Some(earlier)) = (&mut rules.penalties, &earlier.penalties) {
            penalties.succeed(earlier);
        }
        self.shared.rules.store(Arc::new(rules));
        Ok(())
    }

    /// Whether both share their counts.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// The strictest mode of its policies, and all of them in words.
    pub(crate) fn describe(&self) -> (Mode, String) {
        let rules = self.shared.rules.load();
        let mode = rules.policies.iter().map(Compiled::mode).max().unwrap_or(Mode::Off);
        (mode, rules.policies.iter().map(Compiled::describe).collect::<Vec<_>>().join("; "))
    }
}

impl RateLimitBuilder {
    /// One more policy.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policies.push(policy);
        self
    }

    /// CIDRs or addresses that are never limited.
    pub fn allow<S: Into<String>>(mut self, nets: impl IntoIterator<Item = S>) -> Self {
        self.allowed.extend(nets.into_iter().map(Into::into));
        self
    }

    /// CIDRs or addresses that are refused with 403 `banned`.
    pub fn deny<S: Into<String>>(mut self, nets: impl IntoIterator<Item = S>) -> Self {
        self.denied.extend(nets.into_iter().map(Into::into));
        self
    }

    /// Principals, by id, that are never limited.
    pub fn allow_principals<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.allowed_principals.extend(ids.into_iter().map(Into::into));
        self
    }

    /// Principals, by id, that are refused with 403 `banned`.
    pub fn deny_principals<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.denied_principals.extend(ids.into_iter().map(Into::into));
        self
    }

    /// Bans those who go on after they were refused.
    pub fn penalty(mut self, ladder: PenaltyLadder) -> Self {
        self.penalty = Some(ladder);
        self
    }

    /// Which headers tell of the quotas, and whom.
    pub fn headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// Adds up to so many seconds to each `Retry-After`, at random, lest all who were refused come back together.
    pub fn jitter(mut self, most: std::time::Duration) -> Self {
        self.jitter = most;
        self
    }

    /// Answers a refusal in the application's own way. `Retry-After` and the other headers are added to it.
    pub fn refusal(mut self, answer: impl Fn(&Refused<'_>) -> Response + Send + Sync + 'static) -> Self {
        self.refusal = Some(refused::Hook::new(answer));
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// No policy, two of one name, a policy without a quota, a quota of nothing, a CIDR that is none: all, together.
    pub fn build(self) -> Result<RateLimitLayer, ConfigError> {
        let rules = ArcSwap::from_pointee(self.compile()?);
        Ok(RateLimitLayer { shared: Arc::new(Shared { rules, clock: Clock::start() }) })
    }

    fn compile(self) -> Result<Rules, ConfigError> {
        let mut error = ConfigError::default();
        if self.policies.is_empty() {
            error.push("rate limit", "has no policy");
        }
        for (index, policy) in self.policies.iter().enumerate() {
            if self.policies[..index].iter().any(|earlier| earlier.name == policy.name) {
                error.push(format_args!("policy `{}`", policy.name), "is there twice");
            }
        }
        let policies: Vec<_> = self.policies.into_iter().filter_map(|policy| error.keep(policy.compile())).collect();
        let lists = Lists::new(self.allowed, self.denied, self.allowed_principals, self.denied_principals);
        let lists = error.keep(lists).filter(|lists| !lists.is_empty());
        let penalties = self.penalty.and_then(|ladder| error.keep(ladder.compile()));
        if self.jitter > DAY {
            error.push("rate limit", format_args!("has a jitter of {:?}; a day is the most", self.jitter));
        }
        let (headers, jitter) = (self.headers, self.jitter.as_millis().div_ceil(1000).try_into().unwrap_or(0));
        let settles = policies.iter().any(|policy| policy.policy().price.is_settled());
        let keeps_facts = policies.iter().any(Compiled::names_tiers);
        error.or(Rules { policies, lists, penalties, headers, jitter, refusal: self.refusal, keeps_facts, settles })
    }
}

/// The greatest jitter.
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// Where the layer's time begins. Tokio's clock, so that a test can advance it.
#[derive(Debug, Clone, Copy)]
struct Clock {
    start: std::time::Instant,
    /// What the wall clock said then.
    since_1970: u64,
}

/// The first tick is not 0, so that a window of the clock can have begun before the process did.
const FIRST_TICK: u64 = 400 * 86_400 * 1_000_000_000;

impl Clock {
    fn start() -> Self {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let since_1970 = u64::try_from(wall.as_nanos()).unwrap_or_default().wrapping_sub(FIRST_TICK);
        Self { start: tokio::time::Instant::now().into_std(), since_1970 }
    }

    fn at(&self, instant: std::time::Instant) -> Moment {
        let passed = instant.saturating_duration_since(self.start).as_nanos();
        Moment {
            now: u64::try_from(passed).unwrap_or(u64::MAX).saturating_add(FIRST_TICK),
            since_1970: self.since_1970,
        }
    }

    fn now(&self) -> Moment {
        self.at(tokio::time::Instant::now().into_std())
    }
}

/// What a request takes along: moved often, so no more than is still to be done.
#[derive(Debug, Default)]
pub struct Ticket(Todo);

#[derive(Debug, Default)]
enum Todo {
    #[default]
    Nothing,
    /// To be told, and that is all.
    Tell(Tightest),
    All(Box<Charges>),
}

/// The charges a request bears, to be told of in its answer and closed at its end.
#[derive(Debug)]
struct Charges {
    rules: Arc<Rules>,
    all: charge::Charges,
    tells: bool,
    cost: Option<Cost>,
    failed: bool,
}

impl Charges {
    /// Whether something is to be done at the end: a concurrent request to be counted off, a cost to be settled.
    fn end_with_the_request(&self) -> bool {
        self.all.iter().any(Compiled::ends)
    }
}

impl Guard for RateLimitLayer {
    type Ticket = Ticket;
    const WATCHES_END: bool = true;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Self::Ticket> {
        let rules = self.shared.rules.load();
        let facts = rules.keeps_facts.then(|| Facts::of(head)).or_else(|| head.extensions.get().cloned());
        let moment =
            facts.as_ref().map_or_else(|| self.shared.clock.now(), |facts| self.shared.clock.at(facts.started()));
        let caller = Caller::of(facts.as_ref(), head);
        let mut all = charge::Charges::new();
        if !rules.admits_anything(head, caller, moment)? {
            rules.charges(&mut all, head, caller)?;
            rules.charge(&mut all, head, caller, moment)?;
        }
        // For callers too whom the policy does not charge: the handler is the same. And the same for all limits around it.
        let cost = rules.settles.then(|| head.extensions.get_or_insert_default::<Cost>().clone());
        let tells = rules.headers.tells(caller.principal().is_some()) && !all.is_empty();
        let ends = all.iter().any(Compiled::ends);
        let todo = if ends || cost.is_some() || tells && !rules.headers.are_legacy() {
            let rules = arc_swap::Guard::into_inner(rules);
            Todo::All(Box::new(Charges { rules, all, tells, cost, failed: false }))
        } else if tells {
            rules.tightest(&all).map_or(Todo::Nothing, Todo::Tell)
        } else {
            Todo::Nothing
        };
        ControlFlow::Continue(Ticket(todo))
    }

    fn watches_end(&self, ticket: &Self::Ticket) -> bool {
        matches!(&ticket.0, Todo::All(charges) if charges.end_with_the_request())
    }

    fn on_response(&self, ticket: &mut Self::Ticket, response: &mut Response) {
        let Charges { rules, all: charges, tells, cost, failed } = match &mut ticket.0 {
            Todo::Nothing => return,
            Todo::Tell(tightest) => return tightest.write(response.headers_mut()),
            Todo::All(charges) => &mut **charges,
        };
        *failed = response.status().is_server_error();
        if let Some(cost) = cost {
            rules.take_cost(cost, response.headers_mut());
        }
        if *tells {
            rules.tell(charges, response.headers_mut(), None);
        }
    }

    fn on_end(&self, ticket: Self::Ticket, end: End) {
        let Todo::All(charges) = ticket.0 else { return };
        if !charges.end_with_the_request() {
            return;
        }
        let Charges { rules, all: mut charges, cost, failed, .. } = *charges;
        let moment = self.shared.clock.now();
        let served = end == End::Complete && !failed;
        let actual = cost.and_then(|cost| cost.settled()).or((!served).then_some(0));
        for charge in &mut charges {
            let policy = &rules.policies[charge.policy];
            if Compiled::ends(charge) {
                policy.close(charge, actual, moment);
            }
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
mod tests;
