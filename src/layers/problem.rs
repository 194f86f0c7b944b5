//! Gives an error without a body, or with a line of text, the same shape as every other refusal.
//!
//! **The rule.** An answer of 400 or more that is empty and untyped (axum's 404 and 405) or `text/plain` (axum's extractor
//! rejections) becomes problem+json with the request's id. The text of a 4xx becomes its `detail`, without the secrets that are seen in it; one that is long,
//! compressed or not there at once is left alone. The text of a 5xx goes to the log only, the first KiB of it. A
//! [`Rejection`] that a handler returns gets the id. Everything else passes as it is: JSON, HTML. Headers stay.
//!
//! ```
//! let app: axum::Router = axum::Router::new().layer(palisade::problem::ProblemLayer::new());
//! ```

use std::ops::ControlFlow;

use axum_core::body::Body;
use futures_util::FutureExt as _;
use http::{HeaderMap, StatusCode, header, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tower_layer::Layer;

use crate::{
    Facts, Guard, Kind, Rejection, Response,
    guard::Guarded,
    redact::{redacted_head, told},
    rejection::CustomKind,
};

/// A text longer than this is no message for a client.
const LONGEST_DETAIL: usize = 1024;

/// Makes problems of bare errors. See the [module](self) for the exact rule.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ProblemLayer;

impl ProblemLayer {
    /// The only way it comes.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// The kind of an error that a handler gave without saying more than its status.
fn kind_of(status: StatusCode) -> Kind {
    match status {
        StatusCode::UNAUTHORIZED => Kind::Unauthenticated,
        StatusCode::FORBIDDEN => Kind::Forbidden,
        StatusCode::NOT_FOUND => Kind::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Kind::MethodNotAllowed,
        StatusCode::CONFLICT => Kind::Conflict,
        StatusCode::REQUEST_TIMEOUT => Kind::RequestTimeout,
        StatusCode::PAYLOAD_TOO_LARGE => Kind::PayloadTooLarge,
        StatusCode::INTERNAL_SERVER_ERROR => Kind::InternalError,
        StatusCode::BAD_GATEWAY => Kind::ExternalService,
        StatusCode::SERVICE_UNAVAILABLE => Kind::Unavailable,
        // RFC 9457, 4.2.1: the status says it all.
        _ => Kind::Custom(CustomKind::new(
            "about:blank",
            "handler-error",
            status,
            status.canonical_reason().unwrap_or("Error"),
        )),
    }
}

/// Whether the answer says no more than its status, or a line of text.
fn is_bare(response: &Response) -> bool {
    match response.headers().get(header::CONTENT_TYPE) {
        Some(content_type) => content_type.as_bytes().starts_with(b"text/plain"),
        None => response.body().size_hint().exact() == Some(0),
    }
}

/// The text of a body that is there at once and not compressed, up to [`LONGEST_DETAIL`]; and whether that is all of it.
fn text_of(body: Body, headers: &HeaderMap) -> (String, bool) {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return ("(compressed)".to_owned(), false);
    }
    if body.size_hint().exact().is_none() {
        return ("(streamed)".to_owned(), false);
    }
    let Some(Ok(body)) = body.collect().now_or_never() else { return ("(not readable)".to_owned(), false) };
    let bytes = body.to_bytes();
    let kept = &bytes[..bytes.len().min(8 * LONGEST_DETAIL)];
    let text = String::from_utf8_lossy(kept);
    // A secret at the cut is seen whole, or not kept.
    let (text, complete) =
        if bytes.len() > LONGEST_DETAIL { redacted_head(&text, LONGEST_DETAIL) } else { (text, true) };
    (text.into_owned(), complete)
}

/// Whether [`text_of`] would have all of it.
fn is_short(response: &Response) -> bool {
    let exact = response.body().size_hint().exact();
    let short = exact.is_some_and(|length| length <= LONGEST_DETAIL as u64);
    short && !response.headers().contains_key(header::CONTENT_ENCODING)
}

impl Guard for ProblemLayer {
    type Ticket = Facts;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Facts> {
        ControlFlow::Continue(Facts::of(head))
    }

    fn on_response(&self, facts: &mut Facts, response: &mut Response) {
        let status = response.status();
        if !(status.is_client_error() || status.is_server_error()) {
            return;
        }
        if let Some(rejection) = response.extensions().get::<Rejection>() {
            if rejection.is_anonymous() {
                rejection.clone().replace(response, facts);
            }
        } else if is_bare(response) && (status.is_server_error() || is_short(response)) {
            let (text, complete) = text_of(std::mem::take(response.body_mut()), response.headers());
            let rejection = Rejection::new(kind_of(status));
            let rejection = match (status.is_server_error(), complete) {
                (true, true) if text.is_empty() => rejection,
                (true, true) => rejection.cause(text),
                (true, false) => rejection.cause(text + " ..."),
                (false, _) => rejection.detail(told(text.into())),
            };
            rejection.replace(response, facts);
        }
    }
}

impl<S> Layer<S> for ProblemLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(*self, inner)
    }
}
