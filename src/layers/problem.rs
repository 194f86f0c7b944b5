//! Gives an error without a body, or with a line of text, the same shape as every other refusal.
//!
//! **The rule.** An answer of 400 or more that is empty and untyped (axum's 404 and 405) or `text/plain` (axum's extractor
//! rejections) becomes problem+json with the request's id. The text of a 4xx becomes its `detail`, that of a 5xx goes to
//! the log only. Everything else passes as it is: JSON, HTML, and problems already made. Headers stay.
//!
//! ```
//! let app: axum::Router = axum::Router::new().layer(palisade::problem::ProblemLayer::new());
//! ```

use std::ops::ControlFlow;

use axum_core::body::Body;
use futures_util::FutureExt as _;
use http::{StatusCode, header, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tower_layer::Layer;

use crate::{Facts, Guard, Kind, Rejection, Response, guard::Guarded, rejection::CustomKind};

/// A text longer than this is no message for a client.
const LONGEST_DETAIL: u64 = 1024;

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
        StatusCode::PAYLOAD_TOO_LARGE => Kind::PayloadTooLarge,
        StatusCode::INTERNAL_SERVER_ERROR => Kind::InternalError,
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

fn is_bare(response: &Response) -> bool {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || response.extensions().get::<Rejection>().is_some() {
        return false;
    }
    match response.headers().get(header::CONTENT_TYPE) {
        Some(content_type) => content_type.as_bytes().starts_with(b"text/plain"),
        None => response.body().size_hint().exact() == Some(0),
    }
}

/// The text of a short body that is there at once.
fn text_of(body: Body) -> String {
    if body.size_hint().exact().is_none_or(|length| length > LONGEST_DETAIL) {
        return String::new();
    }
    let collected = body.collect().now_or_never().and_then(Result::ok);
    collected.map_or_else(String::new, |body| String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

impl Guard for ProblemLayer {
    type Ticket = Facts;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Facts> {
        ControlFlow::Continue(Facts::of(head))
    }

    fn on_response(&self, facts: &mut Facts, response: &mut Response) {
        if !is_bare(response) {
            return;
        }
        let text = text_of(std::mem::take(response.body_mut()));
        let rejection = Rejection::new(kind_of(response.status()));
        let rejection =
            if response.status().is_server_error() { rejection.cause(text) } else { rejection.detail(text) };
        rejection.replace(response, facts);
    }
}

impl<S> Layer<S> for ProblemLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(*self, inner)
    }
}
