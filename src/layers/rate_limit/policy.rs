//! A named limit: whom it counts, how much it gives to whom, at what cost.

use std::{fmt, num::NonZeroU32, sync::Arc};

use http::{Method, request::Parts};

use super::{Key, Quota, RateLimitLayer, compiled::Compiled, cost::Price};
use crate::{ConfigError, Mode, Principal};

pub(super) type Applies = dyn Fn(&Parts) -> bool + Send + Sync;
pub(super) type TierOf = dyn Fn(&Parts, Option<&Principal>) -> Option<Arc<str>> + Send + Sync;

/// A named limit.
///
/// ```
/// use http::Method;
/// use palisade::rate_limit::{Key, MissingKey, Policy, Quota};
/// let writes = Policy::new("writes", Key::principal())
///     .tier("free", Quota::per_hour(10))
///     .tier("pro", Quota::per_hour(500).burst(50))
///     .methods([Method::POST, Method::PUT, Method::DELETE])
///     .missing_key(MissingKey::Refuse);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Policy {
    pub(super) name: String,
    pub(super) key: Key,
    pub(super) tiers: Vec<(Arc<str>, Quota)>,
    pub(super) tier_of: Option<Arc<TierOf>>,
    pub(super) applies: Option<Arc<Applies>>,
    pub(super) methods: Option<Vec<Method>>,
    pub(super) price: Price,
    pub(super) missing: MissingKey,
    pub(super) mode: Mode,
    pub(super) keys: usize,
}

/// What becomes of a request that has not got the key it is to be counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MissingKey {
    /// All such requests share one count.
    #[default]
    SharedBucket,
    /// The policy does not apply to it.
    Skip,
    /// It is refused with 401 `unauthenticated`.
    Refuse,
}

/// The tier of a caller that nobody knows.
pub(super) const ANONYMOUS: &str = "anonymous";
/// The tier of a policy without tiers; no caller is said to be in it.
pub(super) const EVERYONE: &str = "everyone";

impl Policy {
    /// A policy without a quota yet. The name stands in refusals, headers, logs and metrics.
    pub fn new(name: impl Into<String>, key: Key) -> Self {
        Self {
            name: name.into(),
            key,
            tiers: Vec::new(),
            tier_of: None,
            applies: None,
            methods: None,
            price: Price::default(),
            missing: MissingKey::SharedBucket,
            mode: Mode::Enforce,
            keys: 100_000,
        }
    }

    /// The quota of one tier. A caller whose tier is not listed is `anonymous`; where that is not listed either, it has
    /// [`quota`](Self::quota), or else the tier that gives the least.
    pub fn tier(mut self, name: impl Into<Arc<str>>, quota: Quota) -> Self {
        self.tiers.push((name.into(), quota));
        self
    }

    /// One quota for all whose tier is not listed; said twice, the later holds.
    pub fn quota(mut self, quota: Quota) -> Self {
        self.tiers.retain(|(name, _)| **name != *EVERYONE);
        self.tier(EVERYONE, quota)
    }

    /// Which tier a request is in, where that is not for the principal to say. `None` is the principal's, or `anonymous`.
    pub fn tier_of(
        mut self,
        tier: impl Fn(&Parts, Option<&Principal>) -> Option<Arc<str>> + Send + Sync + 'static,
    ) -> Self {
        self.tier_of = Some(Arc::new(tier));
        self
    }

    /// Only requests with one of these methods.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = Some(methods.into_iter().collect());
        self
    }

    /// Only requests for which the closure says so. For routes, a variant of the stack around them is safer.
    pub fn when(mut self, applies: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.applies = Some(Arc::new(applies));
        self
    }

    /// What a request costs, in units of the quota. The default is 1.
    pub fn cost(mut self, units: NonZeroU32) -> Self {
        self.price = self.price.fixed(units.get());
        self
    }

    /// What this request costs, in units of the quota; 0 is free, and is let in only while there is something left.
    pub fn cost_by(mut self, units: impl Fn(&Parts) -> u32 + Send + Sync + 'static) -> Self {
        self.price = self.price.by(units);
        self
    }

    /// Reserves `estimate` units, and settles when it is known what the request cost: by [`Cost`](super::Cost) in the
    /// handler, or by the answer's header of [`settled_by_header`](Self::settled_by_header).
    ///
    /// What was reserved and not used is given back; what was used beyond it is charged. A reservation that nobody
    /// settled is kept when the answer ends, and given back when the client went or the handler failed.
    pub fn settled(mut self, estimate: u32) -> Self {
        self.price = self.price.settled(estimate);
        self
    }

    /// The answer's header that says what the request cost. It is taken off the answer.
    pub fn settled_by_header(mut self, name: http::HeaderName) -> Self {
        self.price = self.price.told_by(name);
        self
    }

    /// What becomes of a request without the key. The default is [`MissingKey::SharedBucket`].
    pub fn missing_key(mut self, missing: MissingKey) -> Self {
        self.missing = missing;
        self
    }

    /// Off, report or enforce. The default is enforce.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How many keys are counted at once, in memory that is taken when the policy is built: see [`Quota`] for how much.
    /// The default is 100 000.
    pub fn keys(mut self, keys: usize) -> Self {
        self.keys = keys;
        self
    }

    /// A layer of this policy alone.
    ///
    /// # Errors
    /// Every mistake in it: see [`RateLimitBuilder::build`](super::RateLimitBuilder::build).
    pub fn build(self) -> Result<RateLimitLayer, ConfigError> {
        RateLimitLayer::builder().policy(self).build()
    }

    pub(super) fn compile(self) -> Result<Compiled, ConfigError> {
        Compiled::new(self)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, key, tiers, mode, .. } = self;
        let mut debug = f.debug_struct("Policy");
        debug.field("name", name).field("key", key).field("tiers", tiers).field("mode", mode).finish_non_exhaustive()
    }
}
