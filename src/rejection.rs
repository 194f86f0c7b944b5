//! How any part of palisade says no: one table, one shape, RFC 9457 `application/problem+json`.
//!
//! ```
//! use palisade::{Kind, Rejection};
//! let response = Rejection::new(Kind::Forbidden).detail("Only owners may do this.").respond_to(None);
//! assert_eq!(response.status(), 403);
//! assert!(response.extensions().get::<Rejection>().is_some());
//! ```
//!
//! The members are `type`, `title`, `status`, `detail`, `instance` (the path, without what reads like a secret), `requestId`, and those a guard adds.
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
//! | <a id="conflict"></a>`conflict` | 409 | the thing is in a state that does not allow it |
//! | <a id="request-timeout"></a>`request-timeout` | 408 | the body came too slowly |
//! | <a id="payload-too-large"></a>`payload-too-large` | 413 | the body is over the limit |
//! | <a id="uri-too-long"></a>`uri-too-long` | 414 | the target is over the limit |
//! | <a id="misdirected-request"></a>`misdirected-request` | 421 | not a host of this service |
//! | <a id="quota-exceeded"></a>`quota-exceeded` | 429 | too many requests; `Retry-After` says when to come back |
//! | <a id="headers-too-large"></a>`headers-too-large` | 431 | the head is over the limit |
//! | <a id="internal-error"></a>`internal-error` | 500 | broken here; the cause is in the log under the request id |
//! | <a id="external-service"></a>`external-service` | 502 | a service behind this one failed |
//! | <a id="unavailable"></a>`unavailable` | 503 | not now |
//! | <a id="temporary-reduced-capacity"></a>`temporary-reduced-capacity` | 503 | a limit cannot be judged now, so less is let in |
//! | <a id="draining"></a>`draining` | 503 | shutting down |
//! | <a id="handler-timeout"></a>`handler-timeout` | 504 | the handler missed its deadline |

use std::{borrow::Cow, io::Write as _, sync::Arc};

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use smallvec::SmallVec;

use crate::{Facts, redact::redacted, text::push_json};

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
    Conflict,
    RequestTimeout,
    PayloadTooLarge,
    UriTooLong,
    MisdirectedRequest,
    QuotaExceeded,
    HeadersTooLarge,
    InternalError,
    ExternalService,
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

/// A row of the table: the slug, the status, the title, and the start of the problem, which is the same for all of a kind.
macro_rules! row {
    ($slug:literal, $status:ident, $code:literal, $title:literal, $base:literal) => {
        (
            $slug,
            StatusCode::$status,
            $title,
            concat!(r#"{"type":""#, $base, $slug, r#"","title":""#, $title, r#"","status":"#, $code),
        )
    };
}

/// With a type that this crate's documentation tells of.
macro_rules! own {
    ($slug:literal, $status:ident, $code:literal, $title:literal) => {
        row!($slug, $status, $code, $title, "https://docs.rs/palisade/latest/palisade/rejection/#")
    };
}

/// With a type that draft-ietf-httpapi-ratelimit-headers asks for; it is not yet in the registry.
macro_rules! iana {
    ($slug:literal, $status:ident, $code:literal, $title:literal) => {
        row!($slug, $status, $code, $title, "https://iana.org/assignments/http-problem-types#")
    };
}

type Row = (&'static str, StatusCode, &'static str, &'static str);

impl Kind {
    #[rustfmt::skip]
    const fn row(self) -> Row {
        match self {
            Self::MalformedRequest => own!("malformed-request", BAD_REQUEST, 400, "Malformed Request"),
            Self::SuspiciousInput => own!("suspicious-input", BAD_REQUEST, 400, "Suspicious Input"),
            Self::ValidationFailed => own!("validation-failed", BAD_REQUEST, 400, "Validation Failed"),
            Self::Unauthenticated => own!("unauthenticated", UNAUTHORIZED, 401, "Unauthenticated"),
            Self::Forbidden => own!("forbidden", FORBIDDEN, 403, "Forbidden"),
            Self::CrossSiteRequest => own!("cross-site-request", FORBIDDEN, 403, "Cross-Site Request"),
            Self::OriginNotAllowed => own!("origin-not-allowed", FORBIDDEN, 403, "Origin Not Allowed"),
            Self::Banned => own!("banned", FORBIDDEN, 403, "Banned"),
            Self::NotFound => own!("not-found", NOT_FOUND, 404, "Not Found"),
            Self::MethodNotAllowed => own!("method-not-allowed", METHOD_NOT_ALLOWED, 405, "Method Not Allowed"),
            Self::Conflict => own!("conflict", CONFLICT, 409, "Conflict"),
            Self::RequestTimeout => own!("request-timeout", REQUEST_TIMEOUT, 408, "Request Timeout"),
            Self::PayloadTooLarge => own!("payload-too-large", PAYLOAD_TOO_LARGE, 413, "Payload Too Large"),
            Self::UriTooLong => own!("uri-too-long", URI_TOO_LONG, 414, "URI Too Long"),
            Self::MisdirectedRequest => own!("misdirected-request", MISDIRECTED_REQUEST, 421, "Misdirected Request"),
            Self::QuotaExceeded => iana!("quota-exceeded", TOO_MANY_REQUESTS, 429, "Quota Exceeded"),
            Self::HeadersTooLarge => own!("headers-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, 431, "Headers Too Large"),
            Self::InternalError => own!("internal-error", INTERNAL_SERVER_ERROR, 500, "Internal Error"),
            Self::ExternalService => own!("external-service", BAD_GATEWAY, 502, "External Service"),
            Self::Unavailable => own!("unavailable", SERVICE_UNAVAILABLE, 503, "Unavailable"),
            Self::TemporaryReducedCapacity => iana!("temporary-reduced-capacity", SERVICE_UNAVAILABLE, 503, "Temporary Reduced Capacity"),
            Self::Draining => own!("draining", SERVICE_UNAVAILABLE, 503, "Draining"),
            Self::HandlerTimeout => own!("handler-timeout", GATEWAY_TIMEOUT, 504, "Handler Timeout"),
            Self::Custom(own) => (own.slug, own.status, own.title, ""),
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

    /// Begins a problem of this kind, up to its status.
    fn begin(self, text: &mut Vec<u8>) {
        if let Self::Custom(own) = self {
            text.extend_from_slice(br#"{"type":"#);
            push_json(text, own.type_uri);
            text.extend_from_slice(br#","title":"#);
            push_json(text, own.title);
            text.extend_from_slice(br#","status":"#);
            text.extend_from_slice(own.status.as_str().as_bytes());
        } else {
            text.extend_from_slice(self.row().3.as_bytes());
        }
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
    cause_type: Option<&'static str>,
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
            cause_type: None,
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

    pub(crate) fn cause_type(mut self, name: Option<&'static str>) -> Self {
        self.0.cause_type = name;
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

    pub(crate) fn reported_type(&self) -> Option<&'static str> {
        self.0.cause_type
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
        let facts = head.extensions.get();
        self.respond_at(facts, facts.map_or_else(|| head.uri.path(), Facts::path))
    }

    /// The answer, with what is known about the request; `None` where nothing is.
    #[must_use]
    pub fn respond_to(self, facts: Option<&Facts>) -> Response {
        self.respond_at(facts, facts.map_or("", Facts::path))
    }

    fn respond_at(mut self, facts: Option<&Facts>, path: &str) -> Response {
        self.0.is_anonymous = facts.is_none();
        let mut response = Response::new(self.body(facts, path));
        *response.status_mut() = self.kind().status();
        // Room for what a refusal carries, in one go.
        response.headers_mut().reserve(5);
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
        *response.body_mut() = self.body(Some(facts), facts.path());
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::CONTENT_ENCODING);
        headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
        *response.status_mut() = self.kind().status();
        response.extensions_mut().insert(self);
    }

    fn body(&self, facts: Option<&Facts>, path: &str) -> Body {
        let Inner { kind, detail, members, violated, .. } = &*self.0;
        // Most problems fit, and a full one is not moved.
        let mut text = Vec::with_capacity(384);
        kind.begin(&mut text);
        let mut member = |name: &str, value: &dyn Fn(&mut Vec<u8>)| {
            text.extend_from_slice(b",\"");
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b"\":");
            value(&mut text);
        };
        if !detail.is_empty() {
            member("detail", &|text| push_json(text, detail));
        }
        if !path.is_empty() {
            member("instance", &|text| push_json(text, &redacted(path)));
        }
        if let Some(id) = facts.and_then(Facts::request_id) {
            member("requestId", &|text| push_json(text, id.as_str()));
        }
        if let Some(trace) = facts.and_then(Facts::trace) {
            member("traceId", &|text| drop(write!(text, "\"{}\"", trace.trace_id())));
        }
        if !violated.is_empty() {
            member("violated-policies", &|text| push_list(text, violated));
        }
        for (name, value) in members {
            member(name, &|text| serde_json::to_writer(text, value).unwrap_or_default());
        }
        text.push(b'}');
        Body::from(text)
    }
}

fn push_list(text: &mut Vec<u8>, names: &[Arc<str>]) {
    for (index, name) in names.iter().enumerate() {
        text.push(if index == 0 { b'[' } else { b',' });
        push_json(text, name);
    }
    text.push(b']');
}

impl IntoResponse for Rejection {
    /// Without the request id, which a [`ProblemLayer`](crate::problem::ProblemLayer) around the handler adds: a stack has one.
    fn into_response(self) -> Response {
        self.respond_to(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(rejection: &Rejection) -> serde_json::Value {
        use futures_util::FutureExt as _;
        use http_body_util::BodyExt as _;
        let body = rejection.body(None, "").collect().now_or_never().unwrap().unwrap();
        serde_json::from_slice(&body.to_bytes()).unwrap()
    }

    #[test]
    fn every_kind_is_a_problem_that_says_its_status_and_its_slug() {
        use Kind::*;
        for kind in [
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
            Conflict,
            RequestTimeout,
            PayloadTooLarge,
            UriTooLong,
            MisdirectedRequest,
            QuotaExceeded,
            HeadersTooLarge,
            InternalError,
            ExternalService,
            Unavailable,
            TemporaryReducedCapacity,
            Draining,
            HandlerTimeout,
            Custom(CustomKind::new("https://a.example/#own", "own", StatusCode::IM_A_TEAPOT, "An \"Own\" Kind")),
        ] {
            let problem = problem(&Rejection::new(kind));
            assert_eq!(problem["status"], kind.status().as_u16());
            assert_eq!(problem["title"], kind.title());
            assert!(problem["type"].as_str().unwrap().ends_with(&format!("#{}", kind.slug())), "{problem}");
        }
    }

    #[test]
    fn whatever_is_said_is_read_back() {
        for said in ["", "plain", "a \"quote\"", "back\\slash", "line\nbreak", "\u{0}", "caf\u{e9} \u{1f600}"] {
            let rejection = Rejection::new(Kind::Forbidden).detail(said).member("more", said);
            let rejection = rejection.violated([said, "other"].map(Arc::from).into_iter().collect());
            let problem = problem(&rejection);
            assert_eq!(problem["detail"].as_str().unwrap_or_default(), said);
            assert_eq!(problem["more"], said);
            assert_eq!(problem["violated-policies"], serde_json::json!([said, "other"]));
        }
    }
}
