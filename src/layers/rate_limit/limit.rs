//! A quota made ready for use, and the store that counts by it, without HTTP in them.

use std::time::Duration;

use super::{
    gcra::{Allowed, Rate, RateError, Refused},
    in_flight::InFlight,
    table::Table,
    window::{Seen, Windows},
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
    /// Ticks until something is left; 0 if something is.
    pub(super) next: u64,
    /// Ticks until all of the quota is there again.
    pub(super) rest: u64,
}

impl Standing {
    /// What is left of one count within another, both of which must have room.
    pub(super) const fn within(self, outer: Self) -> Self {
        if outer.left < self.left || outer.left == self.left && outer.wait > self.wait {
            Self { limit: self.limit, ..outer }
        } else {
            self
        }
    }
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

    /// How long it is until a window begins that is at least `ticks` after the start of this one. A debt can outlast its
    /// window: a request that did cost more than the quota, or a quota that was replaced.
    const fn until_window(self, period: u64, ticks: u64) -> u64 {
        if ticks == 0 {
            return 0;
        }
        let to_end = self.window_start(period).saturating_add(period) - self.now;
        to_end.saturating_add((ticks - 1) / period * period)
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
        let window = |limit: &Limit| match *limit {
            Limit::SlidingWindow { count, period } => (count, period),
            _ => (0, 0),
        };
        match limits.first() {
            _ if keys == 0 => return Err("has room for no key"),
            Some(Limit::SlidingWindow { .. }) => {
                let (counts, periods): (Vec<_>, Vec<_>) = limits.iter().map(window).unzip();
                Windows::new(
                    keys,
                    counts.into_iter().max().unwrap_or_default(),
                    periods.into_iter().max().unwrap_or_default(),
                )
                .map(Self::Windows)
            }
            Some(Limit::Concurrent { .. }) => InFlight::new(keys).map(Self::InFlight),
            _ => Table::new(keys).map(Self::Table),
        }
        .map_err(|_| "needs more memory for its keys than there is")
    }

    /// Whether this store, made for others, can count under these limits too.
    pub(super) fn holds(&self, limits: &mut impl Iterator<Item = Limit>) -> bool {
        limits.all(|limit| match (self, limit) {
            (Self::Windows(windows), Limit::SlidingWindow { count, period }) => windows.holds(count, period),
            (Self::Table(_), Limit::Flow(_) | Limit::FixedWindow { .. })
            | (Self::InFlight(_), Limit::Concurrent { .. }) => true,
            _ => false,
        })
    }

    /// What a charge would meet, without making it.
    pub(super) fn peek(&self, key: u64, limit: &Limit, moment: Moment, cost: u32) -> Standing {
        let now = moment.now;
        match (self, *limit) {
            (Self::Table(table), Limit::Flow(rate)) => {
                stand(table.peek(key, &rate, now, cost), rate, now, |ticks| ticks, || table.peek(key, &rate, now, 0))
            }
            (Self::Table(table), Limit::FixedWindow { rate, period }) => {
                let (start, until) = (moment.window_start(period), |ticks| moment.until_window(period, ticks));
                stand(table.peek(key, &rate, start, cost), rate, start, until, || table.peek(key, &rate, start, 0))
            }
            (Self::Windows(windows), Limit::SlidingWindow { count, period }) => {
                in_window(count, windows.check(key, (count, period), now, cost, false))
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
                let standing = stand(verdict, rate, now, |ticks| ticks, || table.peek(key, &rate, now, 0));
                verdict.map(|allowed| (standing, Receipt::Flow(allowed))).map_err(|_| standing)
            }
            (Self::Table(table), Limit::FixedWindow { rate, period }) => {
                let (start, until) = (moment.window_start(period), |ticks| moment.until_window(period, ticks));
                let verdict = table.check(key, &rate, start, cost);
                let standing = stand(verdict, rate, start, until, || table.peek(key, &rate, start, 0));
                verdict.map(|allowed| (standing, Receipt::Flow(allowed))).map_err(|_| standing)
            }
            (Self::Windows(windows), Limit::SlidingWindow { count, period }) => {
                let seen = windows.check(key, (count, period), now, cost, true);
                let standing = in_window(count, seen);
                if seen.fits { Ok((standing, Receipt::Taken { at: seen.at })) } else { Err(standing) }
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

    /// How many ticks a key owes in a flow.
    pub(super) fn debt(&self, key: u64, moment: Moment) -> u64 {
        if let Self::Table(table) = self { table.debt(key, moment.now) } else { 0 }
    }

    /// Gives back so many ticks that a key owes in a flow.
    pub(super) fn give_back(&self, key: u64, ticks: u64) {
        if let Self::Table(table) = self
            && ticks > 0
        {
            table.give_back(key, ticks);
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
                windows.take_up_to(key, (count, period), moment.now, units);
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

    /// How many keys are in use under these limits.
    pub(super) fn used<'a>(&self, limits: impl Iterator<Item = &'a Limit>, moment: Moment) -> usize {
        // What is owed in a window of the clock, is owed to its end.
        let since = |limit: &Limit| match *limit {
            Limit::FixedWindow { period, .. } => moment.window_start(period),
            _ => moment.now,
        };
        match self {
            Self::Table(table) => table.used(limits.map(since).min().unwrap_or(moment.now)),
            Self::Windows(windows) => windows.used(moment.now),
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
const MISMATCH: Standing = Standing { limit: 0, left: 0, wait: NEVER, next: NEVER, rest: 0 };

const fn in_window(count: u32, seen: Seen) -> Standing {
    Standing { limit: count, left: seen.left, wait: seen.wait, next: seen.next, rest: seen.rest }
}

/// Where a key stands: `at` is the time its debt is measured from, and `until` says how many ticks from now so much of it
/// is paid off.
fn stand(
    verdict: Result<Allowed, Refused>,
    rate: Rate,
    at: u64,
    until: impl Fn(u64) -> u64,
    look: impl FnOnce() -> Result<Allowed, Refused>,
) -> Standing {
    let limit = rate.burst();
    let wait = match verdict {
        Ok(_) => 0,
        Err(Refused::Wait { ticks }) => until(ticks),
        Err(Refused::Never) => NEVER,
    };
    // Refused for its cost, there may be something left for a cheaper one.
    match verdict.or_else(|_| look()) {
        Ok(allowed) => {
            let left = allowed.remaining(&rate);
            let next = if left > 0 { 0 } else { until(rate.increment() - allowed.spare) };
            Standing { limit, left, wait, next, rest: until(allowed.new_tat.saturating_sub(at)) }
        }
        Err(Refused::Wait { ticks }) => {
            let (next, rest) = (until(ticks.saturating_add(rate.increment())), ticks.saturating_add(rate.tolerance()));
            Standing { limit, left: 0, wait, next, rest: until(rest) }
        }
        Err(Refused::Never) => Standing { limit, left: 0, wait: NEVER, next: NEVER, rest: NEVER },
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
    let left = left.saturating_sub(if wait == 0 { cost } else { 0 });
    Standing { limit: count, left, wait, next: u64::from(left == 0), rest: 0 }
}

#[cfg(test)]
mod tests;
