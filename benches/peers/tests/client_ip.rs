//! Whom each crate takes for the client, for the same requests:
//! `cargo test --manifest-path benches/peers/Cargo.toml --test client_ip -- --nocapture`.
//!
//! Each crate as its documentation would have it behind that front. Governor's `smart` reads headers, its `peer` none;
//! `axum-client-ip` knows the rightmost entry of a list, and platforms' headers.

use std::net::{IpAddr, SocketAddr};

use axum::{
    body::Body,
    extract::{ConnectInfo, FromRequestParts as _},
    http::Request,
};
use axum_client_ip::{ClientIp, ClientIpSource};
use futures_util::FutureExt as _;
use tower_governor::key_extractor::{KeyExtractor as _, PeerIpKeyExtractor, SmartIpKeyExtractor};

use self::cases::{Case, Front, cases};

#[path = "../../../tests/integration/client_ip_attacks/cases.rs"]
mod cases;

const SPOOFS: [&str; 2] = ["6.6.6.6", "66.66.66.66"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Each client as itself, however it forges.
    Right,
    /// None is taken for another, and it is said that none is known.
    Unknown,
    /// Two who share nothing are one.
    Shared,
    /// The client decides who it is.
    Bypass,
    /// Neither who it is nor what it wrote.
    Wrong,
}

fn judge(case: &Case, who: impl Fn(Request<Body>) -> Option<IpAddr>) -> Verdict {
    let of = |client: usize, spoof: usize| {
        who(case.request(case.clients[client], SPOOFS[spoof])).map(|addr| addr.to_canonical())
    };
    let found = [of(0, 0), of(0, 1), of(1, 0)];
    let is = |place: usize, client: usize| found[place] == case.clients[client].parse().ok();
    if found[0] != found[1] || SPOOFS.iter().any(|spoof| found[0] == spoof.parse().ok()) {
        Verdict::Bypass
    } else if is(0, 0) && is(2, 1) {
        Verdict::Right
    } else if found == [None; 3] {
        Verdict::Unknown
    } else if found[0] == found[2] {
        Verdict::Shared
    } else {
        Verdict::Wrong
    }
}

fn palisade(case: &Case, request: &Request<Body>) -> Option<IpAddr> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    case.front.layer().resolve(peer, request.headers()).addr()
}

fn axum_client_ip(case: &Case, request: Request<Body>) -> Option<IpAddr> {
    let source = match case.front {
        Front::Nothing => ClientIpSource::ConnectInfo,
        Front::Proxies | Front::Hops(_) => ClientIpSource::RightmostXForwardedFor,
        Front::Standard => ClientIpSource::RightmostForwarded,
        Front::Cloudflare | Front::NamedCloudflare => ClientIpSource::CfConnectingIp,
        Front::Amazon => ClientIpSource::CloudFrontViewerAddress,
        Front::Nginx => ClientIpSource::XRealIp,
    };
    let mut head = request.into_parts().0;
    head.extensions.insert(source);
    ClientIp::from_request_parts(&mut head, &()).now_or_never()?.ok().map(|client| client.0)
}

#[test]
fn palisade_takes_nobody_for_another() {
    const NAMES: [&str; 4] = ["palisade", "governor peer", "governor smart", "axum-client-ip"];
    let row =
        |name: &str, cells: [String; 4]| println!("{name:52}{}", cells.map(|cell| format!("{cell:>16}")).concat());
    row("", NAMES.map(str::to_owned));
    let verdicts: Vec<_> = cases()
        .iter()
        .map(|case| {
            let verdicts = [
                judge(case, |request| palisade(case, &request)),
                judge(case, |request| PeerIpKeyExtractor.extract(&request).ok()),
                judge(case, |request| SmartIpKeyExtractor.extract(&request).ok()),
                judge(case, |request| axum_client_ip(case, request)),
            ];
            row(
                &format!("{}: {}", if case.known { "known" } else { "     " }, case.name),
                verdicts.map(|verdict| format!("{verdict:?}")),
            );
            (case.known, verdicts)
        })
        .collect();
    let count = |of: Verdict| [0, 1, 2, 3].map(|place| verdicts.iter().filter(|(_, all)| all[place] == of).count());
    for of in [Verdict::Right, Verdict::Unknown, Verdict::Shared, Verdict::Bypass, Verdict::Wrong] {
        row(&format!("of {}, {of:?}", verdicts.len()), count(of).map(|count| count.to_string()));
    }
    for (known, [palisade, ..]) in &verdicts {
        assert_eq!(*palisade, if *known { Verdict::Right } else { Verdict::Unknown });
    }
}
