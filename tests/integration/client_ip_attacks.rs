//! Nobody passes for somebody else, and nobody is counted with somebody else.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, HeaderValue, Request},
    routing::get,
};
use palisade::{
    Facts, Guard as _, Stack,
    client_ip::{ClientIp, ClientIpLayer, Forwarding, Platform, Source},
    rate_limit::{Key, Policy, Quota},
};
use proptest::prelude::*;

use self::cases::{Case, Front, cases};
use crate::support::{from_peer, send};

pub(crate) mod cases;

const SPOOFS: [&str; 3] = ["6.6.6.6", "66.66.66.66", "2001:db8:666::6"];

fn app(case: &Case) -> Router {
    let limit = Policy::new("api", Key::address()).quota(Quota::per_hour(1)).build().unwrap();
    let whose = |client: ClientIp| async move { client.addr().map(|addr| addr.to_string()).unwrap_or_default() };
    let guards = case.front.layer().then(limit);
    Router::new().route("/", get(whose)).layer(guards.into_layer())
}

#[tokio::test(start_paused = true)]
async fn no_forged_header_makes_another_client_of_anybody() {
    let cases = cases();
    assert!(cases.len() >= 60);
    assert_eq!(cases.iter().map(|case| case.name).collect::<HashSet<_>>().len(), cases.len(), "two of one name");
    for case in cases.iter().filter(|case| case.known) {
        let app = app(case);
        for client in case.clients {
            let first = send(&app, case.request(client, SPOOFS[0])).await;
            assert_eq!((first.status.as_u16(), first.text()), (200, client), "{}: not counted alone", case.name);
            for spoof in SPOOFS {
                let again = send(&app, case.request(client, spoof)).await;
                assert_eq!(again.status, 429, "{}: counted anew as {spoof}", case.name);
            }
        }
    }
}

#[test]
fn who_cannot_be_known_is_nobody_and_no_proxy_either() {
    for case in cases().iter().filter(|case| !case.known) {
        for spoof in SPOOFS {
            let request = case.request(case.clients[0], spoof);
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
            let client = case.front.layer().resolve(peer, request.headers());
            assert_eq!((client.addr(), client.source()), (None, Source::Unknown), "{}", case.name);
        }
    }
}

/// A stack tells the handler whom it found.
async fn told(stack: palisade::stack::StackBuilder, lines: &[(&str, &str)]) -> String {
    let tell = |facts: Facts| async move {
        let client = facts.client().unwrap();
        let host = facts.forwarded_host().map(ToString::to_string);
        format!("{:?} {:?} {host:?}", client.addr().map(|addr| addr.to_string()), client.scheme())
    };
    let app = stack.build().unwrap().wrap(Router::new().route("/", get(tell)));
    let request =
        lines.iter().fold(from_peer("10.0.0.1", "GET", "/"), |request, (name, value)| request.header(*name, *value));
    send(&app, request.body(Body::empty()).unwrap()).await.text().to_owned()
}

#[tokio::test]
async fn a_stack_can_be_told_of_every_kind_of_proxy() {
    let lines = [
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "a.example"),
        ("forwarded", "for=192.0.2.2;proto=http;host=b.example"),
        ("fly-client-ip", "192.0.2.3"),
    ];
    let builder = ClientIpLayer::builder;
    let named = || Stack::production().trusted_proxies(["10.0.0.0/8"]);
    for (stack, expected) in [
        (Stack::production(), r#"Some("10.0.0.1") None None"#),
        (named(), r#"Some("192.0.2.1") Some("https") Some("a.example")"#),
        (
            named().client_ip(builder().list(Forwarding::Forwarded)),
            r#"Some("192.0.2.2") Some("http") Some("b.example")"#,
        ),
        (Stack::production().client_ip(builder().hops(1)), r#"Some("192.0.2.1") Some("https") Some("a.example")"#),
        (Stack::production().client_ip(builder().platform(Platform::fly())), r#"Some("192.0.2.3") Some("https") None"#),
        (named().client_ip(builder().platform(Platform::fly())), r#"Some("192.0.2.3") Some("https") None"#),
    ] {
        assert_eq!(told(stack, &lines).await, expected);
    }
}

#[test]
fn a_stack_names_the_mistakes_about_proxies_with_all_others() {
    let client_ip = ClientIpLayer::builder().hops(0).platform(Platform::fly());
    let error = Stack::production().trusted_proxies(["nonsense"]).origins(["nonsense"]).client_ip(client_ip).build();
    assert_eq!(error.unwrap_err().mistakes().len(), 4);
}

#[tokio::test]
async fn without_a_peer_the_client_is_unknown_and_the_request_is_answered() {
    for front in [Front::Nothing, Front::Proxies, Front::Standard, Front::NamedCloudflare] {
        let whose = |client: ClientIp| async move { format!("{:?} {:?}", client.addr(), client.source()) };
        let app = Router::new().route("/", get(whose)).layer(front.layer());
        let answer = send(&app, Request::get("/").body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "None Unknown"), "{front:?}");
    }
}

#[test]
fn resolving_allocates_nothing() {
    let lines = |lines: &[(&'static str, &'static str)]| -> HeaderMap {
        let line =
            |(name, value): &(&'static str, &'static str)| (name.parse().unwrap(), HeaderValue::from_static(value));
        lines.iter().map(line).collect()
    };
    let chain = lines(&[
        ("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.2"),
        ("forwarded", "for=6.6.6.6, for=\"[2001:db8::9]:80\";proto=https, for=10.0.0.2"),
        ("cf-connecting-ip", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
    ]);
    for front in
        [Front::Nothing, Front::Proxies, Front::Standard, Front::Hops(2), Front::Cloudflare, Front::NamedCloudflare]
    {
        let layer = front.layer();
        let empty = HeaderMap::new();
        for headers in [&chain, &empty] {
            let resolve = || layer.resolve("10.0.0.1".parse().ok(), headers);
            // What is told once is told before.
            let before = resolve();
            assert_eq!(allocation_counter::measure(|| assert_eq!(resolve(), before)).count_total, 0, "{front:?}");
        }
    }
}

/// What a client may write: anything that a header can hold, and often what looks like a list.
fn forgery() -> impl Strategy<Value = Vec<u8>> {
    let alphabet = "[0-9a-f.:,;=\"\\\\ \t\\[\\]_for<>%]{0,60}".prop_map(String::into_bytes);
    let bytes = prop::collection::vec(prop_oneof![Just(b'\t'), 0x20..0x7f_u8, 0x80..=0xff_u8], 0..60);
    let addresses = prop::collection::vec(any::<IpAddr>(), 0..40)
        .prop_map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ").into_bytes());
    prop_oneof![alphabet, bytes, addresses]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// One proxy or several have added who called them; left of that, and in lines before, the client has written.
    #[test]
    fn whatever_stands_left_of_the_client_changes_nothing(
        client: IpAddr,
        proxies in prop::collection::vec(any::<[u8; 3]>(), 0..4),
        before in prop::collection::vec(forgery(), 0..3),
        left in forgery(),
        split: bool,
    ) {
        let ten = |rest: &[u8; 3]| IpAddr::from([10, rest[0], rest[1], rest[2]]);
        let text = client.to_canonical().to_string();
        prop_assume!(!["10.", "fd", "127.0.0.1"].iter().any(|trusted| text.starts_with(trusted)));
        let chain: Vec<_> = [client].into_iter().chain(proxies.iter().map(ten)).collect();
        let quoted = |addr: &IpAddr| if addr.is_ipv6() { format!("for=\"[{addr}]\"") } else { format!("for={addr}") };
        let bare: Vec<_> = chain.iter().map(ToString::to_string).collect();
        let elements: Vec<_> = chain.iter().map(quoted).collect();
        for (front, header, added) in [
            (Front::Proxies, "x-forwarded-for", &bare),
            (Front::Hops(chain.len()), "x-forwarded-for", &bare),
            (Front::Standard, "forwarded", &elements),
        ] {
            let name: axum::http::HeaderName = header.parse().unwrap();
            let mut headers = HeaderMap::new();
            for line in &before {
                headers.append(name.clone(), HeaderValue::from_bytes(line).unwrap());
            }
            let added = added.join(", ").into_bytes();
            if split {
                headers.append(name.clone(), HeaderValue::from_bytes(&left).unwrap());
                headers.append(name, HeaderValue::from_bytes(&added).unwrap());
            } else {
                headers.append(name, HeaderValue::from_bytes(&[&left[..], b", ", &added].concat()).unwrap());
            }
            let found = front.layer().resolve("10.0.0.1".parse().ok(), &headers);
            prop_assert_eq!(found.addr(), Some(client.to_canonical()), "{:?} {:?}", front, headers);
            prop_assert_eq!(found.source(), Source::Forwarded { hops: chain.len() });
        }
    }
}
