//! Tiers that must be asked for.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, body::Body, http::request::Parts, routing::get};
use palisade::{
    Facts, Principal, Stack,
    rate_limit::{Key, Policy, Quota},
    tier_lookup::TierLookup,
};

use crate::support::{Answer, from_peer, log, send};

fn behind(lookup: TierLookup) -> Router {
    let limits = Policy::new("api", Key::principal_or_address())
        .tier("anonymous", Quota::per_minute(1))
        .tier("free", Quota::per_minute(2))
        .tier("pro", Quota::per_minute(50));
    let who = |head: &Parts| head.headers.get("x-user")?.to_str().ok().map(Principal::new);
    let stack = Stack::production().authenticate(who).tiers(lookup).limits(limits).build().unwrap();
    stack.wrap(Router::new().route("/", get(|facts: Facts| async move { facts.tier().unwrap_or("none").to_owned() })))
}

async fn ask(app: &Router, user: &str) -> Answer {
    send(app, from_peer("192.0.2.1", "GET", "/").header("x-user", user).body(Body::empty()).unwrap()).await
}

/// Counts how often it is asked; `ada` is pro, `bob` has no tier, `eve` breaks it, `sam` is slow.
fn directory() -> (TierLookup, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let counted = asked.clone();
    let lookup = TierLookup::new(move |caller: Principal| {
        counted.fetch_add(1, Relaxed);
        async move {
            tokio::time::sleep(Duration::from_millis(if caller.id() == "sam" { 10_000 } else { 10 })).await;
            match caller.id() {
                "eve" => Err(io::Error::other("the directory is down")),
                "bob" => Ok(None),
                _ => Ok(Some("pro")),
            }
        }
    });
    (lookup, asked)
}

#[tokio::test(start_paused = true)]
async fn a_tier_is_looked_up_for_those_who_are_known() {
    let (lookup, asked) = directory();
    let app = behind(lookup);
    assert_eq!(ask(&app, "ada").await.text(), "pro");
    assert_eq!(ask(&app, "bob").await.text(), "anonymous", "nothing is known of bob's tier");
    let nobody = from_peer("192.0.2.1", "GET", "/").body(Body::empty()).unwrap();
    assert_eq!(send(&app, nobody).await.text(), "anonymous");
    assert_eq!(asked.load(Relaxed), 2, "nobody is not asked for");
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_fails_or_is_late_refuses_nobody() {
    let log = log();
    let app = behind(directory().0.otherwise("free"));
    for user in ["eve", "sam"] {
        let started = tokio::time::Instant::now();
        let answer = ask(&app, user).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "free"), "{user}");
        assert!(started.elapsed() <= Duration::from_millis(201), "{user}: {:?}", started.elapsed());
        assert!(!log.lines_with(answer.header("x-request-id")).is_empty(), "{user}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_lookup_is_dressed_like_any_other() {
    let app = behind(directory().0.otherwise("free"));
    for _ in 0..2 {
        ask(&app, "eve").await;
    }
    let answer = ask(&app, "eve").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.json()["requestId"], answer.header("x-request-id"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[cfg(feature = "tier-cache")]
#[tokio::test]
async fn a_cached_tier_is_asked_for_once_however_many_come_at_once() {
    let (lookup, asked) = directory();
    let app = behind(lookup.cached(100, Duration::from_millis(500)).timeout(Duration::from_secs(5)));
    futures_util::future::join_all((0..20).map(|_| ask(&app, "ada"))).await;
    assert_eq!(ask(&app, "ada").await.text(), "pro");
    assert_eq!(asked.load(Relaxed), 1);
    for _ in 0..2 {
        ask(&app, "eve").await;
    }
    assert_eq!(asked.load(Relaxed), 3, "a failure is not remembered");
}
