//! Lines of a header as anybody may write them, bare and with what a proxy adds.
#![no_main]

use std::{net::IpAddr, sync::LazyLock};

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use palisade::client_ip::{ClientIpLayer, Forwarding, Platform};

struct Target {
    layer: ClientIpLayer,
    header: HeaderName,
    /// What two proxies add for 203.0.113.9; a platform overwrites.
    added: Option<&'static str>,
}

static TARGETS: LazyLock<Vec<Target>> = LazyLock::new(|| {
    let xff = || HeaderName::from_static("x-forwarded-for");
    let named = || ClientIpLayer::builder().proxies(["10.0.0.0/8"]);
    let (bare, elements) = ("203.0.113.9:80, 10.0.0.2", "for=\"203.0.113.9:80\";host=\"a\\\"b\", for=10.0.0.2");
    let target = |builder: palisade::client_ip::ClientIpBuilder, header, added| {
        Target { layer: builder.build().unwrap(), header, added }
    };
    vec![
        target(named(), xff(), Some(bare)),
        target(ClientIpLayer::builder().hops(2), xff(), Some(bare)),
        target(named().list(Forwarding::Forwarded), http::header::FORWARDED, Some(elements)),
        target(
            ClientIpLayer::builder().hops(2).list(Forwarding::Forwarded),
            http::header::FORWARDED,
            Some(elements),
        ),
        target(ClientIpLayer::builder().platform(Platform::nginx()), HeaderName::from_static("x-real-ip"), None),
        target(
            ClientIpLayer::builder().platform(Platform::cloudfront()),
            HeaderName::from_static("cloudfront-viewer-address"),
            None,
        ),
    ]
});

fuzz_target!(|written: &[u8]| {
    let peer: Option<IpAddr> = "10.0.0.1".parse().ok();
    let lines: Vec<_> = written.split(|byte| *byte == b'\n').flat_map(HeaderValue::from_bytes).collect();
    for Target { layer, header, added } in &*TARGETS {
        let mut headers: HeaderMap = lines.iter().map(|line| (header.clone(), line.clone())).collect();
        let _ = layer.resolve(peer, &headers);
        let Some(added) = added else { continue };
        let client: Option<IpAddr> = "203.0.113.9".parse().ok();
        // In a line of its own, and in the client's last.
        let mut separate = headers.clone();
        separate.append(header, HeaderValue::from_static(added));
        assert_eq!(layer.resolve(peer, &separate).addr(), client);
        if let Some(last) = lines.last() {
            let whole = [last.as_bytes(), b", ", added.as_bytes()].concat();
            headers.insert(header, HeaderValue::from_bytes(&whole).unwrap());
            assert_eq!(layer.resolve(peer, &headers).addr(), client);
        }
    }
});
