//! Whom a limit counts.

use std::net::IpAddr;

use http::request::Parts;

use crate::{Facts, Principal};

/// What is known of a caller: the facts, or where no guard before has left any, the socket's peer and nothing more. A
/// limit that stands alone then costs no facts.
#[derive(Clone, Copy)]
pub(super) enum Caller<'a> {
    Known(&'a Facts),
    Peer(Option<IpAddr>),
}

impl<'a> Caller<'a> {
    pub(super) fn of(facts: Option<&'a Facts>, head: &Parts) -> Self {
        facts.map_or_else(|| Self::Peer(Facts::peer_of(&head.extensions)), Self::Known)
    }

    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Known(facts) => facts.address(),
            Self::Peer(addr) => addr,
        }
    }

    pub(super) fn principal(self) -> Option<&'a Principal> {
        self.facts().and_then(Facts::principal)
    }

    pub(super) const fn facts(self) -> Option<&'a Facts> {
        match self {
            Self::Known(facts) => Some(facts),
            Self::Peer(_) => None,
        }
    }
}
