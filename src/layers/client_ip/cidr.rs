//! Networks as operators write them.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::ConfigError;

pub(crate) fn parse_cidr(place: &str, text: &str) -> Result<IpNet, ConfigError> {
    let text = text.trim();
    let parsed = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let net: IpNet = parsed.map_err(|_| {
        ConfigError::new(place, format_args!("`{text}` is no CIDR or address, such as `10.0.0.0/8` or `::1`"))
    })?;
    Ok(fold(net.trunc()))
}

/// An IPv4-mapped network is the IPv4 network: that is how addresses are folded before they are looked up.
fn fold(net: IpNet) -> IpNet {
    match (net.addr().to_canonical(), net.prefix_len().checked_sub(96)) {
        (four @ IpAddr::V4(_), Some(bits)) if matches!(net, IpNet::V6(_)) => IpNet::new(four, bits).unwrap_or(net),
        _ => net,
    }
}
