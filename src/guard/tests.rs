use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{Router, routing::get};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::Rejection;

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down all it hears; refuses or panics where it is told to.
#[derive(Clone)]
struct Witness {
    name: &'static str,
    log: Log,
    does: Does,
}

#[derive(Clone, Copy, PartialEq)]
enum Does {
    Admit,
    Refuse,
    PanicOnRequest,
    PanicOnResponse,
    PanicOnEnd,
}

impl Witness {
    fn say(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }
}

impl Guard for Witness {
    type Ticket = &'static str;
    const WATCHES_END: bool = true;

    fn on_request(&self, _: &mut Parts) -> ControlFlow<Response, &'static str> {
        self.say(format!("{}>", self.name));
        match self.does {
            Does::Refuse => ControlFlow::Break(StatusCode::FORBIDDEN.into_response()),
            Does::PanicOnRequest => panic!("{} panics", self.name),
            _ => ControlFlow::Continue(self.name),
        }
    }

    fn on_response(&self, ticket: &mut &'static str, response: &mut Response) {
        assert_eq!(*ticket, self.name);
        self.say(format!("<{}", self.name));
        response.headers_mut().append("x-dressed-by", self.name.parse().unwrap());
        assert!(self.does != Does::PanicOnResponse, "{} panics", self.name);
    }

    fn on_end(&self, ticket: &'static str, end: End) {
        assert_eq!(ticket, self.name);
        let end = match end {
            End::Panicked(_) => "Panicked".to_owned(),
            End::Failed(_) => "Failed".to_owned(),
            end => format!("{end:?}"),
        };
        self.say(format!("{}:{end}", self.name));
        assert!(self.does != Does::PanicOnEnd, "{} panics", self.name);
    }
}

fn witness(name: &'static str, log: &Log, does: Does) -> Witness {
    Witness { name, log: log.clone(), does }
}

fn heard(log: &Log) -> String {
    log.lock().unwrap().drain(..).collect::<Vec<_>>().join(" ")
}

fn request() -> Request<Body> {
    Request::new(Body::empty())
}

fn chain(log: &Log, b: Does) -> impl Guard {
    witness("a", log, Does::Admit).then(witness("b", log, b)).then(witness("c", log, Does::Admit))
}

/// Sends a request through a > b > c to a handler that gives this body; returns the answer's status and whole body.
async fn through(
    log: &Log,
    b: Does,
    request: Request<Body>,
    body: fn() -> Body,
) -> (StatusCode, Result<Bytes, axum_core::Error>) {
    let handler = service_fn(move |_: Request<Body>| async move { Ok::<_, Infallible>(Response::new(body())) });
    let response = chain(log, b).into_layer().layer(handler).oneshot(request).await.unwrap();
    let status = response.status();
    (status, response.into_body().collect().await.map(http_body_util::Collected::to_bytes))
}

#[tokio::test]
async fn the_outer_guard_is_first_in_and_last_out() {
    let log = Log::default();
    through(&log, Does::Admit, request(), || Body::from("hello")).await.1.unwrap();
    assert_eq!(heard(&log), "a> b> c> <c <b <a c:Complete b:Complete a:Complete");
}

#[tokio::test]
async fn a_refusal_is_dressed_by_the_guards_outside() {
    let log = Log::default();
    let (status, _) = through(&log, Does::Refuse, request(), Body::empty).await;
    assert_eq!(status, 403);
    assert_eq!(heard(&log), "a> b> <a a:Complete");
}

#[tokio::test]
async fn a_chain_within_a_chain_keeps_the_order() {
    let log = Log::default();
    let inner = witness("b", &log, Does::Admit).then(witness("c", &log, Does::Refuse));
    let layer = Arc::new(Some(witness("a", &log, Does::Admit)).then(inner)).into_layer();
    let handler = service_fn(|_: Request<Body>| async { Ok::<Response, Infallible>(Response::default()) });
    layer.layer(handler).oneshot(request()).await.unwrap();
    assert_eq!(heard(&log), "a> b> c> <b <a b:Complete a:Complete");
}

#[tokio::test]
async fn the_end_of_a_body_is_heard_once_when_it_is_read_to_its_end() {
    let log = Log::default();
    let streamed = || Body::from_stream(stream::iter(["a", "b"].map(Ok::<_, Infallible>)));
    assert_eq!(through(&log, Does::Admit, request(), streamed).await.1.unwrap(), "ab");
    assert_eq!(heard(&log), "a> b> c> <c <b <a c:Complete b:Complete a:Complete");
}

#[tokio::test]
async fn a_body_of_known_length_ends_with_its_last_byte() {
    let log = Log::default();
    let handler = service_fn(|_: Request<Body>| async {
        let body = Body::from_stream(stream::iter(["ab", "c"].map(Ok::<_, Infallible>)).chain(stream::pending()));
        Ok::<_, Infallible>(Response::builder().header("content-length", 3).body(body).unwrap())
    });
    let response = witness("a", &log, Does::Admit).into_layer().layer(handler).oneshot(request()).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(heard(&log), "a> <a");
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(heard(&log), "a:Complete", "a server asks for no more than it announced");
}

#[tokio::test]
async fn an_empty_answer_and_the_answer_to_head_are_complete_at_once() {
    for (method, body) in [("GET", Body::empty as fn() -> Body), ("HEAD", || Body::from("never read"))] {
        let log = Log::default();
        let handler = service_fn(move |_: Request<Body>| async move { Ok::<_, Infallible>(Response::new(body())) });
        let request = Request::builder().method(method).body(Body::empty()).unwrap();
        let response = witness("a", &log, Does::Admit).into_layer().layer(handler).oneshot(request).await.unwrap();
        assert_eq!(heard(&log), "a> <a a:Complete", "{method}");
        drop(response);
        assert_eq!(heard(&log), "", "{method}: and not again");
    }
}

#[tokio::test]
async fn a_request_dropped_before_its_answer_is_aborted_once_its_handler_has_ended() {
    struct Running(Log);
    impl Drop for Running {
        fn drop(&mut self) {
            self.0.lock().unwrap().push("handler".into());
        }
    }
    let log = Log::default();
    let running = Arc::clone(&log);
    let handler = service_fn(move |_: Request<Body>| {
        let running = Running(Arc::clone(&running));
        async move {
            let _running = running;
            std::future::pending::<Result<Response, Infallible>>().await
        }
    });
    let mut future = Box::pin(chain(&log, Does::Admit).into_layer().layer(handler).oneshot(request()));
    assert!((&mut future).now_or_never().is_none());
    drop(future);
    assert_eq!(heard(&log), "a> b> c> handler c:Aborted b:Aborted a:Aborted");
}

#[tokio::test]
async fn a_body_dropped_half_way_or_unread_is_aborted() {
    for read in [0, 1] {
        let log = Log::default();
        let handler = service_fn(|_: Request<Body>| async {
            Ok::<_, Infallible>(Response::new(Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>("more")))))
        });
        let response = witness("a", &log, Does::Admit).into_layer().layer(handler).oneshot(request()).await.unwrap();
        let mut body = response.into_body();
        for _ in 0..read {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        assert_eq!(heard(&log), "a> <a a:Aborted");
    }
}

#[tokio::test]
async fn an_inner_error_passes_through_untouched() {
    let log = Log::default();
    let handler = service_fn(|_: Request<Body>| async { Err::<Response, _>("broken") });
    let error = chain(&log, Does::Admit).into_layer().layer(handler).oneshot(request()).await.unwrap_err();
    assert_eq!(error, "broken");
    assert_eq!(heard(&log), "a> b> c> c:Failed b:Failed a:Failed");
}

#[tokio::test]
async fn an_error_in_the_body_is_failed() {
    let log = Log::default();
    let body = || Body::from_stream(stream::iter([Ok("a"), Err("broken")]));
    through(&log, Does::Admit, request(), body).await.1.unwrap_err();
    assert_eq!(heard(&log), "a> b> c> <c <b <a c:Failed b:Failed a:Failed");
}

#[tokio::test]
async fn a_panic_in_a_guard_is_a_500_that_the_guards_outside_dress() {
    for (does, expected) in [
        (Does::PanicOnRequest, "a> b> <a a:Complete"),
        (Does::PanicOnResponse, "a> b> c> <c <b <a c:Complete b:Complete a:Complete"),
    ] {
        let log = Log::default();
        let (status, body) = through(&log, does, request(), || Body::from("hello")).await;
        assert_eq!(status, 500);
        assert!(!String::from_utf8_lossy(&body.unwrap()).contains("panics"), "what it said stays here");
        assert_eq!(heard(&log), expected);
    }
}

#[tokio::test]
async fn a_panic_at_the_end_keeps_nobody_else_from_hearing_of_it() {
    let log = Log::default();
    let (status, _) = through(&log, Does::PanicOnEnd, request(), || Body::from("hello")).await;
    assert_eq!(status, 200);
    assert_eq!(heard(&log), "a> b> c> <c <b <a c:Complete b:Complete a:Complete");
}

#[tokio::test]
async fn a_panic_in_the_handler_is_a_500_that_every_guard_dresses() {
    let called =
        service_fn(|_: Request<Body>| -> std::future::Ready<Result<Response, Infallible>> { panic!("secret") });
    let polled = service_fn(|_: Request<Body>| async { panic!("secret") as Result<Response, Infallible> });
    let log = Log::default();
    let responses = [
        chain(&log, Does::Admit).into_layer().layer(called).oneshot(request()).await.unwrap(),
        chain(&log, Does::Admit).into_layer().layer(polled).oneshot(request()).await.unwrap(),
    ];
    for response in responses {
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers().get_all("x-dressed-by").iter().count(), 3);
        assert_eq!(response.extensions().get::<Rejection>().unwrap().reported_cause(), Some("panicked: secret"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
    }
    assert_eq!(heard(&log).matches("a:Complete").count(), 2);
}

#[tokio::test]
async fn a_panic_in_the_body_cuts_the_stream() {
    let log = Log::default();
    let body = || {
        Body::from_stream(
            stream::iter(0..).map(|piece| if piece < 2 { Ok::<_, Infallible>("a") } else { panic!("boom") }),
        )
    };
    through(&log, Does::Admit, request(), body).await.1.unwrap_err();
    assert_eq!(heard(&log), "a> b> c> <c <b <a c:Panicked b:Panicked a:Panicked");
}

#[tokio::test]
async fn a_panic_in_the_body_is_a_panic_to_every_chain_around_it() {
    let log = Log::default();
    let body = || Body::from_stream(stream::poll_fn(|_| -> Poll<Option<Result<&str, Infallible>>> { panic!("boom") }));
    let handler = service_fn(move |_: Request<Body>| async move { Ok::<_, Infallible>(Response::new(body())) });
    let layers = ServiceBuilder::new()
        .layer(witness("a", &log, Does::Admit).into_layer())
        .layer(witness("b", &log, Does::Admit).into_layer());
    let response = layers.service(handler).oneshot(request()).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(!error.to_string().contains("boom"), "what it said stays here");
    assert_eq!(heard(&log), "a> b> <b <a b:Panicked a:Panicked");
}

#[tokio::test]
async fn it_stands_on_a_tower_service_with_a_body_of_its_own() {
    let log = Log::default();
    let handler = service_fn(|request: Request<Full<Bytes>>| async move {
        Ok::<_, Infallible>(Response::new(Body::new(request.into_body())))
    });
    let mut service = witness("a", &log, Does::Admit).into_layer().layer(handler);
    let response = service.call(Request::new(Full::from("hello"))).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(heard(&log), "a> <a a:Complete");
}

#[tokio::test]
async fn it_stands_above_and_below_layers_that_change_the_body() {
    let log = Log::default();
    let layers = ServiceBuilder::new()
        .layer(witness("a", &log, Does::Admit).into_layer())
        .layer(tower_http::compression::CompressionLayer::new())
        .layer(tower_http::limit::RequestBodyLimitLayer::new(10))
        .layer(witness("b", &log, Does::Admit).into_layer());
    let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(layers);
    let response = app.oneshot(request()).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_eq!(heard(&log), "a> b> <b <a b:Complete a:Complete");
}

#[tokio::test]
async fn a_refused_request_never_reaches_the_service() {
    let handler = service_fn(|_: Request<Body>| async { panic!("reached") as Result<Response, Infallible> });
    let log = Log::default();
    let response = witness("a", &log, Does::Refuse).into_layer().layer(handler).oneshot(request()).await.unwrap();
    assert_eq!(response.status(), 403);
}
