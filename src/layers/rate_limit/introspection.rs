//! Looking at the counts without changing them, and putting one right.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed, time::Duration};

use super::{RateLimitLayer, Subject};
use crate::metrics::{Exposition, Type, labels};

/// What a key has left of its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// The most that is let in at once.
    pub limit: u32,
    /// How many would be let in now.
    pub remaining: u32,
    /// When all of it is there again.
    pub reset: Duration,
}

/// The state of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicySnapshot {
    /// Its name.
    pub policy: String,
    /// Keys that are counted now.
    pub keys: usize,
    /// Keys that were forgotten while they still counted. If it grows, [`Policy::keys`](super::Policy::keys) is too small.
    pub evictions: u64,
    /// Charges let in.
    pub allowed: u64,
    /// Requests refused, or reported in report mode.
    pub refused: u64,
    /// Charges that left a fifth of the quota or less.
    pub near_limit: u64,
}

impl RateLimitLayer {
    /// What this caller has left under a policy, without charging it. `None` if there is no such policy.
    ///
    /// The tier is the caller's, `None` is `anonymous`; a key of several parts takes as many subjects.
    ///
    /// ```
    /// use palisade::rate_limit::{Key, Policy, Quota, Subject};
    /// # fn main() -> Result<(), palisade::ConfigError> {
    /// let limits = Policy::new("api", Key::principal()).quota(Quota::per_minute(10)).build()?;
    /// assert_eq!(limits.peek("api", None, &[Subject::principal("user:42")]).map(|left| left.remaining), Some(10));
    /// # Ok(()) }
    /// ```
    pub fn peek(&self, policy: &str, tier: Option<&str>, caller: &[Subject<'_>]) -> Option<Left> {
        let rules = self.shared.rules.load();
        let policy = rules.policies.iter().find(|known| known.name() == policy)?;
        let standing = policy.look(caller, tier, self.shared.clock.now())?;
        let reset = Duration::from_nanos(standing.rest);
        Some(Left { limit: standing.limit, remaining: standing.left, reset })
    }

    /// Forgets what this caller has used of a policy; for an IPv6 address, also what the network around it has, or it would
    /// be refused on. Answers whether anything was known.
    pub fn reset(&self, policy: &str, caller: &[Subject<'_>]) -> bool {
        let rules = self.shared.rules.load();
        let policy = rules.policies.iter().find(|known| known.name() == policy);
        policy.is_some_and(|policy| policy.forget(caller))
    }

    /// The state of every policy. It reads all counts: for a scrape, not for a request.
    pub fn snapshot(&self) -> Vec<PolicySnapshot> {
        let moment = self.shared.clock.now();
        let rules = self.shared.rules.load();
        let state = rules.policies.iter().map(|policy| PolicySnapshot {
            policy: policy.name().to_owned(),
            keys: policy.used(moment),
            evictions: policy.evictions(),
            allowed: policy.counters().allowed.load(Relaxed),
            refused: policy.counters().refused.load(Relaxed),
            near_limit: policy.counters().near.load(Relaxed),
        });
        state.collect()
    }
}

/// Writes the snapshots of several limits for a scrape. Policies of one name are one series: their sum.
pub(crate) fn write(snapshots: &[PolicySnapshot], out: &mut Exposition) {
    type Column = (&'static str, Type, &'static str, fn(&PolicySnapshot) -> u64);
    const COLUMNS: [Column; 5] = [
        ("palisade_rate_limit_keys", Type::Gauge, "Keys that are counted now.", |state| state.keys as u64),
        ("palisade_rate_limit_evictions_total", Type::Counter, "Keys forgotten while they still counted.", |state| {
            state.evictions
        }),
        ("palisade_rate_limit_allowed_total", Type::Counter, "Charges let in.", |state| state.allowed),
        ("palisade_rate_limit_refused_total", Type::Counter, "Requests refused or reported.", |state| state.refused),
        ("palisade_rate_limit_near_total", Type::Counter, "Charges that left a fifth of the quota or less.", |state| {
            state.near_limit
        }),
    ];
    let mut by_name: BTreeMap<&str, Vec<&PolicySnapshot>> = BTreeMap::new();
    for state in snapshots {
        by_name.entry(&state.policy).or_default().push(state);
    }
    for (name, kind, help, value) in COLUMNS {
        out.family(name, kind, help);
        for (policy, states) in &by_name {
            out.sample(name, &labels([("policy", *policy)]), states.iter().map(|state| value(state)).sum::<u64>());
        }
    }
}
