//! Hands the trace and the request's id on to the services behind.

use std::task::{Context, Poll};

use http::{HeaderMap, HeaderValue, Request};
use tower_layer::Layer;
use tower_service::Service;

use super::{TRACEPARENT, TRACESTATE};
use crate::Facts;

impl Facts {
    /// Writes this request's trace and id into the headers of a request to another service: `traceparent` with a span of its
    /// own for every call, `tracestate`, `X-Request-Id` (or what [`RequestIdLayer::header`](crate::request_id::RequestIdLayer::header)
    /// names). What stands there already stays: a tracer that records the call writes `traceparent` before, and its span is the
    /// parent of what the service behind records. `cargo run --example opentelemetry` shows it.
    ///
    /// ```
    /// # use palisade::Facts;
    /// async fn handler(facts: Facts) {
    ///     let mut headers = http::HeaderMap::new();
    ///     facts.propagate(&mut headers);
    ///     // .. and then `client.get(url).headers(headers).send()`.
    /// }
    /// ```
    pub fn propagate(&self, headers: &mut HeaderMap) {
        if let Some(trace) = self.whole_trace().filter(|_| !headers.contains_key(TRACEPARENT)) {
            headers.insert(TRACEPARENT, trace.context.child().header());
            // It belongs to that trace and to no other.
            headers.remove(TRACESTATE);
            if let Some(Ok(state)) = trace.state.as_deref().map(HeaderValue::from_str) {
                headers.insert(TRACESTATE, state);
            }
        }
        if let Some(id) = self.request_id() {
            headers.entry(self.id_header()).or_insert_with(|| id.header());
        }
    }
}

/// Hands the trace and the id on with every request of a client: see [`Facts::propagate`].
///
/// Around a client of one's own it finds the [`Facts`] in each outgoing request's extensions; around a clone of the client made for one
/// request, it is told them.
///
/// ```
/// # use http::Request;
/// # use palisade::{Facts, trace_context::PropagateLayer};
/// # use tower_layer::Layer;
/// # fn example<C>(client: C, facts: Facts) {
/// let client = PropagateLayer::new().layer(client);
/// let request = Request::get("http://stock.internal/items/7").extension(facts).body(());
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct PropagateLayer {
    facts: Option<Facts>,
}

impl PropagateLayer {
    /// For requests that carry the facts in their extensions.
    #[must_use]
    pub const fn new() -> Self {
        Self { facts: None }
    }

    /// For all that is sent on behalf of this request.
    #[must_use]
    pub const fn of(facts: Facts) -> Self {
        Self { facts: Some(facts) }
    }
}

impl<S> Layer<S> for PropagateLayer {
    type Service = Propagating<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Propagating { inner, facts: self.facts.clone() }
    }
}

/// A client that hands on whom it asks for. Made by [`PropagateLayer`].
#[derive(Debug, Clone)]
pub struct Propagating<S> {
    inner: S,
    facts: Option<Facts>,
}

impl<S, B> Service<Request<B>> for Propagating<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        // Taken out: a service in this process that found them would take this request for that one, its caller included.
        let own = request.extensions_mut().remove();
        if let Some(facts) = own.as_ref().or(self.facts.as_ref()) {
            facts.propagate(request.headers_mut());
        }
        self.inner.call(request)
    }
}
