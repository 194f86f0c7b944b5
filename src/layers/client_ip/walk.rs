//! From the near end of a list to the client. There is no HTTP in here.

use std::net::IpAddr;

use super::forwarded::Hop;

/// More entries than any honest chain has; a longer one is not walked further.
pub(super) const LONGEST_CHAIN: usize = 32;

/// Where a walk ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stop<'a> {
    /// The entry, its writer trusted. `None` is one that does not parse, or none where one must be.
    pub(super) hop: Option<Hop<'a>>,
    /// Entries read, this one included.
    pub(super) hops: usize,
}

impl Stop<'_> {
    pub(super) fn addr(&self) -> Option<IpAddr> {
        self.hop.as_ref().and_then(|hop| hop.node.addr())
    }
}

/// The first entry that is no trusted proxy, or the last there is. `None` where there is none at all.
pub(super) fn to_stranger<'a>(
    entries: impl Iterator<Item = Option<Hop<'a>>>,
    trusts: impl Fn(IpAddr) -> bool,
) -> Option<Stop<'a>> {
    let mut stop = None;
    for (index, hop) in entries.enumerate() {
        let found = Stop { hop: hop.filter(|_| index < LONGEST_CHAIN), hops: index + 1 };
        let goes_on = found.addr().is_some_and(&trusts);
        stop = Some(found);
        if !goes_on {
            break;
        }
    }
    stop
}

/// The entry that stands so many places from the near end, all on the way to it being readable.
pub(super) fn by_count<'a>(entries: impl Iterator<Item = Option<Hop<'a>>>, hops: usize) -> Stop<'a> {
    let mut read = 0;
    let mut last = None;
    for hop in entries.take(hops) {
        read += 1;
        last = hop;
        if last.is_none() {
            break;
        }
    }
    Stop { hop: last.filter(|_| read == hops), hops: read }
}

#[cfg(test)]
mod tests {
    use super::{super::entry::Node, *};

    fn entries(texts: &[&str]) -> impl Iterator<Item = Option<Hop<'static>>> {
        texts.iter().rev().map(|text| Node::parse(text.as_bytes()).map(Hop::of))
    }

    #[test]
    fn counting_needs_every_entry_on_its_way_and_none_beyond() {
        for (texts, hops, expected) in [
            (&["192.0.2.1"][..], 1, Some("192.0.2.1")),
            (&["6.6.6.6", "192.0.2.1"], 1, Some("192.0.2.1")),
            (&["garbage", "192.0.2.1", "10.0.0.1"], 2, Some("192.0.2.1")),
            (&["192.0.2.1", "_hidden"], 2, Some("192.0.2.1")),
            (&["192.0.2.1", "garbage"], 2, None),
            (&["192.0.2.1"], 2, None),
            (&["_hidden", "10.0.0.1"], 2, None),
            (&[], 1, None),
        ] {
            let stop = by_count(entries(texts), hops);
            assert_eq!(stop.addr(), expected.map(|addr| addr.parse().unwrap()), "{texts:?} {hops}");
        }
    }

    #[test]
    fn walking_ends_where_trust_or_sense_does() {
        let trusts = |addr: IpAddr| addr.to_string().starts_with("10.");
        for (texts, expected, hops) in [
            (&["6.6.6.6", "192.0.2.1"][..], Some("192.0.2.1"), 1),
            (&["6.6.6.6", "192.0.2.1", "10.0.0.1"], Some("192.0.2.1"), 2),
            (&["10.0.0.2", "10.0.0.1"], Some("10.0.0.2"), 2),
            (&["192.0.2.1", "_hidden"], None, 1),
            (&["192.0.2.1", "garbage", "10.0.0.1"], None, 2),
        ] {
            let stop = to_stranger(entries(texts), trusts).unwrap();
            assert_eq!((stop.addr(), stop.hops), (expected.map(|addr| addr.parse().unwrap()), hops), "{texts:?}");
        }
        assert_eq!(to_stranger(entries(&[]), trusts), None);
        let endless = ["10.0.0.1"; 100];
        assert_eq!(to_stranger(entries(&endless), trusts), Some(Stop { hop: None, hops: LONGEST_CHAIN + 1 }));
    }
}
