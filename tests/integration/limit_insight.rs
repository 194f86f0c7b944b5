//! Looking at the counts, putting one right, and what a scraper sees of them.

use std::time::Duration;

use axum::{http::request::Parts, routing::get};
use palisade::{
    Access, Facts, Principal, Stack,
    rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject},
};
use tokio::time::advance;

use crate::support::{application, from_peer, get_as, get_from, hello, left, limited, send, statuses};

const PEER: &str = "192.0.2.1";

fn every_kind() -> [Quota; 3] {
    [Quota::per_hour(10), Quota::per_hour(10).sliding_window(), Quota::per_day(10).fixed_window()]
}

fn subject() -> [Subject<'static>; 1] {
    [Subject::address(PEER.parse().unwrap())]
}

#[tokio::test(start_paused = true)]
async fn a_look_charges_nothing_and_a_reset_forgets_all() {
    for quota in every_kind() {
        let limits = Policy::new("api", Key::address()).quota(quota).keys(100).build().unwrap();
        let app = limited(&limits, hello());
        let look = || limits.peek("api", None, &subject()).unwrap();
        for _ in 0..50 {
            assert_eq!((look().limit, look().remaining, look().reset), (10, 10, Duration::ZERO), "{quota}");
        }
        assert!(!limits.reset("api", &subject()), "{quota}: nothing was known");
        assert_eq!(statuses(&app, PEER, 4).await, [200; 4]);
        assert_eq!(look().remaining, 6, "{quota}");
        assert!(look().reset > Duration::ZERO, "{quota}");
        assert!(limits.reset("api", &subject()), "{quota}");
        assert_eq!((look().remaining, look().reset), (10, Duration::ZERO), "{quota}");
        assert_eq!(statuses(&app, PEER, 11).await[9..], [200, 429], "{quota}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_is_into_the_tier_that_is_named() {
    let limits = Policy::new("api", Key::principal())
        .tier("anonymous", Quota::per_hour(2))
        .tier("pro", Quota::per_hour(8))
        .build()
        .unwrap();
    let app = limited(&limits, hello());
    assert_eq!(send(&app, get_as("pro:ada")).await.status, 200);
    let look = |tier| limits.peek("api", tier, &[Subject::principal("pro:ada")]).unwrap();
    assert_eq!((look(Some("pro")).limit, look(Some("pro")).remaining), (8, 7));
    assert_eq!(look(Some("pro")).reset, Duration::from_secs(450));
    assert_eq!(look(None).limit, 2);
    assert_eq!(look(Some("unlisted")).limit, 2, "as the first");
    assert_eq!(limits.peek("none", None, &[Subject::principal("pro:ada")]), None);
    assert!(!limits.reset("none", &[Subject::principal("pro:ada")]));
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_not_reset() {
    let limits = Policy::new("running", Key::address()).quota(Quota::concurrent(2)).build().unwrap();
    let app = limited(&limits, hello());
    let held = tower::ServiceExt::oneshot(app, get_from(PEER, "/")).await.unwrap();
    assert!(!limits.reset("running", &subject()));
    assert_eq!((left(&limits, "running", PEER), limits.snapshot()[0].keys), (1, 1));
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_counts_requests_and_keys() {
    for quota in every_kind() {
        let limits = Policy::new("api", Key::address()).quota(quota).keys(100).build().unwrap();
        let app = limited(&limits, hello());
        statuses(&app, PEER, 13).await;
        statuses(&app, "[2001:db8::1]", 5).await;
        let state = limits.snapshot().remove(0);
        assert_eq!(
            (state.policy.as_str(), state.allowed, state.refused, state.evictions),
            ("api", 15, 3, 0),
            "{quota}"
        );
        assert_eq!(state.keys, 3, "{quota}: an address, a /64 and the /48 around it");
        assert_eq!(state.near_limit, 3, "{quota}: the eighth, ninth and tenth of ten");
        advance(Duration::from_secs(2 * 86_400)).await;
        assert_eq!(limits.snapshot()[0].keys, 0, "{quota}: all are at rest");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_forgotten_too_early_are_counted() {
    for quota in every_kind() {
        let limits = Policy::new("api", Key::address()).quota(quota).keys(16).build().unwrap();
        let app = limited(&limits, hello());
        for index in 0..200 {
            assert_eq!(statuses(&app, &format!("192.0.2.{index}"), 1).await, [200], "{quota}");
        }
        let state = &limits.snapshot()[0];
        assert_eq!(state.evictions + state.keys as u64, 200, "{quota}");
        assert!(state.keys >= 8 && state.keys <= 24, "{quota}: {state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn near_the_limit_is_four_fifths_of_it() {
    for (count, near) in [(1, 1), (2, 1), (4, 1), (5, 2), (10, 3), (100, 21)] {
        let limits = Policy::new("api", Key::address()).quota(Quota::per_day(count)).build().unwrap();
        statuses(&limited(&limits, hello()), PEER, count as usize + 5).await;
        assert_eq!(limits.snapshot()[0].near_limit, near, "of {count}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scraper_sees_every_policy() {
    let limits = RateLimitLayer::builder()
        .policy(Policy::new("api", Key::address()).quota(Quota::per_minute(5)))
        .policy(Policy::new(r#"the "day""#, Key::address()).quota(Quota::per_day(100)));
    let stack = Stack::production().access(Access::loopback()).limits(limits).build().unwrap();
    let app = stack.inner_routes().merge(stack.wrap(application()));
    for _ in 0..7 {
        send(&app, get_from(PEER, "/items/1")).await;
    }
    let text = send(&app, get_from("127.0.0.1", "/metrics")).await.text().to_owned();
    for line in [
        "# TYPE palisade_rate_limit_keys gauge",
        "# TYPE palisade_rate_limit_refused_total counter",
        r#"palisade_rate_limit_keys{policy="api"} 1"#,
        r#"palisade_rate_limit_allowed_total{policy="api"} 5"#,
        r#"palisade_rate_limit_refused_total{policy="api"} 2"#,
        r#"palisade_rate_limit_near_total{policy="api"} 2"#,
        r#"palisade_rate_limit_evictions_total{policy="api"} 0"#,
        r#"palisade_rate_limit_allowed_total{policy="the \"day\""} 5"#,
        r#"palisade_rate_limit_refused_total{policy="the \"day\""} 0"#,
        // The scrape itself did not come past the flood limit.
        r#"palisade_rate_limit_allowed_total{policy="flood"} 7"#,
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
    for name in ["keys", "evictions_total", "allowed_total", "refused_total", "near_total"] {
        let announced = format!("# HELP palisade_rate_limit_{name} ");
        assert_eq!(text.matches(&announced).count(), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_facts_have_the_tier_of_the_limit_that_knows_the_caller() {
    let app = |limits: RateLimitLayer| {
        let routes = axum::Router::new().route("/", get(|facts: Facts| async move { format!("{:?}", facts.tier()) }));
        let stack = Stack::production().limits(limits).authenticate(|head: &Parts| {
            head.headers.contains_key("x-user").then(|| Principal::new("ada").tier("pro"))
        });
        stack.build().unwrap().wrap(routes)
    };
    let tiered = Policy::new("api", Key::principal_or_address())
        .tier("anonymous", Quota::per_hour(5))
        .tier("pro", Quota::per_hour(50));
    let whole = Policy::new("day", Key::principal_or_address()).quota(Quota::per_day(100));
    let as_ada = || from_peer(PEER, "GET", "/").header("x-user", "ada").body(axum::body::Body::empty()).unwrap();
    for policies in [vec![tiered.clone()], vec![whole.clone(), tiered.clone()], vec![tiered, whole.clone()]] {
        let limits =
            policies.into_iter().fold(RateLimitLayer::builder(), palisade::rate_limit::RateLimitBuilder::policy);
        let app = app(limits.build().unwrap());
        assert_eq!(send(&app, as_ada()).await.text(), r#"Some("pro")"#);
        assert_eq!(send(&app, get_from(PEER, "/")).await.text(), r#"Some("anonymous")"#);
    }
    assert_eq!(
        send(&app(whole.build().unwrap()), as_ada()).await.text(),
        "None",
        "who has one quota for all, has no tiers"
    );
}
