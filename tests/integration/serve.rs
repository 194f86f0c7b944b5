//! The server under the stack, over real sockets: who it says is connected, and how it stops.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use palisade::{
    client_ip::ClientIp,
    rate_limit::{Key, Policy, Quota},
    serve::{Server, ServerBuilder},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::support::{log, stack};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// A server that runs until it is told to stop.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

pub(crate) async fn run(server: ServerBuilder, app: Router) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = server.build().unwrap();
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(async move { server.serve_until(listener, app, async { drop(stopped.await) }).await });
    Running { addr, stop, server }
}

impl Running {
    /// Everything the server sends until it closes.
    pub(crate) async fn talk(&self, pieces: &[&[u8]]) -> String {
        let mut stream = self.connect(&[]).await;
        for piece in pieces {
            stream.write_all(piece).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        }
        rest_of(stream).await
    }

    pub(crate) async fn connect(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// How long the server takes to stop.
    pub(crate) async fn stop(self) -> Duration {
        let told = Instant::now();
        self.stop.send(()).unwrap();
        self.server.await.unwrap().unwrap();
        told.elapsed()
    }
}

pub(crate) async fn rest_of(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Answers with the client that the stack sees, one request a minute for each.
pub(crate) fn whose() -> Router {
    let whose = |client: ClientIp| async move { client.addr().map(|addr| addr.to_string()).unwrap_or_default() };
    let one = Policy::new("api", Key::address()).quota(Quota::per_minute(1));
    stack().limits([one]).build().unwrap().wrap(Router::new().route("/", get(whose)))
}

pub(crate) fn behind_balancer() -> ServerBuilder {
    Server::builder().proxy_protocol(["10.0.0.0/8", "127.0.0.1"])
}

fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, family][..], &length, block].concat()
}

/// 192.0.2.`last`, port 4711, and a TLV.
fn four(last: u8) -> Vec<u8> {
    binary(1, 0x11, &[192, 0, 2, last, 10, 0, 0, 1, 0x12, 0x67, 0, 80, 4, 0, 1, 0])
}

fn six() -> Vec<u8> {
    let addr: std::net::Ipv6Addr = "2001:db8::7".parse().unwrap();
    binary(1, 0x21, &[&addr.octets()[..], &addr.octets(), &[0x12, 0x67, 0, 80]].concat())
}

#[tokio::test(start_paused = true)]
async fn a_balancers_header_says_who_is_connected() {
    let server = run(behind_balancer(), whose()).await;
    for (header, client) in [
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n".to_vec(), "192.0.2.1"),
        (b"PROXY TCP6 2001:db8:1::7 2001:db8::1 4711 80\r\n".to_vec(), "2001:db8:1::7"),
        (b"PROXY TCP6 ::ffff:192.0.2.2 ::1 4711 80\r\n".to_vec(), "192.0.2.2"),
        (four(3), "192.0.2.3"),
        (six(), "2001:db8::7"),
    ] {
        let answer = server.talk(&[&[&header, REQUEST].concat()]).await;
        assert!(answer.ends_with(&format!("\r\n\r\n{client}")), "{}: {answer}", header.escape_ascii());
        // Each has a limit of its own, and the same client the same one.
        let answer = server.talk(&[&[&header, REQUEST].concat()]).await;
        assert!(answer.starts_with("HTTP/1.1 429"), "{}: {answer}", header.escape_ascii());
    }
}

#[tokio::test(start_paused = true)]
async fn a_balancer_that_names_no_client_is_the_peer_itself() {
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN 192.0.2.9 10.0.0.1 4711 80\r\n".to_vec(),
        binary(0, 0, &[]),
        binary(0, 0x11, &[192, 0, 2, 9, 10, 0, 0, 1, 0x12, 0x67, 0, 80]),
        binary(1, 0, &[]),
        binary(1, 0x31, &[b'x'; 216]),
    ] {
        let server = run(behind_balancer(), whose()).await;
        let answer = server.talk(&[&header, REQUEST]).await;
        assert!(answer.ends_with("\r\n\r\n127.0.0.1"), "{}: {answer}", header.escape_ascii());
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_in_pieces_is_one_header() {
    for header in [b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n".to_vec(), four(7)] {
        let server = run(behind_balancer(), whose()).await;
        let whole = [&header, REQUEST].concat();
        let pieces: Vec<_> = whole.chunks(1).collect();
        let answer = server.talk(&pieces).await;
        assert!(answer.ends_with("\r\n\r\n192.0.2.7"), "{}: {answer}", header.escape_ascii());
        let answer = server.talk(&[&header, REQUEST]).await;
        assert!(answer.starts_with("HTTP/1.1 429"), "cut between header and request: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_of_a_connection_is_its_clients() {
    let whose = |client: ClientIp| async move { client.addr().map(|addr| addr.to_string()).unwrap_or_default() };
    let app = stack().build().unwrap().wrap(Router::new().route("/", get(whose)));
    let server = run(behind_balancer(), app).await;
    let first = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    // A second header is no request, and believed by nobody.
    let answer = server.talk(&[&four(7), first, first, &four(8), REQUEST]).await;
    assert_eq!(answer.matches("\r\n\r\n192.0.2.7").count(), 2, "{answer}");
    assert!(!answer.contains("192.0.2.8") && answer.contains("HTTP/1.1 400"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_balancer_without_a_good_header_is_closed_and_told_of() {
    let log = log();
    let server = run(behind_balancer(), whose()).await;
    let too_long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(107));
    let huge = binary(1, 0x11, &[0; 5000]);
    let short = binary(1, 0x11, &[192, 0, 2]);
    for bad in [REQUEST, b"\x16\x03\x01", b"PROXY TCP4 somewhere 10.0.0.1 1 1\r\n", too_long.as_bytes(), &huge, &short]
    {
        let started = Instant::now();
        let stream = server.connect(bad).await;
        let socket = stream.local_addr().unwrap().to_string();
        assert_eq!(rest_of(stream).await, "", "{}", bad.escape_ascii());
        assert!(started.elapsed() < Duration::from_secs(1), "at once: {}", bad.escape_ascii());
        let told = log.lines_with(&socket);
        assert!(told.iter().any(|line| line.contains("WARN") && line.contains("no good PROXY header")), "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_header_is_not_waited_for() {
    let log = log();
    let server = run(behind_balancer(), whose()).await;
    let started = Instant::now();
    let stream = server.connect(b"PROXY TCP4 192.0.2.7").await;
    let socket = stream.local_addr().unwrap().to_string();
    assert_eq!(rest_of(stream).await, "");
    assert_eq!(started.elapsed().as_secs(), 5);
    assert!(log.lines_with(&socket).iter().any(|line| line.contains("WARN")));
}

#[tokio::test(start_paused = true)]
async fn a_balancer_that_only_looks_whether_the_port_is_open_is_not_told_of() {
    let log = log();
    let server = run(behind_balancer(), whose()).await;
    let stream = server.connect(&[]).await;
    let socket = stream.local_addr().unwrap().to_string();
    drop(stream);
    sleep(Duration::from_secs(1)).await;
    let told = log.lines_with(&socket);
    assert!(told.len() == 1 && told[0].contains("DEBUG"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn who_is_no_balancer_is_who_it_is_and_never_believed() {
    for server in [Server::builder(), Server::builder().proxy_protocol(["10.0.0.0/8"])] {
        let server = run(server, whose()).await;
        for header in [b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n".to_vec(), four(7)] {
            let answer = server.talk(&[&[&header, REQUEST].concat()]).await;
            assert!(answer.starts_with("HTTP/1.1 400") && !answer.contains("192.0.2.7"), "{answer}");
        }
        assert!(server.talk(&[REQUEST]).await.ends_with("\r\n\r\n127.0.0.1"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_what_is_idle_and_gives_half_a_head_five_seconds() {
    let server = run(Server::builder(), whose()).await;
    let silent = server.connect(&[]).await;
    let mut idle = server.connect(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    let half = server.connect(b"GET / HTTP/1.1\r\n").await;
    // Between two requests again, with a half-sent head.
    let mut second = server.connect(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\nGET / ").await;
    second.read_exact(&mut answer).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let told = Instant::now();
    let closed = tokio::spawn(async move {
        rest_of(silent).await;
        rest_of(idle).await;
        let at_once = told.elapsed();
        assert_eq!(rest_of(half).await, "");
        rest_of(second).await;
        (at_once.as_secs(), told.elapsed().as_secs())
    });
    assert_eq!(server.stop().await.as_secs(), 5);
    assert_eq!(closed.await.unwrap(), (0, 5));
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_a_header_is_awaited_waits_for_nothing() {
    let server = run(behind_balancer(), whose()).await;
    let _half = server.connect(b"PROXY ").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(server.stop().await.as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_head_on_its_way_when_the_stop_comes_is_still_served() {
    let server = run(Server::builder(), whose()).await;
    let mut half = server.connect(&REQUEST[..20]).await;
    sleep(Duration::from_secs(1)).await;
    let answer = tokio::spawn(async move {
        sleep(Duration::from_secs(4)).await;
        half.write_all(&REQUEST[20..]).await.unwrap();
        rest_of(half).await
    });
    assert_eq!(server.stop().await.as_secs(), 4);
    assert!(answer.await.unwrap().ends_with("127.0.0.1"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_no_half_head() {
    const LENGTH: usize = 64 << 20;
    let app = Router::new().route("/", get(|| async { vec![b'x'; LENGTH] }));
    let server = run(Server::builder(), app).await;
    let mut slow = server.connect(REQUEST).await;
    let mut begun = [0; 12];
    slow.read_exact(&mut begun).await.unwrap();
    let rest = tokio::spawn(async move {
        sleep(Duration::from_secs(20)).await;
        rest_of(slow).await
    });
    let took = server.stop().await.as_secs();
    assert!((20..25).contains(&took), "{took}");
    assert_eq!(rest.await.unwrap().bytes().filter(|byte| *byte == b'x').count(), LENGTH);
}

#[tokio::test(start_paused = true)]
async fn what_outlasts_the_drain_is_cut_and_told_of() {
    let log = log();
    let (held, mut dropped) = mpsc::channel::<()>(1);
    let endless = move || {
        let held = held.clone();
        async move {
            std::future::pending::<()>().await;
            drop(held);
        }
    };
    let server =
        run(Server::builder().drain_time(Duration::from_secs(7)), Router::new().route("/", get(endless))).await;
    let endless = server.connect(REQUEST).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(server.stop().await.as_secs(), 7);
    let cut = timeout(Duration::from_secs(1), rest_of(endless)).await;
    assert_eq!(cut.as_deref(), Ok(""));
    assert_eq!(dropped.recv().await, None, "the handler is dropped");
    let told = log.lines_with("the time to drain is over");
    assert!(told.iter().any(|line| line.contains("connections=1")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_may_be_so_long_and_take_so_long() {
    let server = run(Server::builder().head_size(2048).head_timeout(Duration::from_secs(3)), whose()).await;
    let head = |length: usize| {
        format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx: {}\r\n\r\n", "x".repeat(length))
    };
    assert!(server.talk(&[head(1500).as_bytes()]).await.starts_with("HTTP/1.1 200"));
    assert!(server.talk(&[head(2100).as_bytes()]).await.starts_with("HTTP/1.1 431"));
    let started = Instant::now();
    server.talk(&[b"GET"]).await;
    assert_eq!(started.elapsed().as_secs(), 3);
}

#[test]
fn every_mistake_is_named_at_once() {
    let server = Server::builder()
        .proxy_protocol(["10.0.0.0/33", "balancer.internal", "10.0.0.0/8", "0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"])
        .head_timeout(Duration::ZERO)
        .proxy_header_timeout(Duration::ZERO)
        .head_size(100);
    assert_eq!(server.build().unwrap_err().mistakes().len(), 8);
}
