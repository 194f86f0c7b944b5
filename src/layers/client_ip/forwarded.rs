//! The elements of a `Forwarded` line (RFC 7239, 4), from the right. There is no policy in here.
//!
//! They are split from the right, because that is where the trusted ones stand: read from the left, a quote that a client
//! opens and does not close would swallow what the proxies have added.

use std::{borrow::Cow, iter};

use super::entry::Node;

/// What one proxy says of whom it forwards for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hop<'a> {
    pub(super) node: Node,
    pub(super) proto: Option<Cow<'a, [u8]>>,
    pub(super) host: Option<Cow<'a, [u8]>>,
}

impl Hop<'_> {
    pub(super) const fn of(node: Node) -> Self {
        Self { node, proto: None, host: None }
    }
}

/// The elements of a line, the last first; `None` is a malformed one, and nothing left of it means anything.
pub(super) fn elements(line: &[u8]) -> impl Iterator<Item = Option<Hop<'_>>> {
    let mut rest = Some(line);
    iter::from_fn(move || {
        let line = rest?;
        let last = match last_comma(line) {
            Some(comma) => {
                rest = Some(&line[..comma]);
                &line[comma + 1..]
            }
            None => rest.take()?,
        };
        Some(element(last.trim_ascii()))
    })
}

/// The last comma that stands in no quotes.
fn last_comma(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    for (place, byte) in line.iter().enumerate().rev() {
        match byte {
            b'"' if !(quoted && is_escaped(&line[..place])) => quoted = !quoted,
            b',' if !quoted => return Some(place),
            _ => {}
        }
    }
    None
}

fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// `for=192.0.2.60;proto=https;host=app.example`. More lenient than the grammar in two points that proxies in use need: space
/// around a semicolon, and an address with colons or brackets that is not quoted.
fn element(text: &[u8]) -> Option<Hop<'_>> {
    if text.is_empty() {
        return None;
    }
    let (mut node, mut by, mut proto, mut host) = (None, None, None, None);
    let mut rest = text;
    while let Some(first) = rest.first() {
        if *first == b';' {
            rest = rest[1..].trim_ascii_start();
            continue;
        }
        let end = rest.iter().position(|byte| !is_token(*byte)).filter(|end| *end > 0 && rest[*end] == b'=')?;
        let (name, (text, after)) = (&rest[..end], value(&rest[end + 1..])?);
        let place = match name {
            name if name.eq_ignore_ascii_case(b"for") => Some(&mut node),
            name if name.eq_ignore_ascii_case(b"by") => Some(&mut by),
            name if name.eq_ignore_ascii_case(b"proto") => Some(&mut proto),
            name if name.eq_ignore_ascii_case(b"host") => Some(&mut host),
            _ => None,
        };
        // Each of them at most once (RFC 7239, 4).
        if place.is_some_and(|place| place.replace(text).is_some()) {
            return None;
        }
        rest = after.trim_ascii_start();
        if rest.first().is_some_and(|next| *next != b';') {
            return None;
        }
    }
    // An element need not say for whom.
    let node = node.map_or(Some(Node::Hidden), |node| Node::parse(&node))?;
    Some(Hop { node, proto, host })
}

/// A token or a quoted string, and what follows it.
fn value(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| !is_token(*byte) && !matches!(byte, b':' | b'[' | b']'));
        let (token, after) = text.split_at(end.unwrap_or(text.len()));
        return (!token.is_empty()).then_some((Cow::Borrowed(token), after));
    };
    let mut bytes = quoted.iter().enumerate();
    while let Some((place, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((unescape(&quoted[..place]), &quoted[place + 1..])),
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    None
}

fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut escaped = false;
    let keep = |byte: &u8| {
        escaped = *byte == b'\\' && !escaped;
        !escaped
    };
    Cow::Owned(text.iter().copied().filter(keep).collect())
}

/// RFC 9110, 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn addr(text: &str) -> Node {
        Node::Addr(text.parse().unwrap())
    }

    fn nodes(line: &[u8]) -> Vec<Option<Node>> {
        elements(line).map(|hop| hop.map(|hop| hop.node)).collect()
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for (line, expected) in [
            ("for=\"_gazonk\"", vec![Some(Node::Hidden)]),
            ("For=\"[2001:db8:cafe::17]:4711\"", vec![Some(addr("2001:db8:cafe::17"))]),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", vec![Some(addr("192.0.2.60"))]),
            ("for=192.0.2.43, for=198.51.100.17", vec![Some(addr("198.51.100.17")), Some(addr("192.0.2.43"))]),
            (
                "for=192.0.2.43,for=\"[2001:db8:cafe::17]\",for=unknown",
                vec![Some(Node::Hidden), Some(addr("2001:db8:cafe::17")), Some(addr("192.0.2.43"))],
            ),
            ("for=_hidden, for=_SEVKISEK", vec![Some(Node::Hidden); 2]),
        ] {
            assert_eq!(nodes(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn parameters_are_read_in_any_order_case_and_quoting() {
        for line in [
            "for=192.0.2.1;proto=https;host=app.example",
            "HOST=\"app.example\" ; PROTO=\"https\" ;FOR=\"192.0.2.1\"",
            "by=_x;;secret=\"a, b; for=6.6.6.6\";host=app.example;for=192.0.2.1:80;proto=https;",
            "host=\"app\\.exa\\mple\";proto=\"ht\\tps\";for=\"192\\.0.2.1\"",
        ] {
            let hop = elements(line.as_bytes()).next().flatten();
            let hop = hop.unwrap_or_else(|| panic!("malformed: {line}"));
            assert_eq!(hop.node, addr("192.0.2.1"), "{line}");
            assert_eq!((hop.proto.as_deref(), hop.host.as_deref()), (Some(&b"https"[..]), Some(&b"app.example"[..])));
        }
    }

    #[test]
    fn a_malformed_element_is_none() {
        for line in [
            "",
            " ",
            "for",
            "for=",
            "=192.0.2.1",
            "for =192.0.2.1",
            "for= 192.0.2.1",
            "for=192.0.2.1 proto=http",
            "for=192.0.2.1;for=192.0.2.1",
            "proto=http;proto=https",
            "for=\"192.0.2.1",
            "for=192.0.2.1\"",
            "for=\"192.0.2.1\"x",
            "for=\"192.0.2.1\\\"",
            "for=2001:db8::1%1",
            "for=192.0.2.1;proto=\"",
            "192.0.2.1",
            "for=192.0.2.999",
            "for='192.0.2.1'",
            "for=\"\"",
            "for=192.0.2.1;x",
        ] {
            assert_eq!(nodes(line.as_bytes()), [None], "{line}");
        }
    }

    #[test]
    fn a_quote_that_a_client_leaves_open_swallows_nothing() {
        for spoof in
            ["for=\"6.6.6.6", "for=\"", "for=\"\\", "\"", "\\\"", "for=6.6.6.6;host=\"a", "for=\"a\\\\\\", "\"\"\""]
        {
            let line = format!("{spoof}, for=192.0.2.1, for=\"[2001:db8::1]\"");
            assert_eq!(nodes(line.as_bytes())[..2], [Some(addr("2001:db8::1")), Some(addr("192.0.2.1"))], "{line}");
        }
    }

    /// A value in quotes, everything in it escaped that may be.
    fn quoted(text: &str) -> String {
        let escaped: String = text.chars().flat_map(|char| ['\\', char]).collect();
        format!("\"{escaped}\"")
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            addr: std::net::IpAddr, port: Option<u16>, escape: bool, host in "[a-z,;\"\\\\= ]{0,12}", left: Vec<u8>,
        ) {
            let bare = if addr.is_ipv6() { format!("[{addr}]") } else { addr.to_string() };
            let node = port.map_or(bare.clone(), |port| format!("{bare}:{port}"));
            let node = if escape { quoted(&node) } else { format!("\"{node}\"") };
            let own = format!(", host={};for={node};proto=https", quoted(&host));
            let line = [&left[..], own.as_bytes()].concat();
            let hop = elements(&line).next().flatten();
            let expected = Hop {
                node: Node::Addr(addr.to_canonical()),
                proto: Some(b"https".into()),
                host: Some(host.as_bytes().into()),
            };
            prop_assert_eq!(hop, Some(expected));
        }

        #[test]
        fn no_bytes_make_it_panic_or_go_on_forever(bytes: Vec<u8>, text in "[fory=\",;\\\\ 0-9.:\\[\\]_]{0,60}") {
            prop_assert!(elements(&bytes).count() <= bytes.len() + 1);
            prop_assert!(elements(text.as_bytes()).count() <= text.len() + 1);
        }
    }
}
