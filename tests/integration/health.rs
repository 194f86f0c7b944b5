//! Probes.

use std::{io, time::Duration};

use axum::{Router, body::Body, http::StatusCode, routing::get};
use palisade::{Check, Health};

use crate::support::{application, from_peer, get_from, send, stack};

fn good(name: &'static str) -> Check {
    Check::new(name, || async { Ok::<_, io::Error>(()) })
}

fn bad(name: &'static str) -> Check {
    Check::new(name, || async { Err::<(), _>(io::Error::other("postgres://admin:hunter2@db")) })
}

#[tokio::test]
async fn probes_answer_as_an_orchestrator_asks() {
    let app = Health::new().check(good("database").critical()).router(&stack().build().unwrap());
    for uri in ["/health", "/health/live", "/health/liveness", "/health/ready", "/ready", "/health/ping"] {
        let request =
            from_peer("10.1.2.3", "GET", uri).header("host", "10.1.2.3:8080").header("user-agent", "kube-probe/1.34");
        let answer = send(&app, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 200, "{uri}");
        assert_eq!(answer.header("cache-control"), "no-store", "{uri}");
        assert_eq!(answer.header("x-request-id").len(), 36, "{uri}");
    }
}

#[tokio::test]
async fn a_probe_is_never_limited() {
    let stack = stack().build().unwrap();
    let app = Health::new().router(&stack).merge(stack.wrap(application()));
    for _ in 0..1000 {
        assert_eq!(send(&app, get_from("192.0.2.1", "/health/live")).await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_critical_check_makes_the_service_unready_and_nothing_makes_it_dead() {
    let hanging =
        || Check::new("hanging", std::future::pending::<Result<(), io::Error>>).timeout(Duration::from_millis(100));
    let panicking = || Check::new("panicking", || async { panic!("in the check") as Result<(), io::Error> });
    for (checks, status) in [
        (vec![], 200),
        (vec![good("a").critical()], 200),
        (vec![good("a").critical(), bad("b")], 200),
        (vec![good("a"), bad("b").critical()], 503),
        (vec![hanging().critical()], 503),
        (vec![panicking().critical()], 503),
        (vec![hanging(), panicking()], 200),
    ] {
        let what = format!("{checks:?}");
        let health = checks.into_iter().fold(Health::new(), Health::check);
        let app = health.router(&stack().build().unwrap());
        let ready = send(&app, get_from("192.0.2.1", "/health/ready")).await;
        assert_eq!(ready.status.as_u16(), status, "{what}");
        assert_eq!(send(&app, get_from("192.0.2.1", "/health")).await.status.as_u16(), status, "{what}");
        assert_eq!(send(&app, get_from("192.0.2.1", "/health/live")).await.status, 200, "{what}");
    }
}

#[tokio::test]
async fn a_check_is_named_and_its_reason_stays_in_the_log() {
    let app = Health::new().check(good("cache")).check(bad("database").critical()).router(&stack().build().unwrap());
    let answer = send(&app, get_from("192.0.2.1", "/health")).await;
    assert_eq!(answer.json()["status"], "fail");
    assert_eq!(answer.json()["checks"]["database"]["status"], "fail");
    assert_eq!(answer.json()["checks"]["cache"]["status"], "pass");
    assert!(!answer.text().contains("hunter2"));
}

/// Whichever is merged into which: what is no route is the stack's, and limited as the stack says.
#[tokio::test]
async fn no_order_of_merging_opens_a_way_past_the_limit() {
    let stack = stack().build().unwrap();
    let health = || Health::new().router(&stack);
    let own = || application().fallback(|| async { (StatusCode::NOT_FOUND, "own") });
    let ways = [
        ("health first", health().merge(stack.inner_routes()).merge(stack.wrap(application()))),
        ("health last", stack.wrap(application()).merge(stack.inner_routes()).merge(health())),
        ("health first, own fallback", health().merge(stack.wrap(own()))),
        ("health last, own fallback", stack.wrap(own()).merge(health())),
        ("health alone", health()),
    ];
    for (index, (what, app)) in ways.into_iter().enumerate() {
        let peer = format!("198.51.100.{index}");
        let mut refused = 0;
        for _ in 0..12 {
            refused += usize::from(send(&app, get_from(&peer, "/nowhere")).await.status == 429);
        }
        assert_eq!(refused, 2, "{what}");
    }
}

#[tokio::test]
async fn a_wrong_method_on_a_probe_is_a_problem_like_any_other() {
    let app: Router = Health::new().router(&stack().build().unwrap()).route("/x", get(|| async {}));
    let answer = send(&app, from_peer("192.0.2.1", "POST", "/health/live").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.json()["requestId"], answer.header("x-request-id"));
}
