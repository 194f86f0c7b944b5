//! The generic cell rate algorithm (GCRA) as pure arithmetic.
//!
//! A key's whole state is one number, its *theoretical arrival time* (TAT):
//! the moment at which everything it was ever charged has drained away. A TAT
//! that is not later than now carries no information, so zero means "never
//! seen". The caller passes the time in; nothing here reads a clock.
//!
//! One tick is one nanosecond, counted from an epoch of the caller's choice.

use std::fmt;
use std::time::Duration;

/// The longest time a full burst may take to drain: 2^62 ticks, 146 years.
///
/// With this bound `now + tolerance` fits a `u64` for 438 years of uptime.
const MAX_TOLERANCE: u64 = 1 << 62;

/// A quota in ticks: a burst of units, refilled one unit per increment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Ticks one unit takes to drain; at least 1.
    increment: u64,
    /// Ticks a full burst takes to drain: `increment * burst`.
    tolerance: u64,
    /// Units admitted at once from rest; at least 1.
    burst: u32,
}

/// Why a quota cannot be expressed in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateError {
    /// The count, the period or the burst is zero.
    Zero,
    /// More than one unit per nanosecond.
    TooFast,
    /// A full burst would take more than 146 years to drain.
    TooSlow,
}

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zero => "count, period and burst must not be zero",
            Self::TooFast => "more than one unit per nanosecond",
            Self::TooSlow => "a full burst takes more than 146 years to refill",
        })
    }
}

impl std::error::Error for RateError {}

impl Rate {
    /// The rate of `count` units per `period`, with up to `burst` at once.
    ///
    /// The increment is rounded up, so a limiter is never laxer than its
    /// quota and stricter by less than one tick per unit.
    ///
    /// # Errors
    ///
    /// [`RateError`], when the quota is zero or out of range.
    pub fn new(count: u32, period: Duration, burst: u32) -> Result<Self, RateError> {
        let period = period.as_nanos();
        if count == 0 || period == 0 || burst == 0 {
            return Err(RateError::Zero);
        }
        if u128::from(count) > period {
            return Err(RateError::TooFast);
        }
        // At most 2^94 (a Duration in nanoseconds), so the product with a
        // burst of 32 bits stays below 2^126.
        let increment = period.div_ceil(u128::from(count));
        let tolerance = increment * u128::from(burst);
        match (u64::try_from(increment), u64::try_from(tolerance)) {
            (Ok(increment), Ok(tolerance)) if tolerance <= MAX_TOLERANCE => Ok(Self { increment, tolerance, burst }),
            _ => Err(RateError::TooSlow),
        }
    }

    /// The rate under which `count` units, all at once, have drained when `period` ends and not later: a window of the
    /// clock is this rate, looked at from the start of the window.
    ///
    /// # Errors
    ///
    /// [`RateError`], when the quota is zero or out of range.
    pub fn within(period: Duration, count: u32) -> Result<Self, RateError> {
        let Self { increment, burst, .. } = Self::new(count, period, count)?;
        // Rounded down, where the flow is rounded up.
        let exact = period.as_nanos().is_multiple_of(u128::from(count));
        let increment = if exact { increment } else { increment - 1 };
        Ok(Self { increment, tolerance: increment * u64::from(count), burst })
    }

    /// Ticks one unit takes to drain.
    #[must_use]
    pub const fn increment(&self) -> u64 {
        self.increment
    }

    /// Ticks a full burst takes to drain.
    #[must_use]
    pub const fn tolerance(&self) -> u64 {
        self.tolerance
    }

    /// Units admitted at once from rest.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst
    }
}

/// A charge that fits the quota. It is also the receipt for a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allowed {
    /// The key's TAT once charged: when it will be at rest again.
    pub new_tat: u64,
    /// What was charged, in ticks.
    pub charged: u64,
    /// What is left of the tolerance, in ticks.
    pub spare: u64,
}

impl Allowed {
    /// Whole units that would still be admitted right now.
    ///
    /// Costs a division, so it is not part of the decision.
    #[must_use]
    pub fn remaining(&self, rate: &Rate) -> u32 {
        let units = self.spare / rate.increment;
        u32::try_from(units).map_or(rate.burst, |units| units.min(rate.burst))
    }

    /// The receipt for so many units of this charge.
    #[must_use]
    pub fn part(self, rate: &Rate, units: u32) -> Self {
        let charged = rate.increment.saturating_mul(u64::from(units)).min(self.charged);
        Self { charged, ..self }
    }

    /// The part of this charge that has not drained by `now`, in ticks.
    ///
    /// A refund gives back no more than this: what has drained is already
    /// available again, and giving it back once more would be a gift.
    #[must_use]
    pub const fn refundable(&self, now: u64) -> u64 {
        let left = self.new_tat.saturating_sub(now);
        if left < self.charged { left } else { self.charged }
    }
}

/// A charge that does not fit the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The same charge is refused for exactly this many ticks, unless the key
    /// is charged again meanwhile, and admitted once they have passed.
    Wait {
        /// Ticks from now; never zero.
        ticks: u64,
    },
    /// The same charge will never be admitted: it costs more than the burst
    /// (or the tick counter itself would run out, centuries from its epoch).
    Never,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait { ticks } => write!(f, "refused for {:?}", Duration::from_nanos(*ticks)),
            Self::Never => f.write_str("refused for good: the cost exceeds the burst"),
        }
    }
}

impl std::error::Error for Refused {}

/// Decides whether a key with this TAT may be charged `cost` units at `now`.
///
/// A clock that went backwards makes a key look more indebted than it is; it
/// can delay a charge by as much as it went back, and nothing else. A cost of
/// zero asks whether the key is within its quota.
///
/// # Errors
///
/// [`Refused`], with the exact time to wait.
#[inline]
pub fn decide(rate: &Rate, tat: u64, now: u64, cost: u32) -> Result<Allowed, Refused> {
    if cost > rate.burst {
        return Err(Refused::Never);
    }
    // Cannot overflow: at most `increment * burst`, which is the tolerance.
    let charged = rate.increment * u64::from(cost);
    let Some(new_tat) = tat.max(now).checked_add(charged) else {
        return Err(Refused::Never);
    };
    let debt = new_tat - now;
    match rate.tolerance.checked_sub(debt) {
        Some(spare) => Ok(Allowed { new_tat, charged, spare }),
        None => Err(Refused::Wait { ticks: debt - rate.tolerance }),
    }
}

#[cfg(test)]
mod tests;
