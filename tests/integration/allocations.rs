//! What the plumbing allocates, counted exactly.

use std::{convert::Infallible, ops::ControlFlow};

use allocation_counter::measure;
use axum::{
    body::Body,
    http::{HeaderValue, Request, header, request::Parts},
};
use bytes::BytesMut;
use futures_util::FutureExt as _;
use palisade::{
    End, Guard, Response,
    error_tracking::ErrorTrackingLayer,
    rate_limit::{Headers, Key, Policy, Quota, RateLimitLayer},
};
use tower::{Layer as _, Service, service_fn};

/// Does nothing; what is then allocated is the plumbing's.
#[derive(Clone, Copy)]
struct Idle<const WATCHES: bool>;

impl<const WATCHES: bool> Guard for Idle<WATCHES> {
    type Ticket = [u64; 4];
    const WATCHES_END: bool = WATCHES;

    fn on_request(&self, _: &mut Parts) -> ControlFlow<Response, Self::Ticket> {
        ControlFlow::Continue([1; 4])
    }

    fn on_end(&self, ticket: Self::Ticket, end: End) {
        assert_eq!((ticket, end), ([1; 4], End::Complete));
    }
}

/// Allocations of one request through this guard, its answer read to the end, beyond those of the bare service.
fn allocations(guard: impl Guard) -> u64 {
    let bare = service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::from("hello"))) });
    let mut guarded = guard.into_layer().layer(bare);
    let mut bare = bare;
    count(|request| guarded.call(request).now_or_never()) - count(|request| bare.call(request).now_or_never())
}

/// A request with headers, as a connection hands it over: slices of one buffer.
fn request() -> Request<Body> {
    let mut buffer = BytesMut::from("localhosta browsertext/htmlapplication/json");
    let mut request = Request::new(Body::empty());
    for (name, length) in [(header::HOST, 9), (header::USER_AGENT, 9), (header::ACCEPT, 9), (header::CONTENT_TYPE, 16)]
    {
        let value = HeaderValue::from_maybe_shared(buffer.split_to(length).freeze()).unwrap();
        request.headers_mut().insert(name, value);
    }
    request
}

fn count(mut call: impl FnMut(Request<Body>) -> Option<Result<Response, Infallible>>) -> u64 {
    // What is set up once per thread, or told once, is not of the request.
    let _ = call(request());
    let request = request();
    let counted = measure(|| {
        let response = call(request).expect("an answer at once").unwrap();
        let mut body = response.into_body();
        while let Some(frame) = http_body_util::BodyExt::frame(&mut body).now_or_never().flatten() {
            frame.unwrap();
        }
    });
    counted.count_total
}

#[test]
fn the_plumbing_allocates_nothing() {
    assert_eq!(allocations(Idle::<false>), 0);
    let chain = Idle::<false>.then(Idle::<false>).then(Some(Idle::<false>).then(Idle::<false>));
    assert_eq!(allocations(chain), 0);
}

#[test]
fn a_limit_that_stands_alone_allocates_nothing_for_what_it_lets_in() {
    let policy = Policy::new("api", Key::address()).quota(Quota::per_minute(100));
    let limit = RateLimitLayer::builder().policy(policy).headers(Headers::none()).build().unwrap();
    assert_eq!(allocations(limit), 0);
}

#[test]
fn watching_the_end_costs_one_box_however_many_watch() {
    assert_eq!(allocations(Idle::<true>), 1);
    assert_eq!(allocations(Idle::<true>.then(Idle::<false>).then(Idle::<true>).then(Idle::<true>)), 1);
}

#[test]
fn error_tracking_allocates_nothing_for_what_succeeds_and_a_sentry_adds_nothing() {
    #[derive(Clone, Copy)]
    struct Facts;

    impl Guard for Facts {
        type Ticket = palisade::Facts;
        const WATCHES_END: bool = true;

        fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Self::Ticket> {
            ControlFlow::Continue(palisade::Facts::of(head))
        }
    }

    let facts = allocations(Facts);
    assert_eq!(allocations(ErrorTrackingLayer::new()), facts);
    #[cfg(feature = "sentry")]
    {
        let sentry = || palisade::error_tracking::SentryReporter::builder("http://key@127.0.0.1:1/1");
        let untraced = sentry().build().unwrap();
        assert_eq!(allocations(ErrorTrackingLayer::new().reporter(untraced)), facts);
        // What a transaction is made of is put together elsewhere.
        let traced = sentry().traces_sample_rate(1.0).build().unwrap();
        assert_eq!(allocations(ErrorTrackingLayer::new().reporter(traced)), facts);
    }
}
