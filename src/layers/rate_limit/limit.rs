//! A quota made ready for use, and the store that counts by it, without HTTP in them.

use std::time::Duration;

use super::{
    gcra::{Allowed, Rate, RateError, Refused},
    in_flight::InFlight,
    table::Table,
    window::Windows,
};

/// A quota in ticks, which are nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Flow(Rate),
    /// A flow that is let in from the start of the window on, as if all came at once.
    FixedWindow {
        rate: Rate,
        period: u64,
    },
    SlidingWindow {
        count: u32,
        period: u64,
    },
    Concurrent {
        count: u32,
    },
}

/// What a store says about a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) limit: u32,
    pub(super) left: u32,
    /// Ticks until the same charge fits; 0 if it does now, `NEVER` if it never will.
    pub(super) wait: u64,
    /// Ticks until all of the quota is there again.
    pub(super) rest: u64,
}

/// A wait without end: the charge is greater than the whole quota.
pub(super) const NEVER: u64 = u64::MAX;

/// What was charged, for the day it is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receipt {
    Flow(Allowed),
    Taken { at: u64 },
    Running { name: u64 },
}

impl Limit {
    pub(super) fn flow(count: u32, period: Duration, burst: u32) -> Result<Self, RateError> {
        Rate::new(count, period, burst).map(Self::Flow)
    }

    pub(super) fn fixed_window(count: u32, period: Duration) -> Result<Self, RateError> {
        let rate = Rate::within(period, count)?;
        Ok(Self::FixedWindow { rate, period: ticks(period)? })
    }

    pub(super) fn sliding_window(count: u32, period: Duration) -> Result<Self, RateError> {
        Ok(Self::SlidingWindow { count, period: ticks(period)? })
    }

    /// Whether two limits can count in one store, so that a caller whose tier changes keeps what it has used.
    pub(super) const fn counts_like(&self, other: &Self) -> bool {
        use Limit::{Concurrent, FixedWindow, Flow, SlidingWindow};
        matches!(
            (self, other),
            (Flow(_), Flow(_))
                | (FixedWindow { .. }, FixedWindow { .. })
                | (SlidingWindow { .. }, SlidingWindow { .. })
                | (Concurrent { .. }, Concurrent { .. })
        )
    }
}

fn ticks(period: Duration) -> Result<u64, RateError> {
    match u64::try_from(period.as_nanos()) {
        Ok(0) => Err(RateError::Zero),
        Ok(ticks) if ticks <= 1 << 62 => Ok(ticks),
        _ => Err(RateError::TooSlow),
    }
}

/// A moment: ticks since the policies were made, and what the wall clock said then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: u64,
    /// Ticks to be added to reach 1970. A step of the wall clock later on moves no window: it could forgive or refuse.
    pub(super) since_1970: u64,
}

impl Moment {
    /// When the window of the clock began that this moment is in.
    const fn window_start(self, period: u64) -> u64 {
        self.now.saturating_sub(self.now.wrapping_add(self.since_1970) % period)
    }
}

/// The counts of one policy, of a size fixed here and now.
#[derive(Debug)]
pub(super) enum Store {
    Table(Table),
    Windows(Windows),
    InFlight(InFlight),
}

impl Store {
    /// Room for so many keys under any of these limits, which must count alike.
    pub(super) fn new(limits: &[Limit], keys: usize) -> Result<Self, &'static str> {
        let most = |limit: &Limit| if let Limit::SlidingWindow { count, .. } = limit { *count } else { 0 };
        match limits.first() {
            Some(Limit::SlidingWindow { .. }) => {
                Ok(Self::Windows(Windows::new(keys, limits.iter().map(most).max().unwrap_or_default())))
            }
            Some(Limit::Concurrent { .. }) => Ok(Self::InFlight(InFlight::new(keys))),
            _ => Table::new(keys).map(Self::Table).map_err(|_| "needs more memory for its keys than there is"),
        }
    }

    /// What a charge would meet, without making it.
    pub(super) fn peek(&self, key: u64, limit: &Limit, moment: Moment, cost: u32) -> Standing {
        let now = moment.now;
        match (self, *limit) {
            (Self::Table(table), Limit::Flow(rate)) => {
                flowing(table.peek(key, &rate, now, cost), rate, now, || table.peek(key, &rate, now, 0))
            }
            (Self::Table(table), Limit::FixedWindow { rate, period }) => {
                let start = moment.window_start(period);
                in_window(table.peek(key, &rate, start, cost), rate, start.saturating_add(period) - now, || {
                    table.peek(key, &rate, start, 0)
                })
            }
            (Self::Windows(windows), Limit::SlidingWindow { count, period }) => {
                let seen = windows.check(key, (count, period), now, cost, false);
                Standing { limit: count, left: seen.left, wait: seen.wait, rest: seen.rest }
            }
            (Self::InFlight(in_flight), Limit::Concurrent { count }) => running(count, in_flight.running(key), cost),
            _ => MISMATCH,
        }
    }

    /// Charges a key if the charge fits; else nothing is changed.
    pub(super) fn charge(
        &self,
        key: u64,
        limit: &Limit,
        moment: Moment,
        cost: u32,
    ) -> Result<(Standing, Receipt), Standing> {
        let now = moment.now;
        match (self, *limit) {
            (Self::Table(table), Limit::Flow(rate)) => {
                let verdict = table.check(key, &rate, now, cost);
                let standing = flowing(verdict, rate, now, || table.peek(key, &rate, now, 0));
                verdict.map(|allowed| (standing, Receipt::Flow(allowed))).map_err(|_| standing)
            }
            (Self::Table(table), Limit::FixedWindow { rate, period }) => {
                let start = moment.window_start(period);
                let verdict = table.check(key, &rate, start, cost);
                let standing =
                    in_window(verdict, rate, start.saturating_add(period) - now, || table.peek(key, &rate, start, 0));
                verdict.map(|allowed| (standing, Receipt::Flow(allowed))).map_err(|_| standing)
            }
            (Self::Windows(windows), Limit::SlidingWindow { count, period }) => {
                let seen = windows.check(key, (count, period), now, cost, true);
                let standing = Standing { limit: count, left: seen.left, wait: seen.wait, rest: seen.rest };
                if seen.fits { Ok((standing, Receipt::Taken { at: now })) } else { Err(standing) }
            }
            (Self::InFlight(in_flight), Limit::Concurrent { count }) => match in_flight.enter(key, count, cost) {
                Ok((more, name)) => Ok((running(count, more, 0), Receipt::Running { name })),
                Err(now) => Err(running(count, now, cost)),
            },
            _ => Err(MISMATCH),
        }
    }

    /// Gives back `units` of a charge, as far as they still count.
    pub(super) fn refund(&self, key: u64, limit: &Limit, receipt: Receipt, units: u32, moment: Moment) {
        match (self, receipt, *limit) {
            (Self::Table(table), Receipt::Flow(allowed), Limit::Flow(rate)) => {
                table.refund(key, &allowed.part(&rate, units), moment.now);
            }
            (Self::Table(table), Receipt::Flow(allowed), Limit::FixedWindow { rate, period }) => {
                table.refund(key, &allowed.part(&rate, units), moment.window_start(period));
            }
            (Self::Windows(windows), Receipt::Taken { at }, _) => windows.refund(key, at, units),
            (Self::InFlight(in_flight), Receipt::Running { name }, _) => in_flight.leave(key, name, units),
            _ => {}
        }
    }

    /// Charges a key whether it fits or not: what has been used has been used.
    pub(super) fn drain(&self, key: u64, limit: &Limit, units: u32, moment: Moment) {
        match (self, *limit) {
            (Self::Table(table), Limit::Flow(rate)) => table.drain(key, &rate, moment.now, units),
            (Self::Table(table), Limit::FixedWindow { rate, period }) => {
                table.drain(key, &rate, moment.window_start(period), units);
            }
            // A window remembers no more than its count; that much is all that can be taken.
            (Self::Windows(windows), Limit::SlidingWindow { count, period }) => {
                let left = windows.check(key, (count, period), moment.now, 0, false).left;
                windows.check(key, (count, period), moment.now, units.min(left), true);
            }
            _ => {}
        }
    }

    /// Forgets a key. Answers whether it was known.
    pub(super) fn reset(&self, key: u64) -> bool {
        match self {
            Self::Table(table) => table.reset(key),
            Self::Windows(windows) => windows.reset(key),
            // What runs, runs.
            Self::InFlight(_) => false,
        }
    }

    /// How many keys are in use.
    pub(super) fn used(&self, now: u64) -> usize {
        match self {
            Self::Table(table) => table.used(now),
            Self::Windows(windows) => windows.used(),
            Self::InFlight(in_flight) => in_flight.used(),
        }
    }

    /// How many keys were forgotten while they still counted: the sign that there should be room for more.
    pub(super) fn evictions(&self) -> u64 {
        match self {
            Self::Table(table) => table.live_evictions(),
            Self::Windows(windows) => windows.evictions(),
            Self::InFlight(_) => 0,
        }
    }
}

/// A limit met a store of another kind. `Policy::compile` lets none through; should one come, it is refused.
const MISMATCH: Standing = Standing { limit: 0, left: 0, wait: NEVER, rest: 0 };

fn flowing(
    verdict: Result<Allowed, Refused>,
    rate: Rate,
    now: u64,
    look: impl FnOnce() -> Result<Allowed, Refused>,
) -> Standing {
    let standing = |left, wait, rest| Standing { limit: rate.burst(), left, wait, rest };
    match verdict {
        Ok(allowed) => standing(allowed.remaining(&rate), 0, allowed.new_tat.saturating_sub(now)),
        Err(refused) => {
            let wait = wait(refused);
            // Refused for its cost, there may be something left for a cheaper one.
            match look() {
                Ok(allowed) => standing(allowed.remaining(&rate), wait, allowed.new_tat.saturating_sub(now)),
                Err(other) => standing(0, wait, rate.tolerance().saturating_add(self::wait(other))),
            }
        }
    }
}

fn in_window(
    verdict: Result<Allowed, Refused>,
    rate: Rate,
    to_end: u64,
    look: impl FnOnce() -> Result<Allowed, Refused>,
) -> Standing {
    let standing = |left, wait| {
        let rest = if left == rate.burst() { 0 } else { to_end };
        Standing { limit: rate.burst(), left, wait, rest }
    };
    match verdict {
        Ok(allowed) => standing(allowed.remaining(&rate), 0),
        Err(Refused::Never) => standing(look().map_or(0, |allowed| allowed.remaining(&rate)), NEVER),
        Err(Refused::Wait { .. }) => standing(look().map_or(0, |allowed| allowed.remaining(&rate)), to_end.max(1)),
    }
}

fn running(count: u32, running: u32, cost: u32) -> Standing {
    let left = count.saturating_sub(running);
    // When another ends is not known; a moment is the least one can say.
    let wait = if cost <= left {
        0
    } else if cost > count {
        NEVER
    } else {
        1
    };
    Standing { limit: count, left: left.saturating_sub(if wait == 0 { cost } else { 0 }), wait, rest: 0 }
}

fn wait(refused: Refused) -> u64 {
    match refused {
        Refused::Wait { ticks } => ticks,
        Refused::Never => NEVER,
    }
}
