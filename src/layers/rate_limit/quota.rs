//! How much, per how long.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    count: u32,
    period: Duration,
    burst: u32,
}

const UNITS: [(&str, u64); 4] = [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400)];

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
        Self { count, period, burst: count }
    }

    /// How many may come at the same moment.
    #[must_use]
    pub const fn burst(self, burst: u32) -> Self {
        Self { burst, ..self }
    }

    /// The most that is ever let in at once: what a header calls the limit.
    pub const fn capacity(self) -> u32 {
        self.burst
    }

    /// The time in which one request comes back.
    pub fn interval(self) -> Duration {
        self.period / self.count.max(1)
    }

    pub(super) fn compile(self, place: &impl fmt::Display) -> Result<governor::Quota, ConfigError> {
        let wrong = |problem: &str| ConfigError::new(place, format_args!("quota `{self}` {problem}"));
        if self.count == 0 {
            return Err(wrong("lets nothing in; leave the route out instead"));
        }
        let burst = NonZeroU32::new(self.burst).ok_or_else(|| wrong("has a burst of 0, which lets nothing in"))?;
        let quota = governor::Quota::with_period(self.interval());
        quota.map(|quota| quota.allow_burst(burst)).ok_or_else(|| wrong("is faster than one request per nanosecond"))
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.period.as_secs();
        let whole =
            |(_, unit): &&(&str, u64)| self.period.subsec_nanos() == 0 && seconds > 0 && seconds.is_multiple_of(*unit);
        match UNITS.iter().rev().find(whole) {
            Some((name, unit)) if seconds == *unit => write!(f, "{} per {name}", self.count)?,
            Some((name, unit)) => write!(f, "{} per {} {name}s", self.count, seconds / unit)?,
            None => write!(f, "{} per {:?}", self.count, self.period)?,
        }
        if self.burst == self.count { Ok(()) } else { write!(f, ", burst {}", self.burst) }
    }
}

impl FromStr for Quota {
    type Err = ConfigError;

    /// Reads what `Display` writes: `10 per minute`, `5 per 15 minutes`, `100 per second, burst 20`.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        parse(text).ok_or_else(|| {
            ConfigError::new("quota", format_args!("`{text}` is none; write it like `100 per minute, burst 20`"))
        })
    }
}

fn parse(text: &str) -> Option<Quota> {
    let (rate, burst) = match text.split_once(',') {
        Some((rate, burst)) => (rate, Some(burst.trim().strip_prefix("burst ")?.trim().parse().ok()?)),
        None => (text, None),
    };
    let words: Vec<_> = rate.split_whitespace().collect();
    let (count, times, unit) = match words[..] {
        [count, "per", unit] => (count, 1, unit),
        [count, "per", times, units] => (count, times.parse().ok()?, units.strip_suffix('s')?),
        _ => return None,
    };
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let quota = Quota::per(Duration::from_secs(seconds.checked_mul(times)?), count.parse().ok()?);
    Some(burst.map_or(quota, |burst| quota.burst(burst)))
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
            (Quota::per_day(1), "1 per day"),
            (Quota::per(Duration::from_secs(90), 3), "3 per 90 seconds"),
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
        ] {
            assert!(text.parse::<Quota>().is_err(), "{text}");
        }
    }
}
