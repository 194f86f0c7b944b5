//! The window against a list that forgets nothing.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

proptest! {
    /// The window against a plain list of all admissions.
    #[test]
    fn it_admits_exactly_what_a_full_list_would(
        count in 1_u32..6,
        arrivals in prop::collection::vec((0_u64..50, 0_u32..4, any::<bool>()), 1..200),
    ) {
        let windows = Windows::new(8, count, 100).unwrap();
        let (period, mut now, mut list) = (100, 1, VecDeque::<u64>::new());
        for (gap, cost, give_back) in arrivals {
            now += gap;
            list.retain(|time| time + period > now);
            let fits = list.len() + cost as usize <= count as usize;
            let seen = windows.check(7, (count, period), now, cost, true);
            prop_assert_eq!(seen.fits, fits);
            if fits {
                list.extend((0..cost).map(|_| now));
            } else if cost <= count {
                let left_at = |time| list.iter().filter(|admitted| *admitted + period > time).count();
                let fits_at = |time| left_at(time) + cost as usize <= count as usize;
                prop_assert!(!fits_at(now + seen.wait - 1), "refused until then");
                prop_assert!(fits_at(now + seen.wait), "admitted then");
            } else {
                prop_assert_eq!(seen.wait, u64::MAX);
            }
            if fits && give_back {
                windows.refund(7, now, cost);
                list.truncate(list.len() - cost as usize);
            }
        }
    }
}

#[test]
fn a_full_set_forgets_who_is_at_rest_soonest() {
    let windows = Windows::new(WAYS, 1, 1000).unwrap();
    for key in 1..=WAYS as u64 {
        assert!(windows.check(key, (1, 1000), key, 1, true).fits);
    }
    assert!(windows.check(99, (1, 1000), 50, 1, true).fits, "a newcomer is never refused");
    assert_eq!(windows.evictions(), 1);
    assert!(windows.check(1, (1, 1000), 51, 1, false).fits, "the one soonest at rest was forgotten");
    assert!(!windows.check(2, (1, 1000), 51, 1, false).fits);
}

#[test]
fn a_clock_that_goes_back_or_ends_refuses_nobody_for_ever_and_never_panics() {
    let windows = Windows::new(8, 2, 1 << 62).unwrap();
    assert!(windows.check(1, (2, 100), 1000, 1, true).fits);
    assert!(windows.check(1, (2, 100), 10, 1, true).fits);
    assert!(!windows.check(1, (2, 100), 10, 1, true).fits);
    assert!(windows.check(1, (2, 100), 1100, 2, true).fits);
    assert!(windows.check(2, (2, 1 << 62), 1 << 62, 2, true).fits);
    assert!(!windows.check(2, (2, 1 << 62), u64::MAX >> 1, 1, true).fits);
    windows.check(2, (2, u64::MAX), u64::MAX, 2, true);
}

#[test]
fn a_look_forgets_nothing_at_whatever_time_and_period() {
    let windows = Windows::new(8, 3, 1000).unwrap();
    assert!(windows.check(1, (3, 1000), 10, 3, true).fits);
    for (period, now) in [(1, 500), (1000, 5000), (1000, u64::MAX)] {
        assert!(windows.check(1, (3, period), now, 1, false).fits);
    }
    assert!(!windows.check(1, (3, 1000), 20, 1, false).fits);
}

#[test]
fn a_shorter_period_forgets_nothing_of_a_longer_one() {
    let windows = Windows::new(8, 3, 1000).unwrap();
    assert!(windows.check(1, (3, 1000), 10, 2, true).fits);
    for now in 100..200 {
        assert!(windows.check(1, (1, 1), now, 1, true).fits, "one per tick");
    }
    let seen = windows.check(1, (3, 1000), 200, 1, true);
    assert_eq!((seen.fits, seen.left), (false, 0), "they were three or more in the longer one");
    assert_eq!(windows.used(500), 1);
}

#[test]
fn a_step_down_waits_for_all_that_are_too_many() {
    let windows = Windows::new(8, 5, 100).unwrap();
    for now in [10, 20, 30, 40, 50] {
        assert!(windows.check(1, (5, 100), now, 1, true).fits);
    }
    let seen = windows.check(1, (2, 100), 60, 1, true);
    assert_eq!((seen.wait, seen.left), (80, 0), "until the one of 40 has left");
    assert!(!windows.check(1, (2, 100), 139, 1, false).fits && windows.check(1, (2, 100), 140, 1, false).fits);
}

#[test]
fn no_more_than_there_is_left_is_taken() {
    let windows = Windows::new(8, 3, 100).unwrap();
    windows.take_up_to(1, (3, 100), 10, 2);
    windows.take_up_to(1, (3, 100), 20, 5);
    assert_eq!(windows.check(1, (3, 100), 20, 2, false).wait, 90);
    windows.take_up_to(2, (3, 100), 20, 0);
    assert_eq!(windows.used(20), 1);
}

#[test]
fn what_no_memory_holds_is_an_error() {
    assert!(Windows::new(usize::MAX, 1, 1).is_err());
    assert!(Windows::new(usize::MAX / 64, u32::MAX, 1).is_err());
}
