//! Probes.

use std::{io, time::Duration};

use axum::{Router, body::Body, http::StatusCode, routing::get};
use palisade::{Access, Check, Health};

use crate::support::{application, from_peer, get_from, log, send, stack};

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
        let request = from_peer("10.1.2.3", "GET", uri).header("user-agent", "kube-probe/1.34");
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
    let stack = stack().access(Access::loopback()).build().unwrap();
    let app = Health::new().check(good("cache")).check(bad("database").critical()).router(&stack);
    let answer = send(&app, get_from("192.0.2.1", "/health")).await;
    assert_eq!(answer.json(), serde_json::json!({ "status": "fail" }), "a stranger learns no names");
    let answer = send(&app, get_from("127.0.0.1", "/health")).await;
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

#[tokio::test(start_paused = true)]
async fn checks_run_once_a_second_however_often_they_are_asked_for() {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    };
    let runs = Arc::new(AtomicU32::new(0));
    let counted = runs.clone();
    let check = Check::new("counted", move || {
        counted.fetch_add(1, Relaxed);
        async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok::<_, io::Error>(())
        }
    });
    let app: Router = Health::new().check(check.critical()).router(&stack().build().unwrap());
    let asked = (0..50).map(|_| send(&app, get_from("192.0.2.1", "/ready")));
    futures_util::future::join_all(asked).await;
    assert_eq!(runs.load(Relaxed), 1, "who comes meanwhile waits for the answer");
    tokio::time::advance(Duration::from_secs(1)).await;
    send(&app, get_from("192.0.2.1", "/ready")).await;
    assert_eq!(runs.load(Relaxed), 2);
}

#[tokio::test]
async fn the_page_for_people_has_a_limit_of_its_own() {
    let app: Router = Health::new().router(&stack().build().unwrap());
    let mut statuses = Vec::new();
    for _ in 0..11 {
        statuses.push(send(&app, get_from("192.0.2.1", "/health")).await.status.as_u16());
    }
    assert_eq!(statuses, [vec![200; 10], vec![429]].concat());
}

#[tokio::test]
async fn a_service_that_is_not_ready_is_no_failure_for_each_probe() {
    let log = log();
    let stack = stack().access(Access::loopback()).build().unwrap();
    let app = Health::new().check(bad("database").critical()).router(&stack).merge(stack.inner_routes());
    let mut ids = Vec::new();
    for uri in ["/health/ready", "/ready", "/health"] {
        let answer = send(&app, get_from("192.0.2.1", uri)).await;
        assert_eq!(answer.status, 503, "{uri}");
        ids.push(answer.header("x-request-id").to_owned());
    }
    assert_eq!(send(&app, get_from("127.0.0.1", "/errors/stats")).await.json()["total_errors"], 0);
    let failures = log.lines_with("palisade::error");
    assert!(ids.iter().all(|id| !failures.iter().any(|line| line.contains(id))), "{failures:#?}");
    assert!(!log.lines_with("a check failed").is_empty(), "but the check is told of");
}
