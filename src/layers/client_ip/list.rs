//! The lists to which proxies add, all lines of a header as one, from the right.

use http::{HeaderMap, HeaderName, header};

use super::{
    entry::Node,
    forwarded::{self, Hop},
};

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// A list to which each proxy adds whom it forwards for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Forwarding {
    /// `X-Forwarded-For`, with `X-Forwarded-Proto` and `X-Forwarded-Host`. The default.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Forwarding {
    pub(super) const fn header(self) -> HeaderName {
        match self {
            Self::XForwardedFor => X_FORWARDED_FOR,
            Self::Forwarded => header::FORWARDED,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "X-Forwarded-For",
            Self::Forwarded => "Forwarded",
        }
    }

    /// The one that a request comes with.
    pub(super) fn in_use(headers: &HeaderMap) -> Option<Self> {
        [Self::XForwardedFor, Self::Forwarded].into_iter().find(|list| headers.contains_key(list.header()))
    }

    /// Hands over the entries, the last first; `None` among them is one that does not parse.
    pub(super) fn read<'a, T>(
        self,
        headers: &'a HeaderMap,
        read: impl FnOnce(&mut dyn Iterator<Item = Option<Hop<'a>>>) -> T,
    ) -> T {
        match self {
            Self::XForwardedFor => {
                read(&mut entries(headers, &X_FORWARDED_FOR).map(|entry| Node::parse(entry).map(Hop::of)))
            }
            Self::Forwarded => read(&mut lines(headers, &header::FORWARDED).flat_map(forwarded::elements)),
        }
    }

    /// What stands beside an entry: in `Forwarded` it is part of it.
    pub(super) fn beside<'a>(self, headers: &'a HeaderMap, hop: Hop<'a>, hops: usize) -> Hop<'a> {
        match self {
            Self::XForwardedFor => Hop {
                proto: agreed(headers, &X_FORWARDED_PROTO, hops).map(Into::into),
                host: agreed(headers, &X_FORWARDED_HOST, hops).map(Into::into),
                ..hop
            },
            Self::Forwarded => hop,
        }
    }
}

/// What the proxies on the way say with one voice. Some add to these lists, some overwrite them, some hand them on: which of
/// several entries is whose nobody can tell, and what a client wrote may stand among as many as there are proxies.
pub(super) fn agreed<'a>(headers: &'a HeaderMap, name: &HeaderName, hops: usize) -> Option<&'a [u8]> {
    let mut near = entries(headers, name).take(hops.max(1));
    let nearest = near.next()?;
    near.all(|other| other.eq_ignore_ascii_case(nearest)).then_some(nearest)
}

fn entries<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    lines(headers, name).flat_map(|line| line.rsplit(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// Where all lines are empty, nobody has said anything. One that is empty beside others is an entry, of a proxy that had
/// nothing to say: skipped, it would leave the word to whoever wrote the line before it.
fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(name);
    let said = lines.iter().any(|line| !line.as_bytes().trim_ascii().is_empty());
    lines.iter().rev().map(|line| line.as_bytes()).filter(move |_| said)
}
