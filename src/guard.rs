//! The shape every part of palisade has, and the only plumbing it needs.
//!
//! A [`Guard`] sees each request on its way in and its response on its way out, and hears how the response ended.
//! Guards are chained with [`Guard::then`], the outer one first, and applied with [`Guard::into_layer`]. The
//! `Service`, the `Future` and the body wrapper under all of them are in this file and written once.
//!
//! ```
//! use std::ops::ControlFlow;
//! use http::request::Parts;
//! use palisade::{Guard, Kind, Rejection, Response};
//!
//! /// Turns writes away while the shop is closed.
//! #[derive(Clone)]
//! struct Hours { open: bool }
//!
//! impl Guard for Hours {
//!     type Ticket = ();
//!     fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, ()> {
//!         if self.open || head.method.is_safe() {
//!             return ControlFlow::Continue(());
//!         }
//!         ControlFlow::Break(Rejection::new(Kind::Unavailable).detail("We open at nine.").respond(head))
//!     }
//! }
//!
//! let app: axum::Router = axum::Router::new().layer(Hours { open: false }.into_layer());
//! ```

use std::{
    future::Future,
    iter, mem,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
};

use axum_core::{body::Body, response::IntoResponse};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header, request::Parts};
use http_body::{Body as _, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{Facts, Response};

mod chain;
pub mod containment;
pub(crate) mod panic;
pub(crate) mod patience;
pub mod waiting;

pub use self::chain::{Entry, Then};
use self::panic::{Panic, caught};

/// Decides on a request's head, finishes the response's head, hears how the response ended.
///
/// Clones are made per request, so a guard is a cheap handle: `Copy` settings, or one `Arc`.
pub trait Guard: Clone + Send + Sync + 'static {
    /// Handed out with the request, handed back at its end.
    type Ticket: Send + 'static;

    /// Whether this guard must hear the end of the response body.
    ///
    /// Off (the default) for a whole chain, nothing is wrapped and [`on_end`](Self::on_end) follows at once on the response's
    /// head. One guard that watches makes all of its chain hear of the end when it comes.
    const WATCHES_END: bool = false;

    /// Lets the request in with a ticket, or answers it here and now.
    ///
    /// # Errors
    /// `Break` is the answer; the guards outside this one still dress it.
    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Self::Ticket>;

    /// Finishes the head of the answer, whoever gave it.
    fn on_response(&self, ticket: &mut Self::Ticket, response: &mut Response) {
        let _ = (ticket, response);
    }

    /// Called exactly once for every ticket handed out, whatever happens.
    fn on_end(&self, ticket: Self::Ticket, end: End) {
        let _ = (ticket, end);
    }

    /// Whether this very request's end must be heard. A guard that knows better than [`WATCHES_END`](Self::WATCHES_END)
    /// once it has its ticket saves the request the wrapping.
    fn watches_end(&self, ticket: &Self::Ticket) -> bool {
        let _ = ticket;
        Self::WATCHES_END
    }

    /// Puts `inner` inside this guard: requests meet this one first, responses meet it last.
    #[must_use]
    fn then<G: Guard>(self, inner: G) -> Then<Self, G> {
        Then { outer: self, inner }
    }

    /// Makes a [`tower_layer::Layer`] of this guard or chain.
    #[must_use]
    fn into_layer(self) -> GuardLayer<Self> {
        GuardLayer { guard: self }
    }

    /// `on_request`, with a panic in it turned into a refusal. Chains enter their guards one by one.
    #[doc(hidden)]
    #[inline]
    fn enter(&self, head: &mut Parts) -> Entry<Self::Ticket> {
        match caught(|| self.on_request(head)) {
            Ok(ControlFlow::Continue(ticket)) => Entry::Admitted(ticket),
            Ok(ControlFlow::Break(response)) => Entry::Refused(None, response),
            Err(panic) => Entry::Refused(None, panic.respond(head.extensions.get())),
        }
    }

    /// `on_response`, with a panic in it turned into a 500 that the guards outside still dress.
    #[doc(hidden)]
    #[inline]
    fn leave(&self, ticket: &mut Self::Ticket, response: &mut Response, facts: Option<&Facts>) {
        if let Err(panic) = caught(|| self.on_response(ticket, response)) {
            *response = panic.respond(facts);
        }
    }

    /// `on_end`, with a panic in it kept from the guards that have yet to hear of the end.
    #[doc(hidden)]
    #[inline]
    fn finish(&self, ticket: Self::Ticket, end: End) {
        if let Err(panic) = caught(|| self.on_end(ticket, end)) {
            tracing::error!(panic = %panic.message, "a guard panicked at the end of a request");
        }
    }
}

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum End<'a> {
    /// All of the body was handed to the connection, or there was none to hand over.
    Complete,
    /// The client went away, or the future or the body was dropped before its end.
    Aborted,
    /// The service gave an error in place of a response, or the body gave this one in place of its rest.
    Failed(&'a str),
    /// The body panicked while it was streamed; the stream was cut. A panic before the body is answered with a 500
    /// instead, and that answer's body then ends like any other.
    Panicked(&'a str),
}

/// A guard or a chain of them as a [`Layer`]. Made by [`Guard::into_layer`].
#[derive(Debug, Clone)]
pub struct GuardLayer<G> {
    guard: G,
}

impl<G: Guard, S> Layer<S> for GuardLayer<G> {
    type Service = Guarded<G, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.guard.clone(), inner)
    }
}

/// A service behind a guard. `S::Error` passes through untouched; every refusal is a response.
#[derive(Debug, Clone)]
pub struct Guarded<G, S> {
    guard: G,
    inner: S,
}

impl<G, S> Guarded<G, S> {
    pub(crate) fn new(guard: G, inner: S) -> Self {
        Self { guard, inner }
    }
}

impl<G, S, B> Service<Request<B>> for Guarded<G, S>
where
    G: Guard,
    S: Service<Request<B>, Response: IntoResponse>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = GuardFuture<G, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let is_head = head.method == Method::HEAD;
        let entry = self.guard.enter(&mut head);
        let facts = head.extensions.get::<Facts>().cloned();
        let (ticket, state) = match entry {
            Entry::Admitted(ticket) => {
                let request = Request::from_parts(head, body);
                (Some(ticket), State::call(facts.as_ref(), || self.inner.call(request)))
            }
            Entry::Refused(ticket, response) => (ticket, State::answered(response)),
        };
        GuardFuture::new(self.guard.clone(), ticket, facts, is_head, state)
    }
}

pin_project! {
    /// The way through a guard: in, the answer, out.
    pub struct GuardFuture<G: Guard, F> {
        // Dropped first: a request that is cut short has ended when its handler has, and not before.
        #[pin]
        state: State<F>,
        is_head: bool,
        watch: Option<Watch<G>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Inside { #[pin] future: F },
        Answered { response: Option<Response> },
    }
}

impl<F> State<F> {
    fn call(facts: Option<&Facts>, call: impl FnOnce() -> F) -> Self {
        match caught(call) {
            Ok(future) => Self::Inside { future },
            Err(panic) => Self::answered(panic.respond(facts)),
        }
    }

    fn answered(response: Response) -> Self {
        Self::Answered { response: Some(response) }
    }
}

impl<G: Guard, F> GuardFuture<G, F> {
    fn new(guard: G, ticket: Option<G::Ticket>, facts: Option<Facts>, is_head: bool, state: State<F>) -> Self {
        Self { watch: Some(Watch { guard, ticket, facts, sent: 0 }), is_head, state }
    }
}

impl<G, F, R, E> Future for GuardFuture<G, F>
where
    G: Guard,
    F: Future<Output = Result<R, E>>,
    R: IntoResponse,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = match this.state.project() {
            StateProjection::Inside { future } => {
                match caught(|| future.poll(cx).map_ok(IntoResponse::into_response)) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(answer)) => answer,
                    Err(panic) => Ok(panic.respond(this.watch.as_ref().and_then(|watch| watch.facts.as_ref()))),
                }
            }
            StateProjection::Answered { response } => match response.take() {
                Some(response) => Ok(response),
                None => return Poll::Pending,
            },
        };
        let Some(mut watch) = this.watch.take() else {
            return Poll::Pending;
        };
        Poll::Ready(match answer {
            Ok(mut response) => {
                watch.leave(&mut response);
                Ok(watch.until_end(response, *this.is_head))
            }
            Err(error) => {
                watch.end(End::Failed("the service gave an error in place of an answer"));
                Err(error)
            }
        })
    }
}

impl<G: Guard, F> std::fmt::Debug for GuardFuture<G, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuardFuture").finish_non_exhaustive()
    }
}

/// A ticket and whom to hand it back to. Dropped early, it reports the request as aborted.
struct Watch<G: Guard> {
    guard: G,
    ticket: Option<G::Ticket>,
    facts: Option<Facts>,
    /// Bytes of the body so far.
    sent: u64,
}

impl<G: Guard> Watch<G> {
    fn leave(&mut self, response: &mut Response) {
        if let Some(ticket) = &mut self.ticket {
            self.guard.leave(ticket, response, self.facts.as_ref());
        }
    }

    fn end(&mut self, end: End) {
        if let Some(ticket) = self.ticket.take() {
            if let Some(facts) = &self.facts {
                facts.set_sent(self.sent);
            }
            self.guard.finish(ticket, end);
        }
    }

    /// Ends the watch at once where nothing is left to be sent, else with the body.
    fn until_end(mut self, response: Response, is_head: bool) -> Response {
        let status = response.status();
        let bodiless = is_head
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || response.body().is_end_stream();
        let watched = self.ticket.as_ref().is_some_and(|ticket| self.guard.watches_end(ticket));
        if bodiless || !watched {
            self.end(End::Complete);
            return response;
        }
        let remaining = response.body().size_hint().exact().or_else(|| {
            let length = response.headers().get(header::CONTENT_LENGTH);
            length.and_then(|length| length.to_str().ok()?.parse().ok())
        });
        response.map(|inner| Body::new(WatchedBody { inner, remaining, watch: self }))
    }
}

impl<G: Guard> Drop for Watch<G> {
    fn drop(&mut self) {
        self.end(End::Aborted);
    }
}

/// A response body that tells its guard how it ended.
struct WatchedBody<G: Guard> {
    inner: Body,
    /// Bytes still to come, where that is known: servers stop asking once they have them.
    remaining: Option<u64>,
    watch: Watch<G>,
}

/// Nothing in it is pinned in place.
impl<G: Guard> Unpin for WatchedBody<G> {}

impl<G: Guard> http_body::Body for WatchedBody<G> {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let polled = caught(|| Pin::new(&mut this.inner).poll_frame(cx));
        match &polled {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(None)) => this.watch.end(End::Complete),
            Ok(Poll::Ready(Some(Err(error)))) => match panic_in(error) {
                Some(panic) => this.watch.end(End::Panicked(&panic.message)),
                None => this.watch.end(End::Failed(&error.to_string())),
            },
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                let sent = frame.data_ref().map_or(0, |data| data.len() as u64);
                this.watch.sent += sent;
                this.remaining = this.remaining.map(|left| left.saturating_sub(sent));
                if this.remaining == Some(0) || this.inner.is_end_stream() {
                    this.watch.end(End::Complete);
                }
            }
            Err(panic) => {
                this.watch.end(End::Panicked(&panic.message));
                // What panicked is not asked again; should its drop panic too, that ends here.
                let broken = mem::take(&mut this.inner);
                let _ = caught(|| drop(broken));
            }
        }
        polled.unwrap_or_else(|panic| Poll::Ready(Some(Err(axum_core::Error::new(panic)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The panic that a watch further in has caught and handed on as an error, under as many wrappings as there are layers.
fn panic_in<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Panic> {
    // Some errors are their own source.
    iter::successors(Some(error), |error| error.source()).take(64).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests;
