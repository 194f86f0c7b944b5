//! The same stack for routes with other needs, sharing its state.

use std::{sync::PoisonError, time::Duration};

use super::{Layers, Stack};
use crate::{
    Access, body_limit::BodyLimitLayer, containment::ContainmentLayer, cors::CorsLayer,
    error_tracking::ErrorTrackingLayer, hygiene::HygieneLayer, inspect::InspectLayer, metrics::MetricsLayer,
    rate_limit::RateLimitLayer, request_id::RequestIdLayer, security_headers::SecurityHeadersLayer,
};

/// A part of the stack, to be named in [`Stack::without`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the layer of that name")]
pub enum Part {
    ClientIp,
    RequestId,
    TraceContext,
    Sensitive,
    Metrics,
    AccessLog,
    ErrorTracking,
    ResponseTime,
    SecurityHeaders,
    Cors,
    Hygiene,
    Flood,
    Authentication,
    TierLookup,
    #[cfg(feature = "compression")]
    Compression,
    RateLimit,
    Problem,
    BodyLimit,
    Inspect,
    Containment,
}

impl Stack {
    /// The same stack, sharing its state, with one part switched off.
    #[must_use]
    pub fn without(&self, part: Part) -> Self {
        self.varied(|layers| match part {
            Part::ClientIp => layers.client_ip = None,
            Part::RequestId => layers.request_id = None,
            Part::TraceContext => layers.trace_context = None,
            Part::Sensitive => layers.sensitive = None,
            Part::Metrics => layers.metrics = None,
            Part::AccessLog => layers.access_log = None,
            Part::ResponseTime => layers.response_time = None,
            Part::ErrorTracking => layers.error_tracking = None,
            Part::SecurityHeaders => layers.security_headers = None,
            Part::Cors => layers.cors = None,
            Part::Hygiene => layers.hygiene = None,
            Part::Flood => layers.flood = None,
            Part::Authentication => layers.authentication = None,
            Part::TierLookup => layers.tiers = None,
            #[cfg(feature = "compression")]
            Part::Compression => layers.compression = None,
            Part::RateLimit => layers.rate_limit = None,
            Part::Problem => layers.problem = None,
            Part::BodyLimit => layers.body_limit = BodyLimitLayer::unlimited(),
            Part::Inspect => layers.inspect = None,
            Part::Containment => layers.containment = ContainmentLayer::unlimited(),
        })
    }

    /// The same stack, sharing its state, with other limits by principal and tier: for routes with a quota of their own.
    #[must_use]
    pub fn limits(&self, limits: RateLimitLayer) -> Self {
        let mut all = self.layers.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.iter().any(|known| known.is(&limits)) {
            all.push(limits.clone());
        }
        drop(all);
        self.varied(|layers| layers.rate_limit = Some(limits))
    }

    /// The same stack with other security headers: for pages beside an API.
    #[must_use]
    pub fn security_headers(&self, headers: SecurityHeadersLayer) -> Self {
        self.varied(|layers| layers.security_headers = Some(headers))
    }

    /// The same stack with other rules for what is malformed: for routes whose parameters hold slashes.
    #[must_use]
    pub fn hygiene(&self, hygiene: HygieneLayer) -> Self {
        self.varied(|layers| layers.hygiene = Some(hygiene))
    }

    /// The same stack with other rules for origins: for what every site may read.
    #[must_use]
    pub fn cors(&self, cors: CorsLayer) -> Self {
        self.varied(|layers| {
            let name = layers.request_id.as_ref().map(RequestIdLayer::told_in);
            layers.cors = Some(name.map_or(cors.clone(), |name| cors.id_header(name)));
        })
    }

    /// The same stack that looks for attacks in another way, with the summary of this one: for routes that take code, SQL or HTML in.
    #[must_use]
    pub fn inspect(&self, change: impl FnOnce(InspectLayer) -> InspectLayer) -> Self {
        self.varied(|layers| layers.inspect = Some(change(layers.inspect.take().unwrap_or_default())))
    }

    /// The same stack with another largest body, in bytes: for uploads.
    #[must_use]
    pub fn body_limit(&self, bytes: usize) -> Self {
        self.varied(|layers| layers.body_limit = layers.body_limit.resized(bytes))
    }

    /// The same stack with another deadline: for reports that take their time.
    #[must_use]
    pub fn deadline(&self, deadline: Duration) -> Self {
        self.varied(|layers| {
            layers.containment = layers.containment.clone().deadline(deadline);
            layers.inspect = layers.inspect.take().map(|inspect| inspect.deadline(deadline));
        })
    }

    fn varied(&self, change: impl FnOnce(&mut Layers)) -> Self {
        let mut layers = Layers::clone(&self.layers);
        change(&mut layers);
        Self::of(layers)
    }

    /// The same stack with other inner routes' visitors: for a listener that only the operators reach.
    #[must_use]
    pub fn access(&self, access: Access) -> Self {
        self.varied(|layers| layers.access = access)
    }

    /// The same stack for probes: an orchestrator must never be limited, authenticated or asked for the right host; and
    /// nobody wants a trace of it.
    #[must_use]
    pub fn probes(&self) -> Self {
        let parts = [Part::Cors, Part::Hygiene, Part::Flood, Part::Authentication, Part::TierLookup, Part::RateLimit];
        let counted = self.varied(|layers| {
            layers.metrics = layers.metrics.as_ref().map(MetricsLayer::probes);
            layers.error_tracking = layers.error_tracking.take().map(ErrorTrackingLayer::untraced);
        });
        parts.into_iter().fold(counted, |stack, part| stack.without(part))
    }
}
