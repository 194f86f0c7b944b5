//! Windows that slide, windows of the clock, and what becomes of a caller in the middle of one.

#![expect(clippy::unchecked_time_subtraction, reason = "the greater is on the left, or the test is wrong")]

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Body,
    http::{Request, request::Parts},
};
use palisade::{
    Principal,
    rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject},
};
use tokio::time::advance;

use crate::support::{from_peer, get_from, hello, left, limited, send, statuses};

const PEER: &str = "192.0.2.1";

fn by_address(quota: Quota) -> RateLimitLayer {
    Policy::new("api", Key::address()).quota(quota).keys(100).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_sliding_window_gives_back_each_request_a_period_after_it_came() {
    let app = limited(&by_address(Quota::per_minute(3).sliding_window()), hello());
    for gap in [0, 10, 20] {
        advance(Duration::from_secs(gap)).await;
        assert_eq!(statuses(&app, PEER, 1).await, [200]);
    }
    for (gap, told) in [(0, "30"), (20, "10")] {
        advance(Duration::from_secs(gap)).await;
        assert_eq!(send(&app, get_from(PEER, "/")).await.header("retry-after"), told);
    }
    advance(Duration::from_millis(9_999)).await;
    assert_eq!(statuses(&app, PEER, 1).await, [429]);
    advance(Duration::from_millis(1)).await;
    assert_eq!(statuses(&app, PEER, 2).await, [200, 429], "one has left the window, and one has come in");
    advance(Duration::from_secs(10)).await;
    assert_eq!(statuses(&app, PEER, 2).await, [200, 429]);
}

/// How much of this minute is left by the wall clock.
fn left_of(seconds: u64) -> Duration {
    let period = u128::from(seconds) * 1_000_000_000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    Duration::from_nanos(u64::try_from(period - now % period).unwrap())
}

/// A layer that was made within one window of the wall clock, and the least and the most that was left of that.
fn within_a_window(seconds: u64, make: impl Fn() -> RateLimitLayer) -> (RateLimitLayer, Duration, Duration) {
    loop {
        let most = left_of(seconds);
        let limits = make();
        let least = left_of(seconds);
        if least < most && least > Duration::from_millis(5) {
            return (limits, least, most);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fixed_window_ends_with_the_minute_of_the_wall_clock() {
    for (seconds, quota) in
        [(60, Quota::per_minute(2)), (3600, Quota::per_hour(2)), (1, Quota::per_second(2)), (86_400, Quota::per_day(2))]
    {
        let (limits, least, most) = within_a_window(seconds, || by_address(quota.fixed_window()));
        let app = limited(&limits, hello());
        assert_eq!(statuses(&app, PEER, 3).await, [200, 200, 429]);
        let told: u64 = send(&app, get_from(PEER, "/")).await.header("retry-after").parse().unwrap();
        let seconds_up = |time: Duration| time.as_nanos().div_ceil(1_000_000_000);
        assert!((seconds_up(least)..=seconds_up(most)).contains(&told.into()), "{told} of {least:?} to {most:?}");
        advance(least - Duration::from_millis(1)).await;
        assert_eq!(statuses(&app, PEER, 1).await, [429], "{quota}");
        advance(most - least + Duration::from_millis(2)).await;
        assert_eq!(statuses(&app, PEER, 3).await, [200, 200, 429], "{quota}");
        advance(Duration::from_secs(seconds) - Duration::from_millis(5) - (most - least)).await;
        assert_eq!(statuses(&app, PEER, 1).await, [429], "the next one is as long");
        advance(Duration::from_millis(10) + (most - least)).await;
        assert_eq!(statuses(&app, PEER, 1).await, [200], "and no longer");
    }
}

#[tokio::test(start_paused = true)]
async fn around_the_edge_of_a_fixed_window_twice_the_count_may_come_and_no_more() {
    let (limits, least, most) = within_a_window(60, || by_address(Quota::per_minute(7).fixed_window()));
    let app = limited(&limits, hello());
    advance(least - Duration::from_millis(1)).await;
    assert_eq!(statuses(&app, PEER, 9).await.iter().filter(|status| **status == 200).count(), 7);
    advance(most - least + Duration::from_millis(2)).await;
    assert_eq!(statuses(&app, PEER, 9).await.iter().filter(|status| **status == 200).count(), 7);
}

#[tokio::test(start_paused = true)]
async fn what_outlasts_a_fixed_window_is_told_by_the_window_that_lets_it_in() {
    let make = || {
        let policy = Policy::new("api", Key::address()).quota(Quota::per_minute(10).fixed_window());
        policy.settled(1).settled_by_header(axum::http::HeaderName::from_static("x-cost")).build().unwrap()
    };
    let (limits, least, most) = within_a_window(60, make);
    let app = limited(&limits, Router::new().route("/", axum::routing::any(|| async { [("x-cost", "35")] })));
    assert_eq!(statuses(&app, PEER, 1).await, [200]);
    let told: u64 = send(&app, get_from(PEER, "/")).await.header("retry-after").parse().unwrap();
    // Three windows are paid for with this one, and half of the next.
    assert!(told >= 120 + least.as_secs() && told <= 121 + most.as_secs(), "{told}");
    advance(least + Duration::from_secs(120) - Duration::from_millis(1)).await;
    assert_eq!(statuses(&app, PEER, 1).await, [429]);
    advance(most - least + Duration::from_millis(2)).await;
    assert_eq!(left(&limits, "api", PEER), 5);
}

fn tiered(free: Quota, pro: Quota) -> RateLimitLayer {
    let by_header = |head: &Parts, _: Option<&Principal>| {
        head.headers.get("x-tier").and_then(|tier| tier.to_str().ok()).map(Arc::from)
    };
    let policy = Policy::new("api", Key::address()).tier("free", free).tier("pro", pro).tier_of(by_header);
    policy.keys(100).build().unwrap()
}

async fn in_tier(app: &Router, tier: &str, count: usize) -> usize {
    let request =
        || -> Request<Body> { from_peer(PEER, "GET", "/").header("x-tier", tier).body(Body::empty()).unwrap() };
    let mut admitted = 0;
    for _ in 0..count {
        admitted += usize::from(send(app, request()).await.status == 200);
    }
    admitted
}

#[tokio::test(start_paused = true)]
async fn a_change_of_tier_keeps_the_requests_in_a_sliding_window() {
    let limits = tiered(Quota::per_minute(5).sliding_window(), Quota::per_minute(20).sliding_window());
    let app = limited(&limits, hello());
    assert_eq!(in_tier(&app, "free", 9).await, 5);
    advance(Duration::from_secs(30)).await;
    assert_eq!(in_tier(&app, "pro", 30).await, 15, "what was used as free is used");
    let request = from_peer(PEER, "GET", "/").header("x-tier", "free").body(Body::empty()).unwrap();
    let refused = send(&app, request).await;
    assert_eq!(refused.header("retry-after"), "60", "of twenty in the window, sixteen must leave");
    advance(Duration::from_secs(59)).await;
    assert_eq!(in_tier(&app, "free", 3).await, 0);
    advance(Duration::from_secs(1)).await;
    assert_eq!(in_tier(&app, "free", 9).await, 5);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_tier_keeps_the_time_that_is_owed_in_a_flow() {
    let app = limited(&tiered(Quota::per_minute(2), Quota::per_minute(60)), hello());
    assert_eq!(in_tier(&app, "free", 5).await, 2);
    assert_eq!(in_tier(&app, "pro", 5).await, 0, "the minute is spent, in whichever coin");
    advance(Duration::from_secs(10)).await;
    assert_eq!(in_tier(&app, "free", 5).await, 0);
    assert_eq!(in_tier(&app, "pro", 50).await, 10, "ten seconds are ten requests now");
}

#[tokio::test(start_paused = true)]
async fn a_change_of_tier_keeps_the_share_that_is_used_of_a_fixed_window() {
    let make = || tiered(Quota::per_hour(4).fixed_window(), Quota::per_hour(100).fixed_window());
    let (limits, least, _) = within_a_window(3600, make);
    let app = limited(&limits, hello());
    assert!(least > Duration::ZERO);
    assert_eq!(in_tier(&app, "free", 1).await, 1);
    assert_eq!(in_tier(&app, "pro", 200).await, 75);
}

#[tokio::test(start_paused = true)]
async fn tiers_with_periods_of_their_own_forget_nothing_of_each_other() {
    let limits = tiered(Quota::per_second(1).sliding_window(), Quota::per_hour(1).sliding_window());
    let app = limited(&limits, hello());
    assert_eq!(in_tier(&app, "pro", 2).await, 1);
    advance(Duration::from_secs(10)).await;
    // Newcomers of the other tier look for room where the first one is.
    for index in 0..60 {
        let newcomer = from_peer(&format!("198.51.100.{index}"), "GET", "/").header("x-tier", "free");
        assert_eq!(send(&app, newcomer.body(Body::empty()).unwrap()).await.status, 200);
        advance(Duration::from_secs(2)).await;
    }
    assert_eq!(in_tier(&app, "pro", 1).await, 0);
    assert_eq!(limits.snapshot()[0].keys, 1, "those of a second ago count no more");
}

#[tokio::test(start_paused = true)]
async fn one_a_day_is_one_a_day() {
    for quota in [Quota::per_day(1), Quota::per_day(1).sliding_window()] {
        let app = limited(&by_address(quota), hello());
        assert_eq!(statuses(&app, PEER, 2).await, [200, 429]);
        assert_eq!(send(&app, get_from(PEER, "/")).await.header("retry-after"), "86400", "{quota}");
        advance(Duration::from_secs(86_400) - Duration::from_millis(1)).await;
        assert_eq!(statuses(&app, PEER, 1).await, [429], "{quota}");
        advance(Duration::from_millis(1)).await;
        assert_eq!(statuses(&app, PEER, 2).await, [200, 429], "{quota}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_years_of_uptime_nothing_has_changed() {
    for quota in [Quota::per_minute(2), Quota::per_minute(2).sliding_window(), Quota::per_minute(2).fixed_window()] {
        let limits = by_address(quota);
        let app = limited(&limits, hello());
        assert_eq!(statuses(&app, PEER, 3).await, [200, 200, 429], "{quota}");
        advance(Duration::from_secs(40 * 365 * 86_400)).await;
        assert_eq!(statuses(&app, PEER, 3).await, [200, 200, 429], "{quota}");
        let peek = limits.peek("api", None, &[Subject::address(PEER.parse().unwrap())]).unwrap();
        assert!(peek.reset > Duration::ZERO && peek.reset <= Duration::from_secs(60), "{quota} {peek:?}");
    }
}
