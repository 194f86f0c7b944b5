//! Each layer stands alone, on an axum router and on any Tower service.

use std::convert::Infallible;

use crate::support::log;
use axum::{
    Router,
    body::{Body, Bytes},
    http::Request,
    response::Response,
    routing::get,
};
use http_body_util::Full;
use palisade::{
    Facts, Stack,
    authentication::AuthenticationLayer,
    body_limit::BodyLimitLayer,
    client_ip::ClientIpLayer,
    containment::ContainmentLayer,
    cors::CorsLayer,
    error_tracking::ErrorTrackingLayer,
    hygiene::HygieneLayer,
    inspect::InspectLayer,
    metrics::MetricsLayer,
    problem::ProblemLayer,
    rate_limit::{Key, Policy, Quota},
    request_id::RequestIdLayer,
    security_headers::SecurityHeadersLayer,
};
use tower::{Layer, Service, ServiceExt as _, service_fn};

type Answer = std::future::Ready<Result<Response<Full<Bytes>>, Infallible>>;

/// A service that knows nothing of axum.
#[expect(clippy::needless_pass_by_value, reason = "a service is given its request")]
fn echo(request: Request<Body>) -> Answer {
    let facts = request.extensions().get::<Facts>();
    std::future::ready(Ok(Response::new(Full::from(format!("facts: {}", facts.is_some())))))
}

async fn status_through<L>(layer: L) -> u16
where
    L: Layer<tower::util::ServiceFn<fn(Request<Body>) -> Answer>>,
    L::Service: Service<Request<Body>, Response = palisade::Response, Error = Infallible>,
{
    let service = service_fn(echo as fn(Request<Body>) -> Answer);
    let request = Request::get("/a%20b").body(Body::empty()).unwrap();
    layer.layer(service).oneshot(request).await.unwrap().status().as_u16()
}

macro_rules! each {
    ($($layer:expr),* $(,)?) => {{
        $(
            assert_eq!(status_through($layer).await, 200, stringify!($layer));
            let app: Router = Router::new().route("/{x}", get(|| async {})).layer($layer);
            let request = Request::get("/a").body(Body::empty()).unwrap();
            assert_eq!(app.oneshot(request).await.unwrap().status(), 200, stringify!($layer));
        )*
    }};
}

#[tokio::test]
async fn every_layer_stands_on_a_router_and_on_a_bare_service() {
    each!(
        ClientIpLayer::peer(),
        RequestIdLayer::new(),
        MetricsLayer::new(),
        ErrorTrackingLayer::new(),
        SecurityHeadersLayer::web(),
        CorsLayer::origins(["https://app.example"]).unwrap(),
        HygieneLayer::new(),
        InspectLayer::new(),
        AuthenticationLayer::new(|_: &axum::http::request::Parts| None),
        Policy::new("api", Key::address()).quota(Quota::per_minute(1)).build().unwrap(),
        ProblemLayer::new(),
        BodyLimitLayer::bytes(10),
        ContainmentLayer::new(std::time::Duration::from_secs(1)),
        Stack::production().build().unwrap(),
    );
}

#[tokio::test]
async fn the_handler_wins_over_a_preset_header() {
    let handler = || async { ([("x-frame-options", "sameorigin"), ("server", "me/1.0"), ("x-powered-by", "me")], "") };
    let app: Router = Router::new().route("/", get(handler)).layer(SecurityHeadersLayer::web());
    let response = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()["x-frame-options"], "sameorigin");
    assert!(!response.headers().contains_key("server") && !response.headers().contains_key("x-powered-by"));
}

#[tokio::test]
async fn hsts_goes_out_over_https_only() {
    use crate::support::{application, from_peer, send, stack};
    let app = stack().trusted_proxies(["10.0.0.1"]).build().unwrap().wrap(application());
    for (peer, proto, sent) in [("10.0.0.1", "https", true), ("10.0.0.1", "http", false), ("192.0.2.1", "https", false)]
    {
        let request = from_peer(peer, "GET", "/items/1").header("x-forwarded-proto", proto).body(Body::empty());
        let answer = send(&app, request.unwrap()).await;
        assert_eq!(!answer.header("strict-transport-security").is_empty(), sent, "{peer} {proto}");
    }
}

#[tokio::test]
async fn an_id_is_taken_over_from_a_trusted_proxy_only() {
    use crate::support::{from_peer, send, stack};
    let seen = |request: Request<Body>| async move { request.headers()["x-request-id"].to_str().unwrap().to_owned() };
    let app = stack().trusted_proxies(["10.0.0.1"]).build().unwrap().wrap(Router::new().route("/", get(seen)));
    for (peer, id, taken) in [
        ("10.0.0.1", "from-the.edge_1~", true),
        ("10.0.0.1", "${jndi:ldap://x}", false),
        ("10.0.0.1", "a b", false),
        ("192.0.2.1", "from-the.edge", false),
    ] {
        let answer =
            send(&app, from_peer(peer, "GET", "/").header("x-request-id", id).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.header("x-request-id") == id, taken, "{peer} {id}");
        assert_eq!(answer.text(), answer.header("x-request-id"), "the handler never sees a forged id");
    }
}

#[tokio::test]
async fn a_handler_has_its_span_whichever_layer_stands_alone() {
    let log = log();
    let app = Router::new()
        .route("/alone/{id}", get(|| async { tracing::info!("a line of one that stands alone") }))
        .layer(ContainmentLayer::unlimited());
    app.oneshot(Request::get("/alone/7").body(Body::empty()).unwrap()).await.unwrap();
    let line = &log.lines_with("a line of one that stands alone")[0];
    assert!(line.contains("request{method=GET route=\"/alone/{id}\"}"), "{line}");
}
