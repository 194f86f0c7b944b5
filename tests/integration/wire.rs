//! Over a real socket: plain hyper, `palisade::serve`, and what a client sees when a body breaks.

use std::convert::Infallible;

use axum::{
    Router,
    body::{Body, Bytes},
    http::Request,
    response::Response,
    routing::get,
};
use futures_util::StreamExt as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use palisade::Stack;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tower::{Layer as _, service_fn};

use crate::support::{log, stack};

/// Everything the server sends until it closes.
async fn talk(addr: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn get_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

async fn serve(app: Router) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(palisade::serve(listener, app));
    addr
}

#[tokio::test]
async fn the_stack_stands_on_plain_hyper() {
    let hello =
        service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("hello")))) });
    let service = TowerToHyperService::new(Stack::production().build().unwrap().layer(hello));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            hyper::service::Service::call(&service, request)
        });
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.unwrap();
    });
    let answer = talk(addr, &get_request("/")).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
    assert!(answer.contains("x-request-id: ") && answer.contains("x-content-type-options: nosniff"), "{answer}");
}

#[tokio::test]
async fn serve_lets_the_wall_see_its_peer() {
    let whose = |client: palisade::client_ip::ClientIp| async move { format!("{:?}", client.addr()) };
    let addr = serve(stack().build().unwrap().wrap(Router::new().route("/", get(whose)))).await;
    assert!(talk(addr, &get_request("/")).await.ends_with("Some(127.0.0.1)"));
}

#[tokio::test]
async fn a_body_that_panics_is_cut_and_logged_with_its_request_id() {
    let log = log();
    let pieces = || {
        futures_util::stream::iter(0..3).then(|piece| async move {
            tokio::task::yield_now().await;
            assert!(piece < 2, "the body broke");
            Ok::<_, Infallible>("piece ")
        })
    };
    let app = Router::new().route("/stream", get(move || async move { Body::from_stream(pieces()) }));
    let addr = serve(stack().build().unwrap().wrap(app)).await;
    let answer = talk(addr, &get_request("/stream")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(answer.matches("piece ").count(), 2);
    assert!(!answer.ends_with("0\r\n\r\n"), "the stream does not pretend to be complete: {answer}");
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    let lines = log.lines_with("the body broke");
    assert!(
        lines.iter().any(|line| line.contains(id) && line.contains("/stream") && line.contains("ERROR")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_panic_is_logged_once_with_its_request_id_and_never_sent() {
    let log = log();
    let app = Router::new().route("/broken", get(|| async { panic!("a very special secret") as &str }));
    let addr = serve(stack().build().unwrap().wrap(app)).await;
    let answer = talk(addr, &get_request("/broken")).await;
    assert!(answer.starts_with("HTTP/1.1 500") && !answer.contains("special"), "{answer}");
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    let lines = log.lines_with("a very special secret");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(id) && lines[0].contains("/broken"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends_is_not_waited_for() {
    let addr = serve(stack().build().unwrap().wrap(Router::new())).await;
    let started = tokio::time::Instant::now();
    talk(addr, "GET / HTTP/1.1\r\nhost: localhost\r\n").await;
    assert_eq!(started.elapsed().as_secs(), 75);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_a_running_request_finish_and_waits_for_no_head_longer_than_it_may() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let slow = || async {
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        "finished"
    };
    let app = stack().build().unwrap().wrap(Router::new().route("/", get(slow)));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(palisade::serve_until(listener, app, async { drop(stopped.await) }));
    let mut half = TcpStream::connect(addr).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let running = tokio::spawn(async move { talk(addr, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await });
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let told = tokio::time::Instant::now();
    stop.send(()).unwrap();
    assert!(running.await.unwrap().ends_with("finished"));
    server.await.unwrap().unwrap();
    assert!(told.elapsed().as_secs() <= 25, "{:?}", told.elapsed());
}

/// Sends the head, and the body once it is asked for. The second is the last answer.
async fn expecting(addr: std::net::SocketAddr, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\
        content-type: text/plain\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    stream.read_exact(&mut first).await.unwrap();
    for piece in body.split_inclusive(' ') {
        stream.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await.unwrap();
    }
    let _ = stream.write_all(b"0\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    (String::from_utf8_lossy(&first).into_owned(), String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn a_body_that_waits_to_be_asked_for_is_inspected_like_any_other() {
    let inspect = palisade::inspect::InspectLayer::new().mode(palisade::Mode::Enforce);
    let echo = axum::routing::post(|body: String| async { body });
    let addr = serve(stack().inspect(inspect).build().unwrap().wrap(Router::new().route("/", echo))).await;
    for (body, status, rest) in
        [("Tom & Jerry's best of", "200", "Tom & Jerry's best of"), ("1' OR '1'='1' -- ", "400", "sql-injection")]
    {
        let (first, answer) = expecting(addr, body).await;
        assert_eq!(first, "HTTP/1.1 100 Continue\r\n\r\n");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(rest), "{answer}");
    }
}
