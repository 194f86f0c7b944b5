//! The decision, by what comes in.

use http::HeaderValue;

use super::{
    list::{X_FORWARDED_FOR, X_FORWARDED_PROTO},
    *,
};

fn resolve(trusted: &[&str], peer: &str, lines: &[&str]) -> ClientIp {
    let layer = ClientIpLayer::trusting(trusted).unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(X_FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
    }
    layer.resolve(Some(peer.parse().unwrap()), &headers)
}

#[test]
fn the_walk_stops_at_the_first_address_nobody_vouches_for() {
    let ten = &["10.0.0.0/8", "::1"][..];
    for (trusted, peer, lines, expected, source) in [
        (&[][..], "192.0.2.1", &["203.0.113.9"][..], Some("192.0.2.1"), Source::Peer),
        (ten, "192.0.2.1", &["203.0.113.9"], Some("192.0.2.1"), Source::Peer),
        (ten, "10.0.0.1", &[], Some("10.0.0.1"), Source::Peer),
        (ten, "10.0.0.1", &["6.6.6.6, 203.0.113.9"], Some("203.0.113.9"), Source::Forwarded { hops: 1 }),
        (ten, "10.0.0.1", &["6.6.6.6, 203.0.113.9, 10.0.0.2"], Some("203.0.113.9"), Source::Forwarded { hops: 2 }),
        (ten, "10.0.0.1", &["6.6.6.6", "203.0.113.9"], Some("203.0.113.9"), Source::Forwarded { hops: 1 }),
        (ten, "10.0.0.1", &["10.0.0.9, 10.0.0.2"], Some("10.0.0.9"), Source::Forwarded { hops: 2 }),
        (ten, "10.0.0.1", &["203.0.113.9, unknown"], None, Source::Unknown),
        (ten, "10.0.0.1", &["203.0.113.9, garbage, 10.0.0.2"], None, Source::Unknown),
        (ten, "10.0.0.1", &["203.0.113.9,"], None, Source::Unknown),
        (ten, "10.0.0.1", &[""], Some("10.0.0.1"), Source::Peer),
        (ten, "10.0.0.1", &["203.0.113.9:4711"], Some("203.0.113.9"), Source::Forwarded { hops: 1 }),
        (ten, "::1", &["[2001:db8::7]:443"], Some("2001:db8::7"), Source::Forwarded { hops: 1 }),
        (ten, "::1", &["[2001:db8::7]"], Some("2001:db8::7"), Source::Forwarded { hops: 1 }),
        (&["::ffff:10.0.0.0/104"], "10.0.0.1", &["203.0.113.9"], Some("203.0.113.9"), Source::Forwarded { hops: 1 }),
        (ten, "::ffff:10.0.0.1", &["::ffff:203.0.113.9"], Some("203.0.113.9"), Source::Forwarded { hops: 1 }),
    ] {
        let client = resolve(trusted, peer, lines);
        assert_eq!(client.addr(), expected.map(|addr| addr.parse().unwrap()), "{peer} {lines:?}");
        assert_eq!(client.source(), source, "{peer} {lines:?}");
    }
}

#[test]
fn the_scheme_is_believed_from_a_trusted_peer_only() {
    let layer = ClientIpLayer::trusting(["10.0.0.1"]).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
    assert!(layer.resolve("10.0.0.1".parse().ok(), &headers).is_https());
    assert!(!layer.resolve("10.0.0.2".parse().ok(), &headers).is_https());
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    lines.iter().map(line).collect()
}

/// The client, its source, scheme and host.
type Whole = (Option<&'static str>, Source, Option<&'static str>, Option<&'static str>);

fn check(
    layer: &ClientIpLayer,
    peer: Option<&str>,
    lines: &[(&'static str, &str)],
    (addr, source, scheme, host): Whole,
) {
    let headers = headers(lines);
    let (client, found) = layer.find(peer.map(|peer| peer.parse().unwrap()), &headers);
    let found = found.and_then(|host| authority(&host));
    assert_eq!(client.addr(), addr.map(|addr| addr.parse().unwrap()), "{peer:?} {lines:?}");
    assert_eq!((client.source(), client.scheme()), (source, scheme), "{peer:?} {lines:?}");
    assert_eq!(found.as_ref().map(Authority::as_str), host, "{peer:?} {lines:?}");
}

const fn forwarded(hops: usize) -> Source {
    Source::Forwarded { hops }
}

#[test]
fn forwarded_is_read_where_it_is_chosen_and_nothing_else() {
    let layer = ClientIpLayer::builder().proxies(["10.0.0.0/8"]).list(Forwarding::Forwarded).build().unwrap();
    let near = Some("10.0.0.1");
    for (peer, lines, expected) in [
        (near, &[("forwarded", "for=192.0.2.1")][..], (Some("192.0.2.1"), forwarded(1), None, None)),
        (
            near,
            &[(
                "forwarded",
                "for=6.6.6.6;proto=https, for=192.0.2.1;proto=http;host=a.example, for=10.0.0.2;proto=https",
            )],
            (Some("192.0.2.1"), forwarded(2), Some("http"), Some("a.example")),
        ),
        (
            near,
            &[("forwarded", "for=192.0.2.1;proto=https"), ("forwarded", "for=10.0.0.2;proto=http;host=inner")],
            (Some("192.0.2.1"), forwarded(2), Some("https"), None),
        ),
        (
            near,
            &[("forwarded", "for=_a;proto=https;host=\"a.example:8443\"")],
            (None, Source::Unknown, Some("https"), Some("a.example:8443")),
        ),
        (near, &[("forwarded", "for=192.0.2.1;proto=https, garbage")], (None, Source::Unknown, None, None)),
        (near, &[("forwarded", "for=192.0.2.1, for=\"10.0.0.2")], (None, Source::Unknown, None, None)),
        (
            near,
            &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "evil.example")],
            (near, Source::Peer, None, None),
        ),
        (
            Some("192.0.2.9"),
            &[("forwarded", "for=6.6.6.6;proto=https;host=evil.example")],
            (Some("192.0.2.9"), Source::Peer, None, None),
        ),
        (None, &[("forwarded", "for=192.0.2.1")], (None, Source::Unknown, None, None)),
    ] {
        check(&layer, peer, lines, expected);
    }
}

#[test]
fn hops_are_counted_from_the_right_whoever_sends_them() {
    let two = ClientIpLayer::builder().hops(2);
    let open = two.clone().build().unwrap();
    for (peer, lines, expected) in [
        (
            Some("203.0.113.7"),
            &[("x-forwarded-for", "6.6.6.6, 192.0.2.1, 198.51.100.1")][..],
            (Some("192.0.2.1"), forwarded(2), None, None),
        ),
        (
            None,
            &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "198.51.100.1")],
            (Some("192.0.2.1"), forwarded(2), None, None),
        ),
        (None, &[("x-forwarded-for", "192.0.2.1, unknown")], (Some("192.0.2.1"), forwarded(2), None, None)),
        (
            Some("203.0.113.7"),
            &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https")],
            (None, Source::Unknown, None, None),
        ),
        (Some("203.0.113.7"), &[], (None, Source::Unknown, None, None)),
        (Some("203.0.113.7"), &[("x-forwarded-for", "192.0.2.1, garbage")], (None, Source::Unknown, None, None)),
    ] {
        check(&open, peer, lines, expected);
    }
    let gated = two.proxies(["203.0.113.0/24"]).build().unwrap();
    let lines = &[("x-forwarded-for", "192.0.2.1, 198.51.100.1")][..];
    check(&gated, Some("203.0.113.7"), lines, (Some("192.0.2.1"), forwarded(2), None, None));
    check(&gated, Some("192.0.2.9"), lines, (Some("192.0.2.9"), Source::Peer, None, None));
    check(&gated, None, lines, (None, Source::Unknown, None, None));
}

#[test]
fn a_platform_names_one_address_once() {
    for (platform, name, value, expected) in [
        (Platform::cloudflare(), "cf-connecting-ip", "192.0.2.1", Some("192.0.2.1")),
        (Platform::cloudflare(), "cf-connecting-ip", " 2001:db8::1\t", Some("2001:db8::1")),
        (Platform::cloudflare(), "cf-connecting-ip", "192.0.2.1, 192.0.2.2", None),
        (Platform::cloudflare(), "true-client-ip", "192.0.2.1", None),
        (Platform::cloudfront(), "cloudfront-viewer-address", "2001:db8::1:443", Some("2001:db8::1")),
        (Platform::cloudfront(), "cloudfront-viewer-address", "192.0.2.1:443", Some("192.0.2.1")),
        (Platform::cloudfront(), "cloudfront-viewer-address", "192.0.2.1", None),
        (Platform::fly(), "fly-client-ip", "192.0.2.1", Some("192.0.2.1")),
        (Platform::akamai(), "true-client-ip", "192.0.2.1", Some("192.0.2.1")),
        (Platform::azure_front_door(), "x-azure-socketip", "192.0.2.1", Some("192.0.2.1")),
        (Platform::azure_front_door(), "x-azure-clientip", "192.0.2.1", None),
        (Platform::digital_ocean(), "do-connecting-ip", "192.0.2.1", Some("192.0.2.1")),
        (Platform::envoy(), "x-envoy-external-address", "192.0.2.1", Some("192.0.2.1")),
        (Platform::nginx(), "x-real-ip", "::ffff:192.0.2.1", Some("192.0.2.1")),
        (Platform::custom(HeaderName::from_static("x-client")), "x-client", "192.0.2.1", Some("192.0.2.1")),
        (Platform::custom(HeaderName::from_static("x-client")), "x-client", "unknown", None),
    ] {
        let layer = ClientIpLayer::builder().platform(platform.clone()).build().unwrap();
        let source = if expected.is_some() { forwarded(1) } else { Source::Unknown };
        let scheme = expected.and(Some("https"));
        let (own, common) = (("cloudfront-forwarded-proto", "https"), ("x-forwarded-proto", "https"));
        let has_own_scheme = platform == Platform::cloudfront();
        let beside = [
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-for", "6.6.6.6"),
            if has_own_scheme { own } else { common },
        ];
        let lines = [&[(name, value)][..], &beside].concat();
        check(&layer, Some("203.0.113.7"), &lines, (expected, source, scheme, None));
        check(&layer, None, &lines, (expected, source, scheme, None));
        let twice = [&lines[..], &[(name, value)]].concat();
        check(&layer, Some("203.0.113.7"), &twice, (None, Source::Unknown, None, None));
        let gated = ClientIpLayer::builder().platform(platform).proxies(["203.0.113.0/24"]).build().unwrap();
        check(&gated, Some("203.0.113.7"), &lines, (expected, source, scheme, None));
        check(&gated, Some("192.0.2.9"), &lines, (Some("192.0.2.9"), Source::Peer, None, None));
    }
}

#[test]
fn scheme_and_host_are_what_the_proxies_on_the_way_agree_on() {
    let layer = ClientIpLayer::trusting(["10.0.0.0/8"]).unwrap();
    let two = "6.6.6.6, 192.0.2.1, 10.0.0.2";
    for (chain, protos, hosts, scheme, host) in [
        (two, "http, https, https", "evil, a.example, A.example", Some("https"), Some("A.example")),
        (two, "https, http, https", "evil, a.example, inner", None, None),
        (two, "https", "a.example:8443", Some("https"), Some("a.example:8443")),
        (two, "HTTPS ,https", "a.example", Some("https"), Some("a.example")),
        ("192.0.2.1", "https, http", "evil, a.example", Some("http"), Some("a.example")),
        ("192.0.2.1", "ws", "a b", None, None),
        ("192.0.2.1", "", "user@evil.example", None, None),
        ("192.0.2.1", "http", ":80", Some("http"), None),
        ("192.0.2.1, 10.0.0.3, 10.0.0.2", "https, http", "evil, a.example", None, None),
    ] {
        let lines = [("x-forwarded-for", chain), ("x-forwarded-proto", protos), ("x-forwarded-host", hosts)];
        let hops = chain.split(", ").filter(|entry| entry != &"6.6.6.6").count();
        check(&layer, Some("10.0.0.1"), &lines, (Some("192.0.2.1"), forwarded(hops), scheme, host));
    }
    let only_beside = [("x-forwarded-proto", "http, https"), ("x-forwarded-host", "a.example")];
    check(&layer, Some("10.0.0.1"), &only_beside, (Some("10.0.0.1"), Source::Peer, Some("https"), Some("a.example")));
    check(&layer, Some("192.0.2.1"), &only_beside, (Some("192.0.2.1"), Source::Peer, None, None));
}

#[test]
fn who_comes_past_the_proxies_is_no_trusted_peer() {
    let peer = "203.0.113.7".parse().ok();
    for open in [ClientIpLayer::builder().hops(1), ClientIpLayer::builder().platform(Platform::fly())] {
        let layer = open.clone().build().unwrap();
        assert!(!layer.resolve(peer, &HeaderMap::new()).is_peer_trusted());
        let lines = headers(&[("x-forwarded-for", "192.0.2.1"), ("fly-client-ip", "192.0.2.1")]);
        assert!(layer.resolve(peer, &lines).is_peer_trusted());
        let named = open.proxies(["203.0.113.7"]).build().unwrap();
        assert!(named.resolve(peer, &HeaderMap::new()).is_peer_trusted());
    }
}

#[test]
fn every_mistake_is_named_at_once() {
    let builder = ClientIpLayer::builder;
    let list = |name| Platform::custom(HeaderName::from_static(name));
    for (builder, expected) in [
        (builder().hops(0), 1),
        (builder().hops(33), 1),
        (builder().hops(0).proxies(["10.0.0.0/99", "0.0.0.0/0"]), 3),
        (builder().list(Forwarding::Forwarded), 1),
        (builder().list(Forwarding::Forwarded).proxies(["nonsense"]), 1),
        (builder().platform(Platform::fly()).list(Forwarding::Forwarded), 1),
        (builder().platform(Platform::fly()).hops(1), 1),
        (builder().platform(list("x-forwarded-for")), 1),
        (builder().platform(list("forwarded")).hops(0).list(Forwarding::Forwarded).proxies(["::/0"]), 5),
    ] {
        let error = builder.clone().build().unwrap_err();
        assert_eq!(error.mistakes().len(), expected, "{builder:?} {error}");
    }
    for good in [
        builder(),
        builder().hops(32),
        builder().hops(2).list(Forwarding::Forwarded),
        builder().platform(Platform::fly()).proxies(["::1"]),
    ] {
        assert!(good.build().is_ok());
    }
}

#[test]
fn a_layer_says_whom_it_believes() {
    let builder = ClientIpLayer::builder;
    for (builder, expected) in [
        (builder(), "the socket's peer; no proxy is trusted"),
        (builder().proxies(["10.0.0.0/8", "::1"]), "X-Forwarded-For from 10.0.0.0/8, ::1/128"),
        (builder().proxies(["10.0.0.1"]).list(Forwarding::Forwarded), "Forwarded from 10.0.0.1/32"),
        (builder().hops(2), "entry 2 from the right of X-Forwarded-For, whoever sends it"),
        (builder().platform(Platform::cloudflare()), "cf-connecting-ip, whoever sends it"),
        (builder().platform(Platform::cloudflare()).proxies(["10.0.0.1"]), "cf-connecting-ip from 10.0.0.1/32"),
    ] {
        assert_eq!(builder.build().unwrap().describe(), expected);
    }
}

#[test]
fn every_wrong_cidr_is_named() {
    let error = ClientIpLayer::trusting(["10.0.0.0/99", "::1", "localhost", "0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"]);
    let error = error.unwrap_err();
    assert_eq!(error.mistakes().len(), 5, "{error}");
}

#[test]
fn a_chain_without_end_is_not_walked_to_its_end() {
    let line = vec!["10.0.0.3"; 10_000].join(",");
    assert_eq!(resolve(&["10.0.0.0/8"], "10.0.0.1", &[&line]).source(), Source::Unknown);
}

#[test]
fn an_empty_line_is_an_entry_that_says_nothing_and_nobody_skips_it() {
    let named = ClientIpLayer::trusting(["10.0.0.0/8"]).unwrap();
    let standard = ClientIpLayer::builder().proxies(["10.0.0.0/8"]).list(Forwarding::Forwarded).build().unwrap();
    let counted = ClientIpLayer::builder().hops(1).build().unwrap();
    for (layer, name, forged) in [
        (&named, "x-forwarded-for", "6.6.6.6"),
        (&standard, "forwarded", "for=6.6.6.6"),
        (&counted, "x-forwarded-for", "6.6.6.6"),
    ] {
        for nothing in ["", " \t "] {
            check(layer, Some("10.0.0.1"), &[(name, forged), (name, nothing)], (None, Source::Unknown, None, None));
        }
    }
    check(
        &named,
        Some("10.0.0.1"),
        &[("x-forwarded-for", ""), ("x-forwarded-for", " ")],
        (Some("10.0.0.1"), Source::Peer, None, None),
    );
}

#[test]
fn an_entry_that_a_proxy_handed_on_is_not_taken_for_the_one_it_should_have_added() {
    let two = ("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.0.0.2");
    let client = |scheme, host| (Some("192.0.2.1"), forwarded(2), scheme, host);
    let named = ClientIpLayer::trusting(["10.0.0.0/8"]).unwrap();
    let counted = ClientIpLayer::builder().hops(2).build().unwrap();
    for layer in [&named, &counted] {
        // The outer proxy adds to the lists, as Apache does; the inner one hands them on, as nginx does.
        let lines = [two, ("x-forwarded-proto", "https, http"), ("x-forwarded-host", "evil.example, a.example")];
        check(layer, Some("10.0.0.1"), &lines, client(None, None));
    }
}

#[test]
fn a_scheme_that_another_wrote_is_not_the_platforms() {
    let layer = ClientIpLayer::builder().platform(Platform::cloudfront()).build().unwrap();
    let viewer = ("cloudfront-viewer-address", "192.0.2.1:443");
    let balancer = ("x-forwarded-proto", "https");
    check(&layer, Some("10.0.0.1"), &[viewer, balancer], (Some("192.0.2.1"), forwarded(1), None, None));
    let both = [viewer, balancer, ("cloudfront-forwarded-proto", "http")];
    check(&layer, Some("10.0.0.1"), &both, (Some("192.0.2.1"), forwarded(1), Some("http"), None));
}
