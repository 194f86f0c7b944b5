//! The same axum router behind either layer, counting by the peer's address.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode},
    routing::{RouterIntoService, get},
};
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use palisade::{
    Guard as _,
    client_ip::ClientIpLayer,
    rate_limit::{Headers, Key, Policy, Quota, RateLimitLayer},
};
use tower::Service as _;
use tower_governor::{GovernorLayer, governor::GovernorConfigBuilder};

/// Each of them is counted by itself.
const ADDRESSES: u32 = 1000;
/// So many at once, one more per millisecond: none is refused.
const GENEROUS: u32 = 4_000_000_000;

/// A router to be measured.
pub struct Row {
    pub name: &'static str,
    limits: bool,
    service: RouterIntoService<Body>,
}

/// The bare router first; then by pairs, palisade and what it is compared with, either by the socket's peer; then all
/// headers that palisade knows, a limit behind a layer that finds the client, and that layer alone: a stack has it once.
///
/// # Panics
/// If a setting is wrong.
#[must_use]
pub fn rows(allowed: bool) -> Vec<Row> {
    let limit = |headers| {
        let (period, burst) = if allowed { (Duration::from_millis(1), GENEROUS) } else { (Duration::from_hours(1), 1) };
        let policy = Policy::new("api", Key::address()).quota(Quota::per(period, 1).burst(burst));
        RateLimitLayer::builder().policy(policy).headers(headers).build().unwrap()
    };
    let palisade = |headers| router().layer(limit(headers));
    let behind = |limit| router().layer(ClientIpLayer::peer().then(limit).into_layer());
    let governor = || {
        let mut governor = GovernorConfigBuilder::default();
        if allowed {
            governor.per_millisecond(1).burst_size(GENEROUS);
        } else {
            governor.per_second(3600).burst_size(1);
        }
        governor
    };
    let silent = governor().finish().unwrap();
    let telling = governor().use_headers().finish().unwrap();
    let row = |name, router: Router| Row { name, limits: true, service: router.into_service() };
    let open = |name, router| Row { limits: false, ..row(name, router) };
    vec![
        open("bare router", router()),
        row("palisade, without X-RateLimit", palisade(Headers::none())),
        row("tower_governor, without", router().layer(GovernorLayer::new(silent))),
        row("palisade, with X-RateLimit", palisade(Headers::legacy())),
        row("tower_governor, with", router().layer(GovernorLayer::new(telling))),
        row("palisade, with draft 11 as well", palisade(Headers::all())),
        row("palisade, behind a ClientIpLayer", behind(limit(Headers::none()))),
        open("palisade, a ClientIpLayer", router().layer(ClientIpLayer::peer())),
    ]
}

fn router() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// So many requests, from one address after the other.
#[must_use]
pub fn requests(count: u32) -> Vec<Request<Body>> {
    let request = |number: u32| {
        let mut request = Request::new(Body::empty());
        let peer = SocketAddr::from(((0x0a00_0000 + number % ADDRESSES).to_be_bytes(), 4711));
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    };
    (0..count).map(request).collect()
}

impl Row {
    /// Answers a request and reads the answer to its end.
    ///
    /// # Panics
    /// If the answer does not come at once.
    pub fn serve(&mut self, request: Request<Body>) -> StatusCode {
        let Ok(answer) = self.service.call(request).now_or_never().expect("an answer at once");
        let (head, mut body) = answer.into_parts();
        while body.frame().now_or_never().flatten().is_some() {}
        head.status
    }

    /// Lets each address use what it has, if that is little.
    pub fn warm_up(&mut self) {
        for request in requests(2 * ADDRESSES) {
            self.serve(request);
        }
    }

    /// Whether the answers are those that are to be measured.
    ///
    /// # Panics
    /// If they are not.
    pub fn check(&self, allowed: bool, status: StatusCode) {
        let refused = self.limits && !allowed;
        let expected = if refused { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::OK };
        assert_eq!(status, expected, "{}", self.name);
    }
}
