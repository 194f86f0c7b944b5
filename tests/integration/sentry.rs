//! What leaves for Sentry, read at the other end; and what it costs when nobody answers there.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, Request, StatusCode, request},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures_util::{FutureExt as _, stream};
use http_body_util::BodyExt as _;
use palisade::{
    AppError, Check, Health, Principal, Stack,
    error_tracking::{SentryBuilder, SentryReporter},
    rate_limit::{Key, Policy, Quota},
};
use sentry::{Envelope, protocol::EnvelopeItem};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{from_peer, get_from, send};

const PEER: &str = "192.0.2.1";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// Speaks as much of Sentry's protocol as is needed to be believed, on a thread of its own: closing waits.
pub(crate) struct Receiver {
    addr: String,
    pub(crate) raw: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Receiver {
    fn answering(answer: fn() -> Response) -> Self {
        let raw = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&raw);
        let (tell, told) = mpsc::channel();
        let take = move |State(kept): State<Arc<Mutex<Vec<_>>>>, headers: HeaderMap, body: Bytes| async move {
            kept.lock().unwrap().push((headers, body));
            answer()
        };
        thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap().to_string()).unwrap();
                axum::serve(listener, Router::new().route("/api/42/envelope/", post(take)).with_state(kept)).await
            })
        });
        Self { addr: told.recv().unwrap(), raw }
    }

    pub(crate) fn start() -> Self {
        Self::answering(|| axum::Json(json!({})).into_response())
    }

    pub(crate) fn reporter(&self) -> SentryBuilder {
        SentryReporter::builder(format!("http://public@{}/42", self.addr)).shutdown(Duration::from_secs(30))
    }

    /// The kind and the content of each item that came.
    fn items(&self) -> Vec<(&'static str, Value)> {
        let raw = self.raw.lock().unwrap();
        let envelopes = raw.iter().map(|(_, body)| Envelope::from_slice(body).unwrap());
        let items = envelopes.flat_map(|envelope| envelope.items().cloned().collect::<Vec<_>>());
        items
            .map(|item| match item {
                EnvelopeItem::Event(event) => ("event", serde_json::to_value(event).unwrap()),
                EnvelopeItem::Transaction(transaction) => ("transaction", serde_json::to_value(transaction).unwrap()),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn events(&self) -> Vec<Value> {
        self.items().into_iter().filter(|(kind, _)| *kind == "event").map(|(_, item)| item).collect()
    }

    fn transactions(&self) -> Vec<Value> {
        self.items().into_iter().filter(|(kind, _)| *kind == "transaction").map(|(_, item)| item).collect()
    }
}

fn routes() -> Router {
    Router::new()
        .route("/fine", get(|| async { "fine" }))
        .route("/items/{id}", get(|| async { panic!("it was password=hunter2 that broke") as &str }))
        .route(
            "/behind",
            get(|| async { Err::<(), _>(AppError::external_service("postgres://shop:hunter2@db is gone")) }),
        )
        .route("/conflict", get(|| async { Err::<(), _>(AppError::conflict("no")) }))
        .route(
            "/cut",
            get(|| async { Body::from_stream(stream::iter([Ok("some"), Err("the wire with token=hunter2 broke")])) }),
        )
}

fn authenticate(head: &request::Parts) -> Option<Principal> {
    head.headers.get("x-user").map(|_| Principal::new("user:42").tier("pro"))
}

fn wall(sentry: &SentryReporter) -> Stack {
    Stack::production()
        .trusted_proxies([PEER])
        .authenticate(authenticate)
        .limits(Policy::new("api", Key::principal_or_address()).quota(Quota::per_minute(100)))
        .reporter(sentry.clone())
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_panic_is_one_event_with_all_that_helps_to_find_it() {
    let receiver = Receiver::start();
    let sentry = receiver.reporter().environment("staging").release("shop@1.2.3").build().unwrap();
    let app = wall(&sentry).wrap(routes());
    let request = from_peer(PEER, "GET", "/items/7?page=2")
        .header("x-user", "ada")
        .header("user-agent", "a browser")
        .header("accept", "text/html")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "shop.example")
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    let answer = send(&app, request.body(Body::empty()).unwrap()).await;
    assert!(sentry.close());
    assert_eq!((answer.status.as_u16(), sentry.sent(), sentry.dropped(), sentry.failed()), (500, 1, 0, 0));
    let [event] = &receiver.events()[..] else { panic!("{:?}", receiver.items()) };
    for (pointer, expected) in [
        ("/transaction", json!("GET /items/{id}")),
        ("/level", json!("fatal")),
        ("/environment", json!("staging")),
        ("/release", json!("shop@1.2.3")),
        ("/server_name", Value::Null),
        ("/sdk/name", json!("palisade")),
        ("/exception/values/0/type", json!("panic")),
        ("/exception/values/0/value", json!("panicked: it was password=[redacted] that broke")),
        ("/exception/values/0/mechanism/handled", json!(false)),
        ("/exception/values/1", Value::Null),
        ("/fingerprint", json!(["/items/{id}", "panic"])),
        ("/request/method", json!("GET")),
        ("/request/url", json!("https://shop.example/items/7")),
        ("/request/headers", json!({ "host": "localhost", "user-agent": "a browser", "accept": "text/html" })),
        ("/request/query_string", Value::Null),
        ("/user", json!({ "id": "user:42" })),
        ("/tags/request_id", json!(answer.header("x-request-id"))),
        ("/tags/trace_id", json!(TRACE)),
        ("/tags/route", json!("/items/{id}")),
        ("/tags/tier", json!("pro")),
        ("/tags/status", json!("500")),
        ("/contexts/trace/trace_id", json!(TRACE)),
        ("/contexts/trace/parent_span_id", json!(PARENT)),
        ("/contexts/trace/status", json!("internal_error")),
    ] {
        assert_eq!(event.pointer(pointer).unwrap_or(&Value::Null), &expected, "{pointer} in {event:#}");
    }
    let raw = receiver.raw.lock().unwrap();
    let auth = raw[0].0["x-sentry-auth"].to_str().unwrap();
    assert!(auth.contains("sentry_key=public") && auth.contains("sentry_client=palisade/"), "{auth}");
}

#[tokio::test]
async fn errors_of_one_type_on_one_route_are_one_group() {
    #[derive(Debug)]
    struct Stock(std::num::ParseIntError);
    impl std::fmt::Display for Stock {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("no stock")
        }
    }
    impl std::error::Error for Stock {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    let stock = |Path(id): Path<String>| async move { Ok::<_, AppError>(id.parse::<u8>().map_err(Stock)?.to_string()) };
    let receiver = Receiver::start();
    let sentry = receiver.reporter().build().unwrap();
    let app = wall(&sentry).wrap(Router::new().route("/stock/{id}", get(stock)));
    for path in ["/stock/x", "/stock/256", "/stock/7"] {
        send(&app, get_from(PEER, path)).await;
    }
    sentry.close();
    let told = receiver.events().into_iter().map(|event| {
        let exception = &event["exception"]["values"][0];
        assert!(exception["module"].as_str().unwrap().starts_with("integration::sentry::"), "{exception}");
        json!([exception["type"], exception["value"], event["fingerprint"][0], event["tags"]["reason"]])
    });
    let expected = |value: &str| json!(["Stock", value, "/stock/{id}", "internal-error"]);
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            expected("no stock: invalid digit found in string"),
            expected("no stock: number too large to fit in target type")
        ]
    );
    let groups: Vec<_> = receiver.events().iter().map(|event| event["fingerprint"].clone()).collect();
    assert_eq!(groups[0], groups[1]);
}

#[tokio::test]
async fn what_failed_behind_and_a_body_that_broke_off_are_one_event_each() {
    let receiver = Receiver::start();
    let sentry = receiver.reporter().server_name("shop-1").build().unwrap();
    let app = wall(&sentry).wrap(routes());
    send(&app, get_from(PEER, "/behind")).await;
    let cut = app.clone().oneshot(get_from(PEER, "/cut")).await.unwrap();
    assert!(cut.into_body().collect().await.is_err());
    sentry.close();
    let events = receiver.events();
    assert_eq!(events.len(), 2, "{events:#?}");
    let told = |event: &Value| {
        let exception = &event["exception"]["values"][0];
        json!([
            event["level"],
            exception["type"],
            exception["value"],
            exception["mechanism"]["handled"],
            event["tags"]["status"]
        ])
    };
    assert_eq!(
        told(&events[0]),
        json!(["warning", "external-service", "postgres://[redacted]db is gone", true, "502"])
    );
    // `error` is what a level is where none is said.
    assert_eq!(told(&events[1]), json!([null, "broken-off", "the wire with token=[redacted] broke", true, null]));
    assert_eq!(events[0]["server_name"], "shop-1");
}

#[tokio::test]
async fn no_byte_that_leaves_holds_a_planted_secret() {
    let receiver = Receiver::start();
    let sentry = receiver.reporter().traces_sample_rate(1.0).build().unwrap();
    let app = wall(&sentry)
        .wrap(routes().route("/echo", post(|body: String| async move { panic!("broke on {body}") as &str })));
    let secret = "s3cr3tOfThisTest0123456789";
    for (method, path) in [("GET", "/items/7"), ("GET", "/behind"), ("GET", "/fine"), ("POST", "/echo")] {
        let request = from_peer(PEER, method, &format!("{path}?token={secret}"))
            .header("authorization", format!("Bearer {secret}"))
            .header("proxy-authorization", format!("Basic {secret}"))
            .header("cookie", format!("session={secret}"))
            .header("x-api-key", secret)
            .header("x-auth-token", secret)
            .header("x-user", "ada")
            .header("referer", format!("https://a.example/?token={secret}"))
            .header("user-agent", format!("curl Bearer {secret}"))
            .header("accept", format!("text/html;token={secret}"))
            .header("content-type", "application/json");
        let body = Body::from(format!(r#"{{"password":"{secret}"}}"#));
        send(&app, request.body(body).unwrap()).await;
    }
    sentry.close();
    assert_eq!((receiver.events().len(), receiver.transactions().len()), (3, 4));
    let raw = receiver.raw.lock().unwrap();
    for (headers, body) in &*raw {
        let text = String::from_utf8_lossy(body);
        for secret in [secret, "hunter2"] {
            assert!(!text.contains(secret) && !format!("{headers:?}").contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_user_in_a_host_or_a_url_does_not_leave() {
    let receiver = Receiver::start();
    let sentry = receiver.reporter().build().unwrap();
    // Alone: a stack refuses such a host.
    let app = routes().layer(palisade::error_tracking::ErrorTrackingLayer::new().reporter(sentry.clone()));
    for (uri, host) in
        [("http://ada:hunter2@shop.example/behind?a=1", "shop.example"), ("/behind", "ada:hunter2@shop.example")]
    {
        let request = Request::get(uri).header("host", host).body(Body::empty()).unwrap();
        send(&app, request).await;
    }
    sentry.close();
    for event in receiver.events() {
        assert_eq!(event["request"]["url"], "http://shop.example/behind");
        assert_eq!(event["request"]["headers"], json!({ "host": "shop.example" }));
    }
    assert_eq!(receiver.events().len(), 2);
}

#[tokio::test]
async fn what_is_expected_is_no_event_and_neither_a_probe_nor_a_4xx_a_transaction() {
    let receiver = Receiver::start();
    let sentry = receiver.reporter().traces_sample_rate(1.0).build().unwrap();
    let limits = Policy::new("api", Key::address()).quota(Quota::per_minute(4));
    let stack = Stack::production()
        .limits(limits)
        .access(palisade::Access::loopback())
        .reporter(sentry.clone())
        .build()
        .unwrap();
    let down = Check::new("database", || async { Err::<(), _>("down") }).critical();
    let app = Health::new().check(down).router(&stack).merge(stack.inner_routes()).merge(stack.wrap(routes()));
    let mut statuses = Vec::new();
    for path in ["/ready", "/health", "/health/ping", "/metrics", "/fine", "/nowhere", "/conflict", "/fine", "/fine"] {
        statuses.push(send(&app, get_from("127.0.0.1", path)).await.status.as_u16());
    }
    assert!(
        statuses.starts_with(&[503, 503, 200, 200]) && statuses.ends_with(&[200, 404, 409, 200, 429]),
        "{statuses:?}"
    );
    sentry.close();
    assert_eq!(receiver.events(), [Value::Null; 0]);
    let names: Vec<_> =
        receiver.transactions().iter().map(|item| item["transaction"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["GET /fine", "GET /fine"]);
}

#[tokio::test]
async fn a_recorded_request_is_a_transaction_under_its_caller_s_span_and_another_is_none() {
    let receiver = Receiver::start();
    let sentry = receiver.reporter().release("shop@1").traces_sample_rate(0.5).build().unwrap();
    let app = wall(&sentry).wrap(routes());
    // The last 56 bits of the id decide; that it is not recorded, outvotes them.
    let (large, small) = ("0af7651916cd43dd84ffffffffffffff", "0af7651916cd43dd8400000000000001");
    for (trace, flags) in [(large, "01"), (small, "01"), (large, "00")] {
        let request = from_peer(PEER, "GET", "/fine").header("traceparent", format!("00-{trace}-{PARENT}-{flags}"));
        send(&app, request.body(Body::empty()).unwrap()).await;
    }
    sentry.close();
    let [transaction] = &receiver.transactions()[..] else { panic!("{:?}", receiver.items()) };
    for (pointer, expected) in [
        ("/transaction", json!("GET /fine")),
        ("/release", json!("shop@1")),
        ("/contexts/trace/trace_id", json!(large)),
        ("/contexts/trace/parent_span_id", json!(PARENT)),
        ("/contexts/trace/op", json!("http.server")),
        ("/contexts/trace/status", json!("ok")),
        ("/tags/status", json!("200")),
    ] {
        assert_eq!(transaction.pointer(pointer).unwrap_or(&Value::Null), &expected, "{pointer} in {transaction:#}");
    }
    assert!(transaction["timestamp"].is_string() && transaction["start_timestamp"].is_number(), "{transaction:#}");
}

#[tokio::test]
async fn a_reported_refusal_is_a_breadcrumb_of_what_broke_after_it() {
    let receiver = Receiver::start();
    let sentry = receiver.reporter().build().unwrap();
    let limits = Policy::new("api", Key::address()).quota(Quota::per_minute(1)).mode(palisade::Mode::Report);
    let app = Stack::production().limits(limits).reporter(sentry.clone()).build().unwrap().wrap(routes());
    send(&app, get_from(PEER, "/fine")).await;
    send(&app, get_from(PEER, "/behind")).await;
    sentry.close();
    let crumb = &receiver.events()[0]["breadcrumbs"]["values"][0];
    assert_eq!(
        (&crumb["category"], &crumb["message"]),
        (&json!("palisade.rate_limit"), &json!("reported by api: quota-exceeded"))
    );
}

/// What the application's own Sentry is told while these paths are asked for.
fn told_to_the_application(app: &Router, paths: &[&str]) -> Vec<sentry::protocol::Event<'static>> {
    let options = sentry::ClientOptions::new().add_integration(sentry::integrations::panic::PanicIntegration::new());
    let listening = tracing_subscriber::registry().with(sentry::integrations::tracing::ErrorLayer::new());
    sentry::test::with_captured_events_options(
        || {
            tracing::subscriber::with_default(listening, || {
                for path in paths {
                    send(app, get_from(PEER, path)).now_or_never().expect("an answer at once");
                }
                tracing::error!("one of the application's own");
            });
        },
        options,
    )
}

#[test]
fn beside_an_application_s_own_sentry_nothing_is_told_twice() {
    let receiver = Receiver::start();
    let sentry = receiver.reporter().build().unwrap();
    let app = Router::new()
        .merge(routes())
        .layer(palisade::error_tracking::ErrorTrackingLayer::new().reporter(sentry.clone()));
    let theirs = told_to_the_application(&app, &["/items/7", "/behind"]);
    sentry.close();
    let ours: Vec<_> = receiver.events().iter().map(|event| event["transaction"].clone()).collect();
    assert_eq!(ours, ["GET /behind"]);
    // The hook tells the panic, with its stack; nobody tells `/behind` again.
    assert_eq!(theirs.len(), 2, "{theirs:#?}");
    assert_eq!(theirs[0].exception.values[0].ty, "panic");
    assert_eq!(theirs[1].message.as_deref(), Some("one of the application's own"));
    // Without a reporter the log event is theirs.
    let bare = routes().layer(palisade::error_tracking::ErrorTrackingLayer::new());
    assert_eq!(told_to_the_application(&bare, &["/behind"]).len(), 2);
}

#[test]
fn breadcrumbs_of_the_hub_are_taken_along_only_when_asked_for() {
    for asked in [false, true] {
        let receiver = Receiver::start();
        let sentry = receiver.reporter().hub_breadcrumbs(asked).build().unwrap();
        let app = routes().layer(palisade::error_tracking::ErrorTrackingLayer::new().reporter(sentry.clone()));
        sentry::test::with_captured_events(|| {
            sentry::add_breadcrumb(sentry::Breadcrumb {
                message: Some("asked with password=hunter2".to_owned()),
                data: sentry::protocol::Map::from([("api_key".to_owned(), json!("hunter2"))]),
                ..Default::default()
            });
            send(&app, get_from(PEER, "/behind")).now_or_never().expect("an answer at once");
        });
        sentry.close();
        let crumbs = receiver.events()[0]["breadcrumbs"]["values"].clone();
        let expected =
            json!([{ "message": "asked with password=[redacted]", "data": { "data": r#"{"api_key":[redacted]}"# } }]);
        let without_time = crumbs.as_array().map(|crumbs| {
            crumbs.iter().map(|crumb| json!({ "message": crumb["message"], "data": crumb["data"] })).collect::<Vec<_>>()
        });
        assert_eq!(json!(without_time), if asked { expected } else { Value::Null });
    }
}

#[tokio::test]
async fn what_the_server_says_about_silence_is_kept_to_and_counted() {
    for (answer, expected) in [
        // Sent, dropped, failed, of three.
        ((|| [("retry-after", "")].into_response()) as fn() -> Response, (3, 0, 0)),
        (|| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "60")]).into_response(), (0, 2, 1)),
        (|| StatusCode::TOO_MANY_REQUESTS.into_response(), (0, 2, 1)),
        (|| [("x-sentry-rate-limits", "60:error:organization")].into_response(), (1, 2, 0)),
        (|| [("x-sentry-rate-limits", "60:transaction:organization")].into_response(), (3, 0, 0)),
        (|| StatusCode::BAD_GATEWAY.into_response(), (0, 0, 3)),
        (|| (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")]).into_response(), (0, 0, 3)),
    ] {
        let receiver = Receiver::answering(answer);
        let sentry = receiver.reporter().build().unwrap();
        let app = wall(&sentry).wrap(routes());
        for _ in 0..3 {
            send(&app, get_from(PEER, "/behind")).await;
        }
        assert!(sentry.close());
        assert_eq!((sentry.sent(), sentry.dropped(), sentry.failed()), expected);
    }
}

#[tokio::test]
async fn the_last_handle_sends_what_is_queued_and_a_closed_one_takes_no_more() {
    let receiver = Receiver::start();
    let app = wall(&receiver.reporter().build().unwrap()).wrap(routes());
    for _ in 0..20 {
        send(&app, get_from(PEER, "/behind")).await;
    }
    drop(app);
    assert_eq!(receiver.events().len(), 20);
    let sentry = receiver.reporter().build().unwrap();
    let app = wall(&sentry).wrap(routes());
    assert!(sentry.close());
    assert_eq!(send(&app, get_from(PEER, "/behind")).await.status, 502);
    assert_eq!((sentry.sent(), sentry.dropped()), (0, 1));
    assert!(sentry.close());
}

#[tokio::test]
async fn transactions_leave_room_for_errors() {
    let (addr, _sockets) = silent();
    let sentry = reporter_to(&addr).queue(10).traces_sample_rate(1.0).build().unwrap();
    let app = wall(&sentry).wrap(routes());
    for _ in 0..20 {
        send(&app, get_from(PEER, "/fine")).await;
    }
    let dropped = sentry.dropped();
    // One may be on its way.
    assert!((14..=15).contains(&dropped), "{dropped}");
    let untraced = get_from(PEER, "/behind");
    send(&app, untraced).await;
    assert_eq!(sentry.dropped(), dropped + 1, "its transaction found no room, the error did");
}

/// Takes one connection by HTTPS after the other: where, its certificate as PEM, and what came.
fn with_tls() -> (String, String, mpsc::Receiver<Vec<u8>>) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let addr = format!("localhost:{}", listener.local_addr().unwrap().port());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream =
                rustls::StreamOwned::new(rustls::ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            let (mut request, mut piece) = (Vec::new(), [0; 16 * 1024]);
            while let Ok(length @ 1..) = stream.read(&mut piece) {
                request.extend_from_slice(&piece[..length]);
                // The last item of an envelope ends with a line feed.
                if request.ends_with(b"}\n") {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
                    let _ = tell.send(std::mem::take(&mut request));
                }
            }
        }
    });
    (addr, own.cert.pem(), told)
}

#[tokio::test]
async fn an_event_goes_by_https_to_a_certificate_that_is_trusted_and_to_no_other() {
    let (addr, pem, told) = with_tls();
    let builder = || SentryReporter::builder(format!("https://public@{addr}/42")).shutdown(Duration::from_secs(30));
    for (builder, expected) in [(builder().root_certificates(pem), (1, 0)), (builder(), (0, 1))] {
        let sentry = builder.build().unwrap();
        send(&wall(&sentry).wrap(routes()), get_from(PEER, "/behind")).await;
        assert!(sentry.close());
        assert_eq!((sentry.sent(), sentry.failed()), expected);
    }
    let request = String::from_utf8(told.try_recv().unwrap()).unwrap();
    assert!(request.starts_with("POST /api/42/envelope/ HTTP/1.1\r\n") && request.contains("GET /behind"), "{request}");
    assert!(told.try_recv().is_err());
}

/// Takes every connection and never says a word.
fn silent() -> (String, mpsc::Receiver<std::net::TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let (keep, kept) = mpsc::channel();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(keep.send(stream))));
    (addr, kept)
}

fn reporter_to(addr: &str) -> SentryBuilder {
    SentryReporter::builder(format!("http://public@{addr}/42")).shutdown(Duration::from_millis(300))
}

struct Times(Vec<Duration>);

impl Times {
    async fn measure(&mut self, app: &Router) {
        let request: Request<Body> = get_from(PEER, "/behind");
        let started = Instant::now();
        let status = app.clone().oneshot(request).await.unwrap().status();
        self.0.push(started.elapsed());
        assert_eq!(status, 502);
    }

    fn quantile(&mut self, of_100: usize) -> Duration {
        self.0.sort();
        self.0[self.0.len() * of_100 / 100]
    }
}

/// Asks a wall with this reporter and one without in turns. How many wait to be sent in the end, and how long the shutdown takes.
async fn ten_thousand_failures(sentry: &SentryReporter) -> (u64, Duration) {
    let without = Stack::production().flood(None).build().unwrap().wrap(routes());
    let with = Stack::production().flood(None).reporter(sentry.clone()).build().unwrap().wrap(routes());
    let (mut bare, mut reported) = (Times(Vec::new()), Times(Vec::new()));
    for _ in 0..10_000 {
        bare.measure(&without).await;
        reported.measure(&with).await;
    }
    for of_100 in [50, 99] {
        let (without, with) = (bare.quantile(of_100), reported.quantile(of_100));
        println!("p{of_100}: {without:?} without Sentry, {with:?} with");
        // A wait for the server would be milliseconds; two shared cores are noise.
        assert!(with < without * 2 + Duration::from_micros(200), "p{of_100}: {without:?}, with Sentry {with:?}");
    }
    let waiting = 10_000 - sentry.sent() - sentry.dropped() - sentry.failed();
    let started = Instant::now();
    sentry.close();
    let shutdown = started.elapsed();
    println!("shutdown {shutdown:?}, waiting {waiting}, failed {}, dropped {}", sentry.failed(), sentry.dropped());
    (waiting, shutdown)
}

#[tokio::test]
async fn a_sentry_that_never_answers_costs_requests_nothing_and_the_end_no_more_than_its_time() {
    let (addr, _sockets) = silent();
    let sentry = reporter_to(&addr).build().unwrap();
    let (waiting, shutdown) = ten_thousand_failures(&sentry).await;
    // A hundred in the queue and one on its way: nothing else is remembered.
    assert!((100..=101).contains(&waiting), "{waiting}");
    // All but the one that is on its way.
    assert_eq!((sentry.sent(), sentry.dropped() + sentry.failed()), (0, 9_999));
    assert!(shutdown >= Duration::from_millis(300) && shutdown < Duration::from_millis(800), "{shutdown:?}");
    let started = Instant::now();
    assert!(!sentry.close());
    drop(sentry);
    assert!(started.elapsed() < Duration::from_millis(200), "the time is given once");
}

#[tokio::test]
async fn a_sentry_that_is_not_there_costs_requests_nothing_either() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let sentry = reporter_to(&addr).build().unwrap();
    let (waiting, shutdown) = ten_thousand_failures(&sentry).await;
    assert!(waiting <= 101, "{waiting}");
    let told = sentry.failed() + sentry.dropped();
    // One may be on its way.
    assert!(sentry.sent() == 0 && (9_999..=10_000).contains(&told), "{told}");
    assert!(shutdown < Duration::from_millis(800), "{shutdown:?}");
}
