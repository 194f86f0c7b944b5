//! What a handler returns when it cannot answer, and what a client and the log make of it.

use std::{borrow::Cow, fmt, time::Duration};

use axum::{Router, routing::get};
use palisade::{AppError, Failed, Kind, Rejection, Respond, Stack};
use serde_json::json;

use crate::support::{get_from, log, send};

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
