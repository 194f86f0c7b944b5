//! Stops requests that are malformed, or written so that two readers read two things.
//!
//! **The rule.** A path is refused with 400 `malformed-request` when it holds, plain or percent-encoded and up to twice
//! encoded: a NUL or another control character, a `..` or `.` segment, an encoded slash, a backslash; or a `%` that two
//! hex digits do not follow, bytes that are no UTF-8 (overlong dots and slashes), or escapes encoded three times. Servers,
//! proxies and file systems disagree about each of these. A query may hold encoded control characters (a text with line
//! breaks is a good query), but no NUL. Two `Host` lines are refused too (RFC 9112, 3.2).
//!
//! ```
//! use palisade::hygiene::HygieneLayer;
//! let app: axum::Router = axum::Router::new().layer(HygieneLayer::new().encoded_slash(true));
//! ```
//!
//! The mode is enforce unless [`HygieneLayer::mode`] says otherwise; the policy in the decision is the rule that was broken.

use std::{borrow::Cow, ops::ControlFlow};

use http::{Uri, header, request::Parts};
use percent_encoding::percent_decode;
use tower_layer::Layer;

use crate::{Guard, Kind, Mode, Rejection, Response, decision::object, guard::Guarded};

/// Refuses malformed heads. See the [module](self) for the exact rule.
#[derive(Debug, Clone, Copy)]
pub struct HygieneLayer {
    mode: Mode,
    encoded_slash: bool,
}

impl HygieneLayer {
    /// Every rule, enforced.
    #[must_use]
    pub const fn new() -> Self {
        Self { mode: Mode::Enforce, encoded_slash: false }
    }

    /// Off, report or enforce.
    #[must_use]
    pub const fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Whether `%2F` may stand in a path: for routes whose parameters hold slashes.
    #[must_use]
    pub const fn encoded_slash(self, allowed: bool) -> Self {
        Self { encoded_slash: allowed, ..self }
    }

    /// The decision: what is wrong with this target, if anything.
    fn fault(self, uri: &Uri) -> Option<Fault> {
        let path = uri.path();
        if path.contains('%')
            || path.contains('\\')
            || path.contains("/.")
            || path.bytes().any(|byte| byte.is_ascii_control())
        {
            self.path_fault(path)
        } else {
            None
        }
        .or_else(|| query_fault(uri.query().unwrap_or_default()))
    }

    fn path_fault(self, path: &str) -> Option<Fault> {
        if has_broken_escape(path) {
            return Some(Fault::BrokenEscape);
        }
        if !self.encoded_slash && has_encoded_slash(path) {
            return Some(Fault::EncodedSlash);
        }
        let once = decode(path.as_bytes());
        let twice = decode(&once);
        if decode(&twice) != twice {
            return Some(Fault::ManyTimes);
        }
        plain_fault(&once).or_else(|| plain_fault(&twice))
    }

    pub(crate) fn describe(self) -> (Mode, String) {
        let slash = if self.encoded_slash { "allowed" } else { "refused" };
        let rules = "NUL, control characters, dot segments, backslash, broken escapes refused";
        (self.mode, format!("{rules}; encoded slash {slash}"))
    }
}

impl Default for HygieneLayer {
    fn default() -> Self {
        Self::new()
    }
}

/// What is wrong with a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nul,
    Control,
    DotSegment,
    Backslash,
    EncodedSlash,
    BrokenEscape,
    ManyTimes,
    NotUtf8,
    TwoHosts,
}

impl Fault {
    const fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::Nul => ("nul", "The target holds a NUL."),
            Self::Control => ("control-character", "The path holds a control character."),
            Self::DotSegment => ("dot-segment", "The path holds a `.` or `..` segment."),
            Self::Backslash => ("backslash", "The path holds a backslash."),
            Self::EncodedSlash => ("encoded-slash", "The path holds an encoded slash."),
            Self::BrokenEscape => ("broken-escape", "The path holds a `%` without two hex digits."),
            Self::ManyTimes => ("encoded-many-times", "The path is encoded more than twice."),
            Self::NotUtf8 => ("not-utf-8", "The path is no UTF-8."),
            Self::TwoHosts => ("two-hosts", "The request names more than one host."),
        }
    }
}

fn plain_fault(path: &[u8]) -> Option<Fault> {
    if path.contains(&0) {
        Some(Fault::Nul)
    } else if path.iter().any(u8::is_ascii_control) {
        Some(Fault::Control)
    } else if path.contains(&b'\\') {
        Some(Fault::Backslash)
    } else if path.split(|byte| *byte == b'/').any(is_dot_segment) {
        Some(Fault::DotSegment)
    } else if std::str::from_utf8(path).is_err() {
        Some(Fault::NotUtf8)
    } else {
        None
    }
}

/// `.` and `..`, also with the `;parameter` that some servers cut off before they resolve the path.
fn is_dot_segment(segment: &[u8]) -> bool {
    let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
    name == b"." || name == b".."
}

fn query_fault(query: &str) -> Option<Fault> {
    (query.contains('%') && decode(query.as_bytes()).contains(&0)).then_some(Fault::Nul)
}

fn has_broken_escape(path: &str) -> bool {
    let mut rest = path.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => rest = &rest[at + 3..],
            _ => return true,
        }
    }
    false
}

fn has_encoded_slash(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    lower.contains("%2f") || lower.contains("%252f")
}

fn decode(bytes: &[u8]) -> Cow<'_, [u8]> {
    percent_decode(bytes).into()
}

impl Guard for HygieneLayer {
    type Ticket = ();

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, ()> {
        if self.mode == Mode::Off {
            return ControlFlow::Continue(());
        }
        let two_hosts = head.headers.get_all(header::HOST).iter().nth(1).map(|_| Fault::TwoHosts);
        let Some(fault) = two_hosts.or_else(|| self.fault(&head.uri)) else {
            return ControlFlow::Continue(());
        };
        let (rule, detail) = fault.row();
        object(head, self.mode, "hygiene", rule, Rejection::new(Kind::MalformedRequest).detail(detail))
    }
}

impl<S> Layer<S> for HygieneLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(*self, inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_read_differently_is_a_fault() {
        for (target, fault) in [
            ("/", None),
            ("/items/42?q=a%20b%0Ac&d=%25", None),
            ("/.well-known/security.txt", None),
            ("/a..b/...", None),
            ("/caf%C3%A9", None),
            ("/100%25", None),
            ("/%00", Some(Fault::Nul)),
            ("/a%2500b", Some(Fault::Nul)),
            ("/?q=%00", Some(Fault::Nul)),
            ("/a%0d%0aSet-Cookie:x", Some(Fault::Control)),
            ("/%7f", Some(Fault::Control)),
            ("/a/../b", Some(Fault::DotSegment)),
            ("/a/%2e%2e/b", Some(Fault::DotSegment)),
            ("/a/.%2E/b", Some(Fault::DotSegment)),
            ("/a/%252e%252e/b", Some(Fault::DotSegment)),
            ("/a/..;x=1/b", Some(Fault::DotSegment)),
            ("/a/.", Some(Fault::DotSegment)),
            ("/a%2fb", Some(Fault::EncodedSlash)),
            ("/a%252Fb", Some(Fault::EncodedSlash)),
            ("/a%5cb", Some(Fault::Backslash)),
            ("/a%255Cb", Some(Fault::Backslash)),
            ("/%zz", Some(Fault::BrokenEscape)),
            ("/%", Some(Fault::BrokenEscape)),
            ("/%2", Some(Fault::BrokenEscape)),
            ("/%c0%ae%c0%ae/x", Some(Fault::NotUtf8)),
            ("/%e0%80%ae/x", Some(Fault::NotUtf8)),
            ("/%25252e%25252e/x", Some(Fault::ManyTimes)),
        ] {
            assert_eq!(HygieneLayer::new().fault(&target.parse().unwrap()), fault, "{target}");
        }
    }

    #[test]
    fn an_encoded_slash_can_be_allowed_and_what_it_hides_cannot() {
        let layer = HygieneLayer::new().encoded_slash(true);
        assert_eq!(layer.fault(&"/repos/a%2Fb".parse().unwrap()), None);
        assert_eq!(layer.fault(&"/repos/..%2Fb".parse().unwrap()), Some(Fault::DotSegment));
    }
}
