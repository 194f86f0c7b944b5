//! Settings that make no sense are told together, and nothing panics over them.

use std::{num::NonZeroU32, time::Duration};

use palisade::rate_limit::{Key, LoginLimit, PenaltyLadder, Policy, Quota, RateLimitLayer};

fn policy(name: &str, quota: Quota) -> Policy {
    Policy::new(name, Key::address()).quota(quota).keys(10)
}

#[test]
fn every_mistake_in_the_limits_is_told_at_once() {
    let units = |units| NonZeroU32::new(units).unwrap();
    let error = RateLimitLayer::builder()
        .policy(policy("zero", Quota::per_minute(0)))
        .policy(policy("no-burst", Quota::per_minute(5).burst(0)))
        .policy(policy("twice", Quota::per_minute(5)))
        .policy(policy("twice", Quota::per_minute(6)))
        .policy(Policy::new("tiers", Key::address()).tier("a", Quota::per_minute(1)).tier("a", Quota::per_minute(2)))
        .policy(Policy::new("ways", Key::address()).tier("a", Quota::per_minute(1)).tier("b", Quota::concurrent(1)))
        .policy(Policy::new("none", Key::address()))
        .policy(policy("dear", Quota::per_minute(5)).cost(units(6)))
        .policy(policy("dear-estimate", Quota::concurrent(5)).settled(6))
        .policy(policy("naïve", Quota::per_minute(5)))
        .policy(policy("line\nbreak", Quota::per_minute(5)))
        .policy(policy("no-keys", Quota::per_minute(5)).keys(0))
        .policy(policy("no-window", Quota::per(Duration::ZERO, 5).sliding_window()))
        .policy(policy("eternal", Quota::per(Duration::MAX, 5)))
        .policy(policy("eternal-window", Quota::per(Duration::MAX, 5).fixed_window()))
        .policy(policy("long-window", Quota::per(Duration::from_secs(367 * 86_400), 5).fixed_window()))
        .policy(policy("fast", Quota::per(Duration::from_nanos(4), 5)))
        .policy(policy("window-burst", Quota::per_minute(5).burst(2).fixed_window()))
        .allow(["10.0.0.0/99"])
        .deny(["nobody", "::1/200"])
        .penalty(
            PenaltyLadder::new()
                .tolerates(Quota::concurrent(3))
                .first(Duration::ZERO)
                .longest(Duration::MAX)
                .forgets(Duration::ZERO)
                .keys(0),
        )
        .jitter(Duration::MAX)
        .build()
        .unwrap_err();
    let told = error.to_string();
    for mistake in [
        "`zero`: quota `0 per minute` lets nothing in",
        "`no-burst`: quota `5 per minute, burst 0` has a burst of 0",
        "`twice`: is there twice",
        "`tiers`: names the tier `a` twice",
        "`ways`: counts the tier `b` in another way",
        "`none`: has no quota",
        "`dear`: costs 6 of a quota of 5 per minute",
        "`dear-estimate`: costs 6 of a quota of 5 at once",
        "`naïve`: has a name that no header can carry",
        "break`: has a name that no header can carry",
        "`no-keys`: has room for no key",
        "`no-window`",
        "`eternal`",
        "`eternal-window`",
        "`long-window`",
        "`fast`",
        "`window-burst`",
        "allow list: `10.0.0.0/99`",
        "deny list: `nobody`",
        "deny list: `::1/200`",
        "penalty: tolerates `3 at once`",
        "penalty: the first ban",
        "penalty: the longest ban",
        "penalty: the time to forget",
        "penalty: has room for no offender",
        "jitter",
    ] {
        assert!(told.contains(mistake), "{mistake} in {told}");
    }
    assert_eq!(error.mistakes().len(), 26, "{told}");
}

#[test]
fn no_policy_is_a_mistake() {
    assert!(RateLimitLayer::builder().build().unwrap_err().to_string().contains("has no policy"));
}

#[test]
fn more_keys_than_there_is_memory_for_are_a_mistake_and_no_abort() {
    let kinds = [
        Quota::per_hour(3),
        Quota::per_hour(3).sliding_window(),
        Quota::per_hour(3).fixed_window(),
        Quota::concurrent(3),
    ];
    for quota in kinds {
        for keys in [usize::MAX, usize::MAX / 8, isize::MAX as usize / 16, 1 << 44] {
            let error = policy("many", quota).keys(keys).build().unwrap_err();
            assert!(error.to_string().contains("more memory"), "{error}");
        }
    }
    let long = policy("long", Quota::per_hour(u32::MAX).sliding_window()).keys(1_000_000).build().unwrap_err();
    assert!(long.to_string().contains("more memory"), "{long}");
    let logins = |keys| LoginLimit::builder().keys(keys).build().unwrap_err();
    assert_eq!(logins(usize::MAX).mistakes().len(), 2);
    assert_eq!(logins(0).mistakes().len(), 2);
    let ladder = policy("api", kinds[0]).keys(1);
    let error =
        RateLimitLayer::builder().policy(ladder).penalty(PenaltyLadder::new().keys(usize::MAX)).build().unwrap_err();
    assert_eq!(error.mistakes().len(), 1, "{error}");
}

#[test]
fn one_key_is_room_enough() {
    for quota in [Quota::per_hour(3), Quota::per_hour(3).sliding_window(), Quota::concurrent(3)] {
        assert!(policy("one", quota).keys(1).build().is_ok());
    }
}

#[test]
fn a_ladder_that_leads_down_is_a_mistake() {
    let ladder = PenaltyLadder::new().first(Duration::from_secs(60)).longest(Duration::from_secs(59));
    let error =
        RateLimitLayer::builder().policy(policy("api", Quota::per_hour(3))).penalty(ladder).build().unwrap_err();
    assert!(error.to_string().contains("shorter than the first"), "{error}");
}

#[test]
fn a_login_is_limited_over_time() {
    let error = LoginLimit::builder().account(Quota::concurrent(3)).address(Quota::per_hour(0)).build().unwrap_err();
    assert!(error.to_string().contains("login by account: is no quota of failures over time"), "{error}");
    assert!(error.to_string().contains("login by address: quota `0 per hour`"), "{error}");
}
