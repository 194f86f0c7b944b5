//! A policy at work.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use foldhash::quality::SeedableRandomState;
use http::request::Parts;

use super::{
    MissingKey, Policy, Quota, Subject,
    caller::Caller,
    charge::{Charge, Charges, Held, KeyIsMissing},
    headers::Said,
    key::Hashes,
    limit::{Limit, Moment, Receipt, Standing, Store},
    policy::{ANONYMOUS, EVERYONE},
    reservations::{Reservations, Reserved},
    table::seeded_hasher,
};
use crate::{ConfigError, Facts, Mode};

/// How many /64 networks' worth of quota a whole /48 has.
const AROUND: u32 = 16;

/// Callers with requests on their way whose cost is not settled. Past that, nothing is given back.
const MOST_RESERVING: usize = 16_384;

pub(super) struct Compiled {
    policy: Policy,
    label: Arc<str>,
    seed: SeedableRandomState,
    tiers: Vec<Tier>,
    /// The tier of those whose own is not listed: `anonymous`, or `.quota(..)`, or else the one that gives the least.
    unlisted: usize,
    /// Whether it has any but the one of `.quota(..)`.
    names_tiers: bool,
    store: Arc<Store>,
    /// What counts the networks around addresses: the same, unless that is made of windows.
    around: Arc<Store>,
    /// Where a request's cost is settled at its end.
    reservations: Option<Arc<Reservations>>,
    counters: Arc<Counters>,
    /// Whether it has been told that requests come without the key.
    told: AtomicBool,
}

pub(super) struct Tier {
    name: Arc<str>,
    pub(super) quota: Quota,
    limit: Limit,
    around: Limit,
    pub(super) said: Said,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) allowed: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) near: AtomicU64,
}

impl Compiled {
    pub(super) fn new(policy: Policy) -> Result<Self, ConfigError> {
        let mut error = ConfigError::default();
        let place = format!("policy `{}`", policy.name);
        if policy.name.trim().is_empty() {
            error.push(&place, "has no name");
        }
        if policy.tiers.is_empty() {
            error.push(&place, "has no quota");
        }
        let mut tiers: Vec<Tier> = Vec::new();
        for (index, (name, quota)) in policy.tiers.iter().enumerate() {
            if policy.tiers[..index].iter().any(|(earlier, _)| earlier == name) {
                error.push(&place, format_args!("names the tier `{name}` twice"));
            }
            if let Some(cost) =
                policy.price.fixed_units().filter(|cost| quota.capacity() > 0 && *cost > quota.capacity())
            {
                error.push(&place, format_args!("costs {cost} of a quota of {quota}, which never fits"));
            }
            let limit = error.keep(quota.compile(&place));
            // Around a sliding window a flow: sixteen times its memory would buy nothing.
            let around = Some(quota.times(AROUND).flowing()).filter(|_| policy.key.may_be_address());
            let around = around.and_then(|quota| quota.compile(&place).ok()).or(limit);
            let said = Said::new(&policy.name, *quota);
            if said.is_none() && index == 0 {
                error.push(&place, "has a name that no header can carry: only printable ASCII can");
            }
            let (Some(limit), Some(around), Some(said)) = (limit, around, said) else { continue };
            if tiers.first().is_some_and(|first| !first.limit.counts_like(&limit)) {
                error.push(&place, format_args!("counts the tier `{name}` in another way than its first"));
            }
            tiers.push(Tier { name: Arc::clone(name), quota: *quota, limit, around, said });
        }
        let limits: Vec<_> = tiers.iter().map(|tier| tier.limit).collect();
        let store = Store::new(&limits, policy.keys).map_err(|problem| ConfigError::new(&place, problem));
        let Some(store) = error.keep(store) else { return Err(error) };
        let settles = policy.price.is_settled() && !matches!(store, Store::InFlight(_));
        let reservations = settles.then(|| Reservations::new(policy.keys.min(MOST_RESERVING)).map(Arc::new));
        let Ok(reservations) = reservations.transpose() else {
            error.push(&place, "needs more memory for its reservations than there is");
            return Err(error);
        };
        let (store, counters, told) = (Arc::new(store), Arc::default(), AtomicBool::new(false));
        let around = match (&*store, tiers.first()) {
            (Store::Windows(_), Some(tier)) if policy.key.may_be_address() => {
                let around =
                    Store::new(&[tier.around], policy.keys).map_err(|problem| ConfigError::new(&place, problem));
                let Some(around) = error.keep(around) else { return Err(error) };
                Arc::new(around)
            }
            _ => Arc::clone(&store),
        };
        let unlisted = unlisted(&tiers);
        let names_tiers = tiers.iter().any(|tier| &*tier.name != EVERYONE);
        let label = policy.name.as_str().into();
        error.or(Self {
            policy,
            label,
            seed: seeded_hasher(),
            tiers,
            unlisted,
            names_tiers,
            store,
            around,
            reservations,
            counters,
            told,
        })
    }

    /// Goes on with the counts of the policy that this one replaces, where both count alike.
    ///
    /// What a caller has used stays used. In a window that slides, it is the requests themselves; else it is time: under a
    /// quota twice as generous the same debt is paid off twice as fast in requests, and a full one stays full until the
    /// time it named is over or the new quota is wider.
    pub(super) fn succeed(&mut self, earlier: &Self) {
        let alike =
            self.tiers.first().zip(earlier.tiers.first()).is_some_and(|(new, old)| new.limit.counts_like(&old.limit));
        let mut limits = self.tiers.iter().map(|tier| tier.limit);
        let has_room = self.policy.keys == earlier.policy.keys && earlier.store.holds(&mut limits);
        if alike && has_room {
            self.store = Arc::clone(&earlier.store);
            self.around = Arc::clone(&earlier.around);
            self.seed = earlier.seed.clone();
            self.reservations = self.reservations.take().map(|own| earlier.reservations.clone().unwrap_or(own));
        }
        self.counters = Arc::clone(&earlier.counters);
        let same_key = self.policy.key.to_string() == earlier.policy.key.to_string();
        self.told = AtomicBool::new(same_key && earlier.told.load(Relaxed));
    }

    pub(super) fn name(&self) -> &str {
        &self.policy.name
    }

    pub(super) const fn names_tiers(&self) -> bool {
        self.names_tiers
    }

    pub(super) fn label(&self) -> Arc<str> {
        Arc::clone(&self.label)
    }

    pub(super) fn mode(&self) -> Mode {
        self.policy.mode
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many keys are counted now.
    pub(super) fn used(&self, moment: Moment) -> usize {
        let used = self.store.used(self.tiers.iter().map(|tier| &tier.limit), moment);
        used + self.apart().map_or(0, |around| around.used(self.tiers.iter().map(|tier| &tier.around), moment))
    }

    pub(super) fn evictions(&self) -> u64 {
        self.store.evictions() + self.apart().map_or(0, Store::evictions)
    }

    /// The store of the networks around addresses, where it is one of its own.
    fn apart(&self) -> Option<&Store> {
        (!Arc::ptr_eq(&self.store, &self.around)).then_some(&*self.around)
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(super) fn tier(&self, charge: &Charge) -> &Tier {
        &self.tiers[charge.tier]
    }

    /// Adds the charges that this policy lays on a request; an error if the request must bear one and has no key.
    pub(super) fn charges(
        &self,
        index: usize,
        head: &Parts,
        caller: Caller<'_>,
        due: &mut Charges,
    ) -> Result<(), KeyIsMissing> {
        let Policy { key, methods, applies, missing, price, .. } = &self.policy;
        let applies = self.policy.mode != Mode::Off
            && methods.as_ref().is_none_or(|methods| methods.contains(&head.method))
            && applies.as_ref().is_none_or(|applies| applies(head));
        if !applies || self.tiers.is_empty() {
            return Ok(());
        }
        let hashes = key.hashes(&self.seed, head, caller);
        if !hashes.found {
            self.tell_once();
            match missing {
                MissingKey::SharedBucket => {}
                MissingKey::Skip => return Ok(()),
                MissingKey::Refuse => return Err(KeyIsMissing),
            }
        }
        let tier = self.tier_index(head, caller);
        if let Some(facts) = caller.facts().filter(|_| &*self.tiers[tier].name != EVERYONE) {
            facts.set_tier(&self.tiers[tier].name);
        }
        let cost = price.of(head);
        let charge = |key, is_around| {
            let standing = Standing { limit: 0, left: 0, wait: 0, next: 0, rest: 0 };
            Charge { policy: index, tier, key, is_around, cost, standing, held: None }
        };
        due.push(charge(hashes.key, false));
        due.extend(hashes.around.map(|key| charge(key, true)));
        Ok(())
    }

    fn tier_index(&self, head: &Parts, caller: Caller<'_>) -> usize {
        if !self.names_tiers {
            return self.unlisted;
        }
        let principal = caller.principal();
        let told = self.policy.tier_of.as_ref().and_then(|tier_of| tier_of(head, principal));
        let looked_up = caller.facts().and_then(Facts::looked_up_tier);
        let known = told.as_deref().or(looked_up).or(principal.and_then(|principal| principal.tier_name()));
        let name = known.unwrap_or(ANONYMOUS);
        self.tiers.iter().position(|tier| &*tier.name == name).unwrap_or(self.unlisted)
    }

    #[cold]
    fn warn_of_missing_key(&self) {
        tracing::warn!(
            target: "palisade::rate_limit",
            policy = self.name(),
            key = %self.policy.key,
            "requests come without the key they are to be counted by; serve with `palisade::serve` and name your proxies"
        );
    }

    fn tell_once(&self) {
        if !self.told.swap(true, Relaxed) {
            self.warn_of_missing_key();
        }
    }

    fn limit(&self, charge: &Charge) -> &Limit {
        let tier = &self.tiers[charge.tier];
        if charge.is_around { &tier.around } else { &tier.limit }
    }

    fn store(&self, charge: &Charge) -> &Store {
        if charge.is_around { &self.around } else { &self.store }
    }

    /// Whether a charge would fit now. Nothing is changed but what the charge knows.
    pub(super) fn would_fit(&self, charge: &mut Charge, moment: Moment) -> bool {
        charge.standing = self.store(charge).peek(charge.key, self.limit(charge), moment, charge.cost.max(1));
        charge.standing.wait == 0
    }

    /// Makes a charge, if it fits. What is free, fits where there is something left.
    pub(super) fn make(&self, charge: &mut Charge, moment: Moment) -> bool {
        if charge.cost == 0 && !self.would_fit(charge, moment) {
            return false;
        }
        let (key, limit, cost) = (charge.key, self.limit(charge), charge.cost);
        let made = match &self.reservations {
            Some(open) => open
                .reserve(self.store(charge), key, limit, moment, cost)
                .map(|(standing, it)| (standing, Held::Reserved(it))),
            None => {
                self.store(charge).charge(key, limit, moment, cost).map(|(standing, it)| (standing, Held::Charged(it)))
            }
        };
        match made {
            Ok((standing, held)) => {
                charge.standing = standing;
                charge.held = Some(held);
                true
            }
            Err(standing) => {
                charge.standing = standing;
                false
            }
        }
    }

    /// Unmakes a charge, as if the request had not been.
    pub(super) fn unmake(&self, charge: &mut Charge, moment: Moment) {
        let limit = self.limit(charge);
        match charge.held.take() {
            Some(Held::Charged(receipt)) => self.store(charge).refund(charge.key, limit, receipt, charge.cost, moment),
            Some(Held::Reserved(reserved)) => self.settle(charge, &reserved, 0, moment),
            None => {}
        }
    }

    fn settle(&self, charge: &Charge, reserved: &Reserved, actual: u32, moment: Moment) {
        if let Some(open) = &self.reservations {
            open.settle(self.store(charge), charge.key, self.limit(charge), reserved, (charge.cost, actual), moment);
        }
    }

    /// Finds out what is left without the charge.
    pub(super) fn look_again(&self, charge: &mut Charge, moment: Moment) {
        charge.standing = self.store(charge).peek(charge.key, self.limit(charge), moment, 0);
    }

    /// Whether a charge must be seen to at the end of its request.
    pub(super) fn ends(charge: &Charge) -> bool {
        matches!(charge.held, Some(Held::Reserved(_) | Held::Charged(Receipt::Running { .. })))
    }

    /// Closes a charge at the end of its request: `actual` is what it did cost, `None` is what was reserved.
    pub(super) fn close(&self, charge: &mut Charge, actual: Option<u32>, moment: Moment) {
        match charge.held.take() {
            Some(Held::Reserved(reserved)) => self.settle(charge, &reserved, actual.unwrap_or(charge.cost), moment),
            Some(Held::Charged(receipt @ Receipt::Running { .. })) => {
                self.store(charge).refund(charge.key, self.limit(charge), receipt, charge.cost, moment);
            }
            _ => {}
        }
    }

    /// What a caller has left in a tier, without charging it.
    pub(super) fn look(&self, caller: &[Subject<'_>], tier: Option<&str>, moment: Moment) -> Option<Standing> {
        let wanted = tier.unwrap_or(ANONYMOUS);
        let tier = self.tiers.iter().find(|tier| &*tier.name == wanted).or(self.tiers.get(self.unlisted))?;
        let Hashes { key, around, .. } = self.policy.key.hashes_of(&self.seed, caller);
        let standing = self.store.peek(key, &tier.limit, moment, 0);
        Some(around.map_or(standing, |around| standing.within(self.around.peek(around, &tier.around, moment, 0))))
    }

    /// Forgets what a caller has used. Answers whether anything was known.
    pub(super) fn forget(&self, caller: &[Subject<'_>]) -> bool {
        let Hashes { key, around, .. } = self.policy.key.hashes_of(&self.seed, caller);
        let around = around.is_some_and(|around| self.around.reset(around));
        self.store.reset(key) || around
    }

    pub(super) fn describe(&self) -> String {
        let tiers: Vec<_> = self.tiers.iter().map(|tier| format!("{} {}", tier.name, tier.quota)).collect();
        let mode = if self.mode() == Mode::Enforce { String::new() } else { format!(" ({})", self.mode()) };
        format!("`{}`{mode} by {}: {}", self.name(), self.policy.key, tiers.join(", "))
    }
}

fn unlisted(tiers: &[Tier]) -> usize {
    let named = |name| tiers.iter().position(|tier| &*tier.name == name);
    let anonymous = named(ANONYMOUS).or_else(|| named(EVERYONE));
    let by_rate = |(_, a): &(usize, &Tier), (_, b): &(usize, &Tier)| a.quota.rate().total_cmp(&b.quota.rate());
    anonymous.or_else(|| tiers.iter().enumerate().min_by(by_rate).map(|(index, _)| index)).unwrap_or(0)
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Compiled").field(&self.describe()).finish()
    }
}
