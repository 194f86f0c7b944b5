//! Compresses what is worth it, and nothing that holds a secret.
//!
//! **The rule.** Text, JSON, XML, JavaScript, WebAssembly, SVG and plain fonts of 256 bytes or more, and streams of them, are sent as
//! gzip to who accepts it, with `Vary: Accept-Encoding`; a strong `ETag` becomes a weak one, as RFC 9110 (8.8.3) has it for another
//! coding. Left as they are: all other types, which are compressed already or read piece by piece (server-sent events, gRPC), what is
//! encoded already, ranges, what a digest vouches for (RFC 9530), and what says `Cache-Control: no-transform`. Whoever can choose a part
//! of an answer and see how long it is can guess a secret in the rest of it (BREACH), so a body with a secret in it is not compressed: a
//! handler says so with [`Secret`], and a page whose `Content-Security-Policy` has a nonce has said so.
//!
//! ```
//! use axum::{Json, Router, routing::get};
//! use palisade::compression::{CompressionLayer, Secret};
//! let app: Router = Router::new()
//!     .route("/form", get(|| async { (Secret, "a token that nobody may guess") }))
//!     .layer(CompressionLayer::new());
//! ```
//!
//! The compression is tower-http's. A stack does it where it is asked to:
//! [`StackBuilder::compression`](crate::stack::StackBuilder::compression).

use std::{
    convert::Infallible,
    fmt,
    task::{Context, Poll},
};

use axum_core::{
    body::Body,
    response::{IntoResponse, IntoResponseParts, ResponseParts},
};
use futures_util::{
    TryFutureExt as _,
    future::{Either, MapOk},
};
use http::{Extensions, HeaderMap, HeaderValue, Request, StatusCode, Version, header};
use tower_http::compression::{
    Compression, CompressionBody, ResponseFuture,
    predicate::{And, Predicate, SizeAbove},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::Response;

/// Compresses answers. See the [module](self) for the exact rule.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct CompressionLayer;

impl CompressionLayer {
    /// Gzip, where it is worth it.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// Says of an answer that its body holds a secret, such as a token: it is not compressed.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "it is a word")]
pub struct Secret;

impl IntoResponseParts for Secret {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}

/// Less than this is one packet anyway.
const SMALLEST: u64 = 256;

type Open = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;
type WorthIt = And<SizeAbove, Open>;

fn worth_it() -> WorthIt {
    SizeAbove::new(SMALLEST).and(is_open)
}

/// What gzip makes smaller, beside text.
const COMPRESSIBLE: [&str; 12] = [
    "application/graphql",
    "application/javascript",
    "application/json",
    "application/rtf",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "font/otf",
    "font/ttf",
    "image/x-icon",
];

/// Whether gzip makes such a thing smaller. A type that is not known is most likely compressed by its own format.
fn is_compressible(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence.starts_with("application/grpc") {
        return false;
    }
    let is_text = essence.starts_with("text/") && essence != "text/event-stream";
    is_text
        || COMPRESSIBLE.contains(&&*essence)
        || ["+json", "+xml", "+text"].iter().any(|form| essence.ends_with(form))
}

/// Whether nothing speaks against it that the answer itself says.
fn is_open(_: StatusCode, _: Version, headers: &HeaderMap, extensions: &Extensions) -> bool {
    let says = |name, word: &str| {
        let mut lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        lines.any(|line| line.to_ascii_lowercase().contains(word))
    };
    let vouched = [header::HeaderName::from_static("content-digest"), header::HeaderName::from_static("repr-digest")];
    extensions.get::<Secret>().is_none()
        && headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_compressible)
        && !vouched.iter().any(|name| headers.contains_key(name))
        && !says(header::CACHE_CONTROL, "no-transform")
        && !says(header::CONTENT_SECURITY_POLICY, "'nonce-")
        && !says(header::CONTENT_SECURITY_POLICY_REPORT_ONLY, "'nonce-")
}

/// A service whose answers are compressed, if that is asked for. Made by [`CompressionLayer`].
#[derive(Debug, Clone)]
pub struct Compressed<S>(Which<S>);

#[derive(Clone)]
enum Which<S> {
    Plain(S),
    Gzip(Compression<S, WorthIt>),
}

impl<S> fmt::Debug for Which<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Plain(_)) { "Plain" } else { "Gzip" })
    }
}

impl<S> Compressed<S> {
    pub(crate) fn new(layer: Option<CompressionLayer>, inner: S) -> Self {
        Self(match layer {
            Some(CompressionLayer) => Which::Gzip(Compression::new(inner).compress_when(worth_it())),
            None => Which::Plain(inner),
        })
    }
}

impl<S> Layer<S> for CompressionLayer {
    type Service = Compressed<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Compressed::new(Some(*self), inner)
    }
}

type Sent = fn(http::Response<CompressionBody<Body>>) -> Response;

impl<S, B> Service<Request<B>> for Compressed<S>
where
    S: Service<Request<B>, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, MapOk<ResponseFuture<S::Future, WorthIt>, Sent>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        match &mut self.0 {
            Which::Plain(inner) => inner.poll_ready(cx),
            Which::Gzip(inner) => inner.poll_ready(cx),
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match &mut self.0 {
            Which::Plain(inner) => Either::Left(inner.call(request)),
            Which::Gzip(inner) => Either::Right(inner.call(request).map_ok(sent)),
        }
    }
}

/// The compressed bytes are not those that a strong validator vouches for.
fn sent(response: http::Response<CompressionBody<Body>>) -> Response {
    let mut response = response.into_response();
    let headers = response.headers_mut();
    if headers.contains_key(header::CONTENT_ENCODING)
        && let Some(tag) = headers.get(header::ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""))
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(header::ETAG, weak);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_gzip_makes_smaller_is_compressed() {
        for smaller in [
            "text/html; charset=utf-8",
            "TEXT/CSS",
            "application/json",
            "application/problem+json",
            "image/svg+xml",
            "application/wasm",
            "application/manifest+json ;q=1",
            "font/ttf",
        ] {
            assert!(is_compressible(smaller), "{smaller}");
        }
        for other in [
            "",
            "text/event-stream",
            "application/grpc",
            "application/grpc-web+json",
            "application/grpc+proto",
            "video/mp4",
            "audio/ogg",
            "font/woff2",
            "image/png",
            "application/zip",
            "application/pdf",
            "application/octet-stream",
            "application/vnd.x+zip",
        ] {
            assert!(!is_compressible(other), "{other}");
        }
    }
}
