//! Requests as attackers and odd proxies make them. The tests run them, and so does the comparison with other crates.

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderName, HeaderValue, Request},
};
use palisade::client_ip::{ClientIpLayer, Forwarding, Platform};

/// What stands in front of the service, and what palisade is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    Nothing,
    /// Proxies in these networks, which add to `X-Forwarded-For`.
    Proxies,
    /// The same, which add to `Forwarded`.
    Standard,
    /// So many, whoever they are.
    Hops(usize),
    Cloudflare,
    /// By its addresses, which are those of the proxies.
    NamedCloudflare,
    Amazon,
    Nginx,
}
use Front::{Amazon, Cloudflare, Hops, NamedCloudflare, Nginx, Nothing, Proxies, Standard};

impl Front {
    pub(crate) fn layer(self) -> ClientIpLayer {
        let builder = ClientIpLayer::builder();
        let builder = match self {
            Nothing => builder,
            Proxies => builder.proxies(PROXIES),
            Standard => builder.proxies(PROXIES).list(Forwarding::Forwarded),
            Hops(hops) => builder.hops(hops),
            Cloudflare => builder.platform(Platform::cloudflare()),
            NamedCloudflare => builder.platform(Platform::cloudflare()).proxies(PROXIES),
            Amazon => builder.platform(Platform::cloudfront()),
            Nginx => builder.platform(Platform::nginx()).proxies(PROXIES),
        };
        builder.build().unwrap()
    }
}

const PROXIES: [&str; 3] = ["10.0.0.0/8", "fd00::/8", "127.0.0.1"];

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) front: Front,
    /// Two who really call, and share nothing.
    pub(crate) clients: [&'static str; 2],
    /// Whether the client can be known; else the answer is that it is not.
    pub(crate) known: bool,
    /// The other end of the socket. `<client>` is who really calls.
    peer: &'static str,
    /// `<client>`, as a proxy wrote it; `<spoof>`, as the client did. Characters are bytes.
    lines: Vec<(&'static str, &'static str)>,
}

impl Case {
    /// Who calls, and what he writes where he may write what he likes.
    pub(crate) fn request(&self, client: &str, spoof: &str) -> Request<Body> {
        let fill = |text: &str| text.replace("<client>", client).replace("<spoof>", spoof);
        let peer = ConnectInfo(std::net::SocketAddr::new(fill(self.peer).parse().unwrap(), 4711));
        let mut request = Request::get("/").header("host", "localhost").extension(peer).body(Body::empty()).unwrap();
        for (name, value) in &self.lines {
            let value: Vec<u8> = fill(value).chars().map(|char| u8::try_from(char).unwrap()).collect();
            // As from the wire, where names come in any case.
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_bytes(&value).unwrap());
        }
        request
    }
}

const FOUR: [&str; 2] = ["203.0.113.9", "198.51.100.77"];
const SIX: [&str; 2] = ["2001:db8:1::9", "2001:db8:2::77"];
const NEAR: &str = "10.0.0.1";
const PEER: &str = "<client>";
const XFF: &str = "X-Forwarded-For";

#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(crate) fn cases() -> Vec<Case> {
    let known =
        |name, front, peer, lines: &[_]| Case { name, front, clients: FOUR, known: true, peer, lines: lines.to_vec() };
    let known_six = |name, front, peer, lines: &[_]| Case { clients: SIX, ..known(name, front, peer, lines) };
    let unknown = |name, front, peer, lines: &[_]| Case { known: false, ..known(name, front, peer, lines) };
    vec![
        // Nobody is in front, and everybody can write a header.
        known("a direct client invents a list", Nothing, PEER, &[(XFF, "<spoof>")]),
        known("a direct client invents a long list", Nothing, PEER, &[(XFF, "<spoof>, 10.0.0.2, 10.0.0.3")]),
        known(
            "a direct client says that it is this machine",
            Nothing,
            PEER,
            &[(XFF, "127.0.0.1"), ("X-Real-IP", "<spoof>")],
        ),
        known("a direct client invents X-Real-IP", Nothing, PEER, &[("X-Real-IP", "<spoof>")]),
        known("a direct client invents Forwarded", Nothing, PEER, &[("Forwarded", "for=<spoof>")]),
        known("a direct client invents CF-Connecting-IP", Nothing, PEER, &[("CF-Connecting-IP", "<spoof>")]),
        known("a direct client invents True-Client-IP", Nothing, PEER, &[("True-Client-IP", "<spoof>")]),
        known(
            "a direct client invents every header",
            Nothing,
            PEER,
            &[
                (XFF, "<spoof>"),
                ("X-Real-IP", "<spoof>"),
                ("Forwarded", "for=<spoof>"),
                ("X-Client-IP", "<spoof>"),
                ("X-Cluster-Client-IP", "<spoof>"),
                ("Client-IP", "<spoof>"),
                ("X-Forwarded", "<spoof>"),
                ("Fly-Client-IP", "<spoof>"),
                ("X-Original-Forwarded-For", "<spoof>"),
                ("X-Envoy-External-Address", "<spoof>"),
            ],
        ),
        known("a direct client by IPv4 on a socket for both", Nothing, "::ffff:<client>", &[]),
        known_six("a direct client by IPv6", Nothing, PEER, &[(XFF, "<spoof>")]),
        // Past the proxies that are named.
        known("past the proxies, with a list", Proxies, PEER, &[(XFF, "<spoof>")]),
        known("past the proxies, in their name", Proxies, PEER, &[(XFF, "<spoof>, 10.0.0.2")]),
        known("past the proxies, with Forwarded", Standard, PEER, &[("Forwarded", "for=<spoof>, for=10.0.0.2")]),
        known("past the platform, in its header", NamedCloudflare, PEER, &[("CF-Connecting-IP", "<spoof>")]),
        known("past nginx, with X-Real-IP", Nginx, PEER, &[("X-Real-IP", "<spoof>")]),
        // Left of what the proxies have added.
        known("the leftmost is invented", Proxies, NEAR, &[(XFF, "<spoof>, <client>")]),
        known("the leftmost is invented, over two proxies", Proxies, NEAR, &[(XFF, "<spoof>, <client>, 10.0.0.2")]),
        known("a victim is to be locked out", Proxies, NEAR, &[(XFF, "192.0.2.55, <spoof>, <client>")]),
        known("the leftmost is this machine", Proxies, NEAR, &[(XFF, "127.0.0.1, <client>"), ("X-Real-IP", "<spoof>")]),
        known("the leftmost is a trusted proxy", Proxies, NEAR, &[(XFF, "10.9.9.9, <spoof>, <client>, 10.0.0.2")]),
        known("a line of its own before the proxy's", Proxies, NEAR, &[(XFF, "<spoof>"), (XFF, "<client>")]),
        known(
            "three lines, two of them the client's",
            Proxies,
            NEAR,
            &[(XFF, "<spoof>"), (XFF, "192.0.2.55"), (XFF, "<client>, 10.0.0.2")],
        ),
        known("one line per proxy", Proxies, NEAR, &[(XFF, "<spoof>, <client>"), (XFF, "10.0.0.2"), (XFF, "10.0.0.3")]),
        known("garbage on the left", Proxies, NEAR, &[(XFF, "'; drop table, <spoof>, <client>")]),
        known("bytes on the left that are no UTF-8", Proxies, NEAR, &[(XFF, "\u{ff}\u{fe}, <spoof>, <client>")]),
        known("empty elements on the left", Proxies, NEAR, &[(XFF, ",,,<spoof>,,<client>")]),
        known("a comma on the left that is never closed", Proxies, NEAR, &[(XFF, "<spoof>,"), (XFF, "<client>")]),
        unknown("an empty line after the proxy's", Proxies, NEAR, &[(XFF, "<spoof>, <client>"), (XFF, " ")]),
        unknown("a proxy that does not know its client's address", Proxies, NEAR, &[(XFF, "<spoof>"), (XFF, "")]),
        unknown("the same, one proxy counted", Hops(1), NEAR, &[(XFF, "<spoof>"), (XFF, "")]),
        unknown("the same in Forwarded", Standard, NEAR, &[("Forwarded", "for=<spoof>"), ("Forwarded", "")]),
        known("a quote on the left that is never closed", Proxies, NEAR, &[(XFF, "\"<spoof>, <client>")]),
        known("unknown on the left", Proxies, NEAR, &[(XFF, "unknown, <spoof>, <client>, 10.0.0.2")]),
        known("the name of the header in capitals", Proxies, NEAR, &[("X-FORWARDED-FOR", "<spoof>, <client>")]),
        known(
            "a header that only looks like the list",
            Proxies,
            NEAR,
            &[("X_Forwarded_For", "<spoof>"), (XFF, "<client>")],
        ),
        known("a list with an underscore alone", Proxies, PEER, &[("X_Forwarded_For", "<spoof>")]),
        // In other headers beside the list.
        known("X-Real-IP beside the list", Proxies, NEAR, &[("X-Real-IP", "<spoof>"), (XFF, "<client>")]),
        known("Forwarded beside the list", Proxies, NEAR, &[("Forwarded", "for=<spoof>"), (XFF, "<client>")]),
        known("True-Client-IP beside the list", Proxies, NEAR, &[("True-Client-IP", "<spoof>"), (XFF, "<client>")]),
        known("CF-Connecting-IP beside the list", Proxies, NEAR, &[("CF-Connecting-IP", "<spoof>"), (XFF, "<client>")]),
        known(
            "the list beside Forwarded",
            Standard,
            NEAR,
            &[(XFF, "<spoof>"), ("X-Real-IP", "<spoof>"), ("Forwarded", "for=<client>")],
        ),
        known(
            "the list beside the platform's header",
            Cloudflare,
            NEAR,
            &[(XFF, "<spoof>"), ("Forwarded", "for=<spoof>"), ("CF-Connecting-IP", "<client>")],
        ),
        known(
            "X-Real-IP beside the platform's header",
            Cloudflare,
            NEAR,
            &[("X-Real-IP", "<spoof>"), ("CF-Connecting-IP", "<client>")],
        ),
        // As honest proxies write.
        known("one proxy", Proxies, NEAR, &[(XFF, "<client>")]),
        known("a container's network between", Proxies, "127.0.0.1", &[(XFF, "<spoof>, <client>, 10.17.0.1")]),
        known("a port", Proxies, NEAR, &[(XFF, "<spoof>:80, <client>:4711")]),
        known("a port that changes with every connection", Proxies, NEAR, &[(XFF, "<client>:40001, 10.0.0.2:40002")]),
        known("no space after commas", Proxies, NEAR, &[(XFF, "<spoof>,<client>,10.0.0.2")]),
        known("tabs and spaces around", Proxies, NEAR, &[(XFF, "<spoof> ,\t <client> \t")]),
        known("IPv4 written as IPv6", Proxies, NEAR, &[(XFF, "<spoof>, ::ffff:<client>")]),
        known("IPv4 written as IPv6, with brackets and a port", Proxies, NEAR, &[(XFF, "[::ffff:<client>]:4711")]),
        known(
            "a proxy by IPv4 on a socket for both",
            Proxies,
            "::ffff:10.0.0.1",
            &[(XFF, "<spoof>, <client>, ::ffff:10.0.0.2")],
        ),
        known_six("IPv6", Proxies, "fd00::1", &[(XFF, "<spoof>, <client>")]),
        known_six("IPv6 in brackets", Proxies, "fd00::1", &[(XFF, "<spoof>, [<client>]")]),
        known_six(
            "IPv6 in brackets with a port",
            Proxies,
            "fd00::1",
            &[(XFF, "<spoof>, [<client>]:4711, [fd00::2]:80")],
        ),
        // Right of the client, where only the trusted write: sense ends there, and so does the walk.
        unknown("the proxy hides who called", Proxies, NEAR, &[(XFF, "<spoof>, unknown")]),
        unknown("the proxy hides behind a name", Proxies, NEAR, &[(XFF, "<spoof>, _hidden, 10.0.0.2")]),
        unknown("an entry that is none", Proxies, NEAR, &[(XFF, "<spoof>, <client>, garbage")]),
        unknown("a comma after the last", Proxies, NEAR, &[(XFF, "<spoof>, <client>,")]),
        unknown("an empty entry between proxies", Proxies, NEAR, &[(XFF, "<spoof>, <client>, , 10.0.0.2")]),
        unknown("nothing but commas", Proxies, NEAR, &[(XFF, ",,,")]),
        unknown("a leading zero, which is octal to some", Proxies, NEAR, &[(XFF, "<spoof>, 010.0.0.1")]),
        unknown("a number in place of four", Proxies, NEAR, &[(XFF, "<spoof>, 167772161")]),
        unknown("hexadecimal", Proxies, NEAR, &[(XFF, "<spoof>, 0x0a.0.0.1")]),
        unknown("three numbers", Proxies, NEAR, &[(XFF, "<spoof>, 10.0.1")]),
        unknown("a zone", Proxies, NEAR, &[(XFF, "<spoof>, fe80::1%eth0")]),
        unknown("a zone by number, with a port", Proxies, NEAR, &[(XFF, "<spoof>, [fe80::1%3]:80")]),
        unknown("brackets that do not close", Proxies, NEAR, &[(XFF, "<spoof>, [fd00::1")]),
        unknown("a port that is none", Proxies, NEAR, &[(XFF, "<spoof>, 10.0.0.2:99999")]),
        unknown("a port that ends early", Proxies, NEAR, &[(XFF, "<spoof>, 10.0.0.2:")]),
        unknown("a network in place of an address", Proxies, NEAR, &[(XFF, "<spoof>, 10.0.0.0/8")]),
        unknown("a name in place of an address", Proxies, NEAR, &[(XFF, "<spoof>, localhost")]),
        unknown("a space in place of a comma", Proxies, NEAR, &[(XFF, "<spoof> <client>")]),
        unknown("a semicolon in place of a comma", Proxies, NEAR, &[(XFF, "<spoof>; <client>")]),
        unknown("bytes on the right that are no UTF-8", Proxies, NEAR, &[(XFF, "<spoof>, 10.0.0.2\u{ff}")]),
        unknown("digits of another script", Proxies, NEAR, &[(XFF, "<spoof>, \u{d9}\u{a1}0.0.0.2")]),
        unknown(
            "a chain longer than any",
            Proxies,
            NEAR,
            &[(XFF, Box::leak(format!("<spoof>, <client>{}", ", 10.0.0.2".repeat(40)).into_boxed_str()))],
        ),
        // Forwarded.
        known(
            "Forwarded, the leftmost is invented",
            Standard,
            NEAR,
            &[("Forwarded", "for=<spoof>, for=<client>, for=10.0.0.2")],
        ),
        known("Forwarded, an open quote on the left", Standard, NEAR, &[("Forwarded", "for=\"<spoof>, for=<client>")]),
        known(
            "Forwarded, an escape on the left",
            Standard,
            NEAR,
            &[("Forwarded", "for=\"<spoof>\\, for=\"<client>\"")],
        ),
        known(
            "Forwarded, a whole element in a quote on the left",
            Standard,
            NEAR,
            &[("Forwarded", "host=\"a, for=<spoof>\", for=<client>")],
        ),
        known(
            "Forwarded, a comma in the proxy's own quote",
            Standard,
            NEAR,
            &[("Forwarded", "for=<spoof>, for=<client>;host=\"a, for=192.0.2.55\"")],
        ),
        known(
            "Forwarded, an escaped quote in the proxy's own",
            Standard,
            NEAR,
            &[("Forwarded", "for=<spoof>, for=<client>;host=\"a\\\", for=192.0.2.55\"")],
        ),
        known(
            "Forwarded, two lines",
            Standard,
            NEAR,
            &[("Forwarded", "for=<spoof>"), ("forwarded", "FOR=\"<client>:4711\";by=_x")],
        ),
        known_six(
            "Forwarded, IPv6",
            Standard,
            "fd00::1",
            &[("Forwarded", "for=<spoof>, for=\"[<client>]:4711\";proto=https")],
        ),
        unknown("Forwarded, for twice", Standard, NEAR, &[("Forwarded", "for=<client>, for=<spoof>;for=10.0.0.2")]),
        unknown("Forwarded, hidden", Standard, NEAR, &[("Forwarded", "for=<spoof>, for=_hidden, for=10.0.0.2")]),
        unknown("Forwarded, for nobody", Standard, NEAR, &[("Forwarded", "for=<spoof>, proto=https")]),
        unknown(
            "Forwarded, a malformed element on the right",
            Standard,
            NEAR,
            &[("Forwarded", "for=<spoof>, for=<client>, for=\"10.0.0.2")],
        ),
        // A count of hops.
        known("one hop", Hops(1), NEAR, &[(XFF, "<spoof>, <client>")]),
        known("two hops", Hops(2), "192.0.2.200", &[(XFF, "<spoof>, <client>, 192.0.2.201")]),
        known("two hops in two lines", Hops(2), NEAR, &[(XFF, "<spoof>, <client>"), (XFF, "10.0.0.2")]),
        unknown("fewer entries than hops", Hops(2), NEAR, &[(XFF, "<spoof>")]),
        unknown("no list where hops are", Hops(1), NEAR, &[("X-Real-IP", "<spoof>")]),
        // A platform's header.
        known("Cloudflare", NamedCloudflare, NEAR, &[("CF-Connecting-IP", "<client>"), (XFF, "<spoof>, <client>")]),
        known(
            "CloudFront, with its port",
            Amazon,
            NEAR,
            &[("CloudFront-Viewer-Address", "<client>:46532"), (XFF, "<spoof>")],
        ),
        known_six(
            "CloudFront, IPv6 without brackets",
            Amazon,
            NEAR,
            &[("CloudFront-Viewer-Address", "<client>:46532")],
        ),
        known("nginx", Nginx, NEAR, &[("X-Real-IP", "<client>"), (XFF, "<spoof>")]),
        unknown(
            "the platform's header twice",
            Cloudflare,
            NEAR,
            &[("CF-Connecting-IP", "<spoof>"), ("CF-Connecting-IP", "<client>")],
        ),
        unknown("a list in the platform's header", Cloudflare, NEAR, &[("CF-Connecting-IP", "<spoof>, <client>")]),
        unknown("the platform's header is empty", Cloudflare, NEAR, &[("CF-Connecting-IP", ""), (XFF, "<spoof>")]),
        unknown("the platform's header is missing", Cloudflare, NEAR, &[(XFF, "<spoof>")]),
        unknown(
            "CloudFront, without its port",
            Amazon,
            NEAR,
            &[("CloudFront-Viewer-Address", "<client>"), (XFF, "<spoof>")],
        ),
    ]
}
