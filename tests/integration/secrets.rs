//! A secret that a request brings, and everything that could tell it on.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Body, routing::post};
use palisade::{Access, access_log::AccessLogLayer, inspect::InspectLayer, logs::LogSettings};
use tracing::instrument::WithSubscriber as _;

use crate::{
    logs::Logged,
    sentry::Receiver,
    support::{from_peer, get_from, send, stack},
};

const SECRET: &str = "s3cr3tOfThisTest0123456789";

#[tokio::test]
async fn a_secret_that_came_with_a_panic_is_found_nowhere() {
    let (logged, receiver) = (Logged::new("secret-everywhere", LogSettings::production()), Receiver::start());
    let sentry = receiver.reporter().traces_sample_rate(1.0).build().unwrap();
    let combined = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&combined);
    let inspect = InspectLayer::new();
    let routes = || {
        Router::new().route("/login/{*rest}", post(|body: String| async move { panic!("no user in {body}") as &str }))
    };
    let wall = || stack().access(Access::loopback()).inspect(inspect.clone()).reporter(sentry.clone());
    let logs = [
        AccessLogLayer::events(),
        AccessLogLayer::json(logged.logs.lines()),
        AccessLogLayer::combined(move |line| written.lock().unwrap().extend_from_slice(line)),
    ];
    let mut told = Vec::new();
    for log in logs {
        let stack = wall().access_log(log).build().unwrap();
        let app = stack.inner_routes().merge(stack.wrap(routes()));
        // In a value that looks like an attack too: what is found is told, and not the value.
        let request = from_peer(
            "192.0.2.1",
            "POST",
            &format!("/login/;password={SECRET}?token={SECRET}&q={SECRET}'%20OR%20'1'='1'--"),
        )
        .header("authorization", format!("Bearer {SECRET}"))
        .header("cookie", format!("session={SECRET}; b={SECRET}"))
        .header("x-api-key", SECRET)
        .header("referer", format!("https://{SECRET}:{SECRET}@app.example/?token={SECRET}"))
        .header("content-type", "application/json");
        let body = Body::from(format!(r#"{{"user":"ada","password":"{SECRET}"}}"#));
        let answer = send(&app, request.body(body).unwrap()).with_subscriber(logged.dispatch.clone()).await;
        assert_eq!(answer.status, 500);
        told.push(("the answer".to_owned(), format!("{:?} {}", answer.headers, answer.text())));
        for path in ["/errors/stats", "/metrics", "/health/metrics", "/inspect/summary"] {
            let inner = send(&app, get_from("127.0.0.1", path)).await;
            assert_eq!(inner.status, 200);
            told.push((path.to_owned(), inner.text().to_owned()));
        }
    }
    sentry.close();
    told.extend(logged.texts());
    told.push(("combined".to_owned(), String::from_utf8(combined.lock().unwrap().clone()).unwrap()));
    let raw = receiver.raw.lock().unwrap();
    told.extend(
        raw.iter()
            .map(|(headers, body)| ("Sentry".to_owned(), format!("{headers:?} {}", String::from_utf8_lossy(body)))),
    );
    assert_eq!(raw.len(), 6, "three failures and three traces");
    for (place, text) in &told {
        assert!(!text.contains(SECRET), "{place}: {text}");
    }
    // That the places were there to be searched.
    for (place, trace) in [
        ("/errors/stats", "no user in"),
        ("/inspect/summary", "sql-injection"),
        ("app.log", "\"path\":\"/login/;password=[redacted]\""),
        ("errors.log", "no user in"),
        ("combined", "POST /login/;password=[redacted] "),
        ("Sentry", "no user in"),
    ] {
        assert!(told.iter().any(|(known, text)| known.ends_with(place) && text.contains(trace)), "{place} has {trace}");
    }
}
