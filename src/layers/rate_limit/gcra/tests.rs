//! The arithmetic against its definition and against the crate `governor`.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "arbitrary times, drawn as floats"
)]

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Allowed, Rate, RateError, Refused, decide};
use governor::clock::FakeRelativeClock;
use governor::{Quota, RateLimiter};
use proptest::prelude::*;

const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn rate(count: u32, period: Duration, burst: u32) -> Rate {
    Rate::new(count, period, burst).unwrap()
}

/// Quotas from one unit per nanosecond to one in seven years.
fn rates() -> impl Strategy<Value = Rate> {
    (1..=5000_u32, 0..58_u32, 1..=20_u32, any::<u64>()).prop_map(|(count, bits, burst, low)| {
        let period = u64::from(count) + (low >> (64 - bits - 1).min(63));
        rate(count, Duration::from_nanos(period), burst)
    })
}

#[test]
fn a_quota_is_rounded_against_the_caller() {
    let third = rate(3, Duration::from_secs(1), 2);
    assert_eq!(third.increment(), 333_333_334);
    assert_eq!(third.tolerance(), 666_666_668);
    assert_eq!(third.burst(), 2);
}

#[test]
fn quotas_out_of_range_are_errors() {
    let second = Duration::from_secs(1);
    assert_eq!(Rate::new(0, second, 1), Err(RateError::Zero));
    assert_eq!(Rate::new(1, second, 0), Err(RateError::Zero));
    assert_eq!(Rate::new(1, Duration::ZERO, 1), Err(RateError::Zero));
    assert_eq!(Rate::new(2, Duration::from_nanos(1), 1), Err(RateError::TooFast));
    assert_eq!(Rate::new(1, YEAR * 1000, 1), Err(RateError::TooSlow));
    assert_eq!(Rate::new(1, Duration::MAX, u32::MAX), Err(RateError::TooSlow));
    assert_eq!(Rate::new(1, YEAR, 147), Err(RateError::TooSlow));
    assert!(Rate::new(1, YEAR, 146).is_ok());
    assert!(Rate::new(u32::MAX, YEAR * 100, u32::MAX).is_ok());
}

#[test]
fn one_a_day() {
    let daily = rate(1, DAY, 1);
    let day = daily.increment();
    let first = decide(&daily, 0, 5, 1).unwrap();
    assert_eq!(first, Allowed { new_tat: 5 + day, charged: day, spare: 0 });
    assert_eq!(first.remaining(&daily), 0);
    assert_eq!(decide(&daily, first.new_tat, 6, 1), Err(Refused::Wait { ticks: day - 1 }));
    assert!(decide(&daily, first.new_tat, 5 + day, 1).is_ok());
}

#[test]
fn a_cost_beyond_the_burst_is_never_admitted() {
    let few = rate(10, Duration::from_secs(1), 3);
    assert_eq!(decide(&few, 0, 0, 4), Err(Refused::Never));
    assert_eq!(decide(&few, 0, u64::MAX, u32::MAX), Err(Refused::Never));
    assert_eq!(decide(&few, 0, 0, 3).unwrap().remaining(&few), 0);
}

#[test]
fn the_end_of_time_admits_nothing_more() {
    let century = rate(1, YEAR * 100, 1);
    let end = u64::MAX - century.increment();
    assert!(decide(&century, 0, end, 1).is_ok());
    assert_eq!(decide(&century, 0, end + 1, 1), Err(Refused::Never));
    assert_eq!(decide(&century, u64::MAX, 0, 1), Err(Refused::Never));
    // A thousand years past its epoch is where a tick counter overflows.
    assert_eq!(decide(&century, u64::MAX, u64::MAX, 1), Err(Refused::Never));
    assert_eq!(decide(&century, u64::MAX, u64::MAX, 0).map(|allowed| allowed.charged), Ok(0));
}

#[test]
fn a_clock_that_goes_back_delays_by_as_much() {
    let hourly = rate(1, Duration::from_secs(3600), 1);
    let hour = hourly.increment();
    let tat = decide(&hourly, 0, 10 * hour, 1).unwrap().new_tat;
    assert_eq!(decide(&hourly, tat, 8 * hour, 1), Err(Refused::Wait { ticks: 3 * hour }));
}

#[test]
fn a_refund_is_what_has_not_drained() {
    let quota = rate(1, Duration::from_nanos(10), 5);
    let receipt = decide(&quota, 0, 100, 2).unwrap();
    let refundable: Vec<_> = [90, 100, 105, 119, 120, 500].map(|now| receipt.refundable(now)).into();
    assert_eq!(refundable, [20, 20, 15, 1, 0, 0]);
}

proptest! {
    #[test]
    fn no_arguments_panic(
        rate in rates(), tat: u64, now: u64, cost: u32, shift in 0..64_u32, cost_shift in 0..32_u32,
    ) {
        for (tat, now) in [(tat, now), (tat >> shift, now), (tat, now >> shift)] {
            if let Ok(allowed) = decide(&rate, tat, now, cost >> cost_shift) {
                prop_assert!(allowed.new_tat >= tat.max(now));
                prop_assert!(allowed.remaining(&rate) <= rate.burst());
            }
        }
    }

    #[test]
    fn any_quota_is_an_error_or_exact(count: u32, secs: u64, nanos in 0..1_000_000_000_u32, burst: u32) {
        let period = Duration::new(secs, nanos);
        if let Ok(rate) = Rate::new(count, period, burst) {
            let (exact, count) = (period.as_nanos(), u128::from(count));
            let full = u128::from(rate.increment()) * count;
            prop_assert!(exact <= full && full < exact + count);
            prop_assert_eq!(rate.tolerance(), rate.increment() * u64::from(burst));
        }
    }

    #[test]
    fn a_wait_is_exact(rate in rates(), now in 0..1_u64 << 62, behind in 0.0..3.0_f64, cost in 1..=20_u32) {
        let tat = now + (rate.tolerance() as f64 * behind) as u64;
        match decide(&rate, tat, now, cost) {
            Err(Refused::Wait { ticks }) => {
                prop_assert!(ticks > 0);
                let refused = decide(&rate, tat, now + ticks - 1, cost);
                prop_assert_eq!(refused, Err(Refused::Wait { ticks: 1 }));
                prop_assert!(decide(&rate, tat, now + ticks, cost).is_ok());
            }
            Err(_) => prop_assert!(cost > rate.burst()),
            Ok(allowed) => prop_assert!(allowed.new_tat - now <= rate.tolerance()),
        }
    }

    /// In every window, of all pairs of admissions, at most burst + rate * window.
    #[test]
    fn no_window_admits_more(
        rate in rates(), steps in prop::collection::vec((0..4_u64, 0..8_u64, 1..=5_u32), 1..60),
    ) {
        let (mut now, mut tat) = (1000, 0);
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        for (whole, eighths, cost) in steps {
            now += rate.increment() * whole / 2 + rate.increment() / 8 * eighths;
            if let Ok(allowed) = decide(&rate, tat, now, cost) {
                tat = allowed.new_tat;
                admitted.push((now, u64::from(cost)));
            }
        }
        for from in 0..admitted.len() {
            let mut units = 0;
            for &(at, cost) in &admitted[from..] {
                units += cost;
                let window = at - admitted[from].0;
                let limit = u64::from(rate.burst()) + window / rate.increment();
                prop_assert!(units <= limit, "{units} > {limit}");
            }
        }
    }

    /// With a whole number of ticks per unit, governor decides the same.
    #[test]
    fn agrees_with_governor(
        rate in rates(), steps in prop::collection::vec((0..4_u64, 0..8_u64, 1..=4_u32), 1..60),
    ) {
        let clock = FakeRelativeClock::default();
        let quota = Quota::with_period(Duration::from_nanos(rate.increment())).unwrap()
            .allow_burst(NonZeroU32::new(rate.burst()).unwrap());
        let governor = RateLimiter::direct_with_clock(quota, clock.clone());
        let (mut now, mut tat) = (0, 0);
        for (whole, eighths, cost) in steps {
            let step = rate.increment() * whole / 2 + rate.increment() / 8 * eighths;
            now += step;
            clock.advance(Duration::from_nanos(step));
            let ours = decide(&rate, tat, now, cost);
            if let Ok(allowed) = ours {
                tat = allowed.new_tat;
            }
            let theirs = governor.check_n(NonZeroU32::new(cost).unwrap());
            prop_assert_eq!(matches!(theirs, Ok(Ok(()))), ours.is_ok());
            prop_assert_eq!(theirs.is_err(), ours == Err(Refused::Never));
            if let (Ok(Err(until)), Err(Refused::Wait { ticks })) = (theirs, ours) {
                use governor::clock::Clock;
                let wait = until.wait_time_from(clock.now());
                prop_assert_eq!(wait, Duration::from_nanos(ticks));
            }
        }
    }

    /// With a fraction of a tick per unit, governor rounds it down and this
    /// rounds it up: one tick per unit apart.
    #[test]
    fn increments_are_within_a_tick_of_governors(per_second in 1..=1_000_000_u32) {
        let governor = Quota::per_second(NonZeroU32::new(per_second).unwrap()).replenish_interval();
        let ours = u128::from(rate(per_second, Duration::from_secs(1), 1).increment());
        prop_assert!((governor.as_nanos()..=governor.as_nanos() + 1).contains(&ours));
    }
}
