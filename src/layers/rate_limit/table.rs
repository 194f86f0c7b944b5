//! A fixed-memory concurrent table from keys to GCRA states.
//!
//! [`Table`] answers checks. It decides by `gcra` on the TATs
//! kept in `slots`, which is where the concurrency is.
//!
//! All memory is taken at construction and none is ever added. When more keys
//! are in debt than fit, the one with the *least debt* is forgotten:
//! forgetting can never refuse anyone wrongly, and it forgives a drained key
//! last. Each such live eviction is counted; when the count grows, the table
//! is too small.
//!
//! The quota is an argument of each check, not a part of the state, so one
//! key may be checked against different quotas at no cost.

use std::collections::TryReserveError;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use self::slots::Slots;
use super::gcra::{Allowed, Rate, Refused, decide};

mod slot;
mod slots;
mod sync;

#[cfg(all(test, palisade_loom))]
mod loom_tests;

/// What became of a charge.
pub(super) type Verdict = Result<Allowed, Refused>;

/// A fixed-memory concurrent table of GCRA states.
///
/// Keys are given as hashes of [`seeded_hasher`]: seeded with the operating
/// system's entropy, so which keys compete for a slot, or which two (one pair
/// in 2^63) are taken for one, cannot be told from outside.
#[derive(Debug)]
pub struct Table {
    slots: Slots,
}

impl Table {
    /// A table that keeps the state of `keys` keys at once, in 22 bytes each.
    ///
    /// # Errors
    ///
    /// When the memory cannot be had.
    pub fn new(keys: usize) -> Result<Self, TryReserveError> {
        Ok(Self { slots: Slots::new(keys)? })
    }

    /// Charges a key `cost` units at `now` if the quota admits them.
    ///
    /// # Errors
    ///
    /// [`Refused`]; then the key is not charged and nothing is written.
    #[inline]
    pub fn check(&self, hash: u64, rate: &Rate, now: u64, cost: u32) -> Verdict {
        // The common case, kept small: a known key, in its first place.
        self.slots
            .update_at_home(hash, charge(rate, now, cost))
            .unwrap_or_else(|known| self.check_anywhere(hash, rate, now, cost, known))
    }

    /// Checks a key wherever its slot is, and gives it one if it has none.
    #[inline(never)]
    fn check_anywhere(&self, hash: u64, rate: &Rate, now: u64, cost: u32, mut known: u64) -> Verdict {
        loop {
            match self.slots.update(hash, charge(rate, now, cost)) {
                Ok(verdict) => return verdict,
                Err(tat) => known = known.max(tat),
            }
            let allowed = decide(rate, known, now, cost)?;
            // Nothing charged, nothing to remember.
            if allowed.new_tat <= now || self.slots.claim(hash, allowed.new_tat, now) {
                return Ok(allowed);
            }
        }
    }

    /// What [`check`](Self::check) would answer, without charging the key.
    ///
    /// # Errors
    ///
    /// [`Refused`], as `check` would.
    #[inline]
    pub fn peek(&self, hash: u64, rate: &Rate, now: u64, cost: u32) -> Verdict {
        self.slots
            .update(hash, |tat| (None, decide(rate, tat, now, cost)))
            .unwrap_or_else(|known| decide(rate, known, now, cost))
    }

    /// Forgets what a key was charged. Answers whether it was known.
    pub fn reset(&self, hash: u64) -> bool {
        self.slots.update(hash, |_| (Some(0), ())).is_ok()
    }

    /// Gives back a charge, as far as it has not drained by `now`.
    ///
    /// Each receipt is good for one refund. A key that lost its slot since
    /// has nothing to be given back; if it came back since, the refund comes
    /// on top of the forgotten debt, at most once per receipt.
    pub fn refund(&self, hash: u64, receipt: &Allowed, now: u64) {
        let back = receipt.refundable(now);
        if back > 0 {
            self.give_back(hash, back);
        }
    }

    /// Takes so many ticks off a key's debt.
    pub fn give_back(&self, hash: u64, ticks: u64) {
        let _ = self.slots.update(hash, |tat| (Some(tat.saturating_sub(ticks)), ()));
    }

    /// Charges a key whether it fits or not: `units` of a rate.
    pub fn drain(&self, hash: u64, rate: &Rate, now: u64, units: u32) {
        self.owe(hash, rate.increment().saturating_mul(u64::from(units)), now);
    }

    /// Adds so many ticks to a key's debt, under no quota. Answers the whole debt.
    pub fn owe(&self, hash: u64, ticks: u64, now: u64) -> u64 {
        let owing = |tat: u64| tat.max(now).saturating_add(ticks);
        loop {
            let tat = match self.slots.update(hash, |tat| (Some(owing(tat)), owing(tat))) {
                Ok(tat) => return tat - now,
                Err(known) => owing(known),
            };
            if tat <= now || self.slots.claim(hash, tat, now) {
                return tat - now;
            }
        }
    }

    /// How many ticks a key is in debt.
    pub fn debt(&self, hash: u64, now: u64) -> u64 {
        self.slots.update(hash, |tat| (None, tat)).unwrap_or_default().saturating_sub(now)
    }

    /// How many keys are in debt at `now`. Reads the whole table.
    #[must_use]
    pub fn used(&self, now: u64) -> usize {
        self.slots.used(now)
    }

    /// How many keys in debt were forgotten for want of room.
    #[must_use]
    pub fn live_evictions(&self) -> u64 {
        self.slots.live_evictions()
    }

    /// The bytes taken at construction.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.slots.memory()
    }
}

/// The change that a charge makes to a TAT, with its verdict.
#[inline]
fn charge(rate: &Rate, now: u64, cost: u32) -> impl Fn(u64) -> (Option<u64>, Verdict) {
    move |tat| {
        let verdict = decide(rate, tat, now, cost);
        (verdict.ok().map(|allowed| allowed.new_tat), verdict)
    }
}

/// A hasher that no one outside can predict: its own seed and the
/// constants shared by the process both come from the operating system.
pub fn seeded_hasher() -> SeedableRandomState {
    static SHARED: OnceLock<SharedSeed> = OnceLock::new();
    // A SipHash of nothing under the standard library's random keys.
    let entropy = || RandomState::new().hash_one(());
    let shared = SHARED.get_or_init(|| SharedSeed::from_u64(entropy()));
    SeedableRandomState::with_seed(entropy(), shared)
}

#[cfg(test)]
mod tests;
