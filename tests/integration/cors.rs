//! Cross-origin requests through the whole stack.

use axum::{Router, body::Body, http::Method, routing::any};

use crate::support::{ORIGIN, application, from_peer, send, stack};

fn preflight(origin: &str) -> axum::http::Request<Body> {
    from_peer("192.0.2.1", "OPTIONS", "/items/1")
        .header("origin", origin)
        .header("access-control-request-method", "PUT")
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn a_preflight_of_a_listed_origin_is_answered_and_spends_no_quota() {
    let app = stack().build().unwrap().wrap(application());
    for _ in 0..30 {
        let answer = send(&app, preflight(ORIGIN)).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
        assert!(answer.header("access-control-allow-methods").contains("PUT"));
        assert_eq!(answer.header("x-ratelimit-remaining"), "");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        let vary: Vec<_> = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(
            vary.join(", ").contains("origin") && vary.join(", ").contains("access-control-request-method"),
            "{vary:?}"
        );
    }
}

#[tokio::test]
async fn a_preflight_of_any_other_origin_is_refused_without_a_cors_header() {
    let app = stack().build().unwrap().wrap(application());
    for origin in [
        "https://evil.example",
        "null",
        "https://app.example.evil.example",
        "https://app.example:444",
        "http://app.example",
        "HTTPS://APP.EXAMPLE",
    ] {
        let answer = send(&app, preflight(origin)).await;
        assert_eq!(answer.status, 403, "{origin}");
        assert!(answer.json()["type"].as_str().unwrap().ends_with("origin-not-allowed"));
        assert_eq!(answer.json()["requestId"], answer.header("x-request-id"));
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control")), "{:?}", answer.headers);
    }
}

#[tokio::test]
async fn an_options_request_that_is_no_preflight_reaches_the_handler() {
    let app = Router::new().route("/", any(|method: Method| async move { format!("handled {method}") }));
    let app = stack().build().unwrap().wrap(app);
    for (name, value) in [("x-nothing", "1"), ("origin", ORIGIN), ("access-control-request-method", "PUT")] {
        let request = from_peer("192.0.2.1", "OPTIONS", "/").header(name, value).body(Body::empty()).unwrap();
        assert_eq!(send(&app, request).await.text(), "handled OPTIONS", "{name}");
    }
}

#[tokio::test]
async fn an_answer_to_another_origin_tells_it_nothing_and_varies() {
    let app = stack().credentials(true).build().unwrap().wrap(application());
    let request =
        from_peer("192.0.2.1", "GET", "/items/1").header("origin", "https://evil.example").body(Body::empty());
    let answer = send(&app, request.unwrap()).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control")));
    assert_eq!(answer.header("vary"), "origin");
}

#[tokio::test]
async fn two_origins_in_one_request_are_none() {
    let app = stack().build().unwrap().wrap(application());
    let request =
        from_peer("192.0.2.1", "GET", "/items/1").header("origin", ORIGIN).header("origin", "https://evil.example");
    let answer = send(&app, request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn credentials_are_allowed_to_listed_origins_only_when_asked_for() {
    let app = stack().credentials(true).build().unwrap().wrap(application());
    let answer = send(&app, preflight(ORIGIN)).await;
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
}
