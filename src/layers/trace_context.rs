//! Says which trace a request belongs to, after W3C Trace Context (level 2), and starts a new one where nobody trusted has.
//!
//! **The rule.** `traceparent` and `tracestate` are taken over from a [trusted](Trust) proxy and from nobody else: a trace is
//! restarted at the edge. `traceparent` must be there once and be valid to the letter: of version `00` with exactly four
//! parts, or of a later one that begins with them; lower case, no id of zeros. Else the trace is new, and
//! `tracestate` is dropped. `tracestate` may have several lines and at most 32 members; one
//! member that is malformed drops it whole, and the trace goes on without. Every request gets a span id of its own. Ids are
//! random, and the flag that says so is set; a new trace is [sampled](TraceContextLayer::sampled). What is not taken over is
//! overwritten before the handler or a tracer in it can see it.
//!
//! ```
//! use palisade::trace_context::{TraceContext, TraceContextLayer};
//! async fn handler(trace: TraceContext) -> String { trace.trace_id().to_string() }
//! let app: axum::Router = axum::Router::new()
//!     .route("/", axum::routing::get(handler))
//!     .layer(TraceContextLayer::new());
//! ```
//!
//! The context is left in the [`Facts`], from where it reaches the request's log lines, problem bodies and exemplars. To the services
//! behind it goes with [`Facts::propagate`] or a [`PropagateLayer`] around their client.

mod context;
mod propagate;
mod state;

use std::{ops::ControlFlow, sync::Arc};

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, request::Parts};
use tower_layer::Layer;

pub use self::{
    context::{SpanId, TraceContext, TraceId},
    propagate::{PropagateLayer, Propagating},
};
use crate::{Facts, Guard, Kind, Rejection, Response, Trust, guard::Guarded};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Gives every request its place in a trace. See the [module](self) for the exact rule.
#[derive(Debug, Clone, Copy)]
pub struct TraceContextLayer {
    trust: Trust,
    sampled: bool,
}

/// A request's place in a trace, and what the tracers on the way have left for themselves.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) context: TraceContext,
    pub(crate) state: Option<Arc<str>>,
}

impl TraceContextLayer {
    /// Takes traces over from trusted proxies.
    #[must_use]
    pub const fn new() -> Self {
        Self { trust: Trust::Proxies, sampled: true }
    }

    /// Whose traces are taken over.
    #[must_use]
    pub const fn trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// Whether a new trace says that it is recorded. The services behind sample by that: with `false` most of them record
    /// nothing of it.
    #[must_use]
    pub const fn sampled(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }

    pub(crate) fn describe(self) -> String {
        let sampled = if self.sampled { "sampled" } else { "not sampled" };
        format!("W3C; a trace {}, a new one is {sampled}", self.trust.as_str())
    }

    /// The trace that the headers tell of, with a new span in it.
    fn inherited(headers: &HeaderMap) -> Option<Trace> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let (parent, more) = (parents.next()?, parents.next());
        let context = TraceContext::parse(parent.as_bytes()).filter(|_| more.is_none())?.child();
        let state = state::combined(headers.get_all(TRACESTATE).iter().map(|line| line.as_bytes()));
        Some(Trace { context, state: state.map(Arc::from) })
    }
}

impl Default for TraceContextLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl Guard for TraceContextLayer {
    type Ticket = ();

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, ()> {
        let facts = Facts::of(head);
        let inherited = self.trust.takes(&facts).then(|| Self::inherited(&head.headers)).flatten();
        let is_new = inherited.is_none();
        let has_state = inherited.as_ref().is_some_and(|trace| trace.state.is_some());
        let trace = inherited.unwrap_or_else(|| Trace { context: TraceContext::root(self.sampled), state: None });
        facts.set_trace(trace);
        if !has_state {
            head.headers.remove(TRACESTATE);
        }
        // Of two layers of a kind the outer one has spoken.
        if is_new
            && head.headers.contains_key(TRACEPARENT)
            && let Some(context) = facts.trace()
        {
            head.headers.insert(TRACEPARENT, context.header());
        }
        ControlFlow::Continue(())
    }
}

impl<S> Layer<S> for TraceContextLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(*self, inner)
    }
}

impl<S: Sync> FromRequestParts<S> for TraceContext {
    /// 500 where no [`TraceContextLayer`] stands: the operator's mistake, and the log says so.
    type Rejection = Response;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Response> {
        let missing = || {
            let cause = "a handler asks for a TraceContext, but no TraceContextLayer stands";
            Rejection::new(Kind::InternalError).cause(cause)
        };
        Facts::of(head).trace().ok_or_else(|| missing().respond(head))
    }
}
