//! What is told of every request.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    routing::get,
};
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use palisade::{Access, Principal, Stack, access_log::AccessLogLayer};
use serde_json::Value;
use tokio::time::{advance, sleep};
use tower::ServiceExt as _;

use crate::support::{application, from_peer, get_from, log, send, stack};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn writer(&self) -> impl Fn(&[u8]) + Send + Sync + 'static {
        let lines = Arc::clone(&self.0);
        move |line| lines.lock().unwrap().push(String::from_utf8(line.to_vec()).unwrap())
    }

    fn json(&self) -> AccessLogLayer {
        AccessLogLayer::json(self.writer())
    }

    /// All that was written since the last time.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// The one line since the last time.
    fn one(&self) -> Value {
        let lines = self.take();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0].find('\n'), Some(lines[0].len() - 1), "one line is one line: {lines:?}");
        serde_json::from_str(&lines[0]).unwrap()
    }
}

fn routes() -> Router {
    application()
        .route("/pages/{page}", get(|| async { "0123456789" }))
        .route("/late", get(|| async { sleep(Duration::from_secs(3)).await }))
        .route(
            "/endless",
            get(|| async {
                Body::from_stream(stream::repeat(Ok::<_, std::convert::Infallible>(Bytes::from("chunk"))))
            }),
        )
        .route("/broken", get(|| async { Body::from_stream(stream::iter([Ok("some"), Err("it broke")])) }))
        .route(
            "/streamed",
            get(|| async { Body::from_stream(stream::iter(["some", "more"]).map(Ok::<_, std::convert::Infallible>)) }),
        )
}

fn wall(log: AccessLogLayer) -> Router {
    let known = |head: &axum::http::request::Parts| {
        Some(Principal::new(head.headers.get("x-user")?.to_str().ok()?.to_owned()).tier("pro"))
    };
    stack().authenticate(known).access_log(log).build().unwrap().wrap(routes())
}

#[tokio::test]
async fn a_line_says_who_asked_for_what_and_how_it_went() {
    let lines = Lines::default();
    let app = wall(lines.json());
    let request = from_peer("192.0.2.1", "GET", "/pages/1?token=secret")
        .header("x-user", "ada")
        .header("user-agent", "curl/8 \"quoted\"")
        .header("referer", "https://a.example/page?session=secret#top");
    let answer = send(&app, request.body(Body::empty()).unwrap()).await;
    let line = lines.one();
    for (field, expected) in [
        ("request_id", answer.header("x-request-id")),
        ("client", "192.0.2.1"),
        ("user", "ada"),
        ("method", "GET"),
        ("path", "/pages/1"),
        ("route", "/pages/{page}"),
        ("version", "HTTP/1.1"),
        ("outcome", "complete"),
        ("user_agent", "curl/8 \"quoted\""),
        ("referer", "https://a.example/page"),
    ] {
        assert_eq!(line[field], expected, "{field} in {line}");
    }
    assert_eq!((&line["status"], &line["bytes"]), (&200.into(), &10.into()));
    assert!(line["duration_ms"].as_f64().unwrap() >= line["head_ms"].as_f64().unwrap());
    let age =
        std::time::SystemTime::now().duration_since(humantime::parse_rfc3339(line["time"].as_str().unwrap()).unwrap());
    assert!(age.unwrap() < Duration::from_secs(60));
    assert!(!line.to_string().contains("secret"));
}

#[tokio::test]
async fn a_refusal_says_why_and_by_which_policy() {
    let lines = Lines::default();
    let app = wall(lines.json());
    for _ in 0..10 {
        send(&app, get_from("192.0.2.1", "/pages/1")).await;
    }
    lines.take();
    assert_eq!(send(&app, get_from("192.0.2.1", "/pages/1")).await.status, 429);
    let line = lines.one();
    assert_eq!((&line["reason"], &line["refused_by"]), (&"quota-exceeded".into(), &"rate_limit/api".into()));
    assert_eq!(line["status"], 429);
}

#[tokio::test]
async fn a_hundred_streams_that_clients_leave_are_a_hundred_lines_and_none_in_flight() {
    let lines = Lines::default();
    let stack = Stack::production().flood(None).access(Access::loopback()).access_log(lines.json()).build().unwrap();
    let app = stack.inner_routes().merge(stack.wrap(routes()));
    let mut open = Vec::new();
    for _ in 0..100 {
        let mut body = app.clone().oneshot(get_from("192.0.2.1", "/endless")).await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "chunk");
        open.push(body);
    }
    let in_flight = || async {
        let text = send(&app, get_from("127.0.0.1", "/metrics")).await;
        let line = text.text().lines().find(|line| line.starts_with("http_requests_in_flight ")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    // The scrape itself is one.
    assert_eq!(in_flight().await, 101);
    lines.take();
    drop(open);
    let told = lines.take();
    assert_eq!(told.len(), 100);
    for line in told {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&line["outcome"], &line["status"], &line["bytes"]), (&"aborted".into(), &200.into(), &5.into()));
    }
    assert_eq!(in_flight().await, 1);
}

#[tokio::test]
async fn a_body_tells_how_it_ended() {
    let lines = Lines::default();
    let app = wall(lines.json());
    assert_eq!(send(&app, get_from("192.0.2.1", "/streamed")).await.text(), "somemore");
    let line = lines.one();
    assert_eq!((&line["outcome"], &line["bytes"]), (&"complete".into(), &8.into()));
    let broken = app.clone().oneshot(get_from("192.0.2.1", "/broken")).await.unwrap().into_body();
    assert!(broken.collect().await.is_err());
    let line = lines.one();
    assert_eq!((&line["outcome"], &line["bytes"], &line["status"]), (&"failed".into(), &4.into(), &200.into()));
    let head = from_peer("192.0.2.1", "HEAD", "/pages/1").body(Body::empty()).unwrap();
    send(&app, head).await;
    let line = lines.one();
    assert_eq!((&line["outcome"], &line["bytes"], &line["method"]), (&"complete".into(), &0.into(), &"HEAD".into()));
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_a_499() {
    let lines = Lines::default();
    let app = wall(lines.json());
    let asked = app.oneshot(get_from("192.0.2.1", "/slow"));
    assert!(tokio::time::timeout(Duration::from_millis(5), asked).await.is_err());
    let line = lines.one();
    assert_eq!((&line["outcome"], &line["status"]), (&"aborted".into(), &499.into()));
}

#[tokio::test(start_paused = true)]
async fn what_is_slow_says_so_and_a_long_stream_is_not_slow() {
    let lines = Lines::default();
    let app = wall(lines.json().sample(|_| 0));
    let answer = send(&app, get_from("192.0.2.1", "/late")).await;
    let line = lines.one();
    assert_eq!((&line["slow"], &line["head_ms"]), (&true.into(), &3000.0.into()));
    let warnings = log().lines_with(answer.header("x-request-id"));
    assert!(warnings.is_empty() || warnings.iter().any(|line| line.contains("slow request")), "{warnings:?}");

    let mut body = app.oneshot(get_from("192.0.2.1", "/endless")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    advance(Duration::from_secs(3600)).await;
    drop(body);
    assert_eq!(lines.take(), [""; 0], "and then the rule may leave it out");
}

#[tokio::test]
async fn a_rule_leaves_out_what_it_says_and_never_what_failed() {
    let lines = Lines::default();
    let app = wall(lines.json().sample(|request| match request.route() {
        "/pages/{page}" => 0,
        "/streamed" => 1,
        _ => u32::MAX,
    }));
    for (path, told) in [("/pages/1", 0), ("/streamed", 1), ("/items/1", 0), ("/panic", 1), ("/error", 1)] {
        send(&app, get_from("192.0.2.1", path)).await;
        assert_eq!(lines.take().len(), told, "{path}");
    }
}

#[tokio::test]
async fn one_in_so_many_is_about_that_many_and_says_so() {
    let lines = Lines::default();
    let stack = Stack::production().flood(None).access_log(lines.json().sample(|_| 10)).build().unwrap();
    let app = stack.wrap(routes());
    for _ in 0..2000 {
        send(&app, get_from("192.0.2.1", "/pages/1")).await;
    }
    let told = lines.take();
    // Seven standard deviations off is one in 10^12.
    assert!((106..294).contains(&told.len()), "{}", told.len());
    assert!(told.iter().all(|line| line.contains(r#""one_in":10}"#)));
}

#[tokio::test]
async fn the_combined_format_is_what_other_tools_read() {
    let lines = Lines::default();
    let app = wall(AccessLogLayer::combined(lines.writer()));
    let request =
        from_peer("192.0.2.1", "GET", "/pages/1?q=1").header("x-user", "ada lovelace").header("user-agent", "\"\u{e9}");
    send(&app, request.body(Body::empty()).unwrap()).await;
    let line = lines.take().remove(0);
    let (before, after) = line.split_once(" [").unwrap();
    assert_eq!(before, r"192.0.2.1 - ada\x20lovelace");
    let (time, after) = after.split_once("] ").unwrap();
    assert_eq!((time.len(), time.ends_with(" +0000")), (26, true), "{time}");
    assert_eq!(after, concat!(r#""GET /pages/1 HTTP/1.1" 200 10 "-" "\x22\xC3\xA9""#, "\n"));
}

#[tokio::test]
async fn a_forged_header_makes_no_line_of_its_own() {
    let lines = Lines::default();
    let app = wall(lines.json());
    let mut request = from_peer("192.0.2.1", "GET", "/pages/%0A%7B%7D").body(Body::empty()).unwrap();
    let forged = axum::http::HeaderValue::from_bytes(b"x\",\"status\":999,\"y\":\"\t\xff").unwrap();
    request.headers_mut().insert("user-agent", forged);
    send(&app, request).await;
    let line = lines.one();
    assert_eq!(line["user_agent"], "x\",\"status\":999,\"y\":\"\t\u{fffd}");
    assert_ne!(line["status"], 999);
}

#[tokio::test]
async fn an_event_carries_the_fields() {
    let log = log();
    let app = wall(AccessLogLayer::events());
    let answer = send(&app, get_from("192.0.2.1", "/pages/event")).await;
    let events = log.lines_with(answer.header("x-request-id"));
    let event = events.iter().find(|line| line.contains("palisade::access: request")).expect("an access event");
    for part in
        ["INFO", "client=192.0.2.1", "path=\"/pages/event\"", "route=\"/pages/{page}\"", "status=200", "bytes=10"]
    {
        assert!(event.contains(part), "{part} in {event}");
    }
}

#[tokio::test]
async fn how_long_it_took_is_told_where_it_is_asked_for() {
    let production = wall(AccessLogLayer::events());
    let answer = send(&production, get_from("192.0.2.1", "/pages/1")).await;
    assert_eq!((answer.header("x-response-time"), answer.header("server-timing")), ("", ""));

    let own = get(|| async { ([("server-timing", "db;dur=1.5")], "") });
    let asked = Stack::production().response_time(true).build().unwrap().wrap(Router::new().route("/", own));
    let answer = send(&asked, get_from("192.0.2.1", "/")).await;
    let millis: f64 = answer.header("x-response-time").strip_suffix("ms").unwrap().parse().unwrap();
    assert!((0.0..10_000.0).contains(&millis));
    let timings: Vec<_> = answer.headers.get_all("server-timing").iter().map(|line| line.to_str().unwrap()).collect();
    assert_eq!(timings[0], "db;dur=1.5");
    assert!(timings[1].starts_with("total;dur="), "{timings:?}");
    let development = Stack::development().build().unwrap().wrap(routes());
    assert_ne!(send(&development, get_from("127.0.0.1", "/pages/1")).await.header("x-response-time"), "");
}
