//! From a profile and what the operator says to a stack, or to every mistake in it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::request::Parts;
use tracing::Span;

use super::{Layers, Stack};
use crate::{
    Access, ConfigError, Facts, Profile,
    access_log::AccessLogLayer,
    authentication::{Authenticated, AuthenticationLayer},
    body_limit::BodyLimitLayer,
    client_ip::ClientIpBuilder,
    containment::ContainmentLayer,
    cors::CorsLayer,
    error_tracking::{ErrorTrackingLayer, Reporter},
    hygiene::HygieneLayer,
    inspect::InspectLayer,
    metrics::MetricsLayer,
    problem::ProblemLayer,
    rate_limit::{Headers, Key, Policy, Quota, RateLimitBuilder, RateLimitLayer},
    request_id::{RequestIdLayer, X_REQUEST_ID},
    response_time::ResponseTimeLayer,
    security_headers::SecurityHeadersLayer,
    sensitive::SensitiveLayer,
    tier_lookup::TierLookup,
    trace_context::TraceContextLayer,
};

/// A [`Stack`] in the making. Nothing is checked before [`build`](Self::build), which then names every mistake at once.
#[derive(Debug, Clone)]
#[must_use]
pub struct StackBuilder {
    profile: Profile,
    mistakes: ConfigError,
    origins: Vec<String>,
    credentials: bool,
    trusted_proxies: Vec<String>,
    client_ip: ClientIpBuilder,
    authentication: Option<AuthenticationLayer>,
    tiers: Option<TierLookup>,
    limits: Option<Limits>,
    cors: Option<CorsLayer>,
    security_headers: SecurityHeadersLayer,
    hygiene: HygieneLayer,
    request_id: RequestIdLayer,
    trace_context: TraceContextLayer,
    sensitive: SensitiveLayer,
    access_log: AccessLogLayer,
    inspect: InspectLayer,
    containment: ContainmentLayer,
    error_tracking: ErrorTrackingLayer,
    #[cfg(feature = "compression")]
    compression: Option<crate::compression::CompressionLayer>,
    metrics: Option<MetricsLayer>,
}

/// Limits, built or not: unbuilt, their mistakes are named together with the stack's.
#[derive(Debug, Clone)]
pub struct Limits(Result<RateLimitLayer, RateLimitBuilder>);

impl From<RateLimitLayer> for Limits {
    fn from(layer: RateLimitLayer) -> Self {
        Self(Ok(layer))
    }
}

impl From<RateLimitBuilder> for Limits {
    fn from(builder: RateLimitBuilder) -> Self {
        Self(Err(builder))
    }
}

impl<const N: usize> From<[Policy; N]> for Limits {
    fn from(policies: [Policy; N]) -> Self {
        policies.into_iter().fold(RateLimitLayer::builder(), RateLimitBuilder::policy).into()
    }
}

impl From<Policy> for Limits {
    fn from(policy: Policy) -> Self {
        RateLimitLayer::builder().policy(policy).into()
    }
}

impl StackBuilder {
    pub(super) fn new(profile: Profile) -> Self {
        Self {
            profile,
            mistakes: ConfigError::default(),
            origins: Vec::new(),
            credentials: false,
            trusted_proxies: Vec::new(),
            client_ip: ClientIpBuilder::default(),
            authentication: None,
            tiers: None,
            limits: None,
            cors: None,
            security_headers: SecurityHeadersLayer::api(),
            hygiene: HygieneLayer::new(),
            request_id: RequestIdLayer::new(),
            trace_context: TraceContextLayer::new(),
            sensitive: SensitiveLayer::new(),
            access_log: AccessLogLayer::events(),
            inspect: InspectLayer::new(),
            containment: ContainmentLayer::unlimited(),
            error_tracking: ErrorTrackingLayer::new(),
            #[cfg(feature = "compression")]
            compression: None,
            metrics: None,
        }
    }

    pub(super) fn mistaken(mistakes: ConfigError) -> Self {
        Self { mistakes, ..Self::new(Profile::production()) }
    }

    /// Sites whose pages may call the service, such as `https://app.example`. Until one is named, none may.
    pub fn origins<S: AsRef<str>>(mut self, origins: impl IntoIterator<Item = S>) -> Self {
        self.origins.extend(origins.into_iter().map(|origin| origin.as_ref().to_owned()));
        self
    }

    /// Whether those pages may send cookies.
    pub fn credentials(mut self, allowed: bool) -> Self {
        self.credentials = allowed;
        self
    }

    /// CIDRs or addresses of the proxies in front: whom they forward for is believed.
    pub fn trusted_proxies<S: AsRef<str>>(mut self, proxies: impl IntoIterator<Item = S>) -> Self {
        self.trusted_proxies.extend(proxies.into_iter().map(|proxy| proxy.as_ref().to_owned()));
        self
    }

    /// How proxies say whom they forward for, where that is not `X-Forwarded-For` from [`trusted_proxies`](Self::trusted_proxies):
    /// see [`client_ip`](crate::client_ip). Those named there and here are the same.
    pub fn client_ip(mut self, client_ip: ClientIpBuilder) -> Self {
        self.client_ip = client_ip;
        self
    }

    /// Who is calling: see [`authentication`](crate::authentication).
    pub fn authenticate<F, A>(mut self, lookup: F) -> Self
    where
        F: Fn(&Parts) -> A + Send + Sync + 'static,
        A: Into<Authenticated>,
    {
        self.authentication = Some(AuthenticationLayer::new(lookup));
        self
    }

    /// Which tier a caller is in, where the principal does not say: see [`tier_lookup`](crate::tier_lookup).
    pub fn tiers(mut self, lookup: TierLookup) -> Self {
        self.tiers = Some(lookup);
        self
    }

    /// Limits by principal and tier: a layer, its builder, one policy or several.
    pub fn limits(mut self, limits: impl Into<Limits>) -> Self {
        self.limits = Some(limits.into());
        self
    }

    /// How much one address may send before anything else is asked; `None` is no bound.
    pub fn flood(mut self, quota: impl Into<Option<Quota>>) -> Self {
        self.profile.flood = quota.into();
        self
    }

    /// A CORS layer with more than origins and credentials to it. It replaces both.
    pub fn cors(mut self, cors: CorsLayer) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Other security headers than [`SecurityHeadersLayer::api`].
    pub fn security_headers(mut self, headers: SecurityHeadersLayer) -> Self {
        self.security_headers = headers;
        self
    }

    /// What counts as malformed.
    pub fn hygiene(mut self, hygiene: HygieneLayer) -> Self {
        self.hygiene = hygiene;
        self
    }

    /// Which attacks are looked for, and what happens to what looks like one: reported, until it says enforce.
    pub fn inspect(mut self, inspect: InspectLayer) -> Self {
        self.inspect = inspect;
        self
    }

    /// Whose ids are taken over, and who is told them.
    pub fn request_id(mut self, layer: RequestIdLayer) -> Self {
        self.request_id = layer;
        self
    }

    /// Whose traces are taken over.
    pub fn trace_context(mut self, layer: TraceContextLayer) -> Self {
        self.trace_context = layer;
        self
    }

    /// Which headers hold secrets.
    pub fn sensitive(mut self, layer: SensitiveLayer) -> Self {
        self.sensitive = layer;
        self
    }

    /// In which shape every request is told of, and which are left out. [`AccessLogLayer::events`] if nothing is said.
    pub fn access_log(mut self, log: AccessLogLayer) -> Self {
        self.access_log = log;
        self
    }

    /// Whether clients are told how long their answers took: see [`response_time`](crate::response_time).
    pub fn response_time(mut self, told: bool) -> Self {
        self.profile.response_time = told;
        self
    }

    /// Compresses answers, which nothing does unless asked: see [`compression`](crate::compression).
    #[cfg(feature = "compression")]
    pub fn compression(mut self, layer: crate::compression::CompressionLayer) -> Self {
        self.compression = Some(layer);
        self
    }

    /// Metrics with settings or metrics of one's own: the stack's are registered in [`MetricsLayer::new`] otherwise.
    pub fn metrics(mut self, metrics: MetricsLayer) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// The largest body of a request, in bytes.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.profile.body_limit = bytes;
        self
    }

    /// How long the next piece of a request's body may take.
    pub fn body_patience(mut self, patience: Duration) -> Self {
        self.profile.body_patience = patience;
        self
    }

    /// How long a handler may take to answer.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.profile.deadline = deadline;
        self
    }

    /// One more who is told of every failure: see [`Reporter`].
    pub fn reporter(mut self, reporter: impl Reporter) -> Self {
        self.error_tracking = self.error_tracking.reporter(reporter);
        self
    }

    /// Makes the handler's span in the application's own way: see [`ContainmentLayer::span`].
    pub fn span(mut self, make: impl Fn(&Facts) -> Span + Send + Sync + 'static) -> Self {
        self.containment = self.containment.span(make);
        self
    }

    /// Who may see [`Stack::inner_routes`].
    pub fn access(mut self, access: Access) -> Self {
        self.profile.access = access;
        self
    }

    /// The stack.
    ///
    /// # Errors
    /// Every mistake in the settings, in one [`ConfigError`]: a profile, an origin, a CIDR, a quota that is none.
    pub fn build(self) -> Result<Stack, ConfigError> {
        let Profile { name, body_limit, body_patience, deadline, flood, origins, access, response_time } = self.profile;
        let mut mistakes = self.mistakes;
        let origins = origins.iter().map(|origin| (*origin).to_owned()).chain(self.origins);
        let named = mistakes.keep(CorsLayer::origins(origins)).map(|cors| cors.credentials(self.credentials));
        let flood = flood.map(|quota| {
            let policy = Policy::new("flood", Key::address()).quota(quota);
            RateLimitLayer::builder().policy(policy).headers(Headers::none()).build()
        });
        let limits = self.limits.map(|limits| limits.0.or_else(RateLimitBuilder::build));
        if body_limit == 0 {
            mistakes.push("body limit", "is 0 bytes, which refuses every body");
        }
        if body_patience.is_zero() {
            mistakes.push("body patience", "is 0, which no body meets");
        }
        if deadline.is_zero() {
            mistakes.push("deadline", "is 0, which no handler meets");
        }
        let id_header = self.request_id.told_in();
        let cors =
            self.cors.or(named).map(|cors| if *id_header == X_REQUEST_ID { cors } else { cors.id_header(id_header) });
        for origin in cors.iter().flat_map(CorsLayer::careless) {
            mistakes.push(
                "origin",
                format_args!(
                    "`{origin}` may send credentials, and is plain HTTP: anyone on the way can write its pages"
                ),
            );
        }
        if let Some(fault) = access.fault() {
            mistakes.push("access", fault);
        }
        let flood = flood.and_then(|flood| mistakes.keep(flood));
        let rate_limit = limits.and_then(|limits| mistakes.keep(limits));
        let limits = [&flood, &rate_limit].into_iter().flatten().cloned().collect();
        let layers = Layers {
            profile: name,
            limits: Arc::new(Mutex::new(limits)),
            access,
            client_ip: mistakes.keep(self.client_ip.proxies(self.trusted_proxies).build()),
            request_id: Some(self.request_id),
            trace_context: Some(self.trace_context),
            sensitive: Some(self.sensitive),
            metrics: Some(self.metrics.unwrap_or_default()),
            access_log: Some(self.access_log),
            response_time: response_time.then(ResponseTimeLayer::new),
            error_tracking: Some(self.error_tracking),
            security_headers: Some(self.security_headers),
            cors,
            hygiene: Some(self.hygiene),
            flood,
            authentication: self.authentication.map(AuthenticationLayer::deferred),
            tiers: self.tiers,
            #[cfg(feature = "compression")]
            compression: self.compression,
            rate_limit,
            problem: Some(ProblemLayer::new()),
            body_limit: BodyLimitLayer::bytes(body_limit).patience(body_patience),
            inspect: Some(self.inspect.deadline(deadline)),
            containment: self.containment.deadline(deadline),
        };
        mistakes.or(()).map(|()| Stack::of(layers))
    }
}
