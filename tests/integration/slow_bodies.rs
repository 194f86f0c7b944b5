//! A request's body that comes slowly, or not at all.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    routing::post,
};
use futures_util::{StreamExt as _, stream};
use palisade::Stack;
use tokio::time::{Instant, sleep};

use crate::support::{Answer, application, from_peer, send, stack};

/// So many pieces with a pause before each.
fn pieces(count: usize, pause: Duration) -> Body {
    Body::from_stream(stream::iter(0..count).then(move |_| async move {
        sleep(pause).await;
        Ok::<_, Infallible>(Bytes::from("piece"))
    }))
}

async fn sent(app: &Router, path: &str, body: Body) -> (Answer, Duration) {
    let start = Instant::now();
    let answer = send(app, from_peer("192.0.2.1", "POST", path).body(body).unwrap()).await;
    (answer, start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_is_given_up_with_a_408() {
    let app = stack().build().unwrap().wrap(application());
    for path in ["/bytes", "/raw"] {
        let stalled = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let (answer, took) = sent(&app, path, stalled).await;
        assert_eq!((answer.status.as_u16(), took.as_secs()), (408, 10), "{path}");
        assert!(answer.json()["type"].as_str().unwrap().ends_with("#request-timeout"), "{}", answer.text());
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "dressed like any other");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_piece_by_piece_is_read_to_its_end() {
    let app = stack().build().unwrap().wrap(application());
    let (answer, took) = sent(&app, "/bytes", pieces(3, Duration::from_secs(9))).await;
    assert_eq!((answer.status.as_u16(), answer.text(), took.as_secs()), (200, "15", 27));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_missed_by_who_was_waited_for() {
    let dawdle = post(|body: Bytes| async move {
        sleep(Duration::from_secs(60)).await;
        body.len().to_string()
    });
    let leaves = post(|body: Body| async move {
        // A body that is let go is no longer waited for.
        let _ = tokio::time::timeout(Duration::from_secs(1), body.into_data_stream().next()).await;
        sleep(Duration::from_secs(60)).await;
    });
    let routes = application().route("/dawdle", dawdle).route("/leaves", leaves);
    let app = stack().build().unwrap().wrap(routes);
    let drip = || pieces(100, Duration::from_secs(9));
    for (path, body, status) in [("/bytes", drip(), 408), ("/dawdle", Body::from("all"), 504), ("/leaves", drip(), 504)]
    {
        let (answer, took) = sent(&app, path, body).await;
        assert_eq!((answer.status.as_u16(), took.as_secs()), (status, 30), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn how_long_is_a_setting_and_a_variant_keeps_it() {
    let stack = Stack::production().body_patience(Duration::from_secs(2)).build().unwrap();
    for stack in [stack.clone(), stack.body_limit(10_000)] {
        let (answer, took) = sent(&stack.wrap(application()), "/bytes", pieces(1, Duration::from_secs(3))).await;
        assert_eq!((answer.status.as_u16(), took.as_secs()), (408, 2));
    }
    let error = Stack::production().body_patience(Duration::ZERO).build().unwrap_err();
    assert!(error.to_string().contains("body patience"), "{error}");
}
