//! Who may see the inner routes: metrics and statistics.
//!
//! ```
//! use palisade::{Access, Stack};
//! # fn main() -> Result<(), palisade::ConfigError> {
//! let stack = Stack::production().access(Access::token("a long random text")).build()?;
//! let app: axum::Router = stack.inner_routes().merge(stack.wrap(axum::Router::new()));
//! # Ok(()) }
//! ```

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, SocketAddr},
    ops::ControlFlow,
    sync::Arc,
};

use axum::extract::ConnectInfo;
use http::{HeaderMap, HeaderName, Uri, header, request::Parts, uri::Authority};

use crate::{Guard, Kind, Mode, Rejection, Response, decision::object};

/// Who may see the inner routes.
#[derive(Clone)]
pub struct Access(Rule);

#[derive(Clone)]
enum Rule {
    Nobody,
    Loopback,
    Token(Arc<str>),
    Everybody,
}

/// What proxies add: with one of these, a request from loopback was made by someone else.
fn is_forwarding(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "forwarded" | "via" | "x-real-ip")
        || name.starts_with("x-forwarded")
        || name.starts_with("cf-")
        || name.ends_with("client-ip")
}

/// Whether the request asks for this machine by a name of its own: a page of another site, whose name was made to point
/// here, asks for that name.
fn asks_for_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let Some(authority) = uri.authority().or(host.as_ref()) else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|addr| addr.to_canonical().is_loopback())
}

impl Access {
    /// Nobody. Production's default, until a token is named.
    #[must_use]
    pub const fn nobody() -> Self {
        Self(Rule::Nobody)
    }

    /// Who comes from this machine, asks for it by its own name, and not through a proxy on it. Development's default.
    #[must_use]
    pub const fn loopback() -> Self {
        Self(Rule::Loopback)
    }

    /// Who sends `Authorization: Bearer <token>`.
    #[must_use]
    pub fn token(token: impl Into<Arc<str>>) -> Self {
        Self(Rule::Token(token.into()))
    }

    /// Everybody: only where another wall stands in front, such as a listener of its own.
    #[must_use]
    pub const fn unsafe_everybody() -> Self {
        Self(Rule::Everybody)
    }

    /// The decision.
    pub(crate) fn allows(&self, head: &Parts) -> bool {
        let headers = &head.headers;
        match &self.0 {
            Rule::Nobody => false,
            Rule::Everybody => true,
            Rule::Loopback => {
                let peer = head.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
                peer.is_some_and(|peer| peer.is_loopback())
                    && asks_for_loopback(&head.uri, headers)
                    && !headers.keys().any(is_forwarding)
            }
            Rule::Token(token) => bearer(headers).is_some_and(|sent| same(sent, token)),
        }
    }

    /// What is wrong with it, if anything is.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        matches!(&self.0, Rule::Token(token) if token.trim().is_empty())
            .then_some("has an empty token, which nobody can send")
    }

    pub(crate) fn describe(&self) -> &'static str {
        match self.0 {
            Rule::Nobody => "nobody; name a token with `.access(Access::token(..))`",
            Rule::Loopback => "loopback, not through a proxy",
            Rule::Token(_) => "who has the token",
            Rule::Everybody => "everybody",
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Access").field(&self.describe()).finish()
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Compares hashes under a secret seed first, so that the time taken tells nothing of the token.
fn same(sent: &str, token: &str) -> bool {
    let seed = RandomState::new();
    !token.is_empty() && seed.hash_one(sent) == seed.hash_one(token) && sent == token
}

impl Guard for Access {
    type Ticket = ();

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, ()> {
        if self.allows(head) {
            return ControlFlow::Continue(());
        }
        let kind = if matches!(self.0, Rule::Token(_)) { Kind::Unauthenticated } else { Kind::Forbidden };
        let rejection = Rejection::new(kind).detail("This is for the operators of the service.");
        object(head, Mode::Enforce, "access", "inner-routes", rejection)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(peer: Option<&str>, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::get("/metrics");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut head = request.body(()).unwrap().into_parts().0;
        if let Some(peer) = peer {
            head.extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        }
        head
    }

    #[test]
    fn loopback_is_this_machine_by_its_own_name_and_without_a_proxy() {
        let local = ("host", "127.0.0.1:3000");
        for (peer, headers, allowed) in [
            (Some("127.0.0.1"), &[local][..], true),
            (Some("::1"), &[("host", "[::1]:3000")], true),
            (Some("::ffff:127.0.0.1"), &[("host", "localhost")], true),
            (Some("127.0.0.1"), &[("host", "evil.example")], false),
            (Some("127.0.0.1"), &[], false),
            (Some("192.0.2.1"), &[local], false),
            (None, &[local], false),
            (Some("127.0.0.1"), &[local, ("x-forwarded-for", "192.0.2.1")], false),
            (Some("127.0.0.1"), &[local, ("x-forwarded-host", "a.example")], false),
            (Some("127.0.0.1"), &[local, ("forwarded", "for=192.0.2.1")], false),
            (Some("127.0.0.1"), &[local, ("cf-connecting-ip", "192.0.2.1")], false),
            (Some("127.0.0.1"), &[local, ("true-client-ip", "192.0.2.1")], false),
            (Some("127.0.0.1"), &[local, ("via", "1.1 proxy")], false),
        ] {
            assert_eq!(Access::loopback().allows(&head(peer, headers)), allowed, "{peer:?} {headers:?}");
        }
    }

    #[test]
    fn only_the_whole_token_opens() {
        let access = Access::token("secret");
        for (value, opens) in [
            ("Bearer secret", true),
            ("bearer secret", true),
            ("Bearer secre", false),
            ("secret", false),
            ("Bearer ", false),
        ] {
            assert_eq!(access.allows(&head(None, &[("authorization", value)])), opens, "{value}");
        }
        assert!(!Access::token("").allows(&head(None, &[("authorization", "Bearer ")])));
        assert!(!Access::nobody().allows(&head(Some("127.0.0.1"), &[("host", "localhost")])));
    }
}
