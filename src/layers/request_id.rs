//! Gives every request an id that its answer, its log lines and its problem body share.
//!
//! **The rule.** An id is a `UUIDv7` (RFC 9562): ordered by time, 74 random bits. `X-Request-Id` of the request is taken
//! over only from a trusted proxy (see [`client_ip`](crate::client_ip) and [`Trust`]), only if it stands there once, and only if it is 1 to 128 characters of
//! `[A-Za-z0-9._~-]`; any other is overwritten before the handler or the log can see it. The answer carries the id as
//! `X-Request-Id`.
//!
//! ```
//! use palisade::request_id::{RequestId, RequestIdLayer};
//! async fn handler(id: RequestId) -> String { id.to_string() }
//! let app: axum::Router = axum::Router::new().route("/", axum::routing::get(handler)).layer(RequestIdLayer::new());
//! ```
//!
//! The id is left in the [`Facts`]; [`RequestId`] is an extractor.

use std::{
    fmt,
    ops::ControlFlow,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::extract::FromRequestParts;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, request::Parts};
use rand::RngExt as _;
use tower_layer::Layer;
use uuid::Builder;

use crate::{Facts, Guard, Kind, Rejection, Response, Trust, guard::Guarded};

/// The header of the id, both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every request an id. See the [module](self) for the exact rule.
#[derive(Debug, Clone)]
pub struct RequestIdLayer {
    header: HeaderName,
    trust: Trust,
    echo: bool,
}

impl RequestIdLayer {
    /// An id for every request: taken over from trusted proxies, and told the client.
    #[must_use]
    pub const fn new() -> Self {
        Self { header: X_REQUEST_ID, trust: Trust::Proxies, echo: true }
    }

    /// Whose ids are taken over.
    #[must_use]
    pub fn trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// Whether the answer carries the id. A problem body does in any case.
    #[must_use]
    pub fn echo(self, told: bool) -> Self {
        Self { echo: told, ..self }
    }

    /// Another header for the id, such as `x-correlation-id`: of the request, of the answer and of requests to services behind.
    #[must_use]
    pub fn header(self, name: HeaderName) -> Self {
        Self { header: name, ..self }
    }

    /// The header of an answer that a page may have to read.
    pub(crate) const fn told_in(&self) -> &HeaderName {
        &self.header
    }

    pub(crate) fn describe(&self) -> String {
        let told = if self.echo { "" } else { ", not told" };
        format!("UUIDv7 in {}; an inbound id {}{told}", self.header, self.trust.as_str())
    }
}

impl Default for RequestIdLayer {
    fn default() -> Self {
        Self::new()
    }
}

/// The id of a request: text that is safe in a header, a log line and a file name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since_epoch.as_millis()).unwrap_or_default();
        let uuid = Builder::from_unix_timestamp_millis(millis, &rand::rng().random()).into_uuid();
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        uuid.hyphenated().encode_lower(&mut text);
        // With an owner the text and its count share one allocation, and clones need no other.
        Self(HeaderValue::from_maybe_shared(Bytes::from_owner(text)).unwrap_or(HeaderValue::from_static("none")))
    }

    /// Takes an id over if it is harmless everywhere an id is written.
    fn accept(value: &HeaderValue) -> Option<Self> {
        let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~-".contains(byte);
        let bytes = value.as_bytes();
        ((1..=128).contains(&bytes.len()) && bytes.iter().all(harmless)).then(|| Self(value.clone()))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Guard for RequestIdLayer {
    type Ticket = RequestId;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, RequestId> {
        let facts = Facts::of(head);
        let mut sent = head.headers.get_all(&self.header).iter();
        let (first, more) = (sent.next(), sent.next().is_some());
        let inbound = first.filter(|_| !more && self.trust.takes(&facts)).and_then(RequestId::accept);
        // Two layers of a kind give one id.
        let id = facts.request_id().cloned().or(inbound).unwrap_or_else(RequestId::new);
        if first.is_some() {
            head.headers.insert(self.header.clone(), id.0.clone());
        }
        facts.set_request_id(id.clone());
        if self.header != X_REQUEST_ID {
            facts.set_id_header(self.header.clone());
        }
        ControlFlow::Continue(id)
    }

    fn on_response(&self, id: &mut RequestId, response: &mut Response) {
        if self.echo {
            response.headers_mut().insert(self.header.clone(), id.0.clone());
        }
    }
}

impl<S> Layer<S> for RequestIdLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    /// 500 where no [`RequestIdLayer`] stands: the operator's mistake, and the log says so.
    type Rejection = Response;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Response> {
        let missing = || {
            Rejection::new(Kind::InternalError).cause("a handler asks for a RequestId, but no RequestIdLayer stands")
        };
        Facts::of(head).request_id().cloned().ok_or_else(|| missing().respond(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_version_7_uuid_of_now_and_never_the_same() {
        let (first, second) = (RequestId::new(), RequestId::new());
        let uuid: uuid::Uuid = first.as_str().parse().unwrap();
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        let millis = uuid.as_u128() >> 80;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert!(now - millis < 10_000);
        assert_ne!(first, second);
    }

    #[test]
    fn only_a_harmless_id_is_taken_over() {
        let long = "a".repeat(128);
        for good in ["a", "A-b.c_d~9", &long] {
            assert!(RequestId::accept(&HeaderValue::from_str(good).unwrap()).is_some(), "{good}");
        }
        let too_long = "a".repeat(129);
        for bad in ["", " ", "a b", "a\tb", "${jndi:x}", "<b>", "a,b", "a/b", &too_long] {
            assert!(RequestId::accept(&HeaderValue::from_str(bad).unwrap()).is_none(), "{bad}");
        }
    }
}
