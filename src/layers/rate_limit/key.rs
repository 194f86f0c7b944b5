//! Who is counted.

use std::{
    borrow::Cow,
    fmt,
    hash::{BuildHasher, Hash, Hasher},
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use http::{HeaderName, header, request::Parts};

use super::caller::Caller;

type Custom = dyn Fn(&Parts) -> Option<String> + Send + Sync;

/// Who is counted together.
///
/// Of every key only a hash is kept, under a seed of the operating system's: an API key in a header is not stored, and
/// nobody can choose keys that fall together.
#[derive(Debug, Clone)]
pub struct Key(Which);

#[derive(Clone)]
enum Which {
    Address,
    Principal,
    PrincipalOrAddress,
    Organisation,
    Header(HeaderName),
    Cookie(Arc<str>),
    Every(Arc<[Key]>),
    Custom(Arc<Custom>),
}

/// The hashes a request is counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hashes {
    pub(super) key: u64,
    /// The /48 around an IPv6 address, which is counted too.
    pub(super) around: Option<u64>,
    /// Whether the request had what the key asks for.
    pub(super) found: bool,
}

impl Key {
    /// The client's address: IPv4 whole, IPv6 by its /64 and, with sixteen times the quota, by its /48.
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

    /// The value of a request header, such as an API key. Whoever may choose the value freely has no limit.
    #[must_use]
    pub fn header(name: HeaderName) -> Self {
        Self(Which::Header(name))
    }

    /// The value of a cookie. Whoever may choose the value freely has no limit.
    #[must_use]
    pub fn cookie(name: impl Into<Arc<str>>) -> Self {
        Self(Which::Cookie(name.into()))
    }

    /// All of these together: a user on a device, an address in a tenant.
    #[must_use]
    pub fn every(keys: impl IntoIterator<Item = Self>) -> Self {
        Self(Which::Every(keys.into_iter().collect()))
    }

    /// Whatever the closure finds in the head.
    #[must_use]
    pub fn custom(find: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Which::Custom(Arc::new(find)))
    }

    pub(super) fn hashes(&self, seed: &impl BuildHasher, head: &Parts, caller: Caller<'_>) -> Hashes {
        let mut hasher = seed.build_hasher();
        let found = self.write(&mut hasher, head, caller);
        let around = self.address_counted(caller).and_then(|addr| match addr {
            IpAddr::V6(six) => Some(network(seed, six)),
            IpAddr::V4(_) => None,
        });
        Hashes { key: hasher.finish(), around, found }
    }

    /// Whether it is the address that is counted, at times at least: then the network around it is too.
    pub(super) const fn may_be_address(&self) -> bool {
        matches!(self.0, Which::Address | Which::PrincipalOrAddress)
    }

    /// The hashes of a caller who is named and not on the line.
    pub(super) fn hashes_of(&self, seed: &impl BuildHasher, subjects: &[Subject<'_>]) -> Hashes {
        let around = match subjects {
            [Subject(Who::Address(IpAddr::V6(six)))] if self.may_be_address() => Some(network(seed, *six)),
            _ => None,
        };
        Hashes { key: Self::hash_of(seed, subjects), around, found: true }
    }

    /// The hash of a caller, without the network around it.
    pub(super) fn hash_of(seed: &impl BuildHasher, subjects: &[Subject<'_>]) -> u64 {
        let mut hasher = seed.build_hasher();
        for subject in subjects {
            Some(subject).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Writes who is calling into the hash. Answers whether the request says so.
    fn write(&self, hasher: &mut impl Hasher, head: &Parts, caller: Caller<'_>) -> bool {
        let principal = || caller.principal();
        let subject = match &self.0 {
            Which::Address => address(caller),
            Which::Principal => principal().map(|principal| Subject::principal(principal.id())),
            Which::PrincipalOrAddress => {
                principal().map(|principal| Subject::principal(principal.id())).or_else(|| address(caller))
            }
            Which::Organisation => {
                principal().and_then(|principal| principal.organisation_name()).map(Subject::organisation)
            }
            Which::Header(name) => head.headers.get(name).map(|value| Subject::value(value.as_bytes())),
            Which::Cookie(name) => cookie(head, name).map(|value| Subject::value(value.as_bytes())),
            Which::Custom(find) => find(head).map(|value| Subject(Who::Value(value.into_bytes().into()))),
            // Every part is written, missing or not, so that no two callers read the same.
            Which::Every(keys) => {
                let found = keys.iter().map(|key| key.write(hasher, head, caller));
                return found.filter(|found| !found).count() == 0;
            }
        };
        subject.hash(hasher);
        subject.is_some()
    }

    /// The address, where it is what is counted.
    fn address_counted(&self, caller: Caller<'_>) -> Option<IpAddr> {
        match self.0 {
            Which::Address => caller.address(),
            Which::PrincipalOrAddress if caller.principal().is_none() => caller.address(),
            _ => None,
        }
    }
}

/// A caller by name, as a [`Key`] finds it in a request: to look a quota up, or to give it back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject<'a>(Who<'a>);

/// Its kind is part of the hash: nobody can be given a name that reads like another's address.
#[derive(Clone, PartialEq, Eq)]
enum Who<'a> {
    Address(IpAddr),
    Principal(Cow<'a, str>),
    Organisation(Cow<'a, str>),
    Value(Cow<'a, [u8]>),
}

/// As derived, but for an address, which is most that are hashed: one or two words.
impl Hash for Who<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let (kind, text): (u8, &[u8]) = match self {
            Self::Address(IpAddr::V4(four)) => return hasher.write_u64(1 << 32 | u64::from(four.to_bits())),
            // Of its /64, the rest is zeros.
            Self::Address(IpAddr::V6(six)) => return hasher.write_u128(six.to_bits()),
            Self::Principal(id) => (1, id.as_bytes()),
            Self::Organisation(name) => (2, name.as_bytes()),
            Self::Value(value) => (3, value),
        };
        hasher.write_u8(kind);
        text.hash(hasher);
    }
}

impl<'a> Subject<'a> {
    /// Of [`Key::address`]. An IPv6 customer has a whole /64 to choose from, so that is one key.
    pub fn address(addr: IpAddr) -> Self {
        Self(Who::Address(match addr.to_canonical() {
            IpAddr::V6(six) => prefix(six, 64).into(),
            four @ IpAddr::V4(_) => four,
        }))
    }

    /// Of [`Key::principal`].
    pub fn principal(id: &'a str) -> Self {
        Self(Who::Principal(id.into()))
    }

    /// Of [`Key::organisation`].
    pub fn organisation(name: &'a str) -> Self {
        Self(Who::Organisation(name.into()))
    }

    /// Of [`Key::header`], [`Key::cookie`] and [`Key::custom`].
    pub fn value(value: &'a [u8]) -> Self {
        Self(Who::Value(value.into()))
    }
}

/// A value may be a secret.
impl fmt::Debug for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(addr) => write!(f, "address {addr}"),
            Self::Principal(id) => write!(f, "principal {id:?}"),
            Self::Organisation(name) => write!(f, "organisation {name:?}"),
            Self::Value(value) => write!(f, "a value of {} bytes", value.len()),
        }
    }
}

fn address(caller: Caller<'_>) -> Option<Subject<'static>> {
    caller.address().map(Subject::address)
}

/// The hash of the /48 around an address.
fn network(seed: &impl BuildHasher, six: Ipv6Addr) -> u64 {
    seed.hash_one((48_u8, prefix(six, 48)))
}

fn prefix(six: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(six.to_bits() & (u128::MAX << (128 - bits)))
}

fn cookie<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    let lines = head.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

impl fmt::Debug for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("address"),
            Self::Principal => f.write_str("principal"),
            Self::PrincipalOrAddress => f.write_str("principal or address"),
            Self::Organisation => f.write_str("organisation"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
            Self::Every(keys) => {
                let parts: Vec<_> = keys.iter().map(ToString::to_string).collect();
                f.write_str(&parts.join(" and "))
            }
            Self::Custom(_) => f.write_str("custom key"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
