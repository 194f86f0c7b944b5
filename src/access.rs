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
use http::{HeaderMap, HeaderValue, header, request::Parts};

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
const FORWARDING: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

impl Access {
    /// Nobody. Production's default, until a token is named.
    #[must_use]
    pub const fn nobody() -> Self {
        Self(Rule::Nobody)
    }

    /// Who comes from this machine, and not through a proxy on it. Development's default.
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
    fn allows(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
        match &self.0 {
            Rule::Nobody => false,
            Rule::Everybody => true,
            Rule::Loopback => {
                peer.is_some_and(|peer| peer.to_canonical().is_loopback())
                    && FORWARDING.iter().all(|name| !headers.contains_key(*name))
            }
            Rule::Token(token) => bearer(headers).is_some_and(|sent| same(sent, token)),
        }
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

/// Compares under a seed drawn for the occasion, so that the time taken tells nothing of the token.
fn same(sent: &str, token: &str) -> bool {
    let seed = RandomState::new();
    !token.is_empty() && seed.hash_one(sent) == seed.hash_one(token) && sent == token
}

impl Guard for Access {
    type Ticket = ();

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, ()> {
        let peer = head.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        if self.allows(peer, &head.headers) {
            return ControlFlow::Continue(());
        }
        let asks_for_token = matches!(self.0, Rule::Token(_));
        let kind = if asks_for_token { Kind::Unauthenticated } else { Kind::Forbidden };
        let rejection = Rejection::new(kind).detail("This is for the operators of the service.");
        let mut objection = object(head, Mode::Enforce, "access", "inner-routes", rejection);
        if let ControlFlow::Break(response) = &mut objection
            && asks_for_token
        {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        objection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    #[test]
    fn loopback_through_a_proxy_is_not_loopback() {
        let loopback = "127.0.0.1".parse().ok();
        assert!(Access::loopback().allows(loopback, &HeaderMap::new()));
        assert!(Access::loopback().allows("::ffff:127.0.0.1".parse().ok(), &HeaderMap::new()));
        assert!(!Access::loopback().allows("192.0.2.1".parse().ok(), &HeaderMap::new()));
        assert!(!Access::loopback().allows(None, &HeaderMap::new()));
        for name in FORWARDING {
            assert!(!Access::loopback().allows(loopback, &headers(name, "192.0.2.1")), "{name}");
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
            assert_eq!(access.allows(None, &headers("authorization", value)), opens, "{value}");
        }
        assert!(!Access::token("").allows(None, &headers("authorization", "Bearer ")));
        assert!(!Access::nobody().allows("127.0.0.1".parse().ok(), &HeaderMap::new()));
    }
}
