//! Whose word is taken.

use crate::Facts;

/// Whose word about a request is taken: which id it has, which trace it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Trust {
    /// Nobody's: what comes in is overwritten.
    Nobody,
    /// That of the proxies which the [client address](crate::client_ip) trusts. The default.
    #[default]
    Proxies,
    /// Everybody's. Who sends the same id or trace again and again makes two requests look like one.
    UnsafeEverybody,
}

impl Trust {
    /// Whether the word of whoever sent this request is taken.
    pub(crate) fn takes(self, facts: &Facts) -> bool {
        match self {
            Self::Nobody => false,
            Self::Proxies => facts.client().is_some_and(|client| client.is_peer_trusted()),
            Self::UnsafeEverybody => true,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "from nobody",
            Self::Proxies => "only from a trusted proxy",
            Self::UnsafeEverybody => "from everybody",
        }
    }
}
