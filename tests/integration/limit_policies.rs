//! Several policies are one decision; and many requests at once are counted one by one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Method, StatusCode},
    routing::get,
};
use futures_util::{StreamExt as _, future::join_all, stream};
use http_body_util::BodyExt as _;
use palisade::{
    Mode,
    rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject},
};
use tower::ServiceExt as _;

use crate::support::{from_peer, get_from, hello, left, limited, send, statuses};

const PEER: &str = "192.0.2.1";

fn by_address(name: &str, quota: Quota) -> Policy {
    Policy::new(name, Key::address()).quota(quota)
}

/// One policy for each way of counting; the flow is the first to be spent.
fn all_kinds() -> RateLimitLayer {
    RateLimitLayer::builder()
        .policy(by_address("sliding", Quota::per_minute(9).sliding_window()))
        .policy(by_address("flow", Quota::per_minute(3)))
        .policy(by_address("fixed", Quota::per_hour(9).fixed_window()))
        .policy(by_address("running", Quota::concurrent(9)))
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_request_that_one_policy_refuses_charges_none() {
    let limits = all_kinds();
    let app = limited(&limits, hello());
    assert_eq!(statuses(&app, PEER, 8).await, [200, 200, 200, 429, 429, 429, 429, 429]);
    for (policy, remaining) in [("sliding", 6), ("flow", 0), ("fixed", 6), ("running", 9)] {
        assert_eq!(left(&limits, policy, PEER), remaining, "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn whichever_kind_refuses_the_others_are_not_charged() {
    for refuses in ["sliding", "flow", "fixed", "running"] {
        let quota = |name: &str, quota: fn(u32) -> Quota| quota(if name == refuses { 1 } else { 5 });
        let limits = RateLimitLayer::builder()
            .policy(by_address("sliding", quota("sliding", |n| Quota::per_hour(n).sliding_window())))
            .policy(by_address("flow", quota("flow", Quota::per_day)))
            .policy(by_address("fixed", quota("fixed", |n| Quota::per_day(n).fixed_window())))
            .policy(by_address("running", quota("running", Quota::concurrent)))
            .build()
            .unwrap();
        let app = limited(&limits, hello());
        let held = app.clone().oneshot(get_from(PEER, "/")).await.unwrap();
        let refused = send(&app, get_from(PEER, "/")).await;
        assert_eq!(refused.status, 429, "{refuses}");
        assert_eq!(refused.json()["violated-policies"], serde_json::json!([refuses]));
        for policy in ["sliding", "flow", "fixed", "running"] {
            assert_eq!(left(&limits, policy, PEER), if policy == refuses { 0 } else { 4 }, "{policy}, {refuses}");
        }
        drop(held);
        assert_eq!(left(&limits, "running", PEER), if refuses == "running" { 1 } else { 5 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_all_who_refuse_and_the_longest_wait() {
    let limits = RateLimitLayer::builder()
        .policy(by_address("minute", Quota::per_minute(2)))
        .policy(by_address("hour", Quota::per_hour(2)))
        .policy(by_address("wide", Quota::per_hour(100)))
        .policy(by_address("day", Quota::per_day(2).sliding_window()))
        .build()
        .unwrap();
    let app = limited(&limits, hello());
    statuses(&app, PEER, 2).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    let refused = send(&app, get_from(PEER, "/")).await;
    assert_eq!(refused.json()["violated-policies"], serde_json::json!(["minute", "hour", "day"]));
    assert_eq!(refused.header("retry-after"), "86390");
    assert_eq!(refused.json()["detail"], "Too many requests. Try again in 86390 s.");
    tokio::time::advance(Duration::from_secs(60)).await;
    let refused = send(&app, get_from(PEER, "/")).await;
    assert_eq!(refused.json()["violated-policies"], serde_json::json!(["hour", "day"]), "the minute has passed");
}

#[tokio::test(start_paused = true)]
async fn a_policy_in_report_mode_counts_and_never_refuses() {
    let limits = RateLimitLayer::builder()
        .policy(by_address("tried", Quota::per_hour(2)).mode(Mode::Report))
        .policy(by_address("api", Quota::per_hour(5)))
        .policy(by_address("unused", Quota::per_hour(1)).mode(Mode::Off))
        .build()
        .unwrap();
    let app = limited(&limits, hello());
    assert_eq!(statuses(&app, PEER, 7).await, [200, 200, 200, 200, 200, 429, 429]);
    let refused = send(&app, get_from(PEER, "/")).await;
    assert_eq!(refused.json()["violated-policies"], serde_json::json!(["api"]));
    let counts: Vec<_> =
        limits.snapshot().into_iter().map(|state| (state.policy, state.allowed, state.refused)).collect();
    let expected = [("tried", 2, 3), ("api", 5, 3), ("unused", 0, 0)].map(|(name, a, r)| (name.to_owned(), a, r));
    assert_eq!(counts, expected, "what is refused by one is neither let in nor refused by another");
}

#[tokio::test(start_paused = true)]
async fn a_policy_in_report_mode_is_not_charged_for_what_another_refuses() {
    let limits = RateLimitLayer::builder()
        .policy(by_address("tried", Quota::per_hour(9)).mode(Mode::Report))
        .policy(by_address("api", Quota::per_hour(1)))
        .build()
        .unwrap();
    assert_eq!(statuses(&limited(&limits, hello()), PEER, 4).await, [200, 429, 429, 429]);
    assert_eq!((left(&limits, "tried", PEER), left(&limits, "api", PEER)), (8, 0));
}

#[tokio::test(start_paused = true)]
async fn a_policy_applies_where_it_says() {
    let limits = RateLimitLayer::builder()
        .policy(by_address("writes", Quota::per_hour(1)).methods([Method::POST, Method::PUT]))
        .policy(by_address("beta", Quota::per_hour(1)).when(|head| head.headers.contains_key("x-beta")))
        .build()
        .unwrap();
    let app = limited(&limits, hello());
    assert_eq!(statuses(&app, PEER, 3).await, [200; 3]);
    let asked = |method, beta: bool| {
        let request = from_peer(PEER, method, "/");
        if beta { request.header("x-beta", "1") } else { request }.body(Body::empty()).unwrap()
    };
    for (method, beta, status) in
        [("POST", false, 200), ("PUT", false, 429), ("DELETE", false, 200), ("GET", true, 200), ("DELETE", true, 429)]
    {
        assert_eq!(send(&app, asked(method, beta)).await.status, status, "{method} {beta}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_at_once_from_one_key_get_exactly_the_burst() {
    let alone = by_address("api", Quota::per_day(1000)).build().unwrap();
    let behind = RateLimitLayer::builder()
        .policy(by_address("wide", Quota::per_day(20_000)))
        .policy(by_address("api", Quota::per_day(1000).sliding_window()).keys(8))
        .policy(by_address("day", Quota::per_day(5000).fixed_window()))
        .build()
        .unwrap();
    for (limits, charged) in [(&alone, &[("api", 0)][..]), (&behind, &[("api", 0), ("wide", 19_000), ("day", 4000)])] {
        let app = limited(limits, hello());
        let sent = (0..10_000).map(|_| {
            let app = app.clone();
            tokio::spawn(async move { send(&app, get_from(PEER, "/")).await.status })
        });
        let admitted = join_all(sent).await.into_iter().filter(|status| *status.as_ref().unwrap() == StatusCode::OK);
        assert_eq!(admitted.count(), 1000);
        for (policy, remaining) in charged {
            assert_eq!(left(limits, policy, PEER), *remaining, "{policy}");
        }
    }
}

/// Counts who is inside, and the most there ever were.
#[derive(Clone, Default)]
struct Inside(Arc<(AtomicUsize, AtomicUsize)>);

struct Visit(Inside);

impl Inside {
    fn enter(&self) -> Visit {
        let now = self.0.0.fetch_add(1, SeqCst) + 1;
        self.0.1.fetch_max(now, SeqCst);
        Visit(self.clone())
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, SeqCst);
    }
}

/// Routes that end in every way there is.
fn endings(inside: Inside) -> Router {
    let (body, head, panics) = (inside.clone(), inside.clone(), inside);
    let stream = |visit: Visit, panics: bool| {
        let pieces = stream::iter(0..3).then(move |piece| {
            let _inside = &visit;
            async move {
                tokio::task::yield_now().await;
                assert!(!panics || piece < 1, "in the body");
                Ok::<_, std::io::Error>(Bytes::from_static(b"piece"))
            }
        });
        Body::from_stream(pieces)
    };
    Router::new()
        .route("/body", get(move || async move { stream(body.enter(), false) }))
        .route("/panicking-body", get(move || async move { stream(panics.enter(), true) }))
        .route(
            "/head",
            get(move || async move {
                let _visit = head.enter();
                tokio::task::yield_now().await;
            }),
        )
        .route("/panic", get(|| async { panic!("in the handler") as &str }))
        .route("/forever", get(std::future::pending::<()>))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_run_than_may_and_every_place_comes_back_however_a_request_ends() {
    const PLACES: u32 = 7;
    let limits = by_address("running", Quota::concurrent(PLACES)).build().unwrap();
    let inside = Inside::default();
    let app = limited(&limits, endings(inside.clone()));
    let sent = (0..4000).map(|index| {
        let app = app.clone();
        let uri = ["/body", "/head", "/panic", "/panicking-body", "/forever"][index % 5];
        tokio::spawn(async move {
            let answer = app.oneshot(get_from(PEER, uri));
            if uri == "/forever" {
                let _ = tokio::time::timeout(Duration::from_millis(1), answer).await;
                return;
            }
            let mut answer = answer.await.unwrap();
            // Every other body is dropped half-way.
            while index % 2 == 0 && matches!(answer.frame().await, Some(Ok(_))) {}
            let _ = answer.frame().await;
        })
    });
    for (index, task) in sent.collect::<Vec<_>>().into_iter().enumerate() {
        if index % 11 == 0 {
            task.abort();
        }
        let _ = task.await;
    }
    let most = inside.0.1.load(SeqCst);
    assert!(most > 1 && most <= PLACES as usize, "{most} ran at once");
    let caller = [Subject::address(PEER.parse().unwrap())];
    assert_eq!(limits.peek("running", None, &caller).unwrap().remaining, PLACES, "all places came back");
    let state = &limits.snapshot()[0];
    assert!(state.allowed > 10 && state.refused > 10, "{state:?}");
    assert_eq!(state.keys, 0);
}

#[tokio::test(start_paused = true)]
async fn a_place_is_taken_until_the_body_has_ended() {
    let limits = by_address("running", Quota::concurrent(2)).build().unwrap();
    let app = limited(&limits, hello());
    let first = app.clone().oneshot(get_from(PEER, "/")).await.unwrap();
    let second = app.clone().oneshot(get_from(PEER, "/")).await.unwrap();
    let refused = send(&app, get_from(PEER, "/")).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "1"));
    assert_eq!(send(&app, get_from("192.0.2.2", "/")).await.status, 200, "another caller has places of its own");
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(send(&app, get_from(PEER, "/")).await.status, 200);
    drop(second);
    assert_eq!(left(&limits, "running", PEER), 2);
}
