//! Who is counted.

use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

use http::{HeaderName, request::Parts};

use crate::Facts;

type Custom = dyn Fn(&Parts) -> Option<String> + Send + Sync;

/// Who is counted together.
#[derive(Debug, Clone)]
pub struct Key(Which);

#[derive(Clone)]
enum Which {
    Address,
    Principal,
    PrincipalOrAddress,
    Organisation,
    Header(HeaderName),
    Custom(Arc<Custom>),
}

impl Key {
    /// The client's address: IPv4 whole, IPv6 by its /64.
    #[must_use]
    pub fn address() -> Self {
        Self(Which::Address)
    }

    /// The principal's id.
    #[must_use]
    pub fn principal() -> Self {
        Self(Which::Principal)
    }

    /// The principal's id; the address of a caller that is not known.
    #[must_use]
    pub fn principal_or_address() -> Self {
        Self(Which::PrincipalOrAddress)
    }

    /// The principal's organisation.
    #[must_use]
    pub fn organisation() -> Self {
        Self(Which::Organisation)
    }

    /// The value of a request header, which must not be one that the client may choose freely.
    #[must_use]
    pub fn header(name: HeaderName) -> Self {
        Self(Which::Header(name))
    }

    /// Whatever the closure finds in the head.
    #[must_use]
    pub fn custom(find: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Which::Custom(Arc::new(find)))
    }

    /// The hash under which this request is counted. Requests without a key share one.
    pub(super) fn hash(&self, seed: &impl BuildHasher, head: &Parts, facts: &Facts) -> u64 {
        let mut hasher = seed.build_hasher();
        match &self.0 {
            Which::Address => address(facts).hash(&mut hasher),
            Which::Principal => facts.principal().map(crate::principal::Principal::id).hash(&mut hasher),
            Which::PrincipalOrAddress => match facts.principal() {
                Some(caller) => (true, caller.id()).hash(&mut hasher),
                None => (false, address(facts)).hash(&mut hasher),
            },
            Which::Organisation => facts.principal().and_then(|caller| caller.organisation_name()).hash(&mut hasher),
            Which::Header(name) => head.headers.get(name).map(http::HeaderValue::as_bytes).hash(&mut hasher),
            Which::Custom(find) => find(head).hash(&mut hasher),
        }
        hasher.finish()
    }
}

/// An IPv6 customer has a whole /64 to choose from, so that is one key.
fn address(facts: &Facts) -> Option<IpAddr> {
    facts.client()?.addr().map(|addr| match addr {
        IpAddr::V4(_) => addr,
        IpAddr::V6(six) => IpAddr::from((six.to_bits() >> 64 << 64).to_be_bytes()),
    })
}

impl fmt::Debug for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("address"),
            Self::Principal => f.write_str("principal"),
            Self::PrincipalOrAddress => f.write_str("principal or address"),
            Self::Organisation => f.write_str("organisation"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Custom(_) => f.write_str("custom"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
