//! The five pains that everyone hits.

use axum::{Router, body::Body, http::StatusCode, routing::get};

use crate::support::{Answer, ORIGIN, application, from_peer, get_from, send, stack};

#[tokio::test]
async fn two_hundred_forged_forwarding_headers_are_one_client() {
    let app = stack().build().unwrap().wrap(application());
    let mut admitted = 0;
    for index in 0..200 {
        let forged = format!("10.{index}.0.1, 172.16.0.{index}");
        let request = from_peer("192.0.2.7", "GET", "/items/1")
            .header("x-forwarded-for", &forged)
            .header("forwarded", format!("for={forged}"))
            .header("x-real-ip", &forged)
            .body(Body::empty());
        admitted += usize::from(send(&app, request.unwrap()).await.status == 200);
    }
    assert_eq!(admitted, 10);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_quota() {
    let app = stack().trusted_proxies(["10.0.0.0/8"]).build().unwrap().wrap(application());
    for index in 0..30 {
        let client = format!("6.6.6.6, 203.0.113.{index}");
        let request = from_peer("10.0.0.1", "GET", "/items/1").header("x-forwarded-for", client).body(Body::empty());
        assert_eq!(send(&app, request.unwrap()).await.status, 200);
    }
}

#[tokio::test]
async fn a_missing_peer_address_is_never_a_500() {
    let app = stack().build().unwrap().wrap(application());
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let request = axum::http::Request::get("/items/1").body(Body::empty()).unwrap();
        statuses.push(send(&app, request).await.status.as_u16());
    }
    assert_eq!(statuses, [vec![200; 10], vec![429; 2]].concat(), "all such requests share one bucket");
}

#[tokio::test]
async fn retry_after_is_never_zero() {
    use palisade::rate_limit::{Key, Policy, Quota};
    for quota in
        [Quota::per_second(1000).burst(1), Quota::per_second(2).burst(1), Quota::per_minute(1), Quota::per_day(1)]
    {
        let limit = Policy::new("api", Key::address()).quota(quota).build().unwrap();
        let app: Router = Router::new().route("/", get(|| async {})).layer(limit);
        let refused = loop {
            let answer = send(&app, get_from("192.0.2.1", "/")).await;
            if answer.status == 429 {
                break answer;
            }
        };
        let seconds: u64 = refused.header("retry-after").parse().unwrap();
        assert!(seconds >= 1, "{quota}");
        assert!(seconds <= quota.period().as_secs() + 1, "{quota}: {seconds}");
    }
}

fn is_fully_dressed(what: &str, answer: &Answer, status: StatusCode, slug: &str) {
    assert_eq!(answer.status, status, "{what}");
    assert_eq!(answer.header("access-control-allow-origin"), ORIGIN, "{what}");
    assert!(answer.header("access-control-expose-headers").contains("x-request-id"), "{what}");
    assert!(answer.header("vary").contains("origin"), "{what}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert!(!answer.header("content-security-policy").is_empty(), "{what}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{what}");
    let problem = answer.json();
    assert_eq!(problem["requestId"], answer.header("x-request-id"), "{what}");
    assert_eq!(problem["status"], status.as_u16(), "{what}");
    assert!(problem["type"].as_str().unwrap().ends_with(slug), "{what}: {problem}");
    assert!(problem["instance"].as_str().unwrap().starts_with('/'), "{what}");
    assert!(!problem["title"].as_str().unwrap().is_empty(), "{what}");
    assert!(!answer.text().contains("secret"), "{what}: {problem}");
}

#[tokio::test(start_paused = true)]
async fn every_no_still_wears_every_header() {
    let announced =
        |uri: &str| from_peer("192.0.2.1", "POST", uri).header("content-length", 3 << 20).body(Body::empty());
    let chunked = |uri: &str| {
        let pieces = futures_util::stream::iter((0..48).map(|_| Ok::<_, std::io::Error>(vec![b'a'; 1 << 16])));
        from_peer("192.0.2.1", "POST", uri).body(Body::from_stream(pieces))
    };
    let plain = |method: &str, uri: &str| from_peer("192.0.2.1", method, uri).body(Body::empty());
    for (what, request, status, slug) in [
        ("a panic", plain("GET", "/panic"), 500, "internal-error"),
        ("an error of the handler", plain("GET", "/error"), 500, "internal-error"),
        ("a handler that never answers", plain("GET", "/slow"), 504, "handler-timeout"),
        ("no route", plain("GET", "/nowhere"), 404, "not-found"),
        ("the wrong method", plain("POST", "/items/1"), 405, "method-not-allowed"),
        ("an encoded dot segment", plain("GET", "/a/%2e%2e/b"), 400, "malformed-request"),
        ("a body announced too large", announced("/bytes"), 413, "payload-too-large"),
        ("a chunked body too large, read by axum", chunked("/bytes"), 413, "payload-too-large"),
        ("a chunked body too large, read by the handler", chunked("/raw"), 413, "payload-too-large"),
        ("no credentials", plain("GET", "/items/1"), 401, "unauthenticated"),
        ("credentials without the right", plain("DELETE", "/items/1"), 403, "forbidden"),
    ] {
        let app = stack()
            .authenticate(move |head: &axum::http::request::Parts| {
                let kind = match what {
                    "no credentials" => palisade::Kind::Unauthenticated,
                    "credentials without the right" => palisade::Kind::Forbidden,
                    _ => return Ok(None),
                };
                assert!(!head.uri.path().is_empty());
                Err(palisade::Rejection::new(kind).cause("the secret"))
            })
            .build()
            .unwrap()
            .wrap(application());
        let mut request = request.unwrap();
        request.headers_mut().insert("origin", ORIGIN.parse().unwrap());
        is_fully_dressed(what, &send(&app, request).await, StatusCode::from_u16(status).unwrap(), slug);
    }
}

#[tokio::test]
async fn a_429_still_wears_every_header() {
    let app = stack().build().unwrap().wrap(application());
    for _ in 0..10 {
        send(&app, get_from("192.0.2.1", "/items/1")).await;
    }
    let request = from_peer("192.0.2.1", "GET", "/items/1").header("origin", ORIGIN).body(Body::empty()).unwrap();
    let answer = send(&app, request).await;
    is_fully_dressed("a 429", &answer, StatusCode::TOO_MANY_REQUESTS, "quota-exceeded");
    assert_eq!(answer.json()["violated-policies"], serde_json::json!(["api"]));
    assert_eq!(answer.header("x-ratelimit-remaining"), "0");
    assert_eq!(answer.header("retry-after"), "6");
}

#[tokio::test]
async fn the_405_still_says_what_is_allowed() {
    let app = stack().build().unwrap().wrap(application());
    let answer = send(&app, from_peer("192.0.2.1", "DELETE", "/items/1").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn the_stack_covers_routes_added_before_it_and_every_fallback() {
    let stack = stack().build().unwrap();
    let with_default = application();
    let with_own = application().fallback(|| async { (StatusCode::NOT_FOUND, axum::Json("own")) });
    let nested = Router::new().nest("/v1", application());
    for (what, app, uri) in [
        ("a route", stack.wrap(with_default.clone()), "/items/1"),
        ("axum's fallback", stack.wrap(with_default), "/nowhere"),
        ("a fallback of one's own", stack.wrap(with_own), "/nowhere"),
        ("a nested route", stack.wrap(nested), "/v1/items/1"),
    ] {
        let answer = send(&app, get_from("192.0.2.1", uri)).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(answer.header("x-request-id").len(), 36, "{what}");
    }
}

#[tokio::test]
async fn a_json_error_of_the_handlers_own_is_left_as_it_is() {
    let own = Router::new().fallback(|| async { (StatusCode::NOT_FOUND, axum::Json("own")) });
    let answer = send(&stack().build().unwrap().wrap(own), get_from("192.0.2.1", "/nowhere")).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::NOT_FOUND, "\"own\""));
}
