//! What is compressed, and what must not be.

use axum::{
    Router,
    body::Body,
    http::{HeaderName, header},
    routing::get,
};
use futures_util::stream;
use palisade::{
    Access, Part, Stack,
    compression::{CompressionLayer, Secret},
    sensitive::SensitiveLayer,
};

use crate::support::{Answer, from_peer, get_from, send};

fn page(size: usize) -> String {
    "a page ".repeat(size.div_ceil(7))[..size].to_owned()
}

fn streamed() -> Body {
    Body::from_stream(stream::iter(["a", "b"].map(Ok::<_, axum::Error>)))
}

fn routes() -> Router {
    let with = |name: HeaderName, value: &'static str| get(move || async move { ([(name, value)], page(4000)) });
    Router::new()
        .route("/page", get(|| async { page(4000) }))
        .route("/small", get(|| async { page(255) }))
        .route("/enough", get(|| async { page(256) }))
        .route("/stream", get(|| async { ([(header::CONTENT_TYPE, "text/csv")], streamed()) }))
        .route("/unnamed", get(|| async { streamed() }))
        .route("/video", with(header::CONTENT_TYPE, "video/mp4"))
        .route("/digest", with(HeaderName::from_static("content-digest"), "sha-256=:abc:"))
        .route("/secret", get(|| async { (Secret, page(4000)) }))
        .route("/nonce", with(header::CONTENT_SECURITY_POLICY, "script-src 'nonce-r4nd0m'"))
        .route("/no-transform", with(header::CACHE_CONTROL, "public, No-Transform"))
        .route("/image", with(header::CONTENT_TYPE, "image/png"))
        .route("/encoded", with(header::CONTENT_ENCODING, "br"))
        .route("/tagged", with(header::ETAG, "\"v1\""))
        .route("/weak", with(header::ETAG, "W/\"v1\""))
        .route("/broken", get(|| async { (axum::http::StatusCode::BAD_REQUEST, page(500)) }))
}

async fn accepting(app: &Router, path: &str) -> Answer {
    let request = from_peer("192.0.2.1", "GET", path).header("accept-encoding", "br, gzip;q=0.8");
    send(app, request.body(Body::empty()).unwrap()).await
}

fn is_gzip(answer: &Answer) -> bool {
    answer.body.starts_with(&[0x1f, 0x8b]) && answer.header("content-encoding") == "gzip"
}

#[tokio::test]
async fn what_is_worth_it_is_compressed_and_what_holds_a_secret_is_not() {
    for app in [
        routes().layer(CompressionLayer::new()),
        Stack::production().compression(CompressionLayer::new()).build().unwrap().wrap(routes()),
    ] {
        for (path, compressed) in [
            ("/page", true),
            ("/enough", true),
            ("/stream", true),
            ("/small", false),
            ("/secret", false),
            ("/nonce", false),
            ("/no-transform", false),
            ("/image", false),
            ("/video", false),
            ("/unnamed", false),
            ("/digest", false),
            ("/encoded", false),
        ] {
            let answer = accepting(&app, path).await;
            assert_eq!((answer.status.as_u16(), is_gzip(&answer)), (200, compressed), "{path}");
            let varies = answer
                .headers
                .get_all("vary")
                .iter()
                .any(|line| line.to_str().unwrap().to_ascii_lowercase().contains("accept-encoding"));
            assert_eq!(varies, compressed, "{path}");
        }
        let plain = send(&app, get_from("192.0.2.1", "/page")).await;
        assert_eq!(plain.text(), page(4000), "who does not ask for gzip gets none");
    }
}

#[tokio::test]
async fn another_coding_has_another_validator() {
    let app = routes().layer(CompressionLayer::new());
    assert_eq!(accepting(&app, "/tagged").await.header("etag"), "W/\"v1\"");
    assert_eq!(accepting(&app, "/weak").await.header("etag"), "W/\"v1\"");
    assert_eq!(send(&app, get_from("192.0.2.1", "/tagged")).await.header("etag"), "\"v1\"");
}

#[tokio::test]
async fn an_error_is_a_problem_first_and_compressed_then() {
    let stack = Stack::production().compression(CompressionLayer::new()).build().unwrap();
    let answer = accepting(&stack.wrap(routes()), "/broken").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (400, "application/problem+json"));
    assert!(is_gzip(&answer));
    let plain = accepting(&stack.without(Part::Compression).wrap(routes()), "/page").await;
    assert_eq!(plain.text(), page(4000));
}

#[tokio::test]
async fn what_is_counted_is_what_was_sent() {
    let stack = Stack::production().compression(CompressionLayer::new()).access(Access::loopback());
    let (lines, kept) = (std::sync::Arc::new(std::sync::Mutex::new(Vec::new())), 4000);
    let written = std::sync::Arc::clone(&lines);
    let log = palisade::access_log::AccessLogLayer::json(move |line| written.lock().unwrap().extend_from_slice(line));
    let app = stack.access_log(log).build().unwrap().wrap(routes());
    let answer = accepting(&app, "/page").await;
    let line: serde_json::Value = serde_json::from_slice(&lines.lock().unwrap()).unwrap();
    assert_eq!(line["bytes"], answer.body.len());
    assert!(answer.body.len() < kept / 10);
}

#[tokio::test]
async fn a_secret_in_a_header_is_not_printed() {
    let printed = |head: axum::http::request::Parts| async move {
        ([(header::SET_COOKIE, "session=s3cret")], format!("{:?}", head.headers))
    };
    let also = || SensitiveLayer::new().also([HeaderName::from_static("x-session")]);
    let routes = || Router::new().route("/", get(printed));
    let alone = routes().layer(also());
    let [stack, more] = [SensitiveLayer::new(), also()]
        .map(|layer| Stack::production().sensitive(layer).build().unwrap().wrap(routes()));
    for (app, also) in [(stack, false), (alone, true), (more, true)] {
        let mut request = from_peer("192.0.2.1", "GET", "/");
        for name in ["authorization", "proxy-authorization", "cookie", "cookie", "x-api-key"] {
            request = request.header(name, "s3cret");
        }
        request = request.header("x-session", "s3cret").header("x-other", "shown");
        let answer = send(&app, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.text().matches("s3cret").count(), usize::from(!also), "{}", answer.text());
        assert_eq!(answer.text().matches("Sensitive").count(), 5 + usize::from(also));
        assert!(answer.text().contains("shown"));
        assert!(answer.headers["set-cookie"].is_sensitive());
    }
}
