//! Who is counted together, and who is not.

use axum::{
    Router,
    body::Body,
    http::{HeaderName, Request},
};
use palisade::{
    Principal,
    rate_limit::{Key, MissingKey, Policy, Quota, RateLimitLayer, Subject},
};

use crate::support::{from_peer, get_as, get_from, hello, left, limited, log, send, statuses};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

fn two_each(key: Key) -> RateLimitLayer {
    Policy::new("api", key).quota(Quota::per_hour(2)).build().unwrap()
}

fn with(peer: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = from_peer(peer, "GET", "/");
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(Body::empty()).unwrap()
}

async fn admitted(app: &Router, peer: &str, headers: &[(&str, &str)]) -> usize {
    let mut admitted = 0;
    for _ in 0..4 {
        admitted += usize::from(send(app, with(peer, headers)).await.status == 200);
    }
    admitted
}

#[tokio::test(start_paused = true)]
async fn an_ipv4_address_is_whole_and_a_mapped_one_is_the_same() {
    let limits = two_each(Key::address());
    let app = limited(&limits, hello());
    assert_eq!(admitted(&app, "192.0.2.1", &[]).await, 2);
    assert_eq!(admitted(&app, "[::ffff:192.0.2.1]", &[]).await, 0);
    assert_eq!(admitted(&app, "192.0.2.2", &[]).await, 2);
    assert_eq!(left(&limits, "api", "::ffff:192.0.2.1"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_network_of_ipv6_has_sixteen_times_the_quota_of_each_within() {
    for quota in [
        Quota::per_hour(2),
        Quota::per_hour(2).burst(3),
        Quota::per_hour(2).sliding_window(),
        Quota::per_day(2).fixed_window(),
    ] {
        let limits = Policy::new("api", Key::address()).quota(quota).keys(100).build().unwrap();
        let app = limited(&limits, hello());
        let mut admitted = 0;
        for subnet in 0..40 {
            for host in 1..=4 {
                let peer = format!("[2001:db8:1:{subnet:x}::{host:x}]");
                admitted += usize::from(send(&app, get_from(&peer, "/")).await.status == 200);
            }
        }
        assert_eq!(admitted, 16 * quota.capacity() as usize, "{quota}: of a /48");
        let refused = send(&app, get_from("[2001:db8:1:ffff::1]", "/")).await;
        assert_eq!(refused.status, 429, "a /64 that never called, in a /48 that has had its share");
        assert_eq!(refused.json()["violated-policies"], serde_json::json!(["api"]));
        assert_eq!(refused.header("x-ratelimit-limit"), quota.capacity().to_string());
        assert_eq!(refused.header("x-ratelimit-remaining"), "0");
        assert_eq!(left(&limits, "api", "2001:db8:1:ffff::1"), 0, "{quota}: a look says what a request would meet");
        assert_eq!(statuses(&app, "[2001:db8:2::1]", 1).await, [200], "the next /48");
        assert!(limits.reset("api", &[Subject::address("2001:db8:1:ffff::1".parse().unwrap())]));
        assert_eq!(statuses(&app, "[2001:db8:1:ffff::1]", 1).await, [200]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_reads_like_an_address_is_not_that_address() {
    let limits = two_each(Key::principal_or_address());
    let app = limited(&limits, hello());
    assert_eq!(admitted(&app, "192.0.2.1", &[]).await, 2);
    assert_eq!(admitted(&app, "192.0.2.1", &[("x-user", "192.0.2.1")]).await, 2);
    assert_eq!(left(&limits, "api", "192.0.2.1"), 0);
    let left = |subject| limits.peek("api", None, &[subject]).unwrap().remaining;
    assert_eq!(left(Subject::principal("192.0.2.1")), 0);
    assert_eq!(left(Subject::organisation("192.0.2.1")), 2);
    assert_eq!(left(Subject::value(b"192.0.2.1")), 2);
}

#[tokio::test(start_paused = true)]
async fn each_key_counts_what_it_says_and_nothing_else() {
    let header = |value| ("x-api-key", value);
    let cookie = |value| ("cookie", value);
    let user = |value| ("x-user", value);
    for (key, first, same, other) in [
        (Key::principal(), user("ada"), user("ada"), user("bob")),
        (Key::header(X_API_KEY), header("one"), header("one"), header("two")),
        (Key::cookie("sid"), cookie("sid=1; x=1"), cookie("x=2;  sid=1"), cookie("sid=2; x=1")),
        (Key::cookie("sid"), cookie("xsid=2; sid=1"), cookie("sid=1; sid=2"), cookie("xsid=1; sid=2")),
        (
            Key::custom(|head| Some(head.headers.get("x-api-key")?.to_str().ok()?.get(..1)?.to_owned())),
            header("one"),
            header("other"),
            header("two"),
        ),
    ] {
        let what = key.to_string();
        let app = limited(&two_each(key), hello());
        assert_eq!(admitted(&app, "192.0.2.1", &[first]).await, 2, "{what}");
        assert_eq!(admitted(&app, "192.0.2.2", &[same]).await, 0, "{what}");
        assert_eq!(admitted(&app, "192.0.2.1", &[other]).await, 2, "{what}");
    }
    let app = limited(&two_each(Key::organisation()), hello());
    assert_eq!(admitted(&app, "192.0.2.1", &[user("ada")]).await, 2);
    assert_eq!(admitted(&app, "192.0.2.1", &[user("bob")]).await, 0, "both are of one organisation");
}

#[tokio::test(start_paused = true)]
async fn a_key_of_several_parts_is_as_many_callers_as_there_are_pairs() {
    let limits = two_each(Key::every([Key::principal(), Key::header(X_API_KEY), Key::address()]));
    let app = limited(&limits, hello());
    let (ada, bob) = (("x-user", "ada"), ("x-user", "bob"));
    assert_eq!(admitted(&app, "192.0.2.1", &[ada, ("x-api-key", "bc")]).await, 2);
    assert_eq!(admitted(&app, "192.0.2.1", &[ada, ("x-api-key", "bc")]).await, 0);
    assert_eq!(admitted(&app, "192.0.2.2", &[ada, ("x-api-key", "bc")]).await, 2);
    assert_eq!(admitted(&app, "192.0.2.1", &[bob, ("x-api-key", "bc")]).await, 2);
    assert_eq!(
        admitted(&app, "192.0.2.1", &[("x-user", "adab"), ("x-api-key", "c")]).await,
        2,
        "parts do not run together"
    );
    assert_eq!(admitted(&app, "192.0.2.1", &[("x-api-key", "ada")]).await, 2, "nor does a part that is missing");
    assert_eq!(admitted(&app, "192.0.2.1", &[ada]).await, 2);
    let address = Subject::address("192.0.2.1".parse().unwrap());
    let caller = [Subject::principal("ada"), Subject::value(b"bc"), address];
    assert_eq!(limits.peek("api", None, &caller).unwrap().remaining, 0);
    assert!(limits.reset("api", &caller));
    assert_eq!(limits.peek("api", None, &caller).unwrap().remaining, 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_the_key_is_treated_as_the_policy_says_and_the_log_told_once() {
    let log = log();
    for (missing, expected) in
        [(MissingKey::SharedBucket, [200, 200, 429, 429]), (MissingKey::Skip, [200; 4]), (MissingKey::Refuse, [401; 4])]
    {
        let name = format!("without-{missing:?}");
        let policy = Policy::new(&name, Key::header(X_API_KEY)).quota(Quota::per_hour(2)).missing_key(missing);
        let limits = policy.clone().build().unwrap();
        let app = limited(&limits, hello());
        assert_eq!(statuses(&app, "192.0.2.1", 4).await, expected, "{missing:?}");
        assert_eq!(admitted(&app, "192.0.2.1", &[("x-api-key", "right")]).await, 2, "{missing:?}");
        assert_eq!(statuses(&app, "192.0.2.2", 1).await, expected[3..], "{missing:?}: all of them together");
        limits.replace(RateLimitLayer::builder().policy(policy)).unwrap();
        statuses(&app, "192.0.2.2", 2).await;
        let told = log.lines_with(&name).into_iter().filter(|line| line.contains("WARN")).count();
        assert_eq!(told, 1, "{missing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_address_is_no_error() {
    let app = hello().layer(two_each(Key::address()));
    assert_eq!(statuses(&app, "192.0.2.1", 3).await, [200, 200, 429], "no layer has found it out");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_want_of_a_key_charges_nobody() {
    let limits = RateLimitLayer::builder()
        .policy(Policy::new("address", Key::address()).quota(Quota::per_hour(5)))
        .policy(Policy::new("user", Key::principal()).quota(Quota::per_hour(5)).missing_key(MissingKey::Refuse))
        .build()
        .unwrap();
    let app = limited(&limits, hello());
    assert_eq!(statuses(&app, "192.0.2.1", 3).await, [401; 3]);
    assert_eq!(left(&limits, "address", "192.0.2.1"), 5);
    assert_eq!(send(&app, get_as("ada")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_api_key_stands_in_no_log_and_no_debug_output() {
    const SECRET: &str = "hunter2hunter2";
    let log = log();
    let policy = Policy::new("secretive", Key::header(X_API_KEY)).quota(Quota::per_hour(1));
    let limits = RateLimitLayer::builder()
        .policy(policy.clone())
        .policy(Policy::new("windows", Key::header(X_API_KEY)).quota(Quota::per_hour(5).sliding_window()).keys(10))
        .policy(Policy::new("running", Key::header(X_API_KEY)).quota(Quota::concurrent(5)))
        .penalty(palisade::rate_limit::PenaltyLadder::new().key(Key::header(X_API_KEY)).tolerates(Quota::per_hour(1)))
        .build()
        .unwrap();
    let app = limited(&limits, hello());
    for _ in 0..4 {
        let answer = send(&app, with("192.0.2.1", &[("x-api-key", SECRET)])).await;
        assert!(!answer.text().contains(SECRET) && !format!("{:?}", answer.headers).contains(SECRET));
    }
    assert!(!log.lines_with("secretive").is_empty(), "the refusals are in the log");
    assert_eq!(log.lines_with(SECRET), Vec::<String>::new());
    let subject = Subject::value(SECRET.as_bytes());
    let bytes = format!("{:?}", SECRET.as_bytes());
    let bytes = bytes.trim_matches(['[', ']']);
    let login = palisade::rate_limit::LoginLimit::builder().build().unwrap();
    for shown in [
        format!("{limits:?}"),
        format!("{limits:#?}"),
        format!("{policy:?}"),
        format!("{subject:?}"),
        format!("{login:?}"),
    ] {
        assert!(!shown.contains(SECRET) && !shown.contains(bytes), "{shown}");
        assert!(shown.len() < 5000, "{} bytes of Debug", shown.len());
        assert!(!shown.to_lowercase().contains("seed"), "{shown}");
    }
    assert!(format!("{:?}", Subject::principal("ada")).contains("ada"), "an id is no secret");
    assert!(format!("{:?}", Principal::new("ada")).contains("ada"));
}
