//! What broke: counted, kept, reported once, and without its secrets.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Body, routing::get};
use futures_util::stream;
use http_body_util::BodyExt as _;
use palisade::{
    Access, AppError, Stack,
    error_tracking::{ErrorTrackingLayer, Failure},
};
use serde_json::{Value, json};
use tokio::time::{Duration, advance};
use tower::ServiceExt as _;

use crate::support::{from_peer, get_from, log, send};

const PEER: &str = "192.0.2.1";

fn routes() -> Router {
    Router::new()
        .route("/fine", get(|| async {}))
        .route("/panic", get(|| async { panic!("it was password=hunter2 that broke") as &str }))
        .route(
            "/behind",
            get(|| async { Err::<(), _>(AppError::external_service("postgres://shop:hunter2@db is gone")) }),
        )
        .route(
            "/cut",
            get(|| async { Body::from_stream(stream::iter([Ok("some"), Err("the wire with token=hunter2 broke")])) }),
        )
}

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Value>>>);

impl Told {
    fn reporter(&self) -> impl Fn(&Failure<'_>) + Send + Sync + 'static {
        let told = Arc::clone(&self.0);
        move |failure| {
            let facts = failure.facts();
            told.lock().unwrap().push(json!({
                "status": failure.status(),
                "reason": failure.reason(),
                "cause": failure.cause(),
                "panic": failure.is_panic(),
                "operational": failure.is_operational(),
                "route": facts.route(),
                "id": facts.request_id().map(ToString::to_string),
            }));
        }
    }
}

#[tokio::test]
async fn each_failure_is_told_once_with_its_cause_and_without_its_secrets() {
    let (told, log) = (Told::default(), log());
    let app = Stack::production().reporter(told.reporter()).build().unwrap().wrap(routes());
    let panicked = send(&app, get_from(PEER, "/panic")).await;
    send(&app, get_from(PEER, "/behind")).await;
    let cut = app.clone().oneshot(get_from(PEER, "/cut")).await.unwrap();
    assert!(cut.into_body().collect().await.is_err());
    for quiet in ["/fine", "/nowhere"] {
        send(&app, get_from(PEER, quiet)).await;
    }
    let told = told.0.lock().unwrap();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_eq!(
        told[0],
        json!({
            "status": 500, "reason": "internal-error", "cause": "panicked: it was password=[redacted] that broke",
            "panic": true, "operational": false, "route": "/panic", "id": panicked.header("x-request-id"),
        })
    );
    assert_eq!((&told[1]["status"], &told[1]["operational"]), (&502.into(), &true.into()));
    assert_eq!(told[1]["cause"], "postgres://[redacted]db is gone");
    assert_eq!((&told[2]["status"], &told[2]["reason"]), (&0.into(), &"broken-off".into()));
    assert_eq!(told[2]["cause"], "the wire with token=[redacted] broke");
    let lines = log.lines_with(panicked.header("x-request-id"));
    assert!(lines.iter().any(|line| line.contains("palisade::error")));
    assert!(lines.iter().all(|line| !line.contains("hunter2")), "{lines:#?}");
}

#[tokio::test]
async fn a_reporter_that_panics_harms_nobody() {
    let broken = |_: &Failure<'_>| panic!("the reporter broke");
    let told = Told::default();
    let app = Stack::production().reporter(broken).reporter(told.reporter()).build().unwrap().wrap(routes());
    let answer = send(&app, get_from(PEER, "/behind")).await;
    assert_eq!(answer.status.as_u16() / 100, 5);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(told.0.lock().unwrap().len(), 1, "the next is told all the same");
}

#[tokio::test(start_paused = true)]
async fn the_statistics_tell_kinds_routes_rates_and_the_last_failures() {
    let stack = Stack::production().access(Access::loopback()).build().unwrap();
    let app = stack.inner_routes().merge(stack.wrap(routes()));
    for _ in 0..6 {
        send(&app, get_from(PEER, "/behind")).await;
    }
    advance(Duration::from_secs(120)).await;
    for path in ["/panic", "/nowhere", "/nowhere/else"] {
        send(&app, get_from(PEER, path)).await;
    }
    let statistics = send(&app, get_from("127.0.0.1", "/errors/stats")).await.json();
    for (field, expected) in [
        ("total_errors", json!(9)),
        ("error_counts", json!({ "client": 2, "server": 7, "panic": 1 })),
        ("error_levels", json!({ "info": 2, "warning": 6, "error": 1 })),
        ("error_types", json!({ "external-service": 6, "internal-error": 1, "not-found": 2 })),
        ("error_routes", json!({ "/behind": 6, "/panic": 1, "unmatched": 2 })),
        ("status_classes", json!({ "4xx": 2, "5xx": 7 })),
        ("error_rate_per_minute", json!(4.5)),
        ("error_rates_per_minute", json!({ "1m": 3.0, "5m": 4.5, "15m": 4.5 })),
        ("tracking_duration_minutes", json!(2.0)),
    ] {
        assert_eq!(statistics[field], expected, "{field}");
    }
    let last = statistics["last_errors"].as_array().unwrap();
    assert_eq!((last.len(), &last[0]["route"], &last[1]["route"]), (7, &json!("/panic"), &json!("/behind")));
    assert!(!statistics.to_string().contains("hunter2"));
}

#[tokio::test]
async fn memory_is_the_same_whatever_breaks() {
    let tracking = ErrorTrackingLayer::new();
    let app = routes().layer(tracking.clone());
    for number in 0..1000 {
        send(&app, get_from(PEER, "/behind")).await;
        send(&app, get_from(PEER, &format!("/scan/{number}"))).await;
    }
    let statistics = tracking.statistics();
    assert_eq!(statistics["total_errors"], 2000);
    assert_eq!(statistics["last_errors"].as_array().unwrap().len(), 50);
    assert_eq!(statistics["error_routes"].as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn what_a_request_carries_is_found_nowhere() {
    let (told, log) = (Told::default(), log());
    let stack = Stack::production().access(Access::loopback()).reporter(told.reporter()).build().unwrap();
    let app = stack.inner_routes().merge(stack.wrap(routes()));
    let secret = "s3cr3t-of-this-test";
    let request = from_peer(PEER, "GET", &format!("/panic?token={secret}"))
        .header("authorization", format!("Bearer {secret}"))
        .header("cookie", format!("session={secret}"))
        .header("x-api-key", secret)
        .header("referer", format!("https://a.example/?token={secret}"))
        .header("content-type", "application/json");
    let answer = send(&app, request.body(Body::from(format!(r#"{{"password":"{secret}"}}"#))).unwrap()).await;
    assert_eq!(answer.status, 500);
    assert!(!answer.text().contains(secret) && !format!("{:?}", answer.headers).contains(secret));
    assert_eq!(log.lines_with(secret), [""; 0]);
    assert!(!format!("{:?}", told.0.lock().unwrap()).contains(secret));
    for path in ["/errors/stats", "/metrics", "/health/metrics"] {
        assert!(!send(&app, get_from("127.0.0.1", path)).await.text().contains(secret), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_panics_at_once_are_a_thousand_clean_answers() {
    let told = Told::default();
    let app = Stack::production().flood(None).reporter(told.reporter()).build().unwrap().wrap(routes());
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let app = app.clone();
        asked.spawn(async move { send(&app, get_from(PEER, "/panic")).await });
    }
    let answers = asked.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 500 && answer.json()["status"] == 500));
    assert_eq!(told.0.lock().unwrap().len(), 1000);
}
