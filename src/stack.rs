//! All layers in the right order, with one call.
//!
//! ```
//! use axum::{Router, routing::get};
//! use palisade::{Part, Stack};
//! # fn main() -> Result<(), palisade::ConfigError> {
//! let stack = Stack::production().origins(["https://app.example"]).build()?;
//! let hooks = Router::new().route("/hooks/payment", get(|| async { "ok" }));
//! let pages = Router::new().route("/", get(|| async { "hello" }));
//! let app: Router = stack.without(Part::Cors).wrap(hooks).merge(stack.wrap(pages));
//! println!("{}", stack.describe());
//! # Ok(()) }
//! ```

mod builder;
mod describe;
mod variants;

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, routing::get};
use http::request::Parts;
use serde_json::Value;
use tower_layer::Layer;

pub use self::{
    builder::{Limits, StackBuilder},
    variants::Part,
};
use crate::{
    Access, ConfigError, Guard, Profile, Response,
    access_log::AccessLogLayer,
    authentication::{AuthenticationGate, AuthenticationLayer},
    body_limit::BodyLimitLayer,
    client_ip::ClientIpLayer,
    containment::{Contained, ContainmentLayer},
    cors::CorsLayer,
    error_tracking::ErrorTrackingLayer,
    guard::{Guarded, Then, waiting::Waiting},
    hygiene::HygieneLayer,
    inspect::InspectLayer,
    metrics::MetricsLayer,
    problem::ProblemLayer,
    rate_limit::RateLimitLayer,
    request_id::RequestIdLayer,
    response_time::ResponseTimeLayer,
    security_headers::SecurityHeadersLayer,
    sensitive::SensitiveLayer,
    tier_lookup::TierLookup,
    trace_context::TraceContextLayer,
};

#[cfg(feature = "compression")]
use crate::compression::{Compressed, CompressionLayer};

/// Everything palisade does, in order, around a router or any other service.
///
/// Around a router with [`wrap`](Self::wrap), inside of which route templates are known. As a [`Layer`] around a service that
/// has a router somewhere inside, every route is `unmatched` in metrics and logs.
///
/// A cheap handle. Clones and variants share their state: the counts of the limits, the metrics, the statistics.
#[derive(Debug, Clone)]
pub struct Stack {
    layers: Arc<Layers>,
    outer: Arc<Outer>,
    inner: Arc<Inner>,
}

/// What a stack is made of. `None` is a part that is switched off.
#[derive(Debug, Clone)]
struct Layers {
    profile: &'static str,
    /// Every limit of this stack and its variants, for whoever scrapes any of them.
    limits: Arc<Mutex<Vec<RateLimitLayer>>>,
    access: Access,
    client_ip: Option<ClientIpLayer>,
    request_id: Option<RequestIdLayer>,
    trace_context: Option<TraceContextLayer>,
    sensitive: Option<SensitiveLayer>,
    metrics: Option<MetricsLayer>,
    access_log: Option<AccessLogLayer>,
    response_time: Option<ResponseTimeLayer>,
    error_tracking: Option<ErrorTrackingLayer>,
    security_headers: Option<SecurityHeadersLayer>,
    cors: Option<CorsLayer>,
    hygiene: Option<HygieneLayer>,
    flood: Option<RateLimitLayer>,
    authentication: Option<AuthenticationLayer>,
    tiers: Option<TierLookup>,
    #[cfg(feature = "compression")]
    compression: Option<CompressionLayer>,
    rate_limit: Option<RateLimitLayer>,
    problem: Option<ProblemLayer>,
    body_limit: BodyLimitLayer,
    inspect: Option<InspectLayer>,
    containment: ContainmentLayer,
}

/// `Then<Then<A, B>, C>`, each of them optional, written as a list.
macro_rules! chain {
    (@ $chain:ty) => { $chain };
    (@ $chain:ty, $next:ty $(, $rest:ty)*) => { chain!(@ Then<$chain, Option<$next>> $(, $rest)*) };
    ($first:ty, $($rest:ty),+) => { chain!(@ Option<$first>, $($rest),+) };
}

/// From the edge to authentication.
type Outer = chain!(
    ClientIpLayer,
    RequestIdLayer,
    TraceContextLayer,
    SensitiveLayer,
    MetricsLayer,
    AccessLogLayer,
    ErrorTrackingLayer,
    ResponseTimeLayer,
    SecurityHeadersLayer,
    CorsLayer,
    HygieneLayer,
    RateLimitLayer,
    AuthenticationLayer
);

/// From authentication to the router.
type Inner = chain!(RateLimitLayer, AuthenticationGate, ProblemLayer, Room);

/// Without the feature nothing stands there.
#[cfg(not(feature = "compression"))]
type Compressed<S> = S;

/// A service with a whole stack around it.
pub type Walled<S> = Guarded<
    Arc<Outer>,
    Waiting<
        Option<TierLookup>,
        Compressed<Guarded<Arc<Inner>, Waiting<BodyLimitLayer, Waiting<Option<InspectLayer>, Contained<S>>>>>,
    >,
>;

/// THE ORDER, outermost first.
#[rustfmt::skip]
impl Layers {
    fn outer(&self) -> Outer {
        let all = self.clone();
        all.client_ip                   // trust in anything a proxy says depends on it
            .then(all.request_id)       // everything below can be traced, refusals included
            .then(all.trace_context)    // the same, over all services
            .then(all.sensitive)        // nothing below prints a secret
            .then(all.metrics)          // count every answer, refusals included, to the end of the body
            .then(all.access_log)       // tell of every answer, to the end of its body
            .then(all.error_tracking)   // see every 5xx and every panic
            .then(all.response_time)    // measures all that the service does itself
            .then(all.security_headers) // dress every answer
            .then(all.cors)             // a browser may only read a 429 that carries CORS headers; a preflight spends no quota
            .then(all.hygiene)          // what is malformed goes no further
            .then(all.flood)            // before anything expensive, authentication included
            .then(all.authentication)   // leaves the principal
    }

    // Between the two stand `tiers`, which may have to wait: the next limit depends on the tier; and `compression`: what is
    // counted is what is sent, and `problem` reads plain bodies.

    fn inner(&self) -> Inner {
        let all = self.clone();
        all.rate_limit                  // needs to know who; anonymous is a tier
            .then(self.gate())          // refuses whom authentication did not accept, now that the attempt is counted
            .then(all.problem)          // a bare error of the router or a handler gets the shape of all others
            .then(Some(self.room()))    // the first to see the answer makes room for what all the others add to it
    }

    fn gate(&self) -> Option<AuthenticationGate> {
        self.authentication.as_ref().map(|_| AuthenticationGate)
    }

    fn room(&self) -> Room {
        let security = self.security_headers.as_ref().map_or(0, SecurityHeadersLayer::len);
        let timing = if self.response_time.is_some() { 2 } else { 0 };
        // The id; CORS: three and `Vary`; the quotas: two and three.
        Room(security + timing + 1 + 4 + 5)
    }

    // Then `body_limit` and `inspect`: the only stages whose cost grows with the request; the limit stands before the read.
    // Then `containment`: the handler's span and deadline. Panics are caught all along the way.
}

/// Makes room for the headers of the whole stack at once: a map that grows twice is moved twice.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub struct Room(usize);

impl Guard for Room {
    type Ticket = ();

    fn on_request(&self, _: &mut Parts) -> ControlFlow<Response, ()> {
        ControlFlow::Continue(())
    }

    fn on_response(&self, (): &mut (), response: &mut Response) {
        response.headers_mut().reserve(self.0);
    }
}

impl Stack {
    /// For the internet. The default, and safe: see [`Profile::production`].
    pub fn production() -> StackBuilder {
        StackBuilder::new(Profile::production())
    }

    /// For a rehearsal: production under another name.
    pub fn staging() -> StackBuilder {
        StackBuilder::new(Profile::staging())
    }

    /// For the developer's own machine: see [`Profile::development`].
    pub fn development() -> StackBuilder {
        StackBuilder::new(Profile::development())
    }

    /// From a profile or the name of one. A wrong name is one of the mistakes of [`StackBuilder::build`].
    pub fn profile<P: TryInto<Profile, Error: Into<ConfigError>>>(profile: P) -> StackBuilder {
        match profile.try_into() {
            Ok(profile) => StackBuilder::new(profile),
            Err(error) => StackBuilder::mistaken(error.into()),
        }
    }

    fn of(layers: Layers) -> Self {
        Self { outer: Arc::new(layers.outer()), inner: Arc::new(layers.inner()), layers: Arc::new(layers) }
    }

    /// Puts the stack around a finished router: every route it has, and its fallback.
    ///
    /// Routes added afterwards are not covered, so this is the last call before the router is merged or served. Nested
    /// routers are covered as part of the router they are nested in: wrap that one. Of two wrapped routers that are merged,
    /// what is no route of either goes to the fallback of the one merged in last, through its variant: merge the whole
    /// stack last.
    pub fn wrap<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        router.layer(self.clone())
    }

    /// The limits by principal and tier, to be replaced, looked at or reset while running.
    pub fn rate_limit(&self) -> Option<&RateLimitLayer> {
        self.layers.rate_limit.as_ref()
    }

    pub(crate) fn visitors(&self) -> &Access {
        &self.layers.access
    }

    /// The metrics, to register one's own, or to render them elsewhere.
    pub fn metrics(&self) -> Option<&MetricsLayer> {
        self.layers.metrics.as_ref()
    }

    /// `/metrics`, `/health/metrics`, `/errors/stats` (also `/api/errors/stats`) and `/inspect/summary`, for those whom [`StackBuilder::access`]
    /// names.
    ///
    /// They have no limit: a flood must not blind those who watch it. Not merged into the application's router they are on no
    /// public port, and can have a listener of their own:
    ///
    /// ```no_run
    /// # async fn run(stack: palisade::Stack, app: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
    /// use palisade::Access;
    /// use tokio::net::TcpListener;
    /// let inner = stack.access(Access::unsafe_everybody()).inner_routes();
    /// tokio::try_join!(
    ///     palisade::serve(TcpListener::bind("0.0.0.0:3000").await?, stack.wrap(app)),
    ///     palisade::serve(TcpListener::bind("127.0.0.1:9000").await?, inner),
    /// )?;
    /// # Ok(()) }
    /// ```
    pub fn inner_routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let metrics = self.layers.metrics.clone().unwrap_or_default();
        let limits = Arc::clone(&self.layers.limits);
        let measured = metrics.router_with(Arc::new(move |out| {
            let limits = limits.lock().unwrap_or_else(PoisonError::into_inner);
            let snapshots: Vec<_> = limits.iter().flat_map(RateLimitLayer::snapshot).collect();
            crate::rate_limit::write(&snapshots, out);
        }));
        let errors = self.layers.error_tracking.clone().unwrap_or_default();
        let inspect = self.layers.inspect.clone().unwrap_or_default();
        let traffic = self.layers.metrics.clone();
        let statistics = get(move || async move {
            let traffic = traffic.as_ref().map(MetricsLayer::traffic).unwrap_or_default();
            axum::Json(merged(errors.statistics(), traffic))
        });
        let routes = Router::new()
            .route("/errors/stats", statistics.clone())
            .route("/api/errors/stats", statistics)
            .route("/inspect/summary", get(move || async move { axum::Json(inspect.summary()) }))
            .merge(measured)
            .layer(self.layers.access.clone().into_layer());
        self.beside(self.probes().wrap(routes))
    }

    /// Routes that have a variant around them, with what is no route left to this stack: whichever router is merged into
    /// which, no request gets past the wall.
    pub(crate) fn beside<S: Clone + Send + Sync + 'static>(&self, routes: Router<S>) -> Router<S> {
        routes.merge(self.wrap(Router::new()))
    }
}

/// What is told of errors, with what is told of all requests.
fn merged(mut told: Value, more: Value) -> Value {
    if let (Value::Object(told), Value::Object(more)) = (&mut told, more) {
        told.extend(more);
    }
    told
}

impl<S> Layer<S> for Stack {
    type Service = Walled<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let contained = self.layers.containment.layer(inner);
        let inspected = Waiting::new(self.layers.inspect.clone(), contained);
        let limited = Guarded::new(Arc::clone(&self.inner), self.layers.body_limit.layer(inspected));
        #[cfg(feature = "compression")]
        let limited = Compressed::new(self.layers.compression, limited);
        Guarded::new(Arc::clone(&self.outer), Waiting::new(self.layers.tiers.clone(), limited))
    }
}
