//! Who a load balancer says is connected: the header of the PROXY protocol, versions 1 and 2, as `HAProxy` specifies it.
//!
//! Of a header only the client's address is taken. Its other end, its TLVs and their checksum are not looked at.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use bytes::{Buf as _, BytesMut};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

/// "the maximum line lengths the receiver must support including the CRLF" (2.1).
const LONGEST_LINE: usize = 107;

/// A version 2 header may say 65,551 of itself. With every TLV that balancers add, real ones stay far below this.
const LONGEST: usize = 4096;

const LINE: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    /// `None` where the balancer speaks for itself, or for a client without an address.
    client: Option<SocketAddr>,
    /// Bytes of the header; what follows belongs to the client.
    length: usize,
}

/// Reads a header, and nothing but bytes of the connection that came with it: those stay in `ahead`.
pub(super) async fn read(stream: &mut TcpStream, ahead: &mut BytesMut) -> io::Result<Option<SocketAddr>> {
    let malformed = |problem| io::Error::new(io::ErrorKind::InvalidData, problem);
    loop {
        if let Some(header) = parse(ahead).map_err(malformed)? {
            ahead.advance(header.length);
            return Ok(header.client);
        }
        if stream.read_buf(ahead).await? == 0 {
            // Balancers look whether a port is open by opening it.
            let cut = if ahead.is_empty() { io::ErrorKind::ConnectionAborted } else { io::ErrorKind::UnexpectedEof };
            return Err(cut.into());
        }
    }
}

/// The decision: the header at the front of `bytes`, `None` while more of it must come, or what is wrong with it.
fn parse(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(byte, expected)| byte == expected);
    if begins(SIGNATURE) {
        parse_binary(bytes)
    } else if begins(LINE) {
        parse_line(bytes)
    } else {
        Err("it begins like no PROXY header")
    }
}

fn parse_line(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    let Some(end) = bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
        return if bytes.len() < LONGEST_LINE { Ok(None) } else { Err("its line is longer than 107 bytes") };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or("its line ends without a carriage return")?;
    let rest = line.strip_prefix(LINE).ok_or("its line is broken early")?;
    // After `UNKNOWN`, whatever stands there is to be ignored.
    let client = if rest == b"UNKNOWN" || rest.starts_with(b"UNKNOWN ") {
        None
    } else {
        let text = str::from_utf8(rest).map_err(|_| "its line is no text")?;
        match text.split_once(' ') {
            Some(("TCP4", ends)) => Some(client_of::<Ipv4Addr>(ends)?),
            Some(("TCP6", ends)) => Some(client_of::<Ipv6Addr>(ends)?),
            _ => return Err("its line is for neither TCP4, TCP6 nor UNKNOWN"),
        }
    };
    Ok(Some(Header { client, length: end + 1 }))
}

fn client_of<A: FromStr + Into<IpAddr>>(ends: &str) -> Result<SocketAddr, &'static str> {
    let mut words = ends.split(' ');
    let mut word = || words.next().ok_or("its line misses an address or a port");
    let (client, server, client_port, server_port) = (word()?, word()?, word()?, word()?);
    if words.next().is_some() {
        return Err("its line goes on after the ports");
    }
    let addr = |text: &str| text.parse::<A>().map_err(|_| "its line has an address that is none of its family");
    addr(server)?;
    port(server_port)?;
    Ok(SocketAddr::new(addr(client)?.into(), port(client_port)?))
}

fn port(text: &str) -> Result<u16, &'static str> {
    // `FromStr` would take a sign, and zeros in front.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain).ok_or("its line has a port that is none")
}

fn parse_binary(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    let Some((&[.., version_and_command, family, high, low], rest)) = bytes.split_first_chunk::<16>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if 16 + length > LONGEST {
        return Err("it says that it is longer than 4096 bytes");
    }
    let local = match version_and_command {
        0x20 => true,
        0x21 => false,
        _ => return Err("its version or its command is unknown"),
    };
    let Some(block) = rest.get(..length) else { return Ok(None) };
    let client = match family {
        // The family of what the balancer says for itself is to be ignored.
        _ if local => None,
        0x11 => Some(client_in::<4>(block)?),
        0x21 => Some(client_in::<16>(block)?),
        // Unspecified, a Unix socket, datagrams: assigned, and no address of a client over TCP.
        _ if family >> 4 <= 3 && family & 0xF <= 2 => None,
        _ => return Err("its address family or transport is not assigned"),
    };
    Ok(Some(Header { client, length: 16 + length }))
}

/// Two addresses of so many bytes, then two ports: the client's come first.
fn client_in<const N: usize>(block: &[u8]) -> Result<SocketAddr, &'static str>
where
    [u8; N]: Into<IpAddr>,
{
    let short = "it is too short for its addresses";
    let (client, rest) = block.split_first_chunk::<N>().ok_or(short)?;
    let (_, ports) = rest.split_first_chunk::<N>().ok_or(short)?;
    let &[high, low, _, _, ..] = ports else { return Err(short) };
    Ok(SocketAddr::new((*client).into(), u16::from_be_bytes([high, low])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn binary(version_and_command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[version_and_command, family], &length, block].concat()
    }

    const FOUR: &[u8] = &[192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0, 80];

    fn six() -> Vec<u8> {
        let (client, server): (Ipv6Addr, Ipv6Addr) = ("2001:db8::7".parse().unwrap(), "2001:db8::1".parse().unwrap());
        [&client.octets()[..], &server.octets(), &[0x12, 0x67, 0, 80]].concat()
    }

    /// Headers in good order, with the client that each names.
    fn good() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(LONGEST_LINE - 16));
        let with_tlv = [FOUR, &[0x04, 0, 3, 1, 2, 3]].concat();
        vec![
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n".to_vec(), Some("192.0.2.7:4711")),
            (b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n".to_vec(), Some("[2001:db8::7]:4711")),
            (b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n".to_vec(), Some("0.0.0.0:0")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN 192.0.2.7 \xff\r not for us\r\n".to_vec(), None),
            (longest.into_bytes(), None),
            (binary(0x21, 0x11, FOUR), Some("192.0.2.7:4711")),
            (binary(0x21, 0x11, &with_tlv), Some("192.0.2.7:4711")),
            (binary(0x21, 0x21, &six()), Some("[2001:db8::7]:4711")),
            (binary(0x20, 0x00, &[]), None),
            (binary(0x20, 0x11, FOUR), None),
            (binary(0x20, 0xff, &[1, 2]), None),
            (binary(0x21, 0x00, &[]), None),
            (binary(0x21, 0x12, FOUR), None),
            (binary(0x21, 0x31, &[0; 216]), None),
            (binary(0x21, 0x00, &[0; LONGEST - 16]), None),
        ]
    }

    #[test]
    fn a_header_names_its_client_and_ends_where_it_ends() {
        for (header, client) in good() {
            let expected = Header { client: client.map(|client| client.parse().unwrap()), length: header.len() };
            let text = header.escape_ascii().to_string();
            assert_eq!(parse(&header), Ok(Some(expected)), "{text}");
            let followed = [&header[..], b"GET / HTTP/1.1\r\n\r\nPROXY TCP4 6.6.6.6 6.6.6.6 6 6\r\n"].concat();
            assert_eq!(parse(&followed), Ok(Some(expected)), "{text}");
            for cut in 0..header.len() {
                assert_eq!(parse(&header[..cut]), Ok(None), "{cut} bytes of {text}");
            }
        }
    }

    #[test]
    fn a_header_that_is_wrong_anywhere_is_none() {
        let lines = [
            "GET / HTTP/1.1\r\n",
            "proxy TCP4 192.0.2.7 10.0.0.1 4711 80\r\n",
            "PROXYxTCP4 192.0.2.7 10.0.0.1 4711 80\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\n",
            "PROXY TCP5 192.0.2.7 10.0.0.1 4711 80\r\n",
            "PROXY TCP4  192.0.2.7 10.0.0.1 4711 80\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 4711 80 \r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 4711\r\n",
            "PROXY TCP4 192.0.2.7\r\n",
            "PROXY TCP4\r\n",
            "PROXY \r\n",
            "PROXY TCP4 2001:db8::7 2001:db8::1 4711 80\r\n",
            "PROXY TCP6 192.0.2.7 10.0.0.1 4711 80\r\n",
            "PROXY TCP4 192.0.2.07 10.0.0.1 4711 80\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.256 4711 80\r\n",
            "PROXY TCP6 fe80::1%eth0 2001:db8::1 4711 80\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 +4711 80\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 04711 80\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 4711 65536\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 4711 \r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY unknown\r\n",
        ];
        let too_long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(LONGEST_LINE - 15));
        let binaries = [
            binary(0x11, 0x11, FOUR),
            binary(0x22, 0x11, FOUR),
            binary(0x21, 0x41, FOUR),
            binary(0x21, 0x13, FOUR),
            binary(0x21, 0x11, &FOUR[..11]),
            binary(0x21, 0x11, &[]),
            binary(0x21, 0x21, &six()[..35]),
            binary(0x21, 0x00, &[0; LONGEST - 15]),
            b"\r\n\r\n\0\r\nQUIT\r".to_vec(),
        ];
        let lines = lines.iter().map(|line| line.as_bytes().to_vec());
        for wrong in lines.chain([too_long.into_bytes(), b"PROXY TCP4 \xff \xff 1 1\r\n".to_vec()]).chain(binaries) {
            assert!(parse(&wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn what_can_no_longer_become_a_header_is_not_waited_for() {
        let endless = format!("PROXY UNKNOWN {}", "f".repeat(LONGEST_LINE));
        let huge = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
        for begun in [&b"G"[..], b"PROXX", b"\r\n\n", b"\0", endless.as_bytes(), &huge] {
            assert!(parse(begun).is_err(), "{}", begun.escape_ascii());
        }
    }

    /// Any bytes, and headers with some bytes changed, cut or added.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let noise = prop::collection::vec(any::<u8>(), 0..300);
        let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
        let nearly = (prop::sample::select(good()), changes, noise.clone(), any::<prop::sample::Index>());
        let nearly = nearly.prop_map(|((mut header, _), changes, rest, cut)| {
            for (place, byte) in changes {
                let place = place.index(header.len());
                header[place] = byte;
            }
            header.extend(rest);
            header.truncate(cut.index(header.len() + 1));
            header
        });
        prop_oneof![noise, nearly]
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic_or_read_past_its_header(bytes in bytes(), more in prop::collection::vec(any::<u8>(), 0..40)) {
            let result = parse(&bytes);
            if let Ok(Some(header)) = result {
                prop_assert!(header.length <= bytes.len() && header.length <= LONGEST);
                // The header is what it is whatever follows, or does not.
                prop_assert_eq!(parse(&bytes[..header.length]), result);
                prop_assert_eq!(parse(&[&bytes[..header.length], &more].concat()), result);
                prop_assert_eq!(parse(&bytes[..header.length - 1]), Ok(None));
            }
            if result.is_err() {
                prop_assert_eq!(parse(&[&bytes[..], &more].concat()), result);
            }
        }
    }
}
