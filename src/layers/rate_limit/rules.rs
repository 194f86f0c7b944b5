//! The decision: all policies of one stage, all or nothing.

use std::{
    borrow::Cow,
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use http::{HeaderMap, request::Parts};
use smallvec::SmallVec;

use super::{
    Rules,
    caller::Caller,
    charge::{Charge, Charges},
    compiled::Compiled,
    cost::Cost,
    headers::{Said, Tightest, retry_after, set_retry_after},
    limit::{Moment, Standing},
    refused::Refused,
};
use crate::{Facts, Kind, Mode, Rejection, Response, decision::object, text::written};

impl Rules {
    /// Whether the caller is on a list of those without limits; breaks for those who are banned.
    pub(super) fn admits_anything(
        &self,
        head: &mut Parts,
        caller: Caller<'_>,
        moment: Moment,
    ) -> ControlFlow<Response, bool> {
        if let Some(lists) = &self.lists {
            // First: one who is denied may stand in a network that is allowed.
            if lists.deny(caller) {
                let rejection = Rejection::new(Kind::Banned).detail("This caller is not served here.");
                object(head, Mode::Enforce, "rate_limit", "deny-list", rejection)?;
            }
            if lists.allow(caller) {
                return ControlFlow::Continue(true);
            }
        }
        if let Some(wait) = self.penalties.as_ref().and_then(|penalties| penalties.banned(head, caller, moment)) {
            let rejection =
                Rejection::new(Kind::Banned).detail("Too many refused requests. Come back later, and slower.");
            let objection = object(head, Mode::Enforce, "rate_limit", "penalty", rejection);
            if let ControlFlow::Break(mut response) = objection {
                if let Some(seconds) = retry_after(wait, self.jitter) {
                    set_retry_after(response.headers_mut(), seconds);
                }
                return ControlFlow::Break(response);
            }
        }
        ControlFlow::Continue(false)
    }

    /// What this request is to be charged, by all policies that apply to it.
    pub(super) fn charges(&self, due: &mut Charges, head: &mut Parts, caller: Caller<'_>) -> ControlFlow<Response> {
        for (index, policy) in self.policies.iter().enumerate() {
            if policy.charges(index, head, caller, due).is_err() {
                let rejection =
                    Rejection::new(Kind::Unauthenticated).detail("The request does not say who is calling.");
                object(head, policy.mode(), "rate_limit", policy.label(), rejection)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Makes all charges or none.
    ///
    /// With several, all are looked at first, so that a refusal has changed nothing. Should another request come between
    /// the look and the charge, what was charged is given back: meanwhile others may be refused on its account, by its
    /// cost at most, and are never let in on it.
    pub(super) fn charge(
        &self,
        charges: &mut Charges,
        head: &mut Parts,
        caller: Caller<'_>,
        moment: Moment,
    ) -> ControlFlow<Response> {
        let enforced = |charge: &Charge| self.policies[charge.policy].mode() == Mode::Enforce;
        if charges.len() > 1 && charges.iter().filter(|charge| enforced(charge)).count() > 1 {
            let mut refused: SmallVec<[usize; 2]> = SmallVec::new();
            for (index, charge) in charges.iter_mut().enumerate() {
                if enforced(charge) && !self.policies[charge.policy].would_fit(charge, moment) {
                    refused.push(index);
                }
            }
            if !refused.is_empty() {
                return self.refuse(charges, &refused, head, caller, moment);
            }
        }
        let mut reported: SmallVec<[usize; 2]> = SmallVec::new();
        for index in 0..charges.len() {
            if self.policies[charges[index].policy].make(&mut charges[index], moment) {
                continue;
            }
            if enforced(&charges[index]) {
                for made in &mut charges[..index] {
                    self.policies[made.policy].unmake(made, moment);
                }
                return self.refuse(charges, &[index], head, caller, moment);
            }
            reported.push(charges[index].policy);
        }
        for charge in &*charges {
            if !reported.contains(&charge.policy) {
                self.policies[charge.policy].count_allowed(charge);
            }
        }
        reported.dedup();
        for policy in reported.into_iter().map(|index| &self.policies[index]) {
            policy.counters().refused.fetch_add(1, Relaxed);
            let _ = object(head, Mode::Report, "rate_limit", policy.label(), Rejection::new(Kind::QuotaExceeded));
        }
        ControlFlow::Continue(())
    }

    /// Answers for the policies that refused; the one to wait longest for says when.
    #[cold]
    fn refuse(
        &self,
        charges: &mut Charges,
        refused: &[usize],
        head: &mut Parts,
        caller: Caller<'_>,
        moment: Moment,
    ) -> ControlFlow<Response> {
        self.settle_standings(charges, refused, moment);
        let Some(worst) = refused.iter().map(|index| &charges[*index]).max_by_key(|charge| charge.standing.wait) else {
            return ControlFlow::Continue(());
        };
        let mut names: SmallVec<[Arc<str>; 1]> = SmallVec::new();
        for policy in refused.iter().map(|index| &self.policies[charges[*index].policy]) {
            // The charges of one policy stand next to each other.
            if names.last().is_none_or(|last| **last != *policy.name()) {
                policy.counters().refused.fetch_add(1, Relaxed);
                names.push(policy.label());
            }
        }
        if let Some(penalties) = &self.penalties {
            penalties.strike(head, caller, moment);
        }
        let policy = &self.policies[worst.policy];
        let seconds = retry_after(worst.standing.wait, self.jitter);
        let detail: Cow<'static, str> = match seconds {
            Some(seconds) => try_again_in(seconds).into(),
            None => "This request costs more than the whole quota.".into(),
        };
        let rejection = Rejection::new(Kind::QuotaExceeded).detail(detail).violated(names);
        let mut response = object(head, Mode::Enforce, "rate_limit", policy.label(), rejection).break_value();
        if let (Some(response), Some(hook)) = (&mut response, &self.refusal) {
            let facts = Facts::of(head);
            hook.answer(&Refused::new(policy.name(), &facts, seconds), response);
        }
        let Some(mut response) = response else { return ControlFlow::Continue(()) };
        if let Some(seconds) = seconds {
            set_retry_after(response.headers_mut(), seconds);
        }
        if self.headers.tells(caller.principal().is_some()) {
            self.tell(charges, response.headers_mut(), seconds);
        }
        ControlFlow::Break(response)
    }

    /// What is left after a refusal: to those that would have let the request in, it never happened.
    fn settle_standings(&self, charges: &mut Charges, refused: &[usize], moment: Moment) {
        for index in 0..charges.len() {
            let policy = &self.policies[charges[index].policy];
            if !refused.contains(&index) {
                policy.look_again(&mut charges[index], moment);
            }
        }
    }

    /// Writes what is left into the answer. A network's limit speaks through that of the address within it.
    pub(super) fn tell(&self, charges: &Charges, headers: &mut HeaderMap, retry_after: Option<u64>) {
        self.headers.write(headers, self.said(charges), retry_after);
    }

    /// What the older headers say, where they say all.
    pub(super) fn tightest(&self, charges: &Charges) -> Option<Tightest> {
        Tightest::of(self.said(charges).map(|(_, standing)| standing))
    }

    fn said(&self, charges: &Charges) -> impl Iterator<Item = (&Said, Standing)> + Clone {
        // What is only reported holds nobody to anything.
        let enforced = move |charge: &Charge| self.policies[charge.policy].mode() == Mode::Enforce;
        let known = charges.iter().enumerate().filter(move |(_, charge)| !charge.is_around && enforced(charge));
        known.map(|(index, charge)| {
            let around = charges.get(index + 1).filter(|next| next.is_around);
            let standing = around.map_or(charge.standing, |around| charge.standing.within(around.standing));
            (&self.policies[charge.policy].tier(charge).said, standing)
        })
    }

    /// Takes the cost out of the answer's header, where a policy says that it stands there.
    pub(super) fn take_cost(&self, cost: &Cost, headers: &mut HeaderMap) {
        for name in self.policies.iter().filter_map(|policy| policy.policy().price.header()) {
            if let Some(units) = headers.remove(name).and_then(|value| value.to_str().ok()?.trim().parse().ok()) {
                cost.settle(units);
            }
        }
    }
}

fn try_again_in(seconds: u64) -> String {
    written(seconds, |digits| {
        ["Too many requests. Try again in ", str::from_utf8(digits).unwrap_or_default(), " s."].concat()
    })
}

impl Compiled {
    /// Counts a request let in, and one that has used four fifths of its quota.
    fn count_allowed(&self, charge: &Charge) {
        if charge.is_around {
            return;
        }
        self.counters().allowed.fetch_add(1, Relaxed);
        if u64::from(charge.standing.left) * 5 <= u64::from(charge.standing.limit) {
            self.counters().near.fetch_add(1, Relaxed);
        }
    }
}
