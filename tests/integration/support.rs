//! Requests with a peer, answers with their body, and an application that can go wrong in every way.

use std::{net::SocketAddr, sync::OnceLock};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode, request},
    routing::{any, get, post},
};
use palisade::{
    Guard as _, Principal, Stack,
    authentication::AuthenticationLayer,
    client_ip::ClientIpLayer,
    rate_limit::{Key, Policy, Quota, RateLimitLayer, Subject},
    stack::StackBuilder,
};
use serde_json::Value;
use tower::ServiceExt as _;

pub(crate) const ORIGIN: &str = "https://app.example";

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A request from this peer; more can be said before its body.
pub(crate) fn from_peer(peer: &str, method: &str, uri: &str) -> request::Builder {
    let peer: SocketAddr = format!("{peer}:4711").parse().unwrap();
    Request::builder().method(method).uri(uri).header("host", "localhost").extension(ConnectInfo(peer))
}

pub(crate) fn get_from(peer: &str, uri: &str) -> Request<Body> {
    from_peer(peer, "GET", uri).body(Body::empty()).unwrap()
}

pub(crate) async fn send(app: &Router, request: Request<Body>) -> Answer {
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    Answer { status: head.status, headers: head.headers, body: to_bytes(body, usize::MAX).await.unwrap() }
}

/// A stack for [`ORIGIN`] with ten requests a minute per address.
pub(crate) fn stack() -> StackBuilder {
    Stack::production().origins([ORIGIN]).limits(Policy::new("api", Key::address()).quota(Quota::per_minute(10)))
}

/// The application of the tests, without a wall.
pub(crate) fn application() -> Router {
    Router::new()
        .route("/items/{id}", get(|| async { "item" }))
        .route("/panic", get(|| async { panic!("the secret") as &str }))
        .route("/error", get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "the secret") }))
        .route("/slow", get(std::future::pending::<()>))
        .route("/bytes", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/raw", post(read_raw))
}

async fn read_raw(body: Body) -> Result<String, StatusCode> {
    let body = to_bytes(body, usize::MAX).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(body.len().to_string())
}

/// A limit on a plain router, with the address and the `x-user` that it may count by. `pro:ada` is the user in the tier `pro`.
pub(crate) fn limited(limits: &RateLimitLayer, routes: Router) -> Router {
    let caller = AuthenticationLayer::new(|head: &request::Parts| {
        let name = head.headers.get("x-user")?.to_str().ok()?;
        let (tier, _) = name.split_once(':').unwrap_or_default();
        let caller = Principal::new(name).organisation("acme");
        Some(if tier.is_empty() { caller } else { caller.tier(tier) })
    });
    routes.layer(ClientIpLayer::peer().then(caller).then(limits.clone()).into_layer())
}

/// One route that says hello.
pub(crate) fn hello() -> Router {
    Router::new().route("/", any(|| async { "hello" }))
}

/// The status of each of so many requests from this peer.
pub(crate) async fn statuses(app: &Router, peer: &str, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(send(app, get_from(peer, "/")).await.status.as_u16());
    }
    statuses
}

/// A request by this user.
pub(crate) fn get_as(user: &str) -> Request<Body> {
    from_peer("192.0.2.1", "GET", "/").header("x-user", user).body(Body::empty()).unwrap()
}

/// What this address has left of a policy.
pub(crate) fn left(limits: &RateLimitLayer, policy: &str, peer: &str) -> u32 {
    limits.peek(policy, None, &[Subject::address(peer.parse().unwrap())]).unwrap().remaining
}

/// The log of this process, to be searched for what a test put into it.
pub(crate) fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    })
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn lines_with(&self, needle: &str) -> Vec<String> {
        let bytes = self.0.lock().unwrap();
        String::from_utf8_lossy(&bytes).lines().filter(|line| line.contains(needle)).map(str::to_owned).collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
