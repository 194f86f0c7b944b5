//! Stops requests that are malformed, or written so that two readers read two things.
//!
//! **The rule.** A path is refused with 400 `malformed-request` when it holds, plain or percent-encoded and up to twice
//! encoded: a NUL or another control character, a `..` or `.` segment, an encoded slash, a backslash; or a `%` that two
//! hex digits do not follow, bytes that are no UTF-8 (overlong dots and slashes), or escapes encoded three times. Servers,
//! proxies and file systems disagree about each of these. A query may hold all of it, encoded: no two readers make two things of it, and
//! what it means is inspection's to ask. Refused too: two `Host` lines (RFC 9112, 3.2), two `Content-Length` lines or one beside
//! `Transfer-Encoding` (6.3), and the name of a header with other characters than letters, digits, `-`, `_` and `.`, which
//! nobody's has (RFC 9110, 16.3.2.1, advises the first three; gRPC adds the others).
//!
//! hyper itself drops one of two lengths over HTTP/1.1, and refuses more than 100 lines with a bare 431, before any layer sees them: those rules are
//! for HTTP/2 and other servers.
//!
//! What is too much is refused as such: a target of more than 8 KiB with 414 `uri-too-long`, more than 100 header lines or 32 KiB of them
//! with 431 `headers-too-large`. Methods are `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`, `OPTIONS`, and `CONNECT` where it opens a
//! WebSocket (RFC 8441); any other is refused with 405 `method-not-allowed`, unless it is [named](HygieneLayer::methods).
//!
//! ```
//! use palisade::hygiene::HygieneLayer;
//! let app: axum::Router = axum::Router::new().layer(HygieneLayer::new().encoded_slash(true));
//! ```
//!
//! The mode is enforce unless [`HygieneLayer::mode`] says otherwise; the policy in the decision is the rule that was broken.

mod head;
mod target;

use std::{ops::ControlFlow, sync::Arc};

use http::{HeaderValue, Method, header, request::Parts};
use tower_layer::Layer;

use self::head::Limits;
use crate::{Guard, Kind, Mode, Rejection, Response, decision::object, guard::Guarded};

/// Refuses malformed heads. See the [module](self) for the exact rule.
#[derive(Debug, Clone)]
pub struct HygieneLayer {
    mode: Mode,
    encoded_slash: bool,
    limits: Limits,
    /// Others than the usual.
    methods: Option<Arc<[Method]>>,
}

impl HygieneLayer {
    /// Every rule, enforced.
    #[must_use]
    pub const fn new() -> Self {
        Self { mode: Mode::Enforce, encoded_slash: false, limits: Limits::new(), methods: None }
    }

    /// Off, report or enforce.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Whether `%2F` may stand in a path: for routes whose parameters hold slashes.
    #[must_use]
    pub fn encoded_slash(self, allowed: bool) -> Self {
        Self { encoded_slash: allowed, ..self }
    }

    /// The longest target, in bytes: 8192 if nothing is said. RFC 9110 (4.1) advises 8000 at least.
    #[must_use]
    pub fn target_bytes(mut self, bytes: usize) -> Self {
        self.limits.target_bytes = bytes;
        self
    }

    /// How many header lines a request may have: 100 if nothing is said.
    #[must_use]
    pub fn header_lines(mut self, lines: usize) -> Self {
        self.limits.header_lines = lines;
        self
    }

    /// How long they may be together, in bytes: 32 KiB if nothing is said.
    #[must_use]
    pub fn header_bytes(mut self, bytes: usize) -> Self {
        self.limits.header_bytes = bytes;
        self
    }

    /// The methods that are served, in the place of the usual ones: those of `WebDAV`, or `QUERY`.
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = Some(methods.into_iter().collect());
        self
    }

    /// The decision: what is wrong with this head, if anything.
    fn fault(&self, head: &Parts) -> Option<Fault> {
        let listed = self.methods.as_deref();
        let is_served = listed.map_or_else(|| head::is_usual(head), |listed| listed.contains(&head.method));
        if !is_served {
            return Some(Fault::Method);
        }
        head::fault(head, &self.limits).or_else(|| target::fault(&head.uri, self.encoded_slash))
    }

    /// What a 405 must name (RFC 9110, 15.5.6).
    fn allow(&self) -> HeaderValue {
        let Some(methods) = &self.methods else {
            return HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        };
        let names: Vec<_> = methods.iter().map(Method::as_str).collect();
        HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
    }

    pub(crate) fn describe(&self) -> (Mode, String) {
        let slash = if self.encoded_slash { "allowed" } else { "refused" };
        let Limits { target_bytes, header_lines, header_bytes } = self.limits;
        let rules = "NUL, control characters, dot segments, backslash, broken escapes refused";
        let most = format!("target {target_bytes} bytes, {header_lines} header lines, {header_bytes} bytes of them");
        let methods = self.allow();
        (self.mode, format!("{rules}; encoded slash {slash}; at most {most}; {}", methods.to_str().unwrap_or_default()))
    }
}

impl Default for HygieneLayer {
    fn default() -> Self {
        Self::new()
    }
}

/// What is wrong with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Method,
    TargetTooLong,
    TooManyHeaders,
    HeadersTooLong,
    HeaderName,
    TwoHosts,
    TwoLengths,
    Nul,
    Control,
    DotSegment,
    Backslash,
    EncodedSlash,
    BrokenEscape,
    ManyTimes,
    NotUtf8,
}

impl Fault {
    /// The rule, and what a client is told.
    const fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::Method => ("method", "This method is not served here."),
            Self::TargetTooLong => ("target-bytes", "The target is too long."),
            Self::TooManyHeaders => ("header-lines", "The request has too many headers."),
            Self::HeadersTooLong => ("header-bytes", "The headers are too long together."),
            Self::HeaderName => ("header-name", "The name of a header holds an unusual character."),
            Self::TwoHosts => ("two-hosts", "The request names more than one host."),
            Self::TwoLengths => ("two-lengths", "The request tells the length of its body in two ways."),
            Self::Nul => ("nul", "The path holds a NUL."),
            Self::Control => ("control-character", "The path holds a control character."),
            Self::DotSegment => ("dot-segment", "The path holds a `.` or `..` segment."),
            Self::Backslash => ("backslash", "The path holds a backslash."),
            Self::EncodedSlash => ("encoded-slash", "The path holds an encoded slash."),
            Self::BrokenEscape => ("broken-escape", "The path holds a `%` without two hex digits."),
            Self::ManyTimes => ("encoded-many-times", "The path is encoded more than twice."),
            Self::NotUtf8 => ("not-utf-8", "The path is no UTF-8."),
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Method => Kind::MethodNotAllowed,
            Self::TargetTooLong => Kind::UriTooLong,
            Self::TooManyHeaders | Self::HeadersTooLong => Kind::HeadersTooLarge,
            _ => Kind::MalformedRequest,
        }
    }
}

impl Guard for HygieneLayer {
    type Ticket = ();

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, ()> {
        if self.mode == Mode::Off {
            return ControlFlow::Continue(());
        }
        let Some(fault) = self.fault(head) else {
            return ControlFlow::Continue(());
        };
        let (rule, detail) = fault.row();
        let objection = object(head, self.mode, "hygiene", rule, Rejection::new(fault.kind()).detail(detail));
        objection.map_break(|mut response| {
            if fault == Fault::Method {
                response.headers_mut().insert(header::ALLOW, self.allow());
            }
            response
        })
    }
}

impl<S> Layer<S> for HygieneLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}
