//! Every way of counting against the promises they share.

use proptest::prelude::*;

use super::{
    super::reservations::{Reservations, Reserved},
    *,
};

const SECOND: u64 = 1_000_000_000;
const KEY: u64 = 7 << 50;

fn moment(now: u64) -> Moment {
    Moment { now, since_1970: 1_700_000_000 * SECOND }
}

fn store(limit: Limit) -> Store {
    Store::new(&[limit], 100).unwrap()
}

/// Quotas over time, of all kinds, with periods that divide evenly by the count and others.
fn limits() -> impl Strategy<Value = Limit> {
    (1_u32..12, 1_u64..5_000, 1_u32..12, 0_u8..3).prop_map(|(count, millis, burst, kind)| {
        let period = Duration::from_nanos(millis * 1_000_003);
        match kind {
            0 => Limit::flow(count, period, burst),
            1 => Limit::fixed_window(count, period),
            _ => Limit::sliding_window(count, period),
        }
        .unwrap()
    })
}

fn capacity(limit: Limit) -> u32 {
    match limit {
        Limit::Flow(rate) | Limit::FixedWindow { rate, .. } => rate.burst(),
        Limit::SlidingWindow { count, .. } | Limit::Concurrent { count } => count,
    }
}

/// Gaps in thousandths of the time that all of a quota takes to come back.
fn steps() -> impl Strategy<Value = Vec<(u64, u32)>> {
    prop::collection::vec((prop_oneof![Just(0), 0..300_u64, 0..2000_u64], 0..6_u32), 1..80)
}

fn whole(limit: Limit) -> u64 {
    match limit {
        Limit::Flow(rate) => rate.tolerance(),
        Limit::FixedWindow { period, .. } | Limit::SlidingWindow { period, .. } => period,
        Limit::Concurrent { .. } => 0,
    }
}

proptest! {
    #[test]
    fn a_charge_is_refused_for_the_time_it_names_and_fits_then(limit in limits(), steps in steps()) {
        let store = store(limit);
        let mut now = 400 * 86_400 * SECOND;
        for (gap, cost) in steps {
            now += whole(limit) * gap / 1000;
            let looked = store.peek(KEY, &limit, moment(now), cost);
            match store.charge(KEY, &limit, moment(now), cost) {
                Ok((standing, _)) => {
                    prop_assert_eq!((looked.wait, standing.wait), (0, 0));
                    prop_assert_eq!(standing.left, looked.left, "a look says what the deed would");
                    prop_assert_eq!(standing.next == 0, standing.left > 0);
                    let at_rest = store.peek(KEY, &limit, moment(now + standing.rest), 0);
                    prop_assert_eq!((at_rest.left, at_rest.rest), (capacity(limit), 0), "all is there again");
                    if standing.left == 0 {
                        let left_at = |at| store.peek(KEY, &limit, moment(at), 0).left;
                        prop_assert!(left_at(now + standing.next - 1) == 0 && left_at(now + standing.next) > 0);
                    }
                }
                Err(refused) if cost > capacity(limit) => prop_assert_eq!((refused.wait, looked.wait), (NEVER, NEVER)),
                Err(refused) => {
                    prop_assert_eq!(refused, looked, "refused, it is as if it had only looked");
                    prop_assert_eq!(refused, store.peek(KEY, &limit, moment(now), cost), "nothing was changed");
                    prop_assert!(refused.wait > 0);
                    prop_assert!(store.peek(KEY, &limit, moment(now + refused.wait - 1), cost).wait > 0);
                    prop_assert_eq!(store.peek(KEY, &limit, moment(now + refused.wait), cost).wait, 0);
                }
            }
        }
    }

    #[test]
    fn no_window_admits_more_than_was_promised(limit in limits(), steps in steps()) {
        let store = store(limit);
        let mut now = 400 * 86_400 * SECOND;
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        for (gap, cost) in steps {
            now += whole(limit) * gap / 1000;
            if store.charge(KEY, &limit, moment(now), cost).is_ok() {
                admitted.push((now, cost.into()));
            }
        }
        for from in 0..admitted.len() {
            let start = admitted[from].0;
            let within = |end: u64| admitted[from..].iter().filter(|(at, _)| *at <= end).map(|(_, units)| units).sum::<u64>();
            match limit {
                Limit::Flow(rate) => for (end, _) in &admitted[from..] {
                    prop_assert!(within(*end) <= u64::from(rate.burst()) + (end - start) / rate.increment());
                },
                Limit::SlidingWindow { count, period } => prop_assert!(within(start + period - 1) <= count.into()),
                Limit::FixedWindow { rate, period } => {
                    let end = moment(start).window_start(period) + period;
                    prop_assert!(within(end - 1) <= rate.burst().into());
                    prop_assert_eq!((end + moment(start).since_1970) % period, 0, "of the wall clock");
                }
                Limit::Concurrent { .. } => {}
            }
        }
    }

    /// Whatever was reserved, in whatever order it is settled: settled at once, it is as if the truth had been charged;
    /// settled later, it is never better than that.
    #[test]
    fn reservations_settle_to_the_truth(
        limit in limits(),
        requests in prop::collection::vec((0_u64..400, 1_u32..5, 0_u32..5, any::<prop::sample::Index>()), 1..40),
        later in any::<bool>(),
    ) {
        let (reserving, truth, open) = (store(limit), store(limit), Reservations::new(10).unwrap());
        let mut now = 400 * 86_400 * SECOND;
        let mut unsettled: Vec<(Reserved, u32, u32)> = Vec::new();
        let settle = |(reserved, cost, actual): (Reserved, u32, u32), now| {
            open.settle(&reserving, KEY, &limit, &reserved, (cost, actual), moment(now));
        };
        for (gap, cost, actual, which) in requests {
            if later {
                now += whole(limit) * gap / 1000;
            }
            if let Ok((_, reserved)) = open.reserve(&reserving, KEY, &limit, moment(now), cost) {
                // A sliding window remembers no more than its count.
                let actual = if matches!(limit, Limit::SlidingWindow { .. }) { actual.min(cost) } else { actual };
                if actual > 0 {
                    truth.drain(KEY, &limit, actual, moment(now));
                }
                unsettled.push((reserved, cost, actual));
            }
            if !unsettled.is_empty() && which.index(3) > 0 {
                settle(unsettled.swap_remove(which.index(unsettled.len())), now);
            }
        }
        unsettled.drain(..).for_each(|each| settle(each, now));
        let look = |store: &Store| store.peek(KEY, &limit, moment(now), 0);
        if later && !matches!(limit, Limit::SlidingWindow { .. }) {
            prop_assert!(look(&reserving).left <= look(&truth).left);
            prop_assert!(look(&reserving).rest >= look(&truth).rest);
        } else {
            prop_assert_eq!(look(&reserving), look(&truth));
        }
    }

    #[test]
    fn no_time_and_no_cost_panics(limit in limits(), times in prop::collection::vec((any::<u64>(), 0..64_u32, any::<u32>()), 1..30)) {
        let store = store(limit);
        for (now, shift, cost) in times {
            for moment in [moment(now >> shift), Moment { now, since_1970: u64::MAX - now / 2 }, moment(u64::MAX), moment(0)] {
                for cost in [0, 1, cost, u32::MAX] {
                    store.peek(KEY, &limit, moment, cost);
                    if let Ok((_, receipt)) = store.charge(KEY, &limit, moment, cost) {
                        store.refund(KEY, &limit, receipt, cost / 2, moment);
                    }
                    store.drain(KEY, &limit, cost.min(1 << 20), moment);
                }
                store.used([limit].iter(), moment);
            }
        }
    }
}

#[test]
fn a_clock_that_goes_back_delays_and_admits_nothing_more() {
    let minute = Duration::from_secs(60);
    let start = 400 * 86_400 * SECOND;
    for limit in [Limit::flow(2, minute, 2), Limit::fixed_window(2, minute), Limit::sliding_window(2, minute)] {
        let limit = limit.unwrap();
        let store = store(limit);
        assert!(store.charge(KEY, &limit, moment(start), 2).is_ok());
        for back in [1, SECOND, 59 * SECOND, 3600 * SECOND, start] {
            let refused = store.charge(KEY, &limit, moment(start - back), 1).unwrap_err();
            assert!(
                refused.wait >= 1 && refused.wait <= back + 60 * SECOND + 60 * SECOND,
                "{limit:?} {back} {refused:?}"
            );
        }
        assert!(store.charge(KEY, &limit, moment(start + 60 * SECOND), 2).is_ok(), "{limit:?}");
    }
}

#[test]
fn a_charge_that_came_out_of_order_is_given_back_all_the_same() {
    let limit = Limit::sliding_window(3, Duration::from_secs(60)).unwrap();
    let store = store(limit);
    assert!(store.charge(KEY, &limit, moment(20 * SECOND), 1).is_ok());
    // It began earlier, and was charged later.
    let (_, receipt) = store.charge(KEY, &limit, moment(10 * SECOND), 1).unwrap();
    store.refund(KEY, &limit, receipt, 1, moment(30 * SECOND));
    assert_eq!(store.peek(KEY, &limit, moment(30 * SECOND), 0).left, 2);
}

#[test]
fn a_window_that_was_overdrawn_takes_as_many_windows_as_that_is_worth() {
    let limit = Limit::fixed_window(10, Duration::from_secs(60)).unwrap();
    let store = store(limit);
    // 20 s into its minute.
    let now = moment(400 * 86_400 * SECOND);
    assert_eq!(now.now - now.window_start(60 * SECOND), 20 * SECOND);
    store.drain(KEY, &limit, 35, now);
    let standing = store.peek(KEY, &limit, now, 1);
    assert_eq!((standing.left, standing.wait, standing.rest), (0, 160 * SECOND, 220 * SECOND));
    assert_eq!(store.peek(KEY, &limit, moment(now.now + 160 * SECOND), 0).left, 5);
}

#[test]
fn a_window_at_the_edge_of_time_ends() {
    let limit = Limit::fixed_window(1, Duration::from_secs(60)).unwrap();
    let store = store(limit);
    for now in [0, 1, u64::MAX - 1, u64::MAX] {
        let Moment { now, .. } = moment(now);
        let _ = store.charge(KEY, &limit, moment(now), 1);
        assert!(moment(now).window_start(60 * SECOND) <= now);
    }
}

#[test]
fn a_limit_of_another_kind_than_its_store_is_refused() {
    let (flow, running) = (Limit::flow(1, Duration::from_secs(1), 1).unwrap(), Limit::Concurrent { count: 1 });
    assert_eq!(store(flow).charge(KEY, &running, moment(5), 1).unwrap_err().wait, NEVER);
    assert_eq!(store(running).peek(KEY, &flow, moment(5), 1).wait, NEVER);
}
