//! Finds out who is on the other side, and believes only proxies that were named.
//!
//! **The rule.** The client is the socket's peer. Where the peer is inside a trusted CIDR, all lines of
//! `X-Forwarded-For` are read as one list from right to left: each trusted entry is a proxy and is skipped, the first
//! that is not trusted is the client. An entry that does not parse ends the walk, and the client is unknown: what
//! stands left of it was written by nobody we trust. With every entry trusted, the leftmost is the client.
//! `X-Forwarded-Proto` is believed from the same peers and from nobody else. There is no leftmost mode.
//!
//! ```
//! use palisade::client_ip::{ClientIp, ClientIpLayer};
//!
//! async fn who(client: ClientIp) -> String { format!("{:?} by {:?}", client.addr(), client.source()) }
//!
//! # fn main() -> Result<(), palisade::ConfigError> {
//! let app: axum::Router = axum::Router::new()
//!     .route("/", axum::routing::get(who))
//!     .layer(ClientIpLayer::trusting(["10.0.0.0/8", "fd00::/8"])?);
//! # Ok(()) }
//! ```
//!
//! The peer is axum's `ConnectInfo<SocketAddr>`, which [`palisade::serve`](crate::serve) provides. Without it the
//! client is unknown, which is a value and never an error. What is found is left in the [`Facts`].

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, request::Parts};
use ipnet::IpNet;
use tower_layer::Layer;

use crate::{ConfigError, Facts, Guard, Response, guard::Guarded};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// More entries than any honest chain has; a longer one is not walked further.
const LONGEST_CHAIN: usize = 32;

/// Resolves the client's address. See the [module](self) for the exact rule.
#[derive(Debug, Clone, Default)]
pub struct ClientIpLayer {
    trusted: Arc<[IpNet]>,
    /// Whether the operator was told of a proxy that looks like one and is not named.
    told: Arc<AtomicBool>,
}

impl ClientIpLayer {
    /// The socket's peer is the client, whatever any header says. The default.
    #[must_use]
    pub fn peer() -> Self {
        Self::default()
    }

    /// Proxies in these CIDRs (or single addresses) are believed about whom they forward for.
    ///
    /// # Errors
    /// Every entry that is neither a CIDR nor an address.
    pub fn trusting<S: AsRef<str>>(proxies: impl IntoIterator<Item = S>) -> Result<Self, ConfigError> {
        let mut error = ConfigError::default();
        let nets = proxies.into_iter().filter_map(|text| error.keep(parse_cidr("trusted proxy", text.as_ref())));
        let trusted: Arc<[IpNet]> = nets.collect();
        for net in trusted.iter().filter(|net| net.prefix_len() == 0) {
            error
                .push("trusted proxy", format_args!("`{net}` is everybody, who would be believed whatever they forge"));
        }
        error.or(Self { trusted, told: Arc::default() })
    }

    fn trusts(&self, addr: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&addr))
    }

    /// The decision: who the client is, by the peer and what its headers say.
    pub fn resolve(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> ClientIp {
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else {
            return ClientIp::UNKNOWN;
        };
        if !self.trusts(peer) {
            self.tell_of_unnamed_proxy(peer, headers);
            return ClientIp { addr: Some(peer), source: Source::Peer, https: false, trusted_peer: false };
        }
        let (addr, source) = self.walk(peer, headers);
        let proto = headers.get_all(&X_FORWARDED_PROTO).iter().next_back();
        let https = proto
            .and_then(|proto| proto.to_str().ok()?.rsplit(',').next())
            .is_some_and(|nearest| nearest.trim().eq_ignore_ascii_case("https"));
        ClientIp { addr, source, https, trusted_peer: true }
    }

    /// A neighbour that forwards is most likely the proxy that nobody has named, and all its clients one address.
    fn tell_of_unnamed_proxy(&self, peer: IpAddr, headers: &HeaderMap) {
        let is_neighbour = match peer {
            IpAddr::V4(four) => four.is_private() || four.is_loopback() || four.is_link_local(),
            IpAddr::V6(six) => six.is_loopback() || six.is_unique_local() || six.is_unicast_link_local(),
        };
        if is_neighbour && headers.contains_key(&X_FORWARDED_FOR) && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                target: "palisade::client_ip",
                %peer,
                "a neighbour sends X-Forwarded-For and is not trusted: if it is your proxy, name it, or all its clients are one"
            );
        }
    }

    fn walk(&self, peer: IpAddr, headers: &HeaderMap) -> (Option<IpAddr>, Source) {
        let lines =
            headers.get_all(&X_FORWARDED_FOR).iter().rev().filter(|line| !line.as_bytes().trim_ascii().is_empty());
        let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        let mut found = (Some(peer), Source::Peer);
        for (index, entry) in entries.enumerate() {
            let parsed = std::str::from_utf8(entry).ok().and_then(|entry| parse_entry(entry.trim()));
            let Some(addr) = parsed.filter(|_| index < LONGEST_CHAIN) else {
                return (None, Source::Unknown);
            };
            found = (Some(addr), Source::Forwarded { hops: index + 1 });
            if !self.trusts(addr) {
                break;
            }
        }
        found
    }

    pub(crate) fn describe(&self) -> String {
        if self.trusted.is_empty() {
            return "the socket's peer; no proxy is trusted".to_owned();
        }
        let nets: Vec<_> = self.trusted.iter().map(ToString::to_string).collect();
        format!("X-Forwarded-For from {}", nets.join(", "))
    }
}

pub(crate) fn parse_cidr(place: &str, text: &str) -> Result<IpNet, ConfigError> {
    let text = text.trim();
    let parsed = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let net: IpNet = parsed.map_err(|_| {
        ConfigError::new(place, format_args!("`{text}` is no CIDR or address, such as `10.0.0.0/8` or `::1`"))
    })?;
    Ok(fold(net.trunc()))
}

/// An IPv4-mapped network is the IPv4 network: that is how addresses are folded before they are looked up.
fn fold(net: IpNet) -> IpNet {
    match (net.addr().to_canonical(), net.prefix_len().checked_sub(96)) {
        (four @ IpAddr::V4(_), Some(bits)) if matches!(net, IpNet::V6(_)) => IpNet::new(four, bits).unwrap_or(net),
        _ => net,
    }
}

/// An address with or without port and brackets, IPv4-mapped ones folded.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let addr = bare.parse().or_else(|_| entry.parse().map(|addr: SocketAddr| addr.ip()));
    addr.ok().map(|addr: IpAddr| addr.to_canonical())
}

/// The client's address and how it is known.
///
/// As an extractor it never fails: without a [`ClientIpLayer`], or without a peer, it is [`Source::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp {
    addr: Option<IpAddr>,
    source: Source,
    https: bool,
    trusted_peer: bool,
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
    /// No peer address, or a forwarding header that does not parse.
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

impl ClientIp {
    const UNKNOWN: Self = Self { addr: None, source: Source::Unknown, https: false, trusted_peer: false };

    /// The address, IPv4-mapped ones folded to IPv4; `None` when unknown.
    pub const fn addr(self) -> Option<IpAddr> {
        self.addr
    }

    /// How it is known.
    pub const fn source(self) -> Source {
        self.source
    }

    /// Whether a trusted proxy says that the client came by HTTPS.
    pub const fn is_https(self) -> bool {
        self.https
    }

    /// Whether the socket's peer is a trusted proxy.
    pub const fn is_peer_trusted(self) -> bool {
        self.trusted_peer
    }
}

impl Guard for ClientIpLayer {
    type Ticket = ();

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, ()> {
        let facts = Facts::of(head);
        facts.set_client(self.resolve(facts.peer(), &head.headers));
        ControlFlow::Continue(())
    }
}

impl<S> Layer<S> for ClientIpLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}

impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Facts::of(head).client().unwrap_or(Self::UNKNOWN))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn resolve(trusted: &[&str], peer: &str, lines: &[&str]) -> ClientIp {
        let layer = ClientIpLayer::trusting(trusted).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        layer.resolve(Some(peer.parse().unwrap()), &headers)
    }

    #[test]
    fn the_walk_stops_at_the_first_address_nobody_vouches_for() {
        let ten = &["10.0.0.0/8", "::1"][..];
        for (trusted, peer, lines, expected, source) in [
            (&[][..], "192.0.2.1", &["203.0.113.9"][..], Some("192.0.2.1"), Source::Peer),
            (ten, "192.0.2.1", &["203.0.113.9"], Some("192.0.2.1"), Source::Peer),
            (ten, "10.0.0.1", &[], Some("10.0.0.1"), Source::Peer),
            (ten, "10.0.0.1", &["6.6.6.6, 203.0.113.9"], Some("203.0.113.9"), Source::Forwarded { hops: 1 }),
            (ten, "10.0.0.1", &["6.6.6.6, 203.0.113.9, 10.0.0.2"], Some("203.0.113.9"), Source::Forwarded { hops: 2 }),
            (ten, "10.0.0.1", &["6.6.6.6", "203.0.113.9"], Some("203.0.113.9"), Source::Forwarded { hops: 1 }),
            (ten, "10.0.0.1", &["10.0.0.9, 10.0.0.2"], Some("10.0.0.9"), Source::Forwarded { hops: 2 }),
            (ten, "10.0.0.1", &["203.0.113.9, unknown"], None, Source::Unknown),
            (ten, "10.0.0.1", &["203.0.113.9, garbage, 10.0.0.2"], None, Source::Unknown),
            (ten, "10.0.0.1", &["203.0.113.9,"], None, Source::Unknown),
            (ten, "10.0.0.1", &[""], Some("10.0.0.1"), Source::Peer),
            (
                &["::ffff:10.0.0.0/104"],
                "10.0.0.1",
                &["203.0.113.9"],
                Some("203.0.113.9"),
                Source::Forwarded { hops: 1 },
            ),
            (ten, "10.0.0.1", &["203.0.113.9:4711"], Some("203.0.113.9"), Source::Forwarded { hops: 1 }),
            (ten, "::1", &["[2001:db8::7]:443"], Some("2001:db8::7"), Source::Forwarded { hops: 1 }),
            (ten, "::1", &["[2001:db8::7]"], Some("2001:db8::7"), Source::Forwarded { hops: 1 }),
            (
                &["::ffff:10.0.0.0/104"],
                "10.0.0.1",
                &["203.0.113.9"],
                Some("203.0.113.9"),
                Source::Forwarded { hops: 1 },
            ),
            (ten, "::ffff:10.0.0.1", &["::ffff:203.0.113.9"], Some("203.0.113.9"), Source::Forwarded { hops: 1 }),
        ] {
            let client = resolve(trusted, peer, lines);
            assert_eq!(client.addr(), expected.map(|addr| addr.parse().unwrap()), "{peer} {lines:?}");
            assert_eq!(client.source(), source, "{peer} {lines:?}");
        }
    }

    #[test]
    fn the_scheme_is_believed_from_a_trusted_peer_only() {
        let layer = ClientIpLayer::trusting(["10.0.0.1"]).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
        assert!(layer.resolve("10.0.0.1".parse().ok(), &headers).is_https());
        assert!(!layer.resolve("10.0.0.2".parse().ok(), &headers).is_https());
    }

    #[test]
    fn every_wrong_cidr_is_named() {
        let error =
            ClientIpLayer::trusting(["10.0.0.0/99", "::1", "localhost", "0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"]);
        let error = error.unwrap_err();
        assert_eq!(error.mistakes().len(), 5, "{error}");
    }

    #[test]
    fn a_chain_without_end_is_not_walked_to_its_end() {
        let line = vec!["10.0.0.3"; 10_000].join(",");
        assert_eq!(resolve(&["10.0.0.0/8"], "10.0.0.1", &[&line]).source(), Source::Unknown);
    }
}
