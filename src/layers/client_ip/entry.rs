//! One address as proxies write it. There is no HTTP in here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a proxy wrote where the address before it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Addr(IpAddr),
    /// `unknown`, or a name in place of the address, such as `_gateway` (RFC 7239, 6.2 and 6.3).
    Hidden,
}

impl Node {
    /// `None` for what is neither.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        address(text).map(Self::Addr).or_else(|| is_hidden(text).then_some(Self::Hidden))
    }

    pub(super) const fn addr(self) -> Option<IpAddr> {
        match self {
            Self::Addr(addr) => Some(addr),
            Self::Hidden => None,
        }
    }
}

/// `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:443`, IPv4-mapped ones folded.
///
/// No zone: it means something on the proxy alone, and two clients on two of its links may have the same address.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let addr = if let Some(rest) = text.strip_prefix('[') {
        let (six, port) = rest.split_once(']')?;
        let bare = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        IpAddr::V6(six.parse::<Ipv6Addr>().ok().filter(|_| bare)?)
    } else if let Some((four, port)) = text.split_once(':').filter(|(_, rest)| !rest.contains(':')) {
        IpAddr::V4(four.parse::<Ipv4Addr>().ok().filter(|_| is_port(port))?)
    } else {
        text.parse().ok()?
    };
    Some(addr.to_canonical())
}

/// `2001:db8::1:443`: the last number is a port, brackets or not.
pub(super) fn address_with_port(text: &str) -> Option<IpAddr> {
    let (addr, _) = text.rsplit_once(':').filter(|(_, port)| is_port(port))?;
    let bare = addr.strip_prefix('[').map_or(Some(addr), |rest| rest.strip_suffix(']'))?;
    bare.parse().ok().map(|addr: IpAddr| addr.to_canonical())
}

fn is_hidden(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "0"));
    (name.eq_ignore_ascii_case("unknown") || is_obfuscated(name)) && is_port(port)
}

/// A number, or a name in its place (RFC 7239, 6).
fn is_port(text: &str) -> bool {
    let is_number = || text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
    is_number() || is_obfuscated(text)
}

fn is_obfuscated(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    text.strip_prefix('_').is_some_and(is_name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_read_in_every_form_that_proxies_write() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:0", "192.0.2.1"),
            ("192.0.2.1:65535", "192.0.2.1"),
            ("192.0.2.1:_port", "192.0.2.1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::", "::"),
            ("::1", "::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:c000:201]:443", "192.0.2.1"),
        ] {
            assert_eq!(address(text), expected.parse().ok(), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_an_address_is_none() {
        for text in [
            "",
            ":",
            "[",
            "[]",
            "]",
            "192.0.2",
            "192.0.2.1.",
            "192.0.2.256",
            "010.0.0.1",
            "0x7f.0.0.1",
            "2130706433",
            "127.1",
            "192.0.2.1:",
            "192.0.2.1:65536",
            "192.0.2.1:+80",
            "192.0.2.1:000080",
            "[192.0.2.1]",
            "192.0.2.1]",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]443",
            "[2001:db8::1]:",
            "fe80::1%eth0",
            "[fe80::1%2]:80",
            "192.0.2.1/32",
            "192.0.2.1 ",
            "192.0.2.1\0",
            "localhost",
            "\u{661}\u{669}\u{662}.0.2.1",
        ] {
            assert_eq!(Node::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Node::parse(b"192.0.2.1\xff"), None);
    }

    #[test]
    fn who_is_hidden_is_told_from_who_is_malformed() {
        for text in ["unknown", "UNKNOWN", "unknown:80", "_hidden", "_a.b-c_d", "_gw:_port"] {
            assert_eq!(Node::parse(text.as_bytes()), Some(Node::Hidden), "{text}");
        }
        for text in ["hidden", "_", "_a b", "_a/b", "unknown:", "unknown:99999", "_gw:_", "unknown.example"] {
            assert_eq!(Node::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_last_number_is_the_port_where_there_always_is_one() {
        for (text, expected) in [
            ("198.51.100.10:46532", Some("198.51.100.10")),
            ("2001:db8::1:443", Some("2001:db8::1")),
            ("2001:db8:0:0:0:0:0:1:443", Some("2001:db8::1")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("::ffff:192.0.2.1:443", Some("192.0.2.1")),
            ("198.51.100.10", None),
            ("[2001:db8::1", None),
            ("2001:db8::1:", None),
            ("", None),
        ] {
            assert_eq!(address_with_port(text), expected.and_then(|addr| addr.parse().ok()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_address_survives_every_writing(addr: IpAddr, port: u16) {
            let expected = Some(addr.to_canonical());
            prop_assert_eq!(address(&addr.to_string()), expected);
            let with_port = std::net::SocketAddr::new(addr, port).to_string();
            prop_assert_eq!(address(&with_port), expected);
            prop_assert_eq!(address_with_port(&with_port), expected);
            prop_assert_eq!(address_with_port(&format!("{addr}:{port}")), expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text in "[\\[\\]:.%0-9a-f_]{0,20}") {
            let _ = Node::parse(&bytes);
            let _ = (Node::parse(text.as_bytes()), address_with_port(&text));
        }
    }
}
