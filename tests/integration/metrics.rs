//! What a scraper sees.

use axum::body::{Body, HttpBody as _};
use palisade::{Access, Stack};

use crate::support::{application, from_peer, get_from, send, stack};

fn observed() -> (Stack, axum::Router) {
    let stack = stack().access(Access::loopback()).build().unwrap();
    let app = stack.inner_routes().merge(stack.wrap(application()));
    (stack, app)
}

async fn scrape(app: &axum::Router) -> String {
    let answer = send(app, get_from("127.0.0.1", "/metrics")).await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    answer.text().to_owned()
}

#[tokio::test]
async fn every_answer_is_counted_by_method_template_and_status() {
    let (_, app) = observed();
    for uri in ["/items/1", "/items/2", "/items/3"] {
        send(&app, get_from("192.0.2.1", uri)).await;
    }
    for index in 0..50 {
        send(&app, get_from(&format!("192.0.2.{index}"), &format!("/scan/{index}"))).await;
    }
    let text = scrape(&app).await;
    for line in [
        r#"http_requests_total{method="GET",route="/items/{id}",status="200"} 3"#,
        r#"http_requests_total{method="GET",route="unmatched",status="404"} 50"#,
        r#"http_request_duration_seconds_count{method="GET",route="/items/{id}",status="200"} 3"#,
        "http_requests_in_flight 1",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
    assert!(!text.contains("/scan/"), "a path is never a label");
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_a_decision() {
    let (_, app) = observed();
    for _ in 0..13 {
        send(&app, get_from("192.0.2.1", "/items/1")).await;
    }
    let text = scrape(&app).await;
    for line in [
        r#"http_requests_total{method="GET",route="/items/{id}",status="429"} 3"#,
        r#"palisade_decisions_total{guard="rate_limit",policy="api",outcome="refused",reason="quota-exceeded",mode="enforce"} 3"#,
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_body_has_ended() {
    use tower::ServiceExt as _;
    let (_, app) = observed();
    let response = app.clone().oneshot(get_from("192.0.2.1", "/items/1")).await.unwrap();
    assert!(!response.body().is_end_stream());
    assert!(scrape(&app).await.contains("http_requests_in_flight 2"));
    drop(response);
    assert!(scrape(&app).await.contains("http_requests_in_flight 1"));
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_a_499() {
    use futures_util::FutureExt as _;
    use tower::ServiceExt as _;
    let (_, app) = observed();
    let mut waiting = Box::pin(app.clone().oneshot(get_from("192.0.2.1", "/slow")));
    assert!((&mut waiting).now_or_never().is_none());
    drop(waiting);
    let text = scrape(&app).await;
    assert!(text.contains(r#"http_requests_total{method="GET",route="/slow",status="499"} 1"#), "{text}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told_of_beside_its_status() {
    use axum::{body::Bytes, routing::get};
    use futures_util::{FutureExt as _, StreamExt as _, stream};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;
    let begun = || stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"begun"))]);
    let bodies = move |how: &'static str| {
        let rest = move || async move {
            assert!(how != "panicked", "while streamed");
            Err(std::io::Error::other("no more"))
        };
        get(move || async move { Body::from_stream(begun().chain(stream::once(rest()))) })
    };
    let metrics = palisade::metrics::MetricsLayer::new();
    let routes = ["aborted", "failed", "panicked"];
    let app = routes.into_iter().fold(application(), |app, how| app.route(&format!("/{how}"), bodies(how)));
    let app = app.layer(metrics.clone());
    for how in routes {
        let mut body = app.clone().oneshot(get_from("192.0.2.1", &format!("/{how}"))).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        if how != "aborted" {
            body.frame().await.unwrap().unwrap_err();
        }
    }
    // One that is whole, and one that was never begun.
    send(&app, get_from("192.0.2.1", "/items/1")).await;
    assert!(app.oneshot(get_from("192.0.2.1", "/slow")).now_or_never().is_none());
    let text = metrics.render();
    for how in routes {
        for line in [
            format!(r#"http_responses_broken_off_total{{route="/{how}",how="{how}"}} 1"#),
            format!(r#"http_requests_total{{method="GET",route="/{how}",status="200"}} 1"#),
        ] {
            assert!(text.lines().any(|have| have == line), "{line} in {text}");
        }
    }
    assert_eq!(text.matches("\nhttp_responses_broken_off_total{").count(), 3, "{text}");
}

#[tokio::test]
async fn the_same_metrics_twice_on_a_way_count_once_and_others_count_too() {
    use axum::{Router, routing::get};
    use palisade::metrics::MetricsLayer;
    let (metrics, others) = (MetricsLayer::new(), MetricsLayer::new());
    let inner = Router::new().route("/inner", get(|| async { "inner" })).layer(metrics.clone());
    let app = application().merge(inner.layer(others.clone())).layer(metrics.clone());
    for _ in 0..3 {
        send(&app, get_from("192.0.2.1", "/inner")).await;
    }
    let (text, other) = (metrics.render(), others.render());
    let counted = r#"http_requests_total{method="GET",route="/inner",status="200"} 3"#;
    assert!(other.contains(counted), "{other}");
    assert!(text.contains(counted) && text.contains("http_requests_in_flight 0\n"), "{text}");
}

#[tokio::test]
async fn who_is_asked_again_with_the_same_facts_counts_again() {
    use palisade::{Facts, metrics::MetricsLayer};
    let metrics = MetricsLayer::new();
    let app = application().layer(metrics.clone());
    let (mut head, _) = get_from("192.0.2.1", "/items/1").into_parts();
    Facts::of(&mut head);
    for _ in 0..2 {
        let request = axum::http::Request::from_parts(head.clone(), Body::empty());
        send(&app, request).await;
    }
    let text = metrics.render();
    assert!(text.contains(r#"http_requests_total{method="GET",route="/items/{id}",status="200"} 2"#), "{text}");
}

#[tokio::test]
async fn a_nested_service_has_a_route_where_it_stands_on_one() {
    use axum::{Router, http::Request};
    let service = || {
        tower::service_fn(|request: Request<Body>| async move {
            Ok::<_, std::convert::Infallible>(palisade::Response::new(Body::from(request.uri().path().to_owned())))
        })
    };
    let metrics = palisade::metrics::MetricsLayer::new();
    let app = Router::new()
        .nest_service("/untold", service())
        .nest("/files", Router::new().route_service("/{*path}", service()))
        .layer(metrics.clone());
    for uri in ["/untold/logo.svg", "/files/logo.svg"] {
        assert_eq!(send(&app, get_from("192.0.2.1", uri)).await.text(), "/logo.svg");
    }
    let text = metrics.render();
    for route in ["unmatched", "/files/{*path}"] {
        let line = format!("http_requests_total{{method=\"GET\",route=\"{route}\",status=\"200\"}} 1\n");
        assert!(text.contains(&line), "{line} in {text}");
    }
}

#[tokio::test]
async fn the_inner_routes_are_for_those_who_may_see_them() {
    let app = |access| stack().access(access).build().unwrap().inner_routes();
    for uri in ["/metrics", "/health/metrics", "/errors/stats", "/api/errors/stats"] {
        let forwarded =
            from_peer("127.0.0.1", "GET", uri).header("x-forwarded-for", "192.0.2.1").body(Body::empty()).unwrap();
        let with = |token: &str| {
            from_peer("192.0.2.1", "GET", uri)
                .header("authorization", format!("Bearer {token}"))
                .body(Body::empty())
                .unwrap()
        };
        assert_eq!(send(&app(Access::nobody()), get_from("127.0.0.1", uri)).await.status, 403);
        assert_eq!(send(&app(Access::loopback()), get_from("192.0.2.1", uri)).await.status, 403);
        assert_eq!(send(&app(Access::loopback()), forwarded).await.status, 403);
        assert_eq!(send(&app(Access::loopback()), get_from("127.0.0.1", uri)).await.status, 200);
        assert_eq!(send(&app(Access::token("right")), with("wrong")).await.status, 401);
        assert_eq!(send(&app(Access::token("right")), with("right")).await.status, 200);
    }
    let default = stack().build().unwrap().inner_routes();
    assert_eq!(send(&default, get_from("127.0.0.1", "/metrics")).await.status, 403, "production's default is nobody");
}

#[tokio::test]
async fn what_broke_is_counted_in_the_statistics() {
    let (_, app) = observed();
    for uri in ["/panic", "/error", "/nowhere", "/items/1"] {
        send(&app, get_from("192.0.2.1", uri)).await;
    }
    let statistics = send(&app, get_from("127.0.0.1", "/errors/stats")).await.json();
    assert_eq!(statistics["total_errors"], 3);
    assert_eq!(statistics["error_counts"], serde_json::json!({ "client": 1, "server": 2, "panic": 1 }));
}
