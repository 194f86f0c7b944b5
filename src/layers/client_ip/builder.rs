//! From what the operator says of his proxies to a [`ClientIpLayer`], or to every mistake in it.

use http::header;

use super::{
    ClientIpLayer, Forwarding, Platform, Rule, Way, cidr::parse_cidr, list::X_FORWARDED_FOR, walk::LONGEST_CHAIN,
};
use crate::ConfigError;

/// A [`ClientIpLayer`] in the making. Nothing is checked before [`build`](Self::build), which then names every mistake at once.
///
/// | said | the client is |
/// |---|---|
/// | nothing | the socket's peer |
/// | [`proxies`](Self::proxies) | the first entry from the right that is none of them |
/// | [`hops`](Self::hops) | that entry from the right |
/// | [`platform`](Self::platform) | the one address in the platform's header |
///
/// Together with one of the last two, `proxies` says from whom the header is believed; from all others it is not read, and
/// they are their own client.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ClientIpBuilder {
    proxies: Vec<String>,
    hops: Option<usize>,
    platform: Option<Platform>,
    list: Option<Forwarding>,
}

impl ClientIpBuilder {
    /// CIDRs or addresses of proxies: whom they forward for is believed.
    pub fn proxies<S: AsRef<str>>(mut self, proxies: impl IntoIterator<Item = S>) -> Self {
        self.proxies.extend(proxies.into_iter().map(|proxy| proxy.as_ref().to_owned()));
        self
    }

    /// How many proxies stand in front, whoever they are, each adding one entry: for those whose addresses change.
    ///
    /// **Only where nobody can reach the service past them**, or with [`proxies`](Self::proxies): who comes by fewer proxies
    /// than this writes his own address. A list with fewer entries makes the client unknown.
    pub const fn hops(mut self, hops: usize) -> Self {
        self.hops = Some(hops);
        self
    }

    /// The platform that the service runs behind. Read the warning at [`Platform`].
    pub fn platform(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }

    /// Which list the proxies write. [`Forwarding::XForwardedFor`] if nothing is said; the other is never read.
    pub const fn list(mut self, list: Forwarding) -> Self {
        self.list = Some(list);
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// Every entry that is neither a CIDR nor an address, a network that is everybody, no or too many hops, two ways at once.
    pub fn build(self) -> Result<ClientIpLayer, ConfigError> {
        let Self { proxies, hops, platform, list } = self;
        let mut error = ConfigError::default();
        let anybody = !proxies.is_empty() || hops.is_some() || platform.is_some();
        let proxies: Vec<_> = proxies.iter().filter_map(|text| error.keep(parse_cidr("trusted proxy", text))).collect();
        for net in proxies.iter().filter(|net| net.prefix_len() == 0) {
            error
                .push("trusted proxy", format_args!("`{net}` is everybody, who would be believed whatever they forge"));
        }
        match hops {
            Some(0) => {
                error.push("proxy hops", "are 0: without a proxy, say nothing, and the socket's peer is the client");
            }
            Some(hops) if hops > LONGEST_CHAIN => {
                error
                    .push("proxy hops", format_args!("are {hops}, and no list is read beyond {LONGEST_CHAIN} entries"));
            }
            _ => {}
        }
        if let Some(Platform { header, .. }) = &platform {
            if *header == X_FORWARDED_FOR || *header == header::FORWARDED {
                error.push(
                    "platform header",
                    format_args!("`{header}` is a list, and its first entry is the client's own"),
                );
            }
            if hops.is_some() {
                error.push(
                    "client address",
                    format_args!("is to come from `{header}` and from a count of hops: name one"),
                );
            }
            if let Some(list) = list {
                let list = list.name();
                error.push("client address", format_args!("is to come from `{header}` and from `{list}`: name one"));
            }
        }
        if let Some(list) = list.filter(|_| !anybody) {
            let list = list.name();
            error
                .push("client address", format_args!("is to come from `{list}`, and no proxy is named that writes it"));
        }
        let list = list.unwrap_or_default();
        let way = match (platform, hops) {
            (Some(platform), _) => Some(Way::Header(platform)),
            (None, Some(hops)) => Some(Way::Count(list, hops)),
            (None, None) => (!proxies.is_empty()).then_some(Way::Walk(list)),
        };
        error.or(ClientIpLayer::of(way.map(|way| Rule { proxies, way })))
    }
}
