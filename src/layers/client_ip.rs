//! Finds out who is on the other side, and believes only proxies that were named.
//!
//! **The rule.** The client is the socket's peer. Where the peer is inside a trusted CIDR, all lines of
//! `X-Forwarded-For` are read as one list from right to left: each trusted entry is a proxy and is skipped, the first
//! that is not trusted is the client. An entry that does not parse, an empty line among others too, ends the walk, and the client is unknown: what
//! stands left of it was written by nobody we trust. With every entry trusted, the leftmost is the client. There is no
//! leftmost mode.
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
//! # Other proxies
//!
//! [`ClientIpLayer::builder`] also knows proxies that write `Forwarded` (RFC 7239), a number of proxies whose addresses
//! change, and platforms with a header of their own. One list or header is read, the one that was chosen, and no other:
//!
//! ```
//! use palisade::client_ip::{ClientIpLayer, Forwarding, Platform};
//! # fn main() -> Result<(), palisade::ConfigError> {
//! let standard = ClientIpLayer::builder().proxies(["10.0.0.0/8"]).list(Forwarding::Forwarded).build()?;
//! let balanced = ClientIpLayer::builder().hops(1).build()?;
//! let cloudflare = ClientIpLayer::builder().platform(Platform::cloudflare()).proxies(["173.245.48.0/20"]).build()?;
//! # Ok(()) }
//! ```
//!
//! A listener that reads the PROXY protocol puts the address it was told in the peer's place, and [`ClientIpLayer::peer`] is
//! right: see [`ServerBuilder::proxy_protocol`](crate::serve::ServerBuilder::proxy_protocol).
//!
//! # Scheme and host
//!
//! They are believed where the address is: from the same element of `Forwarded`, and of `X-Forwarded-Proto` and
//! `X-Forwarded-Host` where the entries that the proxies on the way may have added, one each, are all the same. Where they
//! differ nothing is known, for some proxies add to these lists and others hand on what a client wrote. A platform is
//! believed about the scheme, not the host. Most proxies hand on what they do not set, so let the outermost overwrite both:
//! one that nobody sets is the client's. They are
//! [`ClientIp::scheme`] and [`Facts::forwarded_host`].
//!
//! The peer is axum's `ConnectInfo<SocketAddr>`, which [`palisade::serve`](crate::serve()) provides. Without it the
//! client is unknown, which is a value and never an error; hops and platforms without
//! [`proxies`](ClientIpBuilder::proxies) need none. What is found is left in the [`Facts`].

mod builder;
mod cidr;
mod client;
mod entry;
mod forwarded;
mod list;
mod platform;
#[cfg(test)]
mod tests;
mod walk;

use std::{
    borrow::Cow,
    net::IpAddr,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{HeaderMap, HeaderName, request::Parts, uri::Authority};
use ipnet::IpNet;
use tower_layer::Layer;

pub(crate) use self::cidr::parse_cidr;
pub use self::{
    builder::ClientIpBuilder,
    client::{ClientIp, Source},
    list::Forwarding,
    platform::Platform,
};
use self::{
    client::Scheme,
    entry::Node,
    forwarded::Hop,
    walk::{Stop, by_count, to_stranger},
};
use crate::{ConfigError, Facts, Guard, Response, guard::Guarded};

/// Resolves the client's address. See the [module](self) for the exact rule.
#[derive(Debug, Clone, Default)]
pub struct ClientIpLayer {
    /// `None` is the socket's peer.
    rule: Option<Arc<Rule>>,
    /// Whether the operator was told that what comes in is not what he says.
    told: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Rule {
    /// From whom a header is believed. None named is everybody: nobody else can reach the service.
    proxies: Vec<IpNet>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Walk(Forwarding),
    Count(Forwarding, usize),
    Header(Platform),
}

impl Rule {
    fn trusts(&self, addr: IpAddr) -> bool {
        self.proxies.iter().any(|net| net.contains(&addr))
    }

    fn believes(&self, peer: Option<IpAddr>) -> bool {
        self.proxies.is_empty() || peer.is_some_and(|peer| self.trusts(peer))
    }

    /// Where the chosen header leads.
    fn follow<'a>(&self, peer: Option<IpAddr>, headers: &'a HeaderMap) -> Stop<'a> {
        match &self.way {
            Way::Header(platform) => Stop { hop: platform.hop(headers), hops: 1 },
            Way::Count(list, count) => {
                let Stop { hop, hops } = list.read(headers, |entries| by_count(entries, *count));
                Stop { hop: hop.map(|hop| list.beside(headers, hop, hops)), hops }
            }
            Way::Walk(list) => {
                let stop = list.read(headers, |entries| to_stranger(entries, |addr| self.trusts(addr)));
                let Stop { hop, hops } = stop.unwrap_or(Stop { hop: peer.map(Node::Addr).map(Hop::of), hops: 0 });
                Stop { hop: hop.map(|hop| list.beside(headers, hop, hops)), hops }
            }
        }
    }

    fn header(&self) -> HeaderName {
        match &self.way {
            Way::Walk(list) | Way::Count(list, _) => list.header(),
            Way::Header(platform) => platform.header.clone(),
        }
    }
}

impl ClientIpLayer {
    /// The socket's peer is the client, whatever any header says. The default.
    #[must_use]
    pub fn peer() -> Self {
        Self::default()
    }

    /// Proxies in these CIDRs (or single addresses) are believed about whom they forward for, in `X-Forwarded-For`.
    ///
    /// # Errors
    /// Every entry that is neither a CIDR nor an address, or that is everybody.
    pub fn trusting<S: AsRef<str>>(proxies: impl IntoIterator<Item = S>) -> Result<Self, ConfigError> {
        Self::builder().proxies(proxies).build()
    }

    /// For every other way in which proxies say whom they forward for.
    pub fn builder() -> ClientIpBuilder {
        ClientIpBuilder::default()
    }

    fn of(rule: Option<Rule>) -> Self {
        Self { rule: rule.map(Arc::new), told: Arc::default() }
    }

    /// The decision: who the client is, by the peer and what its headers say.
    pub fn resolve(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> ClientIp {
        self.find(peer, headers).0
    }

    /// The client, and the host it asked for.
    fn find<'a>(&self, peer: Option<IpAddr>, headers: &'a HeaderMap) -> (ClientIp, Option<Cow<'a, [u8]>>) {
        let peer = peer.map(|peer| peer.to_canonical());
        let Some(rule) = self.rule.as_deref().filter(|rule| rule.believes(peer)) else {
            self.tell_of_unnamed_proxy(peer, headers);
            return (peer.map_or(ClientIp::UNKNOWN, ClientIp::peer), None);
        };
        let Stop { hop, hops } = rule.follow(peer, headers);
        // Without what every proxy writes, whoever came has come past them, unless the peer itself is named.
        let trusted_peer = hop.is_some() || !rule.proxies.is_empty();
        let Some(Hop { node, proto, host }) = hop else {
            self.tell_of_nothing_to_read(rule, headers);
            return (ClientIp { trusted_peer, ..ClientIp::UNKNOWN }, None);
        };
        let source = match (node, hops) {
            (Node::Hidden, _) => Source::Unknown,
            (Node::Addr(_), 0) => Source::Peer,
            (Node::Addr(_), hops) => Source::Forwarded { hops },
        };
        if hops == 0 {
            self.tell_of_nothing_to_read(rule, headers);
        }
        let scheme = proto.as_deref().and_then(Scheme::parse);
        (ClientIp { addr: node.addr(), source, scheme, trusted_peer }, host)
    }

    /// A neighbour that forwards is most likely the proxy that nobody has named, and all its clients one address.
    fn tell_of_unnamed_proxy(&self, peer: Option<IpAddr>, headers: &HeaderMap) {
        let is_neighbour = peer.is_some_and(|peer| match peer {
            IpAddr::V4(four) => four.is_private() || four.is_loopback() || four.is_link_local(),
            IpAddr::V6(six) => six.is_loopback() || six.is_unique_local() || six.is_unicast_link_local(),
        });
        if is_neighbour
            && let Some(list) = Forwarding::in_use(headers)
            && self.is_first()
        {
            tracing::warn!(
                target: "palisade::client_ip",
                peer = peer.map(tracing::field::display),
                "a neighbour sends {} and is not trusted: if it is your proxy, name it, or all its clients are one",
                list.name(),
            );
        }
    }

    /// Proxies that write another header than the one that is read make all their clients one.
    fn tell_of_nothing_to_read(&self, rule: &Rule, headers: &HeaderMap) {
        let read = rule.header();
        let other = Forwarding::in_use(headers).filter(|_| !headers.contains_key(&read));
        if let Some(other) = other.filter(|_| self.is_first()) {
            tracing::warn!(
                target: "palisade::client_ip",
                "a trusted proxy sends {} and no `{read}`, which is what is read: its clients cannot be told apart",
                other.name(),
            );
        }
    }

    fn is_first(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn describe(&self) -> String {
        let Some(rule) = self.rule.as_deref() else {
            return "the socket's peer; no proxy is trusted".to_owned();
        };
        let what = match &rule.way {
            Way::Walk(list) => list.name().to_owned(),
            Way::Count(list, hops) => format!("entry {hops} from the right of {}", list.name()),
            Way::Header(platform) => platform.header.to_string(),
        };
        let nets: Vec<_> = rule.proxies.iter().map(ToString::to_string).collect();
        if nets.is_empty() { format!("{what}, whoever sends it") } else { format!("{what} from {}", nets.join(", ")) }
    }
}

impl Guard for ClientIpLayer {
    type Ticket = ();

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, ()> {
        let facts = Facts::of(head);
        let (client, host) = self.find(facts.peer(), &head.headers);
        facts.set_client(client);
        if let Some(host) = host.and_then(|host| authority(&host)) {
            facts.set_forwarded_host(host);
        }
        ControlFlow::Continue(())
    }
}

/// A host with or without a port, and nobody's name before it.
fn authority(host: &[u8]) -> Option<Authority> {
    Authority::try_from(host).ok().filter(|host| !host.as_str().contains('@') && !host.host().is_empty())
}

impl<S> Layer<S> for ClientIpLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}
