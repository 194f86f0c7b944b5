//! A named limit: whom it counts, how much it gives to whom.

use std::{hash::RandomState, sync::Arc, time::Duration};

use governor::{
    NotUntil, RateLimiter,
    clock::{Clock as _, Reference as _},
    middleware::{NoOpMiddleware, StateInformationMiddleware},
};
use http::request::Parts;

use super::{
    Key, Quota, RateLimitLayer, Remaining,
    slots::{Clock, Slots},
};
use crate::{ConfigError, Facts, Mode};

/// A named limit.
#[derive(Debug, Clone)]
#[must_use]
pub struct Policy {
    name: String,
    key: Key,
    tiers: Vec<(Arc<str>, Quota)>,
    mode: Mode,
    keys: usize,
}

/// The tier of a caller that nobody knows.
pub(super) const ANONYMOUS: &str = "anonymous";

impl Policy {
    /// A policy without a quota yet. The name stands in refusals, logs and metrics.
    pub fn new(name: impl Into<String>, key: Key) -> Self {
        Self { name: name.into(), key, tiers: Vec::new(), mode: Mode::Enforce, keys: 100_000 }
    }

    /// The quota of one tier. The first tier named is also that of a caller whose tier is not listed.
    pub fn tier(mut self, name: impl Into<Arc<str>>, quota: Quota) -> Self {
        self.tiers.push((name.into(), quota));
        self
    }

    /// One quota for all.
    pub fn quota(self, quota: Quota) -> Self {
        self.tier("everyone", quota)
    }

    /// Off, report or enforce. The default is enforce.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How many keys are remembered at once; each takes 16 bytes, now and for good. The default is 100 000.
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

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn compile(self) -> Result<Compiled, ConfigError> {
        let mut error = ConfigError::default();
        let place = format!("policy `{}`", self.name);
        if self.tiers.is_empty() {
            error.push(&place, "has no quota");
        }
        let clock = Clock::start();
        let slots = Slots::new(self.keys);
        let mut tiers = Vec::new();
        for (index, (tier, quota)) in self.tiers.iter().enumerate() {
            if self.tiers[..index].iter().any(|(earlier, _)| earlier == tier) {
                error.push(&place, format_args!("names the tier `{tier}` twice"));
            }
            if let Some(compiled) = error.keep(quota.compile(&place)) {
                let limiter = RateLimiter::<_, _, _, NoOpMiddleware<_>>::new(compiled, slots.clone(), clock);
                let limiter = limiter.with_middleware();
                tiers.push(Tier { name: Arc::clone(tier), quota: *quota, limiter });
            }
        }
        error.or(Compiled { name: self.name, key: self.key, mode: self.mode, clock, seed: RandomState::new(), tiers })
    }
}

/// A policy at work.
#[derive(Debug)]
pub(super) struct Compiled {
    name: String,
    key: Key,
    mode: Mode,
    clock: Clock,
    /// From the operating system: nobody can choose keys that collide.
    seed: RandomState,
    tiers: Vec<Tier>,
}

#[derive(Debug)]
struct Tier {
    name: Arc<str>,
    quota: Quota,
    limiter: RateLimiter<u64, Slots, Clock, StateInformationMiddleware>,
}

pub(super) enum Verdict {
    Allowed(Remaining),
    Refused(Remaining, Duration),
}

impl Compiled {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// `None` where the policy is off.
    pub(super) fn check(&self, head: &Parts, facts: &Facts) -> Option<Verdict> {
        if self.mode == Mode::Off {
            return None;
        }
        let wanted = facts.principal().and_then(|caller| caller.tier_name()).unwrap_or(ANONYMOUS);
        let tier = self.tiers.iter().find(|tier| &*tier.name == wanted).or(self.tiers.first())?;
        facts.set_tier(&tier.name);
        let key = self.key.hash(&self.seed, head, facts);
        Some(match tier.limiter.check_key(&key) {
            Ok(state) => Verdict::Allowed(tier.left(state.remaining_burst_capacity())),
            Err(until) => Verdict::Refused(tier.left(0), self.wait(&until)),
        })
    }

    fn wait(&self, until: &NotUntil<governor::nanos::Nanos>) -> Duration {
        until.earliest_possible().duration_since(self.clock.now()).into()
    }

    pub(super) fn describe(&self) -> String {
        let tiers: Vec<_> = self.tiers.iter().map(|tier| format!("{} {}", tier.name, tier.quota)).collect();
        let mode = if self.mode == Mode::Enforce { String::new() } else { format!(" ({})", self.mode) };
        format!("`{}`{mode} by {}: {}", self.name, self.key, tiers.join(", "))
    }
}

impl Tier {
    fn left(&self, left: u32) -> Remaining {
        let limit = self.quota.capacity();
        Remaining { limit, left, reset: self.quota.interval() * limit.saturating_sub(left) }
    }
}
