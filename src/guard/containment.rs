//! What wraps the handler's future: its span and its deadline.
//!
//! Panics are caught by the guards' own plumbing. This is not tower-http's `TimeoutLayer`, for two reasons: that one
//! makes and registers a timer for every request, this one only when the handler has to wait; and its answer is an
//! empty body, this one's a [`Rejection`] with the request id.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum_core::{body::Body, response::IntoResponse};
use bytes::Bytes;
use http::Request;
use http_body::{Body as _, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

use crate::{Facts, Kind, Mode, Rejection, Response, decision::note};

/// Gives the handler a deadline and a tracing span.
///
/// The deadline ends with the response's head: server-sent events, long downloads and upgraded connections outlive it.
/// A handler that misses it is dropped and answered for with 504 `handler-timeout`, or with 408 `request-timeout` if it was
/// waiting for the request's body (where a [`BodyLimitLayer`](crate::body_limit::BodyLimitLayer) stands). Needs a tokio runtime with its timer.
///
/// The span is named `request`, at level `INFO`, with `method`, `route`, `request_id` and `trace_id`, and `user` and `tier` where they are
/// known. A body that is streamed is still in it, up to its end.
///
/// ```
/// use std::time::Duration;
/// let app: axum::Router = axum::Router::new().layer(palisade::containment::ContainmentLayer::new(Duration::from_secs(30)));
/// ```
#[derive(Debug, Clone)]
pub struct ContainmentLayer {
    deadline: Duration,
    span: Option<MakeSpan>,
}

/// Makes the span, where the application does.
#[derive(Clone)]
struct MakeSpan(Arc<Make>);

type Make = dyn Fn(&Facts) -> Span + Send + Sync;

impl fmt::Debug for MakeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MakeSpan")
    }
}

impl ContainmentLayer {
    /// A deadline for the handler.
    #[must_use]
    pub const fn new(deadline: Duration) -> Self {
        Self { deadline, span: None }
    }

    /// No deadline, the span alone.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self::new(Duration::MAX)
    }

    /// The same with another deadline.
    pub(crate) fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Makes the span in the application's own way: with other fields, or with the parent that a tracer wants before the span
    /// is entered. It is called within the request, so that it must not wait.
    #[must_use]
    pub fn span(self, make: impl Fn(&Facts) -> Span + Send + Sync + 'static) -> Self {
        Self { span: Some(MakeSpan(Arc::new(make))), ..self }
    }

    pub(crate) fn describe(&self) -> String {
        if self.deadline == Duration::MAX { "no deadline".to_owned() } else { format!("deadline {:?}", self.deadline) }
    }
}

impl<S> Layer<S> for ContainmentLayer {
    type Service = Contained<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Contained { inner, layer: self.clone() }
    }
}

/// A service with a deadline and a span. Made by [`ContainmentLayer`].
#[derive(Debug, Clone)]
pub struct Contained<S> {
    inner: S,
    layer: ContainmentLayer,
}

impl<S, B> Service<Request<B>> for Contained<S>
where
    S: Service<Request<B>, Response: IntoResponse>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = ContainedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let facts = Facts::of_request(&mut request);
        let span = self.layer.span.as_ref().map_or_else(|| span(&facts), |MakeSpan(make)| make(&facts));
        let inner = span.in_scope(|| self.inner.call(request));
        ContainedFuture { inner, timer: None, deadline: self.layer.deadline, facts, span }
    }
}

fn span(facts: &Facts) -> Span {
    tracing::info_span!(
        "request",
        method = %facts.method(),
        route = facts.route(),
        request_id = facts.request_id().map(tracing::field::display),
        trace_id = facts.logged_trace_id(),
        user = facts.principal().map(|principal| principal.id()),
        tier = facts.tier().or_else(|| facts.principal()?.tier_name()),
    )
}

pin_project! {
    /// The handler's future, in its span and with its deadline.
    #[derive(Debug)]
    pub struct ContainedFuture<F> {
        #[pin]
        inner: F,
        // Boxed when it is needed, which is seldom: a future is moved often before it is first polled.
        timer: Option<Pin<Box<Sleep>>>,
        deadline: Duration,
        facts: Facts,
        span: Span,
    }
}

impl<F, R, E> Future for ContainedFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: IntoResponse,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.span.enter();
        if let Poll::Ready(answer) = this.inner.poll(cx) {
            return Poll::Ready(answer.map(|answer| streamed_in(this.span, answer.into_response())));
        }
        if *this.deadline == Duration::MAX {
            return Poll::Pending;
        }
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(*this.deadline)));
        let expired = timer.as_mut().poll(cx).is_ready();
        if !expired {
            return Poll::Pending;
        }
        // Whose fault it is: a handler that waits for the client is not late itself.
        let awaits_client = this.facts.is_body_awaited();
        let kind = if awaits_client { Kind::RequestTimeout } else { Kind::HandlerTimeout };
        note(this.facts, Mode::Enforce, "containment", "deadline", kind);
        let rejection = Rejection::new(kind).cause(format!("no answer within {:?}", this.deadline));
        Poll::Ready(Ok(rejection.respond_to(Some(this.facts))))
    }
}

/// Keeps the span open over a body that is made while it is sent. One whose length is known is there already, and is sent as it is.
fn streamed_in(span: &Span, response: Response) -> Response {
    if span.is_disabled() || response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|inner| Body::new(SpannedBody { inner, span: span.clone() }))
}

/// A body that is made within a span.
struct SpannedBody {
    inner: Body,
    span: Span,
}

impl http_body::Body for SpannedBody {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let _entered = this.span.enter();
        Pin::new(&mut this.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for SpannedBody {
    fn drop(&mut self) {
        // What a stream that is cut says at its end is still of this request.
        let _entered = self.span.enter();
        drop(mem::take(&mut self.inner));
    }
}
