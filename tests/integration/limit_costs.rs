//! What a request costs: known before, by a closure, or only afterwards.

use std::{num::NonZeroU32, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderName, StatusCode},
    routing::any,
};
use futures_util::{FutureExt as _, stream};
use palisade::rate_limit::{Cost, Key, Policy, Quota, RateLimitLayer};
use tower::ServiceExt as _;

use crate::support::{Answer, from_peer, get_from, hello, left, limited, send, statuses};

const PEER: &str = "192.0.2.1";
const X_COST: HeaderName = HeaderName::from_static("x-cost");

fn tokens() -> Policy {
    Policy::new("tokens", Key::address()).quota(Quota::per_hour(100))
}

/// The cost that the request's path names, of every kind of quota.
fn by_path() -> Policy {
    tokens().cost_by(|head| head.uri.path()[1..].parse().unwrap_or(1))
}

async fn spend(app: &Router, cost: u32) -> Answer {
    send(app, get_from(PEER, &format!("/{cost}"))).await
}

#[tokio::test(start_paused = true)]
async fn a_request_costs_what_it_is_said_to() {
    let fixed = tokens().cost(NonZeroU32::new(40).unwrap()).build().unwrap();
    assert_eq!(statuses(&limited(&fixed, hello()), PEER, 4).await, [200, 200, 429, 429]);
    assert_eq!(left(&fixed, "tokens", PEER), 20);

    let limits = by_path().build().unwrap();
    let app = limited(&limits, hello().fallback(|| async {}));
    for (cost, status, remaining) in [(30, 200, 70), (71, 429, 70), (70, 200, 0), (1, 429, 0)] {
        assert_eq!(spend(&app, cost).await.status, status, "{cost}");
        assert_eq!(left(&limits, "tokens", PEER), remaining, "{cost}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_free_is_let_in_while_there_is_something_left() {
    for quota in [
        Quota::per_hour(2),
        Quota::per_hour(2).sliding_window(),
        Quota::per_hour(2).fixed_window(),
        Quota::concurrent(2),
    ] {
        let limits = Policy::new("tokens", Key::address())
            .quota(quota)
            .cost_by(|head| head.uri.path()[1..].parse().unwrap_or(1))
            .build()
            .unwrap();
        let app = limited(&limits, hello().fallback(|| async { "done" }));
        for _ in 0..5 {
            assert_eq!(spend(&app, 0).await.status, 200, "{quota}");
        }
        assert_eq!(left(&limits, "tokens", PEER), 2, "{quota}: what is free is free");
        let held = app.clone().oneshot(get_from(PEER, "/2")).await.unwrap();
        let refused = spend(&app, 0).await;
        assert_eq!(refused.status, 429, "{quota}");
        assert_ne!(refused.header("retry-after"), "", "{quota}");
        drop(held);
    }
}

#[tokio::test(start_paused = true)]
async fn what_costs_more_than_the_quota_never_fits_and_is_told_so() {
    for quota in [Quota::per_hour(5), Quota::per_hour(5).sliding_window(), Quota::concurrent(5)] {
        let limits = Policy::new("tokens", Key::address()).quota(quota).cost_by(|_| 6).build().unwrap();
        let refused = send(&limited(&limits, hello()), get_from(PEER, "/")).await;
        assert_eq!(refused.status, 429, "{quota}");
        assert_eq!(refused.header("retry-after"), "", "{quota}: there is no after");
        assert_eq!(refused.json()["detail"], "This request costs more than the whole quota.", "{quota}");
        assert_eq!(left(&limits, "tokens", PEER), 5, "{quota}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_greater_cost_waits_longer_and_no_longer_than_told() {
    let limits = by_path().build().unwrap();
    let app = limited(&limits, hello().fallback(|| async {}));
    spend(&app, 100).await;
    for (cost, wait) in [(1, 36), (10, 360), (100, 3600)] {
        let refused = spend(&app, cost).await;
        assert_eq!(refused.header("retry-after"), wait.to_string(), "{cost}");
    }
    tokio::time::advance(Duration::from_secs(359)).await;
    assert_eq!(spend(&app, 10).await.status, 429);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(spend(&app, 10).await.status, 200);
}

/// A handler that settles what its query says, and ends as it says.
fn settling() -> Router {
    let handler = async |cost: Cost, uri: axum::http::Uri| -> axum::response::Response {
        let query = uri.query().unwrap_or_default();
        let says = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        for units in query.split('&').filter_map(|pair| pair.strip_prefix("settle=")) {
            cost.settle(units.parse().unwrap());
        }
        let mut response = axum::response::Response::new(Body::from("done"));
        match says("then") {
            Some("panic") => panic!("in the handler"),
            Some("hang") => std::future::pending().await,
            Some("fail") => *response.status_mut() = StatusCode::BAD_GATEWAY,
            Some("refuse") => *response.status_mut() = StatusCode::NOT_FOUND,
            Some("cut") => {
                let pieces = stream::iter([Ok(Bytes::from_static(b"piece")), Err(std::io::Error::other("cut"))]);
                *response.body_mut() = Body::from_stream(pieces);
            }
            _ => {}
        }
        if let Some(header) = says("header") {
            response.headers_mut().insert(X_COST, header.parse().unwrap());
        }
        response
    };
    Router::new().route("/", any(handler))
}

/// Sends the request and goes on as it says: away before the answer, away before the body, or to the end.
async fn run(app: &Router, query: &str) -> Option<axum::http::HeaderMap> {
    let request = get_from(PEER, &format!("/?{query}"));
    let mut answer = Box::pin(app.clone().oneshot(request));
    if query.contains("then=hang") {
        assert!((&mut answer).now_or_never().is_none());
        return None;
    }
    let (head, body) = answer.await.unwrap().into_parts();
    if !query.contains("leave") {
        let _ = axum::body::to_bytes(body, usize::MAX).await;
    }
    Some(head.headers)
}

#[tokio::test(start_paused = true)]
async fn a_request_ends_up_costing_what_it_did() {
    for quota in [Quota::per_hour(100), Quota::per_day(100).fixed_window(), Quota::per_hour(100).sliding_window()] {
        for (query, cost) in [
            ("settle=3", 3),
            ("settle=10", 10),
            ("settle=60", 60),
            ("settle=0", 0),
            ("settle=100", 100),
            ("settle=4&settle=50", 4),
            ("settle=7&header=70", 7),
            ("header=25", 25),
            ("header=none", 10),
            ("", 10),
            ("then=refuse", 10),
            ("then=fail", 0),
            ("then=panic", 0),
            ("then=hang", 0),
            ("then=cut", 0),
            ("leave", 0),
            ("settle=8&then=fail", 8),
            ("settle=8&then=panic", 8),
            ("settle=8&then=hang", 8),
            ("settle=8&then=cut", 8),
            ("settle=30&leave", 30),
            ("header=30&leave", 30),
        ] {
            let policy = Policy::new("tokens", Key::address()).quota(quota).keys(8);
            let limits = policy.settled(10).settled_by_header(X_COST).build().unwrap();
            let app = limited(&limits, settling());
            let headers = run(&app, query).await;
            assert_eq!(left(&limits, "tokens", PEER), 100 - cost, "{quota}: {query}");
            assert!(headers.is_none_or(|headers| !headers.contains_key(X_COST)), "{query}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_reserved_is_not_there_for_others() {
    let limits = tokens().settled(60).build().unwrap();
    let app = limited(&limits, settling());
    let mut running = Box::pin(app.clone().oneshot(get_from(PEER, "/?settle=1&then=hang")));
    assert!((&mut running).now_or_never().is_none());
    let refused = send(&app, get_from(PEER, "/?settle=1")).await;
    assert_eq!(refused.status, 429);
    drop(running);
    assert_eq!(send(&app, get_from(PEER, "/?settle=1")).await.status, 200);
    assert_eq!(left(&limits, "tokens", PEER), 98);
}

#[tokio::test(start_paused = true)]
async fn what_was_used_beyond_the_quota_is_paid_off_before_anything_is_let_in() {
    for (quota, pays_off) in [(Quota::per_hour(100), 3600 + 36), (Quota::per_hour(100).sliding_window(), 3600)] {
        let limits = Policy::new("tokens", Key::address()).quota(quota).keys(8).settled(0).build().unwrap();
        let app = limited(&limits, settling());
        assert_eq!(send(&app, get_from(PEER, "/?settle=200")).await.status, 200);
        let refused = send(&app, get_from(PEER, "/")).await;
        assert_eq!(refused.status, 429, "{quota}");
        assert_eq!(refused.header("retry-after"), pays_off.to_string(), "{quota}");
        tokio::time::advance(Duration::from_secs(pays_off - 1)).await;
        assert_eq!(send(&app, get_from(PEER, "/")).await.status, 429, "{quota}");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(send(&app, get_from(PEER, "/")).await.status, 200, "{quota}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_order_of_the_settings_does_not_matter() {
    let by_size = |head: &axum::http::request::Parts| head.uri.path().len().try_into().unwrap();
    for policy in [
        tokens().settled(1).settled_by_header(X_COST).cost_by(by_size),
        tokens().settled_by_header(X_COST).settled(1).cost_by(by_size),
        tokens().cost_by(by_size).settled_by_header(X_COST),
    ] {
        let limits = policy.build().unwrap();
        run(&limited(&limits, settling()), "header=25").await;
        assert_eq!(left(&limits, "tokens", PEER), 75);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_settle_whomever_the_policy_does_not_charge() {
    let settled = || tokens().settled(10).settled_by_header(X_COST);
    let builder = RateLimitLayer::builder;
    for (what, limits) in [
        ("on the allow list", builder().policy(settled()).allow([PEER])),
        ("another method", builder().policy(settled().methods([axum::http::Method::POST]))),
        ("not applicable", builder().policy(settled().when(|_| false))),
        ("switched off", builder().policy(settled().mode(palisade::Mode::Off))),
    ] {
        let limits = limits.build().unwrap();
        let answer = send(&limited(&limits, settling()), get_from(PEER, "/?settle=5&header=7")).await;
        assert_eq!(answer.status, 200, "{what}");
        assert_eq!(answer.header("x-cost"), "", "{what}");
        assert_eq!(left(&limits, "tokens", PEER), 100, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_word_settles_all_limits_around_the_handler() {
    let limit = |name: &str| Policy::new(name, Key::address()).quota(Quota::per_hour(100)).settled(10).build().unwrap();
    let (outer, inner) = (limit("outer"), limit("inner"));
    let app = limited(&outer, settling().layer(inner.clone()));
    run(&app, "settle=30").await;
    assert_eq!(left(&outer, "outer", PEER), 70);
    let unknown = inner.peek("inner", None, &[palisade::rate_limit::Subject::address(PEER.parse().unwrap())]).unwrap();
    assert_eq!(unknown.remaining, 70);
}

#[tokio::test]
async fn a_handler_that_asks_for_a_cost_where_none_is_settled_is_told_in_the_log() {
    let log = crate::support::log();
    let stack = palisade::Stack::production().limits(tokens()).build().unwrap();
    let request = from_peer(PEER, "GET", "/?settle=1").body(Body::empty()).unwrap();
    let answer = send(&stack.wrap(settling()), request).await;
    assert_eq!(answer.status, 500);
    assert!(!answer.text().contains("settled"), "{}", answer.text());
    assert!(!log.lines_with("a handler asks for a Cost").is_empty());
}
