//! How much, per how long, counted how.

use std::{fmt, str::FromStr, time::Duration};

use super::limit::Limit;
use crate::ConfigError;

/// So many requests per period; so many of them at once.
///
/// `Quota::per_second(100)` is one hundred requests per second, never one per hundred seconds. The burst is how many may
/// come at the same moment; it is the whole quota unless [`burst`](Self::burst) says less (or more).
///
/// ```
/// use palisade::rate_limit::Quota;
/// assert_eq!(Quota::per_minute(100).burst(20).to_string(), "100 per minute, burst 20");
/// assert_eq!("100 per minute, burst 20".parse(), Ok(Quota::per_minute(100).burst(20)));
/// ```
///
/// | counted as | promise | memory per key |
/// |---|---|---|
/// | a flow (the default, GCRA) | never more than burst + rate × time, in any time | 22 bytes |
/// | [`sliding_window`](Self::sliding_window) | never more than the count in any period | 8 bytes × count, and a little more |
/// | [`fixed_window`](Self::fixed_window) | never more than the count in a period of the clock | 22 bytes |
/// | [`concurrent`](Self::concurrent) | never more than the count at the same time | 16 bytes |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    count: u32,
    period: Duration,
    burst: u32,
    counted: Counted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Flow,
    SlidingWindow,
    FixedWindow,
    Concurrent,
}

const UNITS: [(&str, u64); 4] = [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400)];

/// The longest window of the clock: one can have begun before the process did, but not before its first tick.
const YEAR: Duration = Duration::from_secs(366 * 86_400);

impl Quota {
    /// `count` requests per second.
    #[must_use]
    pub const fn per_second(count: u32) -> Self {
        Self::per(Duration::from_secs(1), count)
    }

    /// `count` requests per minute.
    #[must_use]
    pub const fn per_minute(count: u32) -> Self {
        Self::per(Duration::from_secs(60), count)
    }

    /// `count` requests per hour.
    #[must_use]
    pub const fn per_hour(count: u32) -> Self {
        Self::per(Duration::from_secs(3600), count)
    }

    /// `count` requests per day.
    #[must_use]
    pub const fn per_day(count: u32) -> Self {
        Self::per(Duration::from_secs(86_400), count)
    }

    /// `count` requests per `period`.
    #[must_use]
    pub const fn per(period: Duration, count: u32) -> Self {
        Self { count, period, burst: count, counted: Counted::Flow }
    }

    /// `count` requests at the same time, each until its answer has ended.
    #[must_use]
    pub const fn concurrent(count: u32) -> Self {
        Self { counted: Counted::Concurrent, ..Self::per(Duration::ZERO, count) }
    }

    /// How many may come at the same moment. Only a flow has one.
    #[must_use]
    pub const fn burst(self, burst: u32) -> Self {
        Self { burst, ..self }
    }

    /// Counts exactly, in every stretch of time as long as the period. For contracts that say so: it takes more memory.
    #[must_use]
    pub const fn sliding_window(self) -> Self {
        Self { counted: Counted::SlidingWindow, ..self }
    }

    /// Counts from one full minute, hour or day (UTC) to the next. Around its edge twice the count may come.
    #[must_use]
    pub const fn fixed_window(self) -> Self {
        Self { counted: Counted::FixedWindow, ..self }
    }

    /// The most that is ever let in at once: what a header calls the limit.
    pub const fn capacity(self) -> u32 {
        self.burst
    }

    /// The time over which the quota is counted; zero for one of concurrency.
    pub const fn period(self) -> Duration {
        self.period
    }

    /// Requests per second, to compare quotas by.
    pub(super) fn rate(self) -> f64 {
        if self.period.is_zero() { f64::from(self.count) } else { f64::from(self.count) / self.period.as_secs_f64() }
    }

    /// The time in which what may come at once is there again: the period, unless there is a burst of its own.
    pub(super) fn refills_in(self) -> Duration {
        if self.burst == self.count || self.count == 0 {
            return self.period;
        }
        let nanos = (self.period.as_nanos() * u128::from(self.burst)).div_ceil(u128::from(self.count));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The same quota, counted as a flow if it was a sliding window.
    pub(super) const fn flowing(self) -> Self {
        match self.counted {
            Counted::SlidingWindow => Self { counted: Counted::Flow, ..self },
            _ => self,
        }
    }

    /// The same quota for `times` as many.
    pub(super) const fn times(self, times: u32) -> Self {
        Self { count: self.count.saturating_mul(times), burst: self.burst.saturating_mul(times), ..self }
    }

    pub(super) fn compile(self, place: &impl fmt::Display) -> Result<Limit, ConfigError> {
        let Self { count, period, burst, counted } = self;
        let wrong = |problem: &dyn fmt::Display| ConfigError::new(place, format_args!("quota `{self}` {problem}"));
        if count == 0 {
            return Err(wrong(&"lets nothing in; leave the route out instead"));
        }
        if burst == 0 {
            return Err(wrong(&"has a burst of 0, which lets nothing in"));
        }
        if counted != Counted::Flow && burst != count {
            return Err(wrong(&"has a burst, which only a flow can have"));
        }
        if counted == Counted::FixedWindow && period > YEAR {
            return Err(wrong(&"has a window of the clock that is longer than a year"));
        }
        match counted {
            Counted::Flow => Limit::flow(count, period, burst).map_err(|problem| wrong(&problem)),
            Counted::FixedWindow => Limit::fixed_window(count, period).map_err(|problem| wrong(&problem)),
            Counted::SlidingWindow => Limit::sliding_window(count, period).map_err(|problem| wrong(&problem)),
            Counted::Concurrent => Ok(Limit::Concurrent { count }),
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.counted == Counted::Concurrent {
            return write!(f, "{} at once", self.count);
        }
        let seconds = self.period.as_secs();
        let whole =
            |(_, unit): &&(&str, u64)| self.period.subsec_nanos() == 0 && seconds > 0 && seconds.is_multiple_of(*unit);
        match UNITS.iter().rev().find(whole) {
            Some((name, unit)) if seconds == *unit => write!(f, "{} per {name}", self.count)?,
            Some((name, unit)) => write!(f, "{} per {} {name}s", self.count, seconds / unit)?,
            None => write!(f, "{} per {:?}", self.count, self.period)?,
        }
        if self.burst != self.count {
            write!(f, ", burst {}", self.burst)?;
        }
        f.write_str(match self.counted {
            Counted::SlidingWindow => ", sliding window",
            Counted::FixedWindow => ", fixed window",
            Counted::Flow | Counted::Concurrent => "",
        })
    }
}

impl FromStr for Quota {
    type Err = ConfigError;

    /// Reads what `Display` writes of whole seconds: `10 per minute`, `100 per second, burst 20`, `5 per 15 minutes, sliding window`, `8 at once`.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        parse(text).ok_or_else(|| {
            ConfigError::new("quota", format_args!("`{text}` is none; write it like `100 per minute, burst 20`"))
        })
    }
}

fn parse(text: &str) -> Option<Quota> {
    let mut clauses = text.split(',').map(str::trim);
    let quota = parse_rate(clauses.next()?)?;
    clauses.try_fold(quota, |quota, clause| match clause {
        "sliding window" => Some(quota.sliding_window()),
        "fixed window" => Some(quota.fixed_window()),
        _ => Some(quota.burst(clause.strip_prefix("burst ")?.trim().parse().ok()?)),
    })
}

fn parse_rate(text: &str) -> Option<Quota> {
    let words: Vec<_> = text.split_whitespace().collect();
    let (count, times, unit) = match words[..] {
        [count, "at", "once"] => return Some(Quota::concurrent(count.parse().ok()?)),
        [count, "per", unit] => (count, 1, unit),
        [count, "per", times, units] => (count, times.parse().ok()?, units.strip_suffix('s')?),
        _ => return None,
    };
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some(Quota::per(Duration::from_secs(seconds.checked_mul(times)?), count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_reads_as_it_is_written() {
        for (quota, text) in [
            (Quota::per_second(100), "100 per second"),
            (Quota::per_minute(100).burst(20), "100 per minute, burst 20"),
            (Quota::per(Duration::from_secs(900), 5), "5 per 15 minutes"),
            (Quota::per(Duration::from_secs(900), 5).sliding_window(), "5 per 15 minutes, sliding window"),
            (Quota::per_day(1).fixed_window(), "1 per day, fixed window"),
            (Quota::per(Duration::from_secs(90), 3), "3 per 90 seconds"),
            (Quota::concurrent(8), "8 at once"),
        ] {
            assert_eq!(quota.to_string(), text);
            assert_eq!(text.parse(), Ok(quota));
        }
    }

    #[test]
    fn what_is_no_quota_is_an_error() {
        for text in [
            "",
            "100",
            "100/minute",
            "per minute",
            "ten per minute",
            "10 per fortnight",
            "10 per minute, 5",
            "-1 per day",
            "10 per minute,",
        ] {
            assert!(text.parse::<Quota>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_quota_that_makes_no_sense_is_told_so() {
        let hour = Duration::from_secs(3600);
        for (quota, problem) in [
            (Quota::per_minute(0), "lets nothing in"),
            (Quota::per_minute(5).burst(0), "burst of 0"),
            (Quota::per(Duration::ZERO, 5), "zero"),
            (Quota::per(Duration::from_nanos(5), 6), "nanosecond"),
            (Quota::per(Duration::MAX, 1), "years"),
            (Quota::per(hour, 5).burst(2).sliding_window(), "only a flow"),
            (Quota::concurrent(0), "lets nothing in"),
        ] {
            let error = quota.compile(&"policy `api`").unwrap_err();
            assert!(error.to_string().contains(problem), "{error}");
        }
        assert!(Quota::per_day(1).compile(&"").is_ok());
        assert!(Quota::per_second(u32::MAX).burst(1).compile(&"").is_err(), "more than one per nanosecond");
    }
}
