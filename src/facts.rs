//! What is known about a request, written once and kept to the end.
//!
//! The first guard that has something to say leaves a [`Facts`] in the request's extensions; the others add to it.
//! Guards keep a clone in their tickets, so that a request that was aborted can still be told of. A handler takes it as
//! an extractor:
//!
//! ```
//! use palisade::Facts;
//! async fn handler(facts: Facts) -> String {
//!     format!("{} {} for {:?}", facts.method(), facts.route(), facts.client().map(|client| client.addr()))
//! }
//! ```

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath};
use http::{Extensions, HeaderName, Method, Request, Uri, request::Parts, uri::Authority};

use tracing::field::DisplayValue;

use crate::{
    Principal, Rejection,
    client_ip::ClientIp,
    decision::Decision,
    request_id::{RequestId, X_REQUEST_ID},
    trace_context::{Trace, TraceContext, TraceId},
};

/// What palisade knows about a request: a cheap handle, the same for all who hold it.
#[derive(Debug, Clone)]
pub struct Facts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    method: Method,
    uri: Uri,
    route: OnceLock<MatchedPath>,
    peer: Option<IpAddr>,
    started: Instant,
    client: OnceLock<ClientIp>,
    forwarded_host: OnceLock<Authority>,
    #[cfg(feature = "sentry")]
    kept_headers: OnceLock<[Option<http::HeaderValue>; KEPT.len()]>,
    request_id: OnceLock<RequestId>,
    /// Where it is not `X-Request-Id`.
    id_header: OnceLock<HeaderName>,
    trace: OnceLock<Trace>,
    principal: OnceLock<Principal>,
    refused_later: OnceLock<Rejection>,
    tier: OnceLock<Arc<str>>,
    looked_up_tier: OnceLock<Arc<str>>,
    /// Only what a guard held against the request; a request in good order never takes this lock.
    decisions: OnceLock<Mutex<Vec<Decision>>>,
    body_overflowed: AtomicBool,
    body_awaited: AtomicBool,
    body_late: AtomicBool,
    received: AtomicU64,
    sent: AtomicU64,
    /// The address of the outermost metrics that count the request, or 0.
    counted_by: AtomicUsize,
}

/// The headers that a report may name: none of them carries a secret.
#[cfg(feature = "sentry")]
static KEPT: [HeaderName; 4] =
    [http::header::HOST, http::header::USER_AGENT, http::header::ACCEPT, http::header::CONTENT_TYPE];

impl Facts {
    /// The facts of this request; made, with the clock read, if this is the first to ask.
    #[inline]
    pub fn of(head: &mut Parts) -> Self {
        match head.extensions.get::<Self>() {
            Some(facts) => {
                facts.note_route(&head.extensions);
                facts.clone()
            }
            None => Self::make(head.method.clone(), head.uri.clone(), &mut head.extensions),
        }
    }

    /// The same of a request that nobody has taken apart.
    pub(crate) fn of_request<B>(request: &mut Request<B>) -> Self {
        match request.extensions().get::<Self>() {
            Some(facts) => facts.clone(),
            None => Self::make(request.method().clone(), request.uri().clone(), request.extensions_mut()),
        }
    }

    fn make(method: Method, uri: Uri, extensions: &mut Extensions) -> Self {
        let facts = Self(Arc::new(Inner {
            method,
            uri,
            route: OnceLock::new(),
            peer: Self::peer_of(extensions),
            // Tokio's clock, so that a test can advance it.
            started: tokio::time::Instant::now().into_std(),
            client: OnceLock::new(),
            forwarded_host: OnceLock::new(),
            #[cfg(feature = "sentry")]
            kept_headers: OnceLock::new(),
            request_id: OnceLock::new(),
            id_header: OnceLock::new(),
            trace: OnceLock::new(),
            principal: OnceLock::new(),
            refused_later: OnceLock::new(),
            tier: OnceLock::new(),
            looked_up_tier: OnceLock::new(),
            decisions: OnceLock::new(),
            body_overflowed: AtomicBool::new(false),
            body_awaited: AtomicBool::new(false),
            body_late: AtomicBool::new(false),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            counted_by: AtomicUsize::new(0),
        }));
        facts.note_route(extensions);
        extensions.insert(facts.clone());
        facts
    }

    /// The other end of the socket, for one who keeps no facts.
    pub(crate) fn peer_of(extensions: &Extensions) -> Option<IpAddr> {
        extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical())
    }

    /// A layer outside the router makes the facts before there is a route; one inside fills it in.
    fn note_route(&self, extensions: &Extensions) {
        if self.0.route.get().is_none()
            && let Some(route) = extensions.get::<MatchedPath>()
        {
            let _ = self.0.route.set(route.clone());
        }
    }

    /// The request's method.
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// The path as the outermost layer saw it. It is the client's: not for a metric label.
    pub fn path(&self) -> &str {
        self.0.uri.path()
    }

    #[cfg(feature = "sentry")]
    pub(crate) fn uri(&self) -> &Uri {
        &self.0.uri
    }

    /// The route's template, such as `/items/{id}`, or `unmatched`. Never a raw path, so it is safe as a label.
    pub fn route(&self) -> &str {
        self.0.route.get().map_or("unmatched", MatchedPath::as_str)
    }

    /// When the first guard saw the request.
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// How long ago that was.
    pub(crate) fn elapsed(&self) -> Duration {
        // Tokio's clock, so that a test can advance it.
        tokio::time::Instant::now().into_std().saturating_duration_since(self.0.started)
    }

    /// Who is on the other side. `None` where no [`ClientIpLayer`](crate::client_ip::ClientIpLayer) stands.
    pub fn client(&self) -> Option<ClientIp> {
        self.0.client.get().copied()
    }

    /// The client's address, or the socket's peer where no [`ClientIpLayer`](crate::client_ip::ClientIpLayer) stands.
    pub fn address(&self) -> Option<IpAddr> {
        self.client().map_or(self.0.peer, ClientIp::addr)
    }

    /// The other end of the socket, IPv4-mapped addresses folded. `None` without axum's `ConnectInfo`.
    pub fn peer(&self) -> Option<IpAddr> {
        self.0.peer
    }

    /// The host that the client asked for, and the port if one was named, as a trusted proxy says. Where none says so it is
    /// `None`, and the request's own `Host` is what was asked for.
    pub fn forwarded_host(&self) -> Option<&Authority> {
        self.0.forwarded_host.get()
    }

    /// Those that were kept for a report.
    #[cfg(feature = "sentry")]
    pub(crate) fn kept_headers(&self) -> impl Iterator<Item = (&'static HeaderName, &http::HeaderValue)> {
        let values = self.0.kept_headers.get().into_iter().flatten();
        KEPT.iter().zip(values).filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }

    /// The request's id. `None` where no [`RequestIdLayer`](crate::request_id::RequestIdLayer) stands.
    pub fn request_id(&self) -> Option<&RequestId> {
        self.0.request_id.get()
    }

    /// Where the request stands in its trace. `None` where no [`TraceContextLayer`](crate::trace_context::TraceContextLayer) stands.
    pub fn trace(&self) -> Option<TraceContext> {
        self.0.trace.get().map(|trace| trace.context)
    }

    /// With what goes along to the services behind.
    pub(crate) fn whole_trace(&self) -> Option<&Trace> {
        self.0.trace.get()
    }

    /// The trace's id, as a log line has it.
    pub(crate) fn logged_trace_id(&self) -> Option<DisplayValue<TraceId>> {
        self.trace().map(|trace| tracing::field::display(trace.trace_id()))
    }

    /// Who is calling, where authentication has said so.
    pub fn principal(&self) -> Option<&Principal> {
        self.0.principal.get()
    }

    /// The tier the rate limit put the caller in.
    pub fn tier(&self) -> Option<&str> {
        self.0.tier.get().map(AsRef::as_ref)
    }

    /// What guards held against this request, whether they enforced it or only reported it.
    pub fn decisions(&self) -> Vec<Decision> {
        let decisions = self.0.decisions.get();
        decisions.map(|decisions| decisions.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap_or_default()
    }

    pub(crate) fn each_decision(&self, tell: impl FnMut(&Decision)) {
        if let Some(decisions) = self.0.decisions.get() {
            decisions.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(tell);
        }
    }

    pub(crate) fn set_client(&self, client: ClientIp) {
        let _ = self.0.client.set(client);
    }

    pub(crate) fn set_forwarded_host(&self, host: Authority) {
        let _ = self.0.forwarded_host.set(host);
    }

    /// Shares the lines with the request: nothing is copied.
    #[cfg(feature = "sentry")]
    pub(crate) fn keep_headers(&self, headers: &http::HeaderMap) {
        self.0.kept_headers.get_or_init(|| KEPT.each_ref().map(|name| headers.get(name).cloned()));
    }

    pub(crate) fn set_request_id(&self, id: RequestId) {
        let _ = self.0.request_id.set(id);
    }

    /// The header that carries the id.
    pub(crate) fn id_header(&self) -> HeaderName {
        self.0.id_header.get().cloned().unwrap_or(X_REQUEST_ID)
    }

    pub(crate) fn set_id_header(&self, name: HeaderName) {
        let _ = self.0.id_header.set(name);
    }

    pub(crate) fn set_trace(&self, trace: Trace) {
        let _ = self.0.trace.set(trace);
    }

    /// Says who is calling: for an authentication of one's own, which stands outside the limit. The first word counts.
    pub fn identify(&self, principal: Principal) {
        let _ = self.0.principal.set(principal);
    }

    pub(crate) fn refuse_later(&self, rejection: Rejection) {
        let _ = self.0.refused_later.set(rejection);
    }

    pub(crate) fn refused_later(&self) -> Option<Rejection> {
        self.0.refused_later.get().cloned()
    }

    pub(crate) fn set_tier(&self, tier: &Arc<str>) {
        let _ = self.0.tier.set(Arc::clone(tier));
    }

    pub(crate) fn looked_up_tier(&self) -> Option<&str> {
        self.0.looked_up_tier.get().map(AsRef::as_ref)
    }

    pub(crate) fn set_looked_up_tier(&self, tier: Arc<str>) {
        let _ = self.0.looked_up_tier.set(tier);
    }

    pub(crate) fn push_decision(&self, decision: Decision) {
        let decisions = self.0.decisions.get_or_init(Mutex::default);
        let mut decisions = decisions.lock().unwrap_or_else(PoisonError::into_inner);
        // Mostly it is the only one.
        decisions.reserve_exact(1);
        decisions.push(decision);
    }

    pub(crate) fn body_overflowed(&self) -> bool {
        self.0.body_overflowed.load(Ordering::Relaxed)
    }

    pub(crate) fn set_body_overflowed(&self) {
        self.0.body_overflowed.store(true, Ordering::Relaxed);
    }

    /// Whether it is the client, with more of the body, that is waited for.
    pub(crate) fn is_body_awaited(&self) -> bool {
        self.0.body_awaited.load(Ordering::Relaxed)
    }

    pub(crate) fn set_body_awaited(&self, awaited: bool) {
        self.0.body_awaited.store(awaited, Ordering::Relaxed);
    }

    /// Whether it was given up for that.
    pub(crate) fn is_body_late(&self) -> bool {
        self.0.body_late.load(Ordering::Relaxed)
    }

    pub(crate) fn set_body_late(&self) {
        self.0.body_late.store(true, Ordering::Relaxed);
    }

    /// Bytes of the request's body that were read. Counted by the body limit.
    pub(crate) fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    pub(crate) fn add_received(&self, bytes: u64) {
        self.0.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes of the response's body that were handed to the connection. Known once the body has ended.
    pub(crate) fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// Notes who counts the request if nobody does yet. Answers whether that very one does already, further out.
    pub(crate) fn was_counted_by(&self, counter: usize) -> bool {
        let known = self.0.counted_by.load(Ordering::Relaxed);
        if known == 0 {
            self.0.counted_by.store(counter, Ordering::Relaxed);
        }
        known == counter
    }

    pub(crate) fn set_counted(&self, counter: usize) {
        if self.0.counted_by.load(Ordering::Relaxed) == counter {
            self.0.counted_by.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_sent(&self, bytes: u64) {
        self.0.sent.store(bytes, Ordering::Relaxed);
    }
}

impl<S: Sync> FromRequestParts<S> for Facts {
    type Rejection = Infallible;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(head))
    }
}
