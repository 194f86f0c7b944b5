//! How any part of palisade says no: one table, one shape, RFC 9457 `application/problem+json`.
//!
//! ```
//! use palisade::{Kind, Rejection};
//! let response = Rejection::new(Kind::Forbidden).detail("Only owners may do this.").respond_to(None);
//! assert_eq!(response.status(), 403);
//! assert!(response.extensions().get::<Rejection>().is_some());
//! ```
//!
//! The members are `type`, `title`, `status`, `detail`, `instance` (the path), `requestId`, and those a guard adds.
//! The last part of `type` is the slug of the table below, which is the label in metrics too.
//!
//! | slug | status | it means |
//! |---|---|---|
//! | <a id="malformed-request"></a>`malformed-request` | 400 | the request breaks the protocol, or tries to be read in two ways |
//! | <a id="suspicious-input"></a>`suspicious-input` | 400 | inspection found an attack in it |
//! | <a id="validation-failed"></a>`validation-failed` | 400 | understood, and not acceptable |
//! | <a id="unauthenticated"></a>`unauthenticated` | 401 | nobody knows who is calling |
//! | <a id="forbidden"></a>`forbidden` | 403 | known, and not allowed |
//! | <a id="cross-site-request"></a>`cross-site-request` | 403 | a write that another site started |
//! | <a id="origin-not-allowed"></a>`origin-not-allowed` | 403 | a preflight from an origin that is not on the list |
//! | <a id="banned"></a>`banned` | 403 | refused too often |
//! | <a id="not-found"></a>`not-found` | 404 | no such route or thing |
//! | <a id="method-not-allowed"></a>`method-not-allowed` | 405 | not with this method; `Allow` names those it takes |
//! | <a id="request-timeout"></a>`request-timeout` | 408 | the body came too slowly |
//! | <a id="payload-too-large"></a>`payload-too-large` | 413 | the body is over the limit |
//! | <a id="uri-too-long"></a>`uri-too-long` | 414 | the target is over the limit |
//! | <a id="misdirected-request"></a>`misdirected-request` | 421 | not a host of this service |
//! | <a id="quota-exceeded"></a>`quota-exceeded` | 429 | too many requests; `Retry-After` says when to come back |
//! | <a id="headers-too-large"></a>`headers-too-large` | 431 | the head is over the limit |
//! | <a id="internal-error"></a>`internal-error` | 500 | broken here; the cause is in the log under the request id |
//! | <a id="unavailable"></a>`unavailable` | 503 | not now |
//! | <a id="temporary-reduced-capacity"></a>`temporary-reduced-capacity` | 503 | a limit cannot be judged now, so less is let in |
//! | <a id="draining"></a>`draining` | 503 | shutting down |
//! | <a id="handler-timeout"></a>`handler-timeout` | 504 | the handler missed its deadline |

use std::{borrow::Cow, sync::Arc};

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use smallvec::SmallVec;

use crate::Facts;

/// The media type of every refusal.
pub(crate) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Which no it is. The [table](self) is the whole vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the module's table says what each means")]
pub enum Kind {
    MalformedRequest,
    SuspiciousInput,
    ValidationFailed,
    Unauthenticated,
    Forbidden,
    CrossSiteRequest,
    OriginNotAllowed,
    Banned,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    PayloadTooLarge,
    UriTooLong,
    MisdirectedRequest,
    QuotaExceeded,
    HeadersTooLarge,
    InternalError,
    Unavailable,
    TemporaryReducedCapacity,
    Draining,
    HandlerTimeout,
    /// A kind of one's own.
    Custom(CustomKind),
}

/// A refusal that palisade does not know. A constant of the application.
///
/// ```
/// use http::StatusCode;
/// use palisade::{Kind, rejection::CustomKind};
/// const SHOP_CLOSED: Kind = Kind::Custom(CustomKind::new(
///     "https://example.com/problems#shop-closed", "shop-closed", StatusCode::SERVICE_UNAVAILABLE, "Shop Closed",
/// ));
/// assert_eq!(SHOP_CLOSED.slug(), "shop-closed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomKind {
    type_uri: &'static str,
    slug: &'static str,
    status: StatusCode,
    title: &'static str,
}

impl CustomKind {
    /// `type_uri` is what the client sees; `slug` is the label in metrics and logs.
    pub const fn new(type_uri: &'static str, slug: &'static str, status: StatusCode, title: &'static str) -> Self {
        Self { type_uri, slug, status, title }
    }
}

/// Where this crate's documentation tells of a kind.
macro_rules! own {
    ($slug:literal) => {
        concat!("https://docs.rs/palisade/latest/palisade/rejection/#", $slug)
    };
}

/// Asked for by draft-ietf-httpapi-ratelimit-headers, and not yet in the registry.
macro_rules! iana {
    ($slug:literal) => {
        concat!("https://iana.org/assignments/http-problem-types#", $slug)
    };
}

/// Slug, status, title, type.
type Row = (&'static str, StatusCode, &'static str, &'static str);

impl Kind {
    #[rustfmt::skip]
    const fn row(self) -> Row {
        match self {
            Self::MalformedRequest => ("malformed-request", StatusCode::BAD_REQUEST, "Malformed Request", own!("malformed-request")),
            Self::SuspiciousInput => ("suspicious-input", StatusCode::BAD_REQUEST, "Suspicious Input", own!("suspicious-input")),
            Self::ValidationFailed => ("validation-failed", StatusCode::BAD_REQUEST, "Validation Failed", own!("validation-failed")),
            Self::Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED, "Unauthenticated", own!("unauthenticated")),
            Self::Forbidden => ("forbidden", StatusCode::FORBIDDEN, "Forbidden", own!("forbidden")),
            Self::CrossSiteRequest => ("cross-site-request", StatusCode::FORBIDDEN, "Cross-Site Request", own!("cross-site-request")),
            Self::OriginNotAllowed => ("origin-not-allowed", StatusCode::FORBIDDEN, "Origin Not Allowed", own!("origin-not-allowed")),
            Self::Banned => ("banned", StatusCode::FORBIDDEN, "Banned", own!("banned")),
            Self::NotFound => ("not-found", StatusCode::NOT_FOUND, "Not Found", own!("not-found")),
            Self::MethodNotAllowed => ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed", own!("method-not-allowed")),
            Self::RequestTimeout => ("request-timeout", StatusCode::REQUEST_TIMEOUT, "Request Timeout", own!("request-timeout")),
            Self::PayloadTooLarge => ("payload-too-large", StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large", own!("payload-too-large")),
            Self::UriTooLong => ("uri-too-long", StatusCode::URI_TOO_LONG, "URI Too Long", own!("uri-too-long")),
            Self::MisdirectedRequest => ("misdirected-request", StatusCode::MISDIRECTED_REQUEST, "Misdirected Request", own!("misdirected-request")),
            Self::QuotaExceeded => ("quota-exceeded", StatusCode::TOO_MANY_REQUESTS, "Quota Exceeded", iana!("quota-exceeded")),
            Self::HeadersTooLarge => ("headers-too-large", StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Headers Too Large", own!("headers-too-large")),
            Self::InternalError => ("internal-error", StatusCode::INTERNAL_SERVER_ERROR, "Internal Error", own!("internal-error")),
            Self::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, "Unavailable", own!("unavailable")),
            Self::TemporaryReducedCapacity => ("temporary-reduced-capacity", StatusCode::SERVICE_UNAVAILABLE, "Temporary Reduced Capacity", iana!("temporary-reduced-capacity")),
            Self::Draining => ("draining", StatusCode::SERVICE_UNAVAILABLE, "Draining", own!("draining")),
            Self::HandlerTimeout => ("handler-timeout", StatusCode::GATEWAY_TIMEOUT, "Handler Timeout", own!("handler-timeout")),
            Self::Custom(own) => (own.slug, own.status, own.title, own.type_uri),
        }
    }

    /// The stable name: the label in metrics and the last part of `type`.
    pub const fn slug(self) -> &'static str {
        self.row().0
    }

    /// The status of the answer.
    pub const fn status(self) -> StatusCode {
        self.row().1
    }

    /// The problem's `title`.
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    const fn type_uri(self) -> &'static str {
        self.row().3
    }
}

/// A refusal. Its response carries it in the extensions, for the guards outside and for tests.
#[derive(Debug, Clone)]
#[must_use]
pub struct Rejection(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: Kind,
    detail: Cow<'static, str>,
    cause: Option<String>,
    is_panic: bool,
    /// Whether the body was made without knowing the request: a handler returned this as it is.
    is_anonymous: bool,
    members: Vec<(&'static str, serde_json::Value)>,
    /// The policies that refused, by the name that draft-ietf-httpapi-ratelimit-headers gives the member.
    violated: SmallVec<[Arc<str>; 1]>,
}

impl Rejection {
    /// A refusal of this kind, without detail.
    pub fn new(kind: Kind) -> Self {
        Self(Box::new(Inner {
            kind,
            detail: Cow::Borrowed(""),
            cause: None,
            is_panic: false,
            is_anonymous: true,
            members: Vec::new(),
            violated: SmallVec::new(),
        }))
    }

    /// What the client is told beyond the title. It is sent as it is: nothing internal belongs here.
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = detail.into();
        self
    }

    /// What the operator is told. It goes to the log and never to the client.
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// One more member of the problem. RFC 9457 advises names of three or more of `[A-Za-z0-9_]`.
    pub fn member(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.0.members.push((name, value.into()));
        self
    }

    pub(crate) fn violated(mut self, policies: SmallVec<[Arc<str>; 1]>) -> Self {
        self.0.violated = policies;
        self
    }

    /// Which no it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What the operator is told, if there is anything to tell.
    pub fn reported_cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    pub(crate) fn panicked(message: &str) -> Self {
        let mut rejection = Self::new(Kind::InternalError).cause(format!("panicked: {message}"));
        rejection.0.is_panic = true;
        rejection
    }

    pub(crate) fn is_panic(&self) -> bool {
        self.0.is_panic
    }

    pub(crate) fn is_anonymous(&self) -> bool {
        self.0.is_anonymous
    }

    /// The answer, with the request's id and path.
    #[must_use]
    pub fn respond(self, head: &Parts) -> Response {
        self.respond_to(head.extensions.get())
    }

    /// The answer, with what is known about the request; `None` where nothing is.
    #[must_use]
    pub fn respond_to(mut self, facts: Option<&Facts>) -> Response {
        self.0.is_anonymous = facts.is_none();
        let mut response = Response::new(self.body(facts));
        *response.status_mut() = self.kind().status();
        // Room for what a refusal carries, in one go.
        response.headers_mut().reserve(8);
        response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM_JSON);
        if self.kind() == Kind::Unauthenticated {
            // RFC 9110, 15.5.2 demands a challenge; this one opens no dialogue in a browser.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }

    /// Puts this refusal in the place of an answer's body and leaves the headers that were set (`Allow`, cookies).
    pub(crate) fn replace(mut self, response: &mut Response, facts: &Facts) {
        self.0.is_anonymous = false;
        *response.body_mut() = self.body(Some(facts));
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::CONTENT_ENCODING);
        headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
        *response.status_mut() = self.kind().status();
        response.extensions_mut().insert(self);
    }

    fn body(&self, facts: Option<&Facts>) -> Body {
        // Most problems fit, and a full one is not moved.
        let mut text = Vec::with_capacity(384);
        let _ = serde_json::to_writer(&mut text, &Problem { rejection: self, facts });
        Body::from(text)
    }
}

impl IntoResponse for Rejection {
    /// Without the request id, which a [`ProblemLayer`](crate::problem::ProblemLayer) around the handler adds: a stack has one.
    fn into_response(self) -> Response {
        self.respond_to(None)
    }
}

struct Problem<'a> {
    rejection: &'a Rejection,
    facts: Option<&'a Facts>,
}

impl Serialize for Problem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Inner { kind, detail, members, violated, .. } = &*self.rejection.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", kind.type_uri())?;
        map.serialize_entry("title", kind.title())?;
        map.serialize_entry("status", &kind.status().as_u16())?;
        if !detail.is_empty() {
            map.serialize_entry("detail", detail)?;
        }
        if let Some(facts) = self.facts {
            map.serialize_entry("instance", facts.path())?;
            if let Some(id) = facts.request_id() {
                map.serialize_entry("requestId", id.as_str())?;
            }
        }
        if !violated.is_empty() {
            map.serialize_entry("violated-policies", &Names(violated))?;
        }
        for (name, value) in members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

struct Names<'a>(&'a [Arc<str>]);

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|name| &**name))
    }
}
