//! A router behind each layer alone and behind the whole stack.

#![expect(clippy::unwrap_used, reason = "whatever goes wrong here is to be seen")]

use std::{hint::black_box, net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode, Uri, header, request::Parts},
    routing::get,
};
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use palisade::{
    Guard, Principal, Stack,
    access_log::AccessLogLayer,
    authentication::AuthenticationLayer,
    body_limit::BodyLimitLayer,
    client_ip::ClientIpLayer,
    containment::ContainmentLayer,
    cors::CorsLayer,
    error_tracking::ErrorTrackingLayer,
    hygiene::HygieneLayer,
    metrics::MetricsLayer,
    problem::ProblemLayer,
    rate_limit::{Key, Policy, Quota},
    request_id::RequestIdLayer,
    security_headers::SecurityHeadersLayer,
    sensitive::SensitiveLayer,
    stack::StackBuilder,
    trace_context::TraceContextLayer,
};
use tower::{Service as _, layer::util::Identity};

const ORIGIN: &str = "https://app.example";

pub(crate) struct Row {
    pub(crate) name: &'static str,
    app: Router,
    pub(crate) status: StatusCode,
}

fn router() -> Router {
    Router::new().route("/items/{id}", get(|| async { "an item" }))
}

/// Refills faster than the bench can ask, while the numbers in the answer look like those of an API.
fn plenty() -> Quota {
    Quota::per_second(100_000_000).burst(500)
}

fn limits(quota: Quota) -> Policy {
    Policy::new("api", Key::principal_or_address()).tier("anonymous", quota).tier("pro", quota)
}

/// Callers are made once, and found by their key.
fn lookup() -> impl Fn(&Parts) -> Option<Principal> + Send + Sync + 'static {
    let caller = Principal::new("key:1").tier("pro");
    move |head| head.headers.get(header::AUTHORIZATION).filter(|key| *key == "right").map(|_| caller.clone())
}

fn builder(quota: Quota) -> StackBuilder {
    Stack::production().origins([ORIGIN]).flood(plenty()).authenticate(lookup()).limits(limits(quota))
}

fn stack(quota: Quota) -> Stack {
    builder(quota).build().unwrap()
}

/// What every request is known by and counted with.
fn observers() -> impl Guard {
    ClientIpLayer::peer().then(RequestIdLayer::new()).then(MetricsLayer::new())
}

/// Made and thrown away: where lines go is not palisade's.
fn json_lines() -> AccessLogLayer {
    AccessLogLayer::json(|line| {
        black_box(line);
    })
}

/// All of them, the bare router first.
pub(crate) fn rows() -> Vec<Row> {
    let ok = |name, app| Row::new(name, app, StatusCode::OK);
    vec![
        ok("bare", router()),
        // What axum itself takes for a layer, whatever the layer does.
        ok("identity", router().layer(Identity::new())),
        ok("client_ip", router().layer(ClientIpLayer::peer())),
        ok("request_id", router().layer(RequestIdLayer::new())),
        ok("trace_context", router().layer(TraceContextLayer::new())),
        ok("sensitive", router().layer(SensitiveLayer::new())),
        ok("metrics", router().layer(MetricsLayer::new())),
        ok("error_tracking", router().layer(ErrorTrackingLayer::new())),
        ok("security_headers", router().layer(SecurityHeadersLayer::api())),
        ok("cors", router().layer(CorsLayer::origins([ORIGIN]).unwrap())),
        ok("hygiene", router().layer(HygieneLayer::new())),
        ok("authentication", router().layer(AuthenticationLayer::new(lookup()))),
        ok("rate_limit", router().layer(limits(plenty()).build().unwrap())),
        Row::new(
            "rate_limit_429",
            router().layer(limits(Quota::per_day(1)).build().unwrap()),
            StatusCode::TOO_MANY_REQUESTS,
        ),
        ok("problem", router().layer(ProblemLayer::new())),
        ok("body_limit", router().layer(BodyLimitLayer::bytes(2 * 1024 * 1024))),
        ok("containment", router().layer(ContainmentLayer::new(Duration::from_secs(30)))),
        ok("observed", router().layer(observers().into_layer())),
        ok("observed, logged", router().layer(observers().then(json_lines()).into_layer())),
        ok("stack", stack(plenty()).wrap(router())),
        ok("stack, logged", builder(plenty()).access_log(json_lines()).build().unwrap().wrap(router())),
        // The first request, which is let in, is a warm-up's.
        Row::new("stack_429", stack(Quota::per_day(1)).wrap(router()), StatusCode::TOO_MANY_REQUESTS),
    ]
}

/// What a page's script sends, from a peer that the server has noted. Clones of the URI cost no allocation, as with hyper.
pub(crate) fn request() -> Request<Body> {
    Request::get(Uri::from_static("/items/42?fields=name"))
        .header(header::HOST, "api.example")
        .header(header::USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .header(header::ACCEPT, "application/json")
        .header(header::ACCEPT_ENCODING, "gzip, deflate, br")
        .header(header::ORIGIN, ORIGIN)
        .header(header::AUTHORIZATION, "right")
        .extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4711))))
        .body(Body::empty())
        .unwrap()
}

impl Row {
    /// With its state given, as every server gives it at last: without, axum makes the handler's service anew each time.
    fn new(name: &'static str, app: Router, status: StatusCode) -> Self {
        Self { name, app: app.with_state(()), status }
    }

    /// One request, its answer read to the end. Nothing here has to wait, so there is no runtime to measure.
    pub(crate) fn serve(&mut self, request: Request<Body>) -> StatusCode {
        let (head, mut body) = self.app.call(request).now_or_never().unwrap().unwrap().into_parts();
        while let Some(frame) = body.frame().now_or_never().unwrap() {
            black_box(frame.unwrap());
        }
        head.status
    }
}
