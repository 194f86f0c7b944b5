//! What the plumbing allocates, counted exactly.

use std::{convert::Infallible, ops::ControlFlow};

use allocation_counter::measure;
use axum::{
    body::Body,
    http::{Request, request::Parts},
};
use futures_util::FutureExt as _;
use palisade::{
    End, Guard, Response,
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

fn count(mut call: impl FnMut(Request<Body>) -> Option<Result<Response, Infallible>>) -> u64 {
    // What is set up once per thread, or told once, is not of the request.
    let _ = call(Request::new(Body::empty()));
    let request = Request::new(Body::empty());
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
