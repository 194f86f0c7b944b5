//! Who is on the other side, and how that is known.

use std::{convert::Infallible, net::IpAddr};

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::Facts;

/// The client's address and how it is known.
///
/// As an extractor it never fails: without a [`ClientIpLayer`](super::ClientIpLayer), or without a peer, it is
/// [`Source::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp {
    pub(super) addr: Option<IpAddr>,
    pub(super) source: Source,
    pub(super) scheme: Option<Scheme>,
    pub(super) trusted_peer: bool,
}

/// How a [`ClientIp`] is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// It is the other end of the socket.
    Peer,
    /// A trusted proxy said so; the address was the `hops`-th entry from the right.
    Forwarded {
        /// Entries read, the client's own included.
        hops: usize,
    },
    /// No peer address, or a forwarding header that does not parse, is too short or comes twice.
    Unknown,
}

impl Source {
    /// `peer`, `forwarded` or `unknown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Forwarded { .. } => "forwarded",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        if text.eq_ignore_ascii_case(b"https") {
            Some(Self::Https)
        } else {
            text.eq_ignore_ascii_case(b"http").then_some(Self::Http)
        }
    }
}

impl ClientIp {
    pub(super) const UNKNOWN: Self = Self { addr: None, source: Source::Unknown, scheme: None, trusted_peer: false };

    pub(super) const fn peer(addr: IpAddr) -> Self {
        Self { addr: Some(addr), source: Source::Peer, ..Self::UNKNOWN }
    }

    /// The address, IPv4-mapped ones folded to IPv4; `None` when unknown.
    pub const fn addr(self) -> Option<IpAddr> {
        self.addr
    }

    /// How it is known.
    pub const fn source(self) -> Source {
        self.source
    }

    /// `http` or `https`, as a trusted proxy says that the client came; `None` where none says so.
    pub const fn scheme(self) -> Option<&'static str> {
        match self.scheme {
            Some(Scheme::Http) => Some("http"),
            Some(Scheme::Https) => Some("https"),
            None => None,
        }
    }

    /// Whether a trusted proxy says that the client came by HTTPS.
    pub const fn is_https(self) -> bool {
        matches!(self.scheme, Some(Scheme::Https))
    }

    /// Whether the socket's peer is a trusted proxy.
    pub const fn is_peer_trusted(self) -> bool {
        self.trusted_peer
    }
}

impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Facts::of(head).client().unwrap_or(Self::UNKNOWN))
    }
}
