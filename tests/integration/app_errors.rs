//! What a handler returns when it cannot answer, and what a client and the log make of it.

use std::{borrow::Cow, fmt, time::Duration};

use axum::{
    Extension, Form, Json, Router,
    body::Body,
    extract::{Path, Query},
    routing::{get, post},
};
use palisade::{AppError, Failed, Kind, Rejection, Respond, Stack};
use serde_json::json;

use crate::support::{from_peer, get_from, log, send};

const PEER: &str = "192.0.2.1";

#[derive(Debug)]
enum ShopError {
    SoldOut,
    Storage(std::io::Error),
}

impl fmt::Display for ShopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::SoldOut) { "nothing left" } else { "the shelf of this shop broke" })
    }
}

impl std::error::Error for ShopError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::SoldOut => None,
            Self::Storage(error) => Some(error),
        }
    }
}

impl Respond for ShopError {
    fn kind(&self) -> Kind {
        if matches!(self, Self::SoldOut) { Kind::Conflict } else { Kind::InternalError }
    }

    fn detail(&self) -> Cow<'static, str> {
        if matches!(self, Self::SoldOut) { "Sold out.".into() } else { "".into() }
    }
}

fn app() -> Router {
    let invalid = || async {
        Err::<(), _>(
            AppError::validation("Two fields are wrong.")
                .field("/name", "is empty")
                .field("/items/0/price", "is negative"),
        )
    };
    let routes = Router::new()
        .route("/invalid", get(invalid))
        .route("/broken", get(|| async { Ok::<_, AppError>("no number of this handler".parse::<u32>()?.to_string()) }))
        .route(
            "/behind",
            get(|| async { Err::<(), _>(AppError::external_service("the bank of this handler hung up")) }),
        )
        .route(
            "/later",
            get(|| async { Err::<(), _>(AppError::unavailable("Stocktaking.", Duration::from_millis(1500))) }),
        )
        .route("/often", get(|| async { Err::<(), _>(AppError::rate_limited("Slowly.", Duration::ZERO)) }))
        .route("/sold-out", get(|| async { Err::<(), Failed<ShopError>>(ShopError::SoldOut.into()) }))
        .route(
            "/storage",
            get(|| async { Err::<(), Failed<_>>(Failed(ShopError::Storage(std::io::Error::other("wet shelf")))) }),
        );
    Stack::production().build().unwrap().wrap(routes)
}

#[tokio::test]
async fn each_wrong_field_is_named_by_its_pointer() {
    let answer = send(&app(), get_from(PEER, "/invalid")).await;
    let mut problem = answer.json();
    assert_eq!(problem["requestId"], answer.header("x-request-id"));
    for known in ["requestId", "traceId"] {
        problem.as_object_mut().unwrap().remove(known);
    }
    let expected = json!({
        "type": "https://docs.rs/palisade/latest/palisade/rejection/#validation-failed",
        "title": "Validation Failed",
        "status": 400,
        "detail": "Two fields are wrong.",
        "instance": "/invalid",
        "errors": [
            { "pointer": "/name", "detail": "is empty" },
            { "pointer": "/items/0/price", "detail": "is negative" },
        ],
    });
    assert_eq!(problem, expected);
}

#[tokio::test]
async fn why_it_broke_is_in_the_log_once_and_nowhere_else() {
    let log = log();
    for (path, status, slug, cause) in [
        ("/broken", 500, "internal-error", "invalid digit found in string"),
        ("/behind", 502, "external-service", "the bank of this handler hung up"),
        ("/storage", 500, "internal-error", "the shelf of this shop broke: wet shelf"),
    ] {
        let answer = send(&app(), get_from(PEER, path)).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (status, "application/problem+json"));
        assert!(answer.json()["type"].as_str().unwrap().ends_with(slug), "{}", answer.text());
        assert!(!answer.text().contains(cause), "{}", answer.text());
        let lines = log.lines_with(answer.header("x-request-id"));
        assert_eq!(lines.iter().filter(|line| line.contains(cause)).count(), 1, "{lines:#?}");
    }
}

#[tokio::test]
async fn a_later_time_is_named_in_whole_seconds_rounded_up_and_never_none() {
    for (path, status, after) in [("/later", 503, "2"), ("/often", 429, "1")] {
        let answer = send(&app(), get_from(PEER, path)).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (status, after));
    }
}

#[tokio::test]
async fn an_error_of_the_application_s_own_is_a_problem_of_its_kind() {
    let log = log();
    let answer = send(&app(), get_from(PEER, "/sold-out")).await;
    let problem = answer.json();
    assert_eq!((&problem["status"], &problem["detail"]), (&409.into(), &"Sold out.".into()));
    let lines = log.lines_with(answer.header("x-request-id"));
    assert!(!lines.is_empty() && lines.iter().all(|line| !line.contains("palisade::error")), "{lines:#?}");
    assert_eq!(Rejection::from(AppError::conflict("")).kind(), Kind::Conflict);
}

#[tokio::test]
async fn what_an_extractor_did_not_like_is_the_detail_of_a_problem() {
    #[derive(Debug, serde::Deserialize)]
    struct Wish {
        count: u8,
    }
    let app = Router::new()
        .route("/path/{count}", get(|Path(Wish { count }): Path<Wish>| async move { count.to_string() }))
        .route("/query", get(|Query(Wish { count }): Query<Wish>| async move { count.to_string() }))
        .route("/form", post(|Form(Wish { count }): Form<Wish>| async move { count.to_string() }))
        .route("/json", post(|Json(Wish { count }): Json<Wish>| async move { count.to_string() }))
        .route("/text", post(|text: String| async move { text }))
        .route("/extension", get(|_: Extension<u8>| async {}));
    let app = Stack::production().body_limit(64).build().unwrap().wrap(app);
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    let long = "a".repeat(65);
    for (index, (method, path, content_type, body, status, detail)) in [
        ("GET", "/path/seven", "", "", 400, "seven"),
        ("GET", "/query?count=seven", "", "", 400, "count: invalid digit"),
        ("GET", "/query?count=token%3Dhunter2", "", "", 400, "count: invalid digit"),
        ("GET", "/query", "", "", 400, "missing field `count`"),
        ("POST", "/form", form, "count=seven", 422, "count: invalid digit"),
        ("POST", "/form", json, "{}", 415, "application/x-www-form-urlencoded"),
        ("POST", "/json", json, "{\"count\":", 400, "EOF"),
        ("POST", "/json", json, "{\"count\":\"token=hunter2\"}", 422, "string \"token=[redacted]\", expected u8"),
        ("POST", "/json", "text/plain", "{}", 415, "application/json"),
        ("POST", "/json", json, &long, 413, ""),
        ("POST", "/text", "text/plain", &long, 413, ""),
        ("POST", "/path/1", "", "", 405, ""),
        ("GET", "/nowhere", "", "", 404, ""),
        ("GET", "/extension", "", "", 500, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let request = from_peer(&format!("192.0.2.{index}"), method, path).header("content-type", content_type);
        let answer = send(&app, request.body(Body::from(body.to_owned())).unwrap()).await;
        let problem = answer.json();
        assert_eq!((answer.status.as_u16(), &problem["status"]), (status, &status.into()), "{path} {problem}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert_eq!(problem["requestId"], answer.header("x-request-id"), "{path}");
        let told = problem["detail"].as_str().unwrap_or_default();
        assert!(told.contains(detail) && !told.contains("hunter2"), "{path} {problem}");
        assert!(status < 500 || told.is_empty(), "the text of a 500 is for the log: {problem}");
    }
}

/// An error that is its own source, as some hand-written ones are.
#[derive(Debug)]
struct Circle;

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("round and round")
    }
}

impl std::error::Error for Circle {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self)
    }
}

#[tokio::test]
async fn an_error_that_is_its_own_source_is_told_once_like_any_other() {
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = std::sync::Arc::clone(&told);
    let stack = Stack::production().reporter(move |failure: &palisade::error_tracking::Failure<'_>| {
        heard.lock().unwrap().push(failure.cause().to_owned());
    });
    let broken = || async { Body::from_stream(futures_util::stream::iter([Ok("a"), Err(Circle)])) };
    let twice = || async {
        let pieces = futures_util::stream::iter([Ok("a"), Err(Circle)]);
        (axum::http::StatusCode::INTERNAL_SERVER_ERROR, Body::from_stream(pieces))
    };
    let routes = Router::new()
        .route("/", get(|| async { Err::<(), AppError>(Circle.into()) }))
        .route("/body", get(broken))
        .route("/twice", get(twice));
    let app = stack.build().unwrap().wrap(routes);
    assert_eq!(send(&app, get_from(PEER, "/")).await.status, 500);
    for path in ["/body", "/twice"] {
        let response = tower::ServiceExt::oneshot(app.clone(), get_from(PEER, path)).await.unwrap();
        assert!(axum::body::to_bytes(response.into_body(), usize::MAX).await.is_err(), "{path}");
    }
    assert_eq!(*told.lock().unwrap(), ["round and round", "round and round", "none given"]);
}

#[tokio::test]
async fn a_secret_at_the_place_where_a_text_is_cut_is_not_left() {
    let log = log();
    for length in 960..1030 {
        let text = format!(
            "{}postgres://admin:hunter2hunter2@db/cut-{length} and more {}",
            "y".repeat(length),
            "z".repeat(99)
        );
        let route = get(move || async move { (axum::http::StatusCode::INTERNAL_SERVER_ERROR, text) });
        let app = Stack::production().build().unwrap().wrap(Router::new().route("/", route));
        let answer = send(&app, get_from(PEER, "/")).await;
        let lines = log.lines_with(answer.header("x-request-id"));
        assert!(lines.iter().any(|line| line.contains("yyyy")) && !lines.concat().contains("hunter2"), "{lines:?}");
    }
}
