//! The rate limit, by tier and key, as a client sees it.

use std::time::Duration;

use axum::{Router, body::Body, http::request::Parts};
use palisade::{
    Mode, Part, Principal, Stack,
    rate_limit::{Key, Policy, Quota},
};

use crate::support::{application, from_peer, get_from, send, stack};

fn tiered() -> Stack {
    let policy = Policy::new("api", Key::principal_or_address())
        .tier("anonymous", Quota::per_minute(2))
        .tier("pro", Quota::per_minute(5));
    Stack::production()
        .authenticate(|head: &Parts| {
            let name = head.headers.get("x-user")?.to_str().ok()?;
            Some(Principal::new(name).tier(if name.starts_with("odd") { "unlisted" } else { "pro" }))
        })
        .limits(policy)
        .build()
        .unwrap()
}

async fn admitted(app: &Router, peer: &str, user: Option<&str>) -> usize {
    let mut admitted = 0;
    for _ in 0..20 {
        let mut request = from_peer(peer, "GET", "/items/1");
        if let Some(user) = user {
            request = request.header("x-user", user);
        }
        admitted += usize::from(send(app, request.body(Body::empty()).unwrap()).await.status == 200);
    }
    admitted
}

#[tokio::test]
async fn each_caller_has_the_quota_of_its_tier() {
    let app = tiered().wrap(application());
    assert_eq!(admitted(&app, "192.0.2.1", None).await, 2);
    assert_eq!(admitted(&app, "192.0.2.1", Some("ada")).await, 5, "a caller is not its address");
    assert_eq!(admitted(&app, "192.0.2.2", Some("ada")).await, 0, "wherever it calls from");
    assert_eq!(admitted(&app, "192.0.2.2", Some("bob")).await, 5);
    assert_eq!(
        admitted(&app, "192.0.2.2", Some("odd")).await,
        2,
        "a tier that is not listed gets the first one's quota"
    );
    assert_eq!(admitted(&app, "192.0.2.2", None).await, 2);
}

#[tokio::test]
async fn variants_share_their_state() {
    let stack = tiered();
    let (one, other) = (stack.wrap(application()), stack.without(Part::Cors).wrap(application()));
    assert_eq!(admitted(&one, "192.0.2.1", None).await, 2);
    assert_eq!(admitted(&other, "192.0.2.1", None).await, 0);
    let unlimited = stack.without(Part::RateLimit).wrap(application());
    assert_eq!(admitted(&unlimited, "192.0.2.1", None).await, 20);
}

#[tokio::test]
async fn an_ipv6_customer_is_one_client_and_a_mapped_address_is_ipv4() {
    let app = stack().build().unwrap().wrap(application());
    let mut count = 0;
    for host in 0..20 {
        count +=
            usize::from(send(&app, get_from(&format!("[2001:db8:0:1::{host:x}]"), "/items/1")).await.status == 200);
    }
    assert_eq!(count, 10, "one /64");
    assert_eq!(send(&app, get_from("[2001:db8:0:2::1]", "/items/1")).await.status, 200, "the next /64");
    assert_eq!(admitted(&app, "[::ffff:192.0.2.1]", None).await, 10);
    assert_eq!(admitted(&app, "192.0.2.1", None).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_is_admitted_when_it_was_told_and_not_before() {
    let app = stack().build().unwrap().wrap(application());
    assert_eq!(admitted(&app, "192.0.2.1", None).await, 10);
    let refused = send(&app, get_from("192.0.2.1", "/items/1")).await;
    let told: u64 = refused.header("retry-after").parse().unwrap();
    assert_eq!(told, 6);
    tokio::time::advance(Duration::from_millis(told * 1000 - 1)).await;
    assert_eq!(send(&app, get_from("192.0.2.1", "/items/1")).await.status, 429);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(send(&app, get_from("192.0.2.1", "/items/1")).await.status, 200);
    assert_eq!(send(&app, get_from("192.0.2.1", "/items/1")).await.status, 429);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_per_second_is_a_hundred_in_a_second() {
    let limit = Policy::new("api", Key::address()).quota(Quota::per_second(100).burst(20));
    let app = Stack::production().limits(limit).build().unwrap().wrap(application());
    let mut admitted = 0;
    for _ in 0..10_000 {
        admitted += usize::from(send(&app, get_from("192.0.2.1", "/items/1")).await.status == 200);
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert_eq!(admitted, 20 + 999, "the burst, and a hundred for each of ten seconds but the last moment");
}

#[tokio::test]
async fn every_answer_says_how_much_is_left() {
    let app = stack().build().unwrap().wrap(application());
    let answer = send(&app, get_from("192.0.2.1", "/items/1")).await;
    for (name, value) in [("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "9"), ("x-ratelimit-reset", "6")] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert_eq!(answer.header("retry-after"), "");
}

#[tokio::test]
async fn in_report_mode_nothing_is_refused_and_everything_is_counted() {
    let limit = Policy::new("api", Key::address()).quota(Quota::per_minute(2)).mode(Mode::Report);
    let stack = Stack::development().limits(limit).build().unwrap();
    let app = stack.inner_routes().merge(stack.wrap(application()));
    assert_eq!(admitted(&app, "192.0.2.1", None).await, 20);
    let metrics = send(&app, get_from("127.0.0.1", "/metrics")).await;
    let line = r#"palisade_decisions_total{guard="rate_limit",policy="api",outcome="reported",reason="quota-exceeded",mode="report"} 18"#;
    assert!(metrics.text().contains(line), "{}", metrics.text());
}

#[tokio::test]
async fn a_flood_from_one_address_stops_before_authentication() {
    let limit = Quota::per_second(1).burst(3);
    let app = Stack::production()
        .flood(limit)
        .authenticate(|_: &Parts| -> Option<Principal> { Some(Principal::new("somebody")) })
        .build()
        .unwrap()
        .wrap(application());
    assert_eq!(admitted(&app, "192.0.2.1", None).await, 3);
    assert_eq!(
        send(&app, get_from("192.0.2.2", "/items/1")).await.header("x-ratelimit-limit"),
        "",
        "the flood limit is quiet"
    );
}

/// A million addresses are nothing to one who has a /32.
#[tokio::test]
async fn a_flood_of_addresses_frees_nobody_and_refuses_nobody() {
    let policy = Policy::new("api", Key::address()).quota(Quota::per_hour(3)).keys(64);
    let app = Stack::production().flood(None).limits(policy).build().unwrap().wrap(application());
    assert_eq!(admitted(&app, "192.0.2.1", None).await, 3);
    for index in 0..5000 {
        let peer = format!("[2001:db8:{index:x}::1]");
        assert_eq!(send(&app, get_from(&peer, "/items/1")).await.status, 200, "a newcomer is never refused");
    }
    assert_eq!(admitted(&app, "192.0.2.1", None).await, 0, "who is drained stays drained");
}
