//! Policies that are replaced while requests are on their way.

use std::time::Duration;

use palisade::rate_limit::{Headers, Key, Policy, Quota, RateLimitBuilder, RateLimitLayer};
use tokio::time::advance;
use tower::ServiceExt as _;

use crate::support::{get_from, hello, left, limited, send, statuses};

const PEER: &str = "192.0.2.1";

fn api(quota: Quota) -> RateLimitBuilder {
    RateLimitLayer::builder().policy(Policy::new("api", Key::address()).quota(quota).keys(100))
}

#[tokio::test(start_paused = true)]
async fn a_replaced_policy_goes_on_with_its_counts() {
    for (quota, wider, remaining) in [
        (Quota::per_hour(10), Quota::per_hour(20), 12),
        (Quota::per_hour(10), Quota::per_hour(10).burst(20), 16),
        (Quota::per_hour(10).sliding_window(), Quota::per_hour(8).sliding_window(), 4),
        (Quota::per_hour(10).fixed_window(), Quota::per_hour(20).fixed_window(), 12),
    ] {
        let limits = api(quota).build().unwrap();
        let app = limited(&limits, hello());
        statuses(&app, PEER, 4).await;
        limits.replace(api(wider)).unwrap();
        assert_eq!(left(&limits, "api", PEER), remaining, "{quota} to {wider}");
        assert_eq!(statuses(&app, PEER, 30).await.iter().filter(|status| **status == 200).count(), remaining as usize);
        assert_eq!(limits.snapshot()[0].allowed, 4 + u64::from(remaining), "the counters go on too");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_counts_in_another_way_begins_anew() {
    let ways = [
        Quota::per_hour(3),
        Quota::per_hour(3).sliding_window(),
        Quota::per_hour(3).fixed_window(),
        Quota::concurrent(3),
    ];
    for old in ways {
        for new in ways {
            let limits = api(old).build().unwrap();
            let app = limited(&limits, hello());
            let held = app.clone().oneshot(get_from(PEER, "/")).await.unwrap();
            limits.replace(api(new)).unwrap();
            assert_eq!(left(&limits, "api", PEER), if old == new { 2 } else { 3 }, "{old} to {new}");
            drop(held);
            assert_eq!(left(&limits, "api", PEER), if old == new && old != ways[3] { 2 } else { 3 }, "{old} to {new}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sliding_window_with_more_than_there_is_room_for_begins_anew() {
    let limits = RateLimitLayer::builder()
        .policy(Policy::new("api", Key::principal()).quota(Quota::per_hour(3).sliding_window()).keys(8))
        .build()
        .unwrap();
    let wider = Policy::new("api", Key::principal()).quota(Quota::per_hour(4).sliding_window()).keys(8);
    let app = limited(&limits, hello());
    assert_eq!(statuses(&app, PEER, 5).await, [200, 200, 200, 429, 429]);
    limits.replace(RateLimitLayer::builder().policy(wider)).unwrap();
    assert_eq!(statuses(&app, PEER, 5).await, [200, 200, 200, 200, 429]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_replacement_leaves_everything_as_it_was() {
    let limits = api(Quota::per_hour(3)).build().unwrap();
    let app = limited(&limits, hello());
    statuses(&app, PEER, 2).await;
    let error = limits.replace(api(Quota::per_hour(0)).deny(["everybody"])).unwrap_err();
    assert_eq!(error.mistakes().len(), 2, "{error}");
    assert_eq!(statuses(&app, PEER, 2).await, [200, 429]);
}

#[tokio::test(start_paused = true)]
async fn all_clones_and_all_settings_are_replaced_together() {
    let limits = api(Quota::per_hour(100)).build().unwrap();
    let app = limited(&limits.clone(), hello());
    assert_eq!(statuses(&app, PEER, 1).await, [200]);
    limits.replace(api(Quota::per_hour(100)).deny([PEER])).unwrap();
    assert_eq!(statuses(&app, PEER, 1).await, [403]);
    let other = Policy::new("other", Key::address()).quota(Quota::per_hour(1));
    limits.replace(RateLimitLayer::builder().policy(other)).unwrap();
    assert_eq!(statuses(&app, PEER, 2).await, [200, 429]);
    assert_eq!(limits.peek("api", None, &[]), None);
}

#[tokio::test(start_paused = true)]
async fn requests_on_their_way_end_under_the_rules_they_began_under() {
    let running = |count| {
        let policy = Policy::new("running", Key::address()).quota(Quota::concurrent(count));
        RateLimitLayer::builder().policy(policy)
    };
    let limits = running(2).build().unwrap();
    let app = limited(&limits, hello());
    let held = [
        app.clone().oneshot(get_from(PEER, "/")).await.unwrap(),
        app.clone().oneshot(get_from(PEER, "/")).await.unwrap(),
    ];
    limits.replace(running(3)).unwrap();
    assert_eq!(left(&limits, "running", PEER), 1, "who runs, runs under the new rules too");
    limits.replace(running(1)).unwrap();
    assert_eq!(statuses(&app, PEER, 1).await, [429]);
    limits.replace(api(Quota::per_hour(1))).unwrap();
    drop(held);
    limits.replace(running(1)).unwrap();
    assert_eq!(statuses(&app, PEER, 2).await, [200, 200], "a policy that was gone begins anew");
}

#[tokio::test(start_paused = true)]
async fn a_full_quota_stays_full_for_the_time_it_named() {
    let limits = api(Quota::per_minute(1)).build().unwrap();
    let app = limited(&limits, hello());
    assert_eq!(statuses(&app, PEER, 2).await, [200, 429]);
    advance(Duration::from_secs(20)).await;
    limits.replace(api(Quota::per_minute(60).burst(1))).unwrap();
    let told = send(&app, get_from(PEER, "/")).await;
    assert_eq!(told.header("retry-after"), "40");
    advance(Duration::from_secs(40)).await;
    assert_eq!(statuses(&app, PEER, 2).await, [200, 429]);
    advance(Duration::from_secs(1)).await;
    assert_eq!(statuses(&app, PEER, 2).await, [200, 429]);
}

/// Whenever a request comes, it meets either the old policies or the new ones, whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replacement_is_atomic() {
    let pair = |first: &str, second: &str| {
        let policy = |name: &str| Policy::new(name, Key::address()).quota(Quota::per_day(1_000_000)).keys(100);
        RateLimitLayer::builder().policy(policy(first)).policy(policy(second)).headers(Headers::all())
    };
    let limits = pair("a", "b").build().unwrap();
    let app = limited(&limits, hello());
    let replacing = tokio::spawn(async move {
        for _ in 0..200 {
            limits.replace(pair("c", "d")).unwrap();
            limits.replace(pair("a", "b")).unwrap();
            tokio::task::yield_now().await;
        }
    });
    while !replacing.is_finished() {
        let answer = send(&app, get_from(PEER, "/")).await;
        let names: Vec<_> = answer
            .headers
            .get_all("ratelimit-policy")
            .iter()
            .map(|line| line.to_str().unwrap()[1..2].to_owned())
            .collect();
        assert!(names == ["a", "b"] || names == ["c", "d"], "{names:?}");
        let state = answer.header("ratelimit");
        assert!(state.contains(&format!("{:?};", names[0])) && state.contains(&format!("{:?};", names[1])), "{state}");
    }
    replacing.await.unwrap();
}
