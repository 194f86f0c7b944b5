//! Those who go on after a refusal, those who are never limited, and those who are never served.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{HeaderName, Request},
};
use palisade::rate_limit::{Key, MissingKey, PenaltyLadder, Policy, Quota, RateLimitBuilder, RateLimitLayer};
use tokio::time::advance;

use crate::support::{from_peer, get_as, get_from, hello, left, limited, log, send, statuses};

const PEER: &str = "192.0.2.1";

fn api(quota: Quota) -> RateLimitBuilder {
    RateLimitLayer::builder().policy(Policy::new("api", Key::principal_or_address()).quota(quota))
}

fn ladder() -> PenaltyLadder {
    PenaltyLadder::new()
        .tolerates(Quota::per_minute(3))
        .first(Duration::from_secs(60))
        .longest(Duration::from_secs(200))
        .forgets(Duration::from_secs(3600))
}

/// Goes on until it is banned; answers how many refusals that took, and for how long it is.
async fn provoke(app: &Router, peer: &str) -> (usize, u64) {
    for refusals in 0..50 {
        let answer = send(app, get_from(peer, "/")).await;
        if answer.status == 403 {
            assert!(answer.json()["type"].as_str().unwrap().ends_with("banned"), "{}", answer.text());
            return (refusals, answer.header("retry-after").parse().unwrap());
        }
        assert_eq!(answer.status, 429);
    }
    panic!("never banned");
}

#[tokio::test(start_paused = true)]
async fn those_who_go_on_after_refusals_are_banned() {
    let log = log();
    let limits = api(Quota::per_hour(2)).penalty(ladder()).build().unwrap();
    let app = limited(&limits, hello());
    assert_eq!(statuses(&app, PEER, 2).await, [200, 200]);
    assert_eq!(provoke(&app, PEER).await, (4, 60), "three refusals are tolerated, the fourth is one too many");
    assert_eq!(statuses(&app, "192.0.2.2", 1).await, [200], "nobody else is");
    advance(Duration::from_millis(59_999)).await;
    assert_eq!(statuses(&app, PEER, 1).await, [403]);
    advance(Duration::from_millis(1)).await;
    assert_eq!(statuses(&app, PEER, 1).await, [429], "the ban is over, the quota is not back");
    assert!(!log.lines_with("banned for going on").is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_ban_is_twice_as_long_up_to_the_longest() {
    let limits = api(Quota::per_day(1)).penalty(ladder().tolerates(Quota::per_hour(3))).build().unwrap();
    let app = limited(&limits, hello());
    assert_eq!(statuses(&app, PEER, 1).await, [200]);
    for seconds in [60, 120, 200, 200] {
        assert_eq!(provoke(&app, PEER).await, (4, seconds), "after a ban as many refusals are tolerated as before");
        advance(Duration::from_secs(seconds)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_ban_is_forgotten_in_time() {
    let limits = api(Quota::per_day(1)).penalty(ladder()).build().unwrap();
    let app = limited(&limits, hello());
    assert_eq!(statuses(&app, PEER, 1).await, [200]);
    assert_eq!(provoke(&app, PEER).await.1, 60);
    advance(Duration::from_secs(60)).await;
    assert_eq!(provoke(&app, PEER).await.1, 120);
    // Two bans are remembered, the first for an hour from when it was imposed, the second for one more.
    advance(Duration::from_secs(3600)).await;
    assert_eq!(provoke(&app, PEER).await.1, 120, "one of two is forgotten");
    advance(Duration::from_secs(2 * 3600)).await;
    assert_eq!(provoke(&app, PEER).await.1, 60, "all are forgotten");
}

#[tokio::test(start_paused = true)]
async fn refusals_few_and_far_between_are_no_offence() {
    let limits = api(Quota::per_day(1)).penalty(ladder()).build().unwrap();
    let app = limited(&limits, hello());
    assert_eq!(statuses(&app, PEER, 1).await, [200]);
    for _ in 0..100 {
        advance(Duration::from_secs(20)).await;
        assert_eq!(statuses(&app, PEER, 1).await, [429]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ban_outlasts_the_quota_and_costs_none() {
    let limits = api(Quota::per_second(2)).penalty(ladder()).build().unwrap();
    let app = limited(&limits, hello());
    assert_eq!(statuses(&app, PEER, 2).await, [200, 200]);
    provoke(&app, PEER).await;
    advance(Duration::from_secs(30)).await;
    assert_eq!(left(&limits, "api", PEER), 2, "the quota is back long ago");
    assert_eq!(statuses(&app, PEER, 9).await, [403; 9]);
    assert_eq!(left(&limits, "api", PEER), 2);
    advance(Duration::from_secs(30)).await;
    assert_eq!(statuses(&app, PEER, 1).await, [200]);
}

#[tokio::test(start_paused = true)]
async fn a_ban_is_for_the_caller_and_not_for_its_address() {
    let limits = api(Quota::per_day(1)).penalty(ladder()).build().unwrap();
    let app = limited(&limits, hello());
    for status in [200, 429, 429, 429, 429, 403] {
        assert_eq!(send(&app, get_as("ada")).await.status, status);
    }
    assert_eq!(send(&app, get_as("bob")).await.status, 200, "from the same address");
    assert_eq!(statuses(&app, PEER, 1).await, [200]);
    assert_eq!(send(&app, get_as("ada")).await.status, 403);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_address_is_never_banned() {
    let limits = api(Quota::per_day(1)).penalty(ladder()).build().unwrap();
    let app = hello().layer(limits);
    for index in 0..60 {
        let from_nowhere = Request::get("/").body(Body::empty()).unwrap();
        let status = if index == 0 { 200 } else { 429 };
        assert_eq!(send(&app, from_nowhere).await.status, status, "it is everybody's");
    }
}

#[tokio::test(start_paused = true)]
async fn bans_go_by_the_key_they_are_given() {
    let x_device = HeaderName::from_static("x-device");
    let limits = api(Quota::per_day(1)).penalty(ladder().key(Key::header(x_device))).build().unwrap();
    let app = limited(&limits, hello());
    let from = |device| from_peer(PEER, "GET", "/").header("x-device", device).body(Body::empty()).unwrap();
    for status in [200, 429, 429, 429, 429, 403] {
        assert_eq!(send(&app, from("phone")).await.status, status);
    }
    assert_eq!(send(&app, from("desk")).await.status, 429);
}

#[tokio::test(start_paused = true)]
async fn who_names_no_key_is_refused_and_not_banned() {
    let policy = Policy::new("user", Key::principal()).quota(Quota::per_day(1)).missing_key(MissingKey::Refuse);
    let limits = RateLimitLayer::builder().policy(policy).penalty(ladder()).build().unwrap();
    assert_eq!(statuses(&limited(&limits, hello()), PEER, 20).await, [401; 20]);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_on_the_allow_list_is_never_limited_nor_banned() {
    let limits = api(Quota::per_day(1))
        .penalty(ladder())
        .allow(["192.0.2.0/28", "2001:db8:5::/48", "::ffff:198.51.100.0/120", "203.0.113.7"])
        .allow_principals(["robot"])
        .build()
        .unwrap();
    let app = limited(&limits, hello());
    for peer in ["192.0.2.15", "[::ffff:192.0.2.1]", "[2001:db8:5:1::1]", "198.51.100.200", "203.0.113.7"] {
        assert_eq!(statuses(&app, peer, 9).await, [200; 9], "{peer}");
        assert_eq!(
            send(&app, get_from(peer, "/")).await.header("ratelimit"),
            "",
            "{peer}: there is no limit to tell of"
        );
    }
    for peer in ["192.0.2.16", "[2001:db8:6::1]", "203.0.113.8", "198.51.101.1"] {
        assert_eq!(statuses(&app, peer, 2).await, [200, 429], "{peer}");
    }
    let as_user = |user| from_peer("192.0.2.99", "GET", "/").header("x-user", user).body(Body::empty()).unwrap();
    for (user, status) in [("robot", 200), ("robot", 200), ("robot2", 200), ("robot2", 429)] {
        assert_eq!(send(&app, as_user(user)).await.status, status, "{user}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_on_the_deny_list_is_not_served() {
    let limits = api(Quota::per_day(3))
        .deny(["192.0.2.0/28", "2001:db8:5::/48", "::ffff:198.51.100.0/120"])
        .deny_principals(["mallory"])
        .build()
        .unwrap();
    let app = limited(&limits, hello());
    for peer in ["192.0.2.15", "[::ffff:192.0.2.1]", "[2001:db8:5:1::1]", "198.51.100.200"] {
        let answer = send(&app, get_from(peer, "/")).await;
        assert_eq!(answer.status, 403, "{peer}");
        assert!(answer.json()["type"].as_str().unwrap().ends_with("banned"));
        assert_eq!(answer.header("retry-after"), "", "there is no after");
    }
    assert_eq!(statuses(&app, "192.0.2.16", 1).await, [200]);
    let as_user = |user| from_peer("192.0.2.99", "GET", "/").header("x-user", user).body(Body::empty()).unwrap();
    assert_eq!(send(&app, as_user("mallory")).await.status, 403);
    assert_eq!(send(&app, as_user("malloryx")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_deny_list_has_the_last_word() {
    let limits = api(Quota::per_day(1)).allow(["192.0.2.0/24"]).deny(["192.0.2.2"]).build().unwrap();
    let app = limited(&limits, hello());
    assert_eq!(statuses(&app, "192.0.2.1", 3).await, [200; 3]);
    assert_eq!(statuses(&app, "192.0.2.2", 1).await, [403]);
}
