//! HTTP/2 over real sockets, through a whole stack: a client in good order by hyper, one in bad order by hand.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderValue, Request, StatusCode, Version, header},
    response::{Response, Sse, sse::Event},
    routing::{get, post},
};
use futures_util::{StreamExt as _, future::join_all, stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http2::SendRequest,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use palisade::{
    rate_limit::{Key, Policy, Quota},
    serve::{Http2, Server, ServerBuilder},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Barrier, mpsc},
    time::{Instant, sleep},
};

use crate::{
    serve::{Running, behind_balancer, rest_of, run, whose},
    support::{log, stack},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

struct Client(SendRequest<Body>);

impl Client {
    async fn over(stream: TcpStream) -> Self {
        let http = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (requests, connection) = http.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(requests)
    }

    async fn to(server: &Running) -> Self {
        Self::over(server.connect(&[]).await).await
    }

    async fn get(&self, path: &str) -> hyper::Result<Response<Incoming>> {
        self.send(Request::get(format!("http://localhost{path}")).body(Body::empty()).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        let mut requests = self.0.clone();
        requests.ready().await?;
        requests.send_request(request).await
    }
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Through a whole stack whose limits are wide enough.
fn walled(routes: Router) -> Router {
    let wide = Policy::new("api", Key::address()).quota(Quota::per_minute(10_000));
    stack().limits([wide]).build().unwrap().wrap(routes)
}

async fn with(server: ServerBuilder, path: &str, route: axum::routing::MethodRouter) -> Running {
    run(server, walled(Router::new().route(path, route))).await
}

/// A frame (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET / HTTP/2` for `localhost`, and that is all of it.
fn get_frame(stream: u32) -> Vec<u8> {
    frame(1, 0x5, stream, b"\x82\x86\x84\x41\x09localhost")
}

fn settings() -> Vec<u8> {
    [PREFACE, &frame(4, 0, 0, &[]), &frame(4, 1, 0, &[])].concat()
}

/// The frames that came until the server closed: kind, stream and the last four bytes, where errors stand.
async fn frames(stream: TcpStream) -> Vec<(u8, u32, u32)> {
    let mut stream = stream;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let mut rest = &bytes[..];
    let mut frames = Vec::new();
    while let Some((&[high, middle, low, kind, _, a, b, c, d], after)) = rest.split_first_chunk::<9>() {
        let (payload, next) = after.split_at(u32::from_be_bytes([0, high, middle, low]) as usize);
        let error = payload.first_chunk::<8>().map_or(payload, |_| &payload[4..8]);
        let error = error.first_chunk().map_or(0, |error| u32::from_be_bytes(*error));
        frames.push((kind, u32::from_be_bytes([a, b, c, d]), error));
        rest = next;
    }
    frames
}

#[tokio::test(start_paused = true)]
async fn many_requests_share_a_connection_and_each_wears_every_header() {
    // None is answered before all have come.
    let all = Arc::new(Barrier::new(100));
    let handler = move |version: Version| {
        let all = Arc::clone(&all);
        async move {
            all.wait().await;
            format!("{version:?}")
        }
    };
    let server = with(Server::builder(), "/", get(handler)).await;
    let client = Client::to(&server).await;
    let mut ids = std::collections::HashSet::new();
    for answer in join_all((0..100).map(|_| client.get("/"))).await {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        ids.insert(answer.headers()["x-request-id"].clone());
        assert_eq!(text(answer).await, "HTTP/2.0");
    }
    assert_eq!(ids.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn http_1_is_spoken_on_the_same_port() {
    let server = with(Server::builder(), "/", get(|version: Version| async move { format!("{version:?}") })).await;
    let head = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert!(server.talk(&[head.as_bytes()]).await.ends_with("HTTP/1.1"));
    // `P` could still become a preface.
    let head = "PUT / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let pieces: Vec<_> = head.as_bytes().chunks(1).collect();
    assert!(server.talk(&pieces).await.starts_with("HTTP/1.1 405"));
    // A whole head with more than is read to find out what is spoken.
    let long = format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx: {}\r\n\r\n", "x".repeat(9000));
    assert!(server.talk(&[long.as_bytes()]).await.ends_with("HTTP/1.1"));
}

#[tokio::test(start_paused = true)]
async fn a_preface_may_come_in_pieces_and_is_not_waited_for_forever() {
    let server = run(Server::builder().head_timeout(Duration::from_secs(10)), whose()).await;
    let whole = [settings(), get_frame(1)].concat();
    let mut stream = server.connect(&[]).await;
    for byte in whole {
        stream.write_all(&[byte]).await.unwrap();
        sleep(Duration::from_millis(1)).await;
    }
    let frames = frames(stream).await;
    assert!(frames.iter().any(|(kind, stream, _)| (*kind, *stream) == (1, 1)), "{frames:?}");
    let started = Instant::now();
    assert_eq!(rest_of(server.connect(&PREFACE[..20]).await).await, "");
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn http_2_can_be_switched_off() {
    let server = run(Server::builder().http1_only(), whose()).await;
    let answer = server.talk(&[&settings()]).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn one_stream_too_many_is_refused_and_the_others_go_on() {
    let slow = || async {
        sleep(Duration::from_secs(1)).await;
        "finished"
    };
    let server = with(Server::builder().http2(Http2::new().streams(2)), "/", get(slow)).await;
    let mut stream = server.connect(&settings()).await;
    sleep(Duration::from_millis(10)).await;
    stream.write_all(&[get_frame(1), get_frame(3), get_frame(5)].concat()).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    stream.shutdown().await.unwrap();
    let frames = frames(stream).await;
    assert!(frames.contains(&(3, 5, REFUSED_STREAM)), "{frames:?}");
    let answered = |wanted: u32| frames.iter().any(|(kind, stream, _)| (*kind, *stream) == (1, wanted));
    assert!(answered(1) && answered(3) && !answered(5), "{frames:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rapid_reset_closes_the_connection() {
    let begun = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&begun);
    let handler = move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        std::future::pending::<()>()
    };
    let server = with(Server::builder(), "/", get(handler)).await;
    let resets = (0..1000).map(|number| 2 * number + 1);
    let resets = resets.flat_map(|stream| [get_frame(stream), frame(3, 0, stream, &8u32.to_be_bytes())].concat());
    let stream = server.connect(&[settings(), resets.collect()].concat()).await;
    let frames = frames(stream).await;
    assert!(frames.contains(&(7, 0, ENHANCE_YOUR_CALM)), "{frames:?}");
    assert!(begun.load(std::sync::atomic::Ordering::Relaxed) < 100, "{begun:?} requests were begun");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_large_is_answered_with_431() {
    let server = with(Server::builder(), "/", get(|| async { "read" })).await;
    let client = Client::to(&server).await;
    let with_cookie = |length: usize| {
        let request = Request::get("http://localhost/").header(header::COOKIE, "x".repeat(length));
        client.send(request.body(Body::empty()).unwrap())
    };
    assert_eq!(with_cookie(31 * 1024).await.unwrap().status(), StatusCode::OK);
    assert_eq!(with_cookie(33 * 1024).await.unwrap().status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(client.get("/").await.unwrap().status(), StatusCode::OK, "the connection lives on");
}

#[tokio::test(start_paused = true)]
async fn each_server_sent_event_arrives_before_the_next_is_made() {
    let (made, events) = mpsc::channel::<&str>(1);
    let events = Arc::new(std::sync::Mutex::new(Some(events)));
    let handler = move || {
        let events = events.lock().unwrap().take().unwrap();
        let events = stream::unfold(events, |mut events| async {
            let data = events.recv().await?;
            Some((Ok::<_, Infallible>(Event::default().data(data)), events))
        });
        async move { Sse::new(events) }
    };
    let server = with(Server::builder(), "/events", get(handler)).await;
    let mut answer = Client::to(&server).await.get("/events").await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    for event in ["one", "two"] {
        made.send(event).await.unwrap();
        let frame = answer.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame, format!("data: {event}\n\n"));
    }
    drop(made);
    assert_eq!(text(answer).await, "");
}

#[tokio::test(start_paused = true)]
async fn the_trailers_of_a_grpc_call_pass_in_both_directions() {
    let call = |request: Request<Body>| async move {
        let collected = request.into_body().collect().await.unwrap();
        let sum = collected.trailers().unwrap()["x-sum"].clone();
        let trailers = HeaderMap::from_iter([(header::HeaderName::from_static("grpc-status"), HeaderValue::from(0))]);
        let frames = [Frame::data(collected.to_bytes()), Frame::trailers(trailers)].map(Ok::<_, Infallible>);
        let mut response = Response::new(Body::new(StreamBody::new(stream::iter(frames))));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        response.headers_mut().insert("x-sum", sum);
        response
    };
    let server = with(Server::builder(), "/echo.Echo/Say", post(call)).await;
    let trailers = HeaderMap::from_iter([(header::HeaderName::from_static("x-sum"), HeaderValue::from(42))]);
    let frames = [Frame::data("\0\0\0\0\x02hi".into()), Frame::trailers(trailers)]
        .map(Ok::<Frame<axum::body::Bytes>, Infallible>);
    let request = Request::post("http://localhost/echo.Echo/Say")
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(Body::new(StreamBody::new(stream::iter(frames))))
        .unwrap();
    let answer = Client::to(&server).await.send(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["x-sum"], "42");
    assert!(answer.headers().contains_key("x-request-id"));
    let collected = answer.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(collected.to_bytes(), "\0\0\0\0\x02hi");
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_open_streams_end_and_takes_no_more() {
    let slow = || async {
        let pieces = stream::iter(0..10).then(|piece| async move {
            sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(piece.to_string())
        });
        Body::from_stream(pieces)
    };
    let server = with(Server::builder(), "/", get(slow)).await;
    let idle = Client::to(&server).await;
    let client = Client::to(&server).await;
    let answer = client.get("/").await.unwrap();
    let body = tokio::spawn(text(answer));
    sleep(Duration::from_millis(1500)).await;
    let took = tokio::spawn(server.stop());
    sleep(Duration::from_millis(100)).await;
    assert!(client.get("/").await.is_err(), "no new stream");
    assert!(idle.0.is_closed(), "a connection with no stream is closed at once");
    assert_eq!(body.await.unwrap(), "0123456789");
    let took = took.await.unwrap().as_secs_f32();
    assert!((8.0..9.0).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_no_half_sent_head() {
    let server = run(Server::builder(), whose()).await;
    // HEADERS without END_HEADERS: the rest must follow, and nothing else may.
    let half = server.connect(&[settings(), frame(1, 0x1, 1, b"\x82")].concat()).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(server.stop().await.as_secs(), 5);
    frames(half).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_requests_is_closed_and_one_with_a_quiet_stream_is_not() {
    let server = with(
        Server::builder(),
        "/",
        get(|| async { Body::from_stream(stream::pending::<Result<&str, Infallible>>()) }),
    )
    .await;
    let idle = Client::to(&server).await;
    let quiet = Client::to(&server).await;
    let answer = quiet.get("/").await.unwrap();
    sleep(Duration::from_secs(74)).await;
    assert!(!idle.0.is_closed());
    sleep(Duration::from_secs(600)).await;
    assert!(idle.0.is_closed());
    assert!(!quiet.0.is_closed());
    drop(answer);
    sleep(Duration::from_secs(150)).await;
    assert!(quiet.0.is_closed());
}

#[tokio::test(start_paused = true)]
async fn who_answers_no_ping_is_gone() {
    let (held, mut gone) = mpsc::channel::<()>(1);
    let endless = move || {
        let held = held.clone();
        async move {
            std::future::pending::<()>().await;
            drop(held);
        }
    };
    let limits = Http2::new().ping(Duration::from_secs(10)).ping_timeout(Duration::from_secs(3));
    let server = with(Server::builder().http2(limits), "/", get(endless)).await;
    let started = Instant::now();
    let silent = server.connect(&[settings(), get_frame(1)].concat()).await;
    frames(silent).await;
    assert_eq!(started.elapsed().as_secs(), 13);
    server.stop().await;
    assert_eq!(gone.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_balancers_header_comes_before_http_2() {
    let log = log();
    let server = run(behind_balancer(), whose()).await;
    let client = Client::over(server.connect(b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n").await).await;
    assert_eq!(text(client.get("/").await.unwrap()).await, "192.0.2.7");
    assert_eq!(client.get("/").await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    let client = Client::over(server.connect(b"PROXY TCP4 192.0.2.8 10.0.0.1 4711 80\r\n").await).await;
    assert_eq!(client.get("/").await.unwrap().status(), StatusCode::OK);
    let bad = server.connect(PREFACE).await;
    let socket = bad.local_addr().unwrap().to_string();
    assert_eq!(rest_of(bad).await, "");
    assert!(log.lines_with(&socket).iter().any(|line| line.contains("no good PROXY header")));
}

#[test]
fn limits_of_nothing_are_mistakes() {
    let nothing = Http2::new().streams(0).ping(Duration::ZERO).ping_timeout(Duration::ZERO);
    assert_eq!(Server::builder().http2(nothing).build().unwrap_err().mistakes().len(), 3);
}

#[tokio::test]
async fn a_body_over_http_2_is_inspected_and_reaches_the_handler_whole() {
    let inspect = palisade::inspect::InspectLayer::new().mode(palisade::Mode::Enforce);
    let app = Router::new().route("/", post(|body: String| async { body }));
    let server = run(Server::builder(), stack().inspect(inspect).build().unwrap().wrap(app)).await;
    let client = Client::to(&server).await;
    for (pieces, status, content) in [
        (["Tom & Jerry's ", "best of"], 200, "Tom & Jerry's best of"),
        (["1' OR ", "'1'='1' -- "], 400, "sql-injection"),
    ] {
        let body = Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)));
        let request = Request::post("http://localhost/").header("content-type", "text/plain").body(body).unwrap();
        let response = client.send(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(content), "{body:?}");
    }
}
