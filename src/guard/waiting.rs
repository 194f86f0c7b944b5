//! The waiting twin of a guard: for what must be awaited, or must touch the request's body.

use std::{
    future::Future,
    mem,
    ops::ControlFlow,
    panic::AssertUnwindSafe,
    task::{Context, Poll},
};

use axum_core::{body::Body, response::IntoResponse};
use bytes::Bytes;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Either},
};
use http::{Method, Request, request::Parts};
use tower_layer::Layer;
use tower_service::Service;

use super::{End, Guard, GuardFuture, Panic, State, caught};
use crate::{Facts, Kind, Rejection, Response};

/// A guard that may have to wait first: for a shared store, for a body to read, for a key to be looked up.
///
/// It is asked [`try_now`](Self::try_now) first. Only when that answers [`Now::Wait`] is one future boxed, and
/// [`wait`](Self::wait) awaited in it.
pub trait WaitingGuard: Clone + Send + Sync + 'static {
    /// Handed out with the request, handed back at its end.
    type Ticket: Send + 'static;
    /// Whether this guard must hear the end of the response body, as [`Guard::WATCHES_END`].
    const WATCHES_END: bool = false;

    /// Decides without waiting, if that can be done. The body is handed on, as it is or wrapped.
    fn try_now(&self, head: &mut Parts, body: Body) -> Now<Self::Ticket>;

    /// Decides after all. Dropped with the request when the client goes.
    fn wait(
        &self,
        head: &mut Parts,
        body: Body,
    ) -> impl Future<Output = ControlFlow<Response, (Self::Ticket, Body)>> + Send;

    /// As [`Guard::on_response`].
    fn on_response(&self, ticket: &mut Self::Ticket, response: &mut Response) {
        let _ = (ticket, response);
    }

    /// As [`Guard::on_end`].
    fn on_end(&self, ticket: Self::Ticket, end: End) {
        let _ = (ticket, end);
    }

    /// Makes a [`tower_layer::Layer`] of this guard.
    #[must_use]
    fn into_layer(self) -> WaitingLayer<Self> {
        WaitingLayer { guard: self }
    }
}

/// A waiting guard that can be absent: `None` lets everything through untouched.
impl<W: WaitingGuard> WaitingGuard for Option<W> {
    type Ticket = Option<W::Ticket>;
    const WATCHES_END: bool = W::WATCHES_END;

    fn try_now(&self, head: &mut Parts, body: Body) -> Now<Self::Ticket> {
        let Some(guard) = self else { return Now::Decided(ControlFlow::Continue((None, body))) };
        match guard.try_now(head, body) {
            Now::Decided(decided) => Now::Decided(decided.map_continue(|(ticket, body)| (Some(ticket), body))),
            Now::Wait(body) => Now::Wait(body),
        }
    }

    async fn wait(&self, head: &mut Parts, body: Body) -> ControlFlow<Response, (Self::Ticket, Body)> {
        let Some(guard) = self else { return ControlFlow::Continue((None, body)) };
        guard.wait(head, body).await.map_continue(|(ticket, body)| (Some(ticket), body))
    }

    fn on_response(&self, ticket: &mut Self::Ticket, response: &mut Response) {
        if let (Some(guard), Some(ticket)) = (self, ticket) {
            guard.on_response(ticket, response);
        }
    }

    fn on_end(&self, ticket: Self::Ticket, end: End) {
        if let (Some(guard), Some(ticket)) = (self, ticket) {
            guard.on_end(ticket, end);
        }
    }
}

/// What a [`WaitingGuard`] knows without waiting.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it knows, or it must wait")]
pub enum Now<T> {
    /// Let in with a ticket and the body to hand on, or answered.
    Decided(ControlFlow<Response, (T, Body)>),
    /// Must wait; the body comes back untouched.
    Wait(Body),
}

/// A waiting guard as a [`Layer`]. Made by [`WaitingGuard::into_layer`].
#[derive(Debug, Clone)]
pub struct WaitingLayer<W> {
    guard: W,
}

impl<W: WaitingGuard, S> Layer<S> for WaitingLayer<W> {
    type Service = Waiting<W, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Waiting::new(self.guard.clone(), inner)
    }
}

/// A service behind a waiting guard.
#[derive(Debug, Clone)]
pub struct Waiting<W, S> {
    guard: W,
    inner: S,
}

impl<W, S> Waiting<W, S> {
    pub(crate) fn new(guard: W, inner: S) -> Self {
        Self { guard, inner }
    }
}

impl<W, S, B> Service<Request<B>> for Waiting<W, S>
where
    W: WaitingGuard,
    S: Service<Request<Body>, Response: IntoResponse, Future: Send> + Clone + Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<axum_core::BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<GuardFuture<Inside<W>, S::Future>, BoxFuture<'static, Result<Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let guard = self.guard.clone();
        match caught(|| guard.try_now(&mut head, Body::new(body))) {
            Ok(Now::Decided(decided)) => Either::Left(proceed(guard, &mut self.inner, head, Ok(decided))),
            Err(panic) => Either::Left(proceed(guard, &mut self.inner, head, Err(panic))),
            Ok(Now::Wait(body)) => {
                // The service that is ready goes along; its clone waits to be made ready.
                let clone = self.inner.clone();
                let mut inner = mem::replace(&mut self.inner, clone);
                Either::Right(Box::pin(async move {
                    let waited = AssertUnwindSafe(guard.wait(&mut head, body)).catch_unwind().await;
                    proceed(guard, &mut inner, head, waited.map_err(Panic::from)).await
                }))
            }
        }
    }
}

type Decided<W> = Result<ControlFlow<Response, (<W as WaitingGuard>::Ticket, Body)>, Panic>;

/// From the decision on, a waiting guard is a guard like any other.
fn proceed<W, S>(guard: W, inner: &mut S, head: Parts, decided: Decided<W>) -> GuardFuture<Inside<W>, S::Future>
where
    W: WaitingGuard,
    S: Service<Request<Body>, Response: IntoResponse>,
{
    let is_head = head.method == Method::HEAD;
    let facts = head.extensions.get::<Facts>().cloned();
    let (ticket, state) = match decided {
        Ok(ControlFlow::Continue((ticket, body))) => {
            let request = Request::from_parts(head, body);
            (Some(ticket), State::call(facts.as_ref(), || inner.call(request)))
        }
        Ok(ControlFlow::Break(response)) => (None, State::answered(response)),
        Err(panic) => (None, State::answered(panic.respond(facts.as_ref()))),
    };
    GuardFuture::new(Inside(guard), ticket, facts, is_head, state)
}

/// A waiting guard after its decision: it only has to hear of the response and of the end.
#[derive(Debug, Clone)]
pub struct Inside<W>(W);

impl<W: WaitingGuard> Guard for Inside<W> {
    type Ticket = W::Ticket;
    const WATCHES_END: bool = W::WATCHES_END;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Self::Ticket> {
        match self.0.try_now(head, Body::empty()) {
            Now::Decided(decided) => decided.map_continue(|(ticket, _)| ticket),
            Now::Wait(_) => ControlFlow::Break(Rejection::new(Kind::InternalError).respond(head)),
        }
    }

    fn on_response(&self, ticket: &mut Self::Ticket, response: &mut Response) {
        self.0.on_response(ticket, response);
    }

    fn on_end(&self, ticket: Self::Ticket, end: End) {
        self.0.on_end(ticket, end);
    }
}
