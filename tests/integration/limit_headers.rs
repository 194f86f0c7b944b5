//! What an answer says about the quotas, to the letter.

use std::{collections::HashSet, num::NonZeroU32, time::Duration};

use axum::{Router, body::Body};
use palisade::rate_limit::{Draft, Headers, Key, Policy, Quota, RateLimitBuilder, RateLimitLayer};
use sfv::{List, ListEntry, Parser};
use tokio::time::advance;
use tower::ServiceExt as _;

use crate::support::{Answer, ORIGIN, application, from_peer, get_as, get_from, hello, limited, send, stack, statuses};

const PEER: &str = "192.0.2.1";

fn policy(name: &str, quota: Quota) -> Policy {
    Policy::new(name, Key::address()).quota(quota).keys(100)
}

/// Every header there is.
fn telling(policy: Policy) -> RateLimitLayer {
    RateLimitLayer::builder().policy(policy).headers(Headers::all()).build().unwrap()
}

fn several() -> RateLimitBuilder {
    RateLimitLayer::builder()
        .headers(Headers::all())
        .policy(policy("minute", Quota::per_minute(10)))
        .policy(policy("day", Quota::per_day(1000)))
        .policy(policy("running", Quota::concurrent(50)))
}

/// The lines of a header as one, as RFC 9110 has it.
fn field(answer: &Answer, name: &str) -> String {
    let lines = answer.headers.get_all(name).iter().map(|line| line.to_str().unwrap());
    lines.collect::<Vec<_>>().join(", ")
}

/// A list of strings with integers for parameters, as a client reads it; other parameters are left out.
fn read(field: &str) -> Vec<(String, Vec<(String, i64)>)> {
    let list: List = Parser::new(field).parse().unwrap_or_else(|error| panic!("{error} in {field}"));
    let items = list.into_iter().map(|entry| {
        let ListEntry::Item(item) = entry else { panic!("an inner list in {field}") };
        let integers =
            item.params.iter().filter_map(|(key, value)| Some((key.to_string(), value.as_integer()?.into())));
        (item.bare_item.as_string().unwrap().as_str().to_owned(), integers.collect())
    });
    items.collect()
}

fn parameter(field: &str, policy: &str, name: &str) -> i64 {
    let items = read(field);
    let (_, parameters) = items.iter().find(|(known, _)| known == policy).unwrap();
    parameters.iter().find(|(known, _)| known == name).unwrap().1
}

#[tokio::test(start_paused = true)]
async fn each_policy_says_what_it_gives_and_what_is_left() {
    let answer = send(&limited(&several().build().unwrap(), hello()), get_from(PEER, "/")).await;
    assert_eq!(
        field(&answer, "ratelimit-policy"),
        r#""minute";q=10;w=60, "day";q=1000;w=86400, "running";q=50;qu="concurrent-requests""#
    );
    assert_eq!(field(&answer, "ratelimit"), r#""minute";r=9;t=6, "day";r=999;t=87, "running";r=49;t=0"#);
    let names = read(&field(&answer, "ratelimit")).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names, ["minute", "day", "running"]);
    assert_eq!(read(&field(&answer, "ratelimit-policy")).len(), 3);
    for (name, value) in [("limit", "10"), ("remaining", "9"), ("reset", "6")] {
        assert_eq!(answer.header(&format!("x-ratelimit-{name}")), value, "{name} of the tightest");
    }
    assert_eq!(answer.header("retry-after"), "");
}

#[tokio::test(start_paused = true)]
async fn the_tightest_speaks_where_there_is_room_for_one() {
    let limits = RateLimitLayer::builder()
        .policy(policy("hour", Quota::per_hour(7)))
        .policy(policy("minute", Quota::per_minute(5)))
        .build()
        .unwrap();
    let app = limited(&limits, hello());
    for (wait, limit, remaining) in [(0, "5", "4"), (0, "5", "3"), (60, "7", "4"), (60, "7", "3"), (60, "7", "2")] {
        advance(Duration::from_secs(wait)).await;
        let answer = send(&app, get_from(PEER, "/")).await;
        assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), (limit, remaining));
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_with_a_burst_of_its_own_says_in_which_time_that_is_there_again() {
    for (quota, told) in [
        (Quota::per_minute(100).burst(20), r#""api";q=20;w=12"#),
        (Quota::per_minute(10).burst(50), r#""api";q=50;w=300"#),
        (Quota::per_second(100).burst(1), r#""api";q=1;w=1"#),
        (Quota::per_second(5), r#""api";q=5;w=1"#),
        (Quota::per(Duration::from_millis(100), 5), r#""api";q=5;w=1"#),
        (Quota::per(Duration::from_secs(900), 5).sliding_window(), r#""api";q=5;w=900"#),
        (Quota::per_hour(5).fixed_window(), r#""api";q=5;w=3600"#),
    ] {
        let limits = telling(policy("api", quota));
        let answer = send(&limited(&limits, hello()), get_from(PEER, "/")).await;
        assert_eq!(field(&answer, "ratelimit-policy"), told, "{quota}");
    }
}

#[tokio::test(start_paused = true)]
async fn any_name_that_a_header_can_carry_is_read_back_as_it_was() {
    for name in [r#"a "quoted" one"#, r"back\slash", r#"\""#, "comma, semicolon; q=1", "~!@#$%^&*()"] {
        let limits = telling(policy(name, Quota::per_minute(10)));
        let answer = send(&limited(&limits, hello()), get_from(PEER, "/")).await;
        for header in ["ratelimit", "ratelimit-policy"] {
            assert_eq!(read(&field(&answer, header))[0].0, name, "{header}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_nothing_left_t_is_how_long_that_stays_so() {
    for (quota, waits) in [
        (Quota::per_minute(3), [20, 20]),
        (Quota::per_minute(3).sliding_window(), [60, 60]),
        (Quota::per_minute(1), [60, 60]),
        (Quota::per_second(50), [1, 1]),
    ] {
        let app = limited(&telling(policy("api", quota)), hello());
        statuses(&app, PEER, quota.capacity() as usize - 1).await;
        let last = send(&app, get_from(PEER, "/")).await;
        assert_eq!((last.status.as_u16(), last.header("retry-after")), (200, ""));
        assert_eq!(field(&last, "ratelimit"), format!(r#""api";r=0;t={}"#, waits[0]), "{quota}");
        let refused = send(&app, get_from(PEER, "/")).await;
        assert_eq!(field(&refused, "ratelimit"), format!(r#""api";r=0;t={}"#, waits[1]), "{quota}");
        assert_eq!(refused.header("retry-after"), waits[1].to_string(), "{quota}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_no_earlier_than_any_t() {
    let limits = several()
        .policy(policy("tokens", Quota::per_hour(100)).cost(NonZeroU32::new(30).unwrap()))
        .jitter(Duration::from_secs(5))
        .build()
        .unwrap();
    let app = limited(&limits, hello());
    let mut refusals = 0;
    for step in 0..40 {
        let answer = send(&app, get_from(PEER, "/")).await;
        if answer.status == 429 {
            refusals += 1;
            let after: i64 = answer.header("retry-after").parse().unwrap();
            for name in ["minute", "day", "running", "tokens"] {
                let t = parameter(&field(&answer, "ratelimit"), name, "t");
                assert!(after >= t, "{name}: {t} of {after}");
            }
        }
        advance(Duration::from_secs(step)).await;
    }
    assert!(refusals > 5);
}

#[tokio::test(start_paused = true)]
async fn jitter_adds_whole_seconds_up_to_the_most() {
    let limits = policy("api", Quota::per_minute(1));
    let told = async |jitter| {
        let limits =
            RateLimitLayer::builder().policy(limits.clone()).jitter(jitter).headers(Headers::all()).build().unwrap();
        let app = limited(&limits, hello());
        statuses(&app, PEER, 1).await;
        let mut told = HashSet::new();
        for _ in 0..300 {
            told.insert(send(&app, get_from(PEER, "/")).await.header("retry-after").parse::<u64>().unwrap());
        }
        told
    };
    assert_eq!(told(Duration::ZERO).await, HashSet::from([60]));
    assert_eq!(told(Duration::from_secs(3)).await, HashSet::from([60, 61, 62, 63]));
    assert_eq!(told(Duration::from_millis(500)).await, HashSet::from([60, 61]), "rounded up");
}

#[tokio::test(start_paused = true)]
async fn which_headers_are_sent_and_to_whom_is_a_setting() {
    let draft = ["ratelimit", "ratelimit-policy"];
    let legacy = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
    for (headers, to_all, to_known) in [
        (Headers::all(), [true, true], [true, true]),
        (Headers::draft(Draft::V11), [true, false], [true, false]),
        (Headers::legacy(), [false, true], [false, true]),
        (Headers::none(), [false, false], [false, false]),
        (Headers::all().only_for_principals(), [false, false], [true, true]),
        (Headers::legacy().only_for_principals(), [false, false], [false, true]),
    ] {
        let api = Policy::new("api", Key::principal_or_address()).quota(Quota::per_hour(1));
        let limits = RateLimitLayer::builder().policy(api).headers(headers).build().unwrap();
        let app = limited(&limits, hello());
        for status in [200, 429] {
            for (request, [with_draft, with_legacy]) in [(get_from(PEER, "/"), to_all), (get_as("ada"), to_known)] {
                let answer = send(&app, request).await;
                assert_eq!(answer.status, status);
                assert!(draft.iter().all(|name| answer.headers.contains_key(*name) == with_draft), "{headers:?}");
                assert!(legacy.iter().all(|name| answer.headers.contains_key(*name) == with_legacy), "{headers:?}");
                assert_eq!(answer.headers.contains_key("retry-after"), status == 429, "{headers:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_listed_origin_can_read_every_header_of_a_refusal() {
    let limits = telling(policy("api", Quota::per_minute(10)));
    let app = stack().limits(limits).build().unwrap().wrap(application());
    let request = || from_peer(PEER, "GET", "/items/1").header("origin", ORIGIN).body(Body::empty()).unwrap();
    for _ in 0..10 {
        send(&app, request()).await;
    }
    let refused = send(&app, request()).await;
    assert_eq!(refused.status, 429);
    let exposed: Vec<_> = refused.header("access-control-expose-headers").split(", ").collect();
    for name in [
        "retry-after",
        "ratelimit",
        "ratelimit-policy",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ] {
        assert!(exposed.contains(&name) && refused.headers.contains_key(name), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_layers_the_inner_one_speaks() {
    let outer = telling(policy("outer", Quota::per_hour(2)));
    let inner = telling(policy("inner", Quota::per_hour(9)));
    let app = limited(&outer, hello().layer(inner));
    let answer = send(&app, get_from(PEER, "/")).await;
    assert_eq!(field(&answer, "ratelimit"), r#""inner";r=8;t=400"#);
    send(&app, get_from(PEER, "/")).await;
    let refused = send(&app, get_from(PEER, "/")).await;
    assert_eq!(field(&refused, "ratelimit"), r#""outer";r=0;t=1800"#);
}

#[tokio::test(start_paused = true)]
async fn an_application_may_refuse_in_its_own_words() {
    let limits = RateLimitLayer::builder()
        .policy(policy("api", Quota::per_minute(1)))
        .policy(policy("day", Quota::per_day(1)))
        .refusal(|refused| {
            let text = format!("{} {:?} {}", refused.policy(), refused.retry_after(), refused.facts().path());
            let mut response = palisade::Response::new(text.into());
            *response.status_mut() = axum::http::StatusCode::SERVICE_UNAVAILABLE;
            response
        })
        .build()
        .unwrap();
    let app: Router = palisade::Stack::production().limits(limits).build().unwrap().wrap(hello());
    assert_eq!(send(&app, get_from(PEER, "/")).await.status, 200);
    let refused = send(&app, get_from(PEER, "/")).await;
    assert_eq!((refused.status.as_u16(), refused.text()), (503, "day Some(86400s) /"));
    assert_eq!(refused.header("retry-after"), "86400");
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    assert_eq!(refused.header("x-content-type-options"), "nosniff", "dressed like any other");
}

async fn problem(response: palisade::Response) -> serde_json::Value {
    serde_json::from_slice(&axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_limit_alone_refuses_as_one_among_others_does() {
    let limits = RateLimitLayer::builder().policy(policy("api", Quota::per_minute(1))).build().unwrap();
    let (alone, among) = (hello().layer(limits), limited(&telling(policy("api", Quota::per_minute(1))), hello()));
    let mut answers = Vec::new();
    for app in [alone, among] {
        statuses(&app, PEER, 1).await;
        let response = app.oneshot(get_from(PEER, "/?page=2")).await.unwrap();
        let said = |name| response.headers()[name].to_str().unwrap().to_owned();
        let headers = ["retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"].map(said);
        answers.push((headers, problem(response).await));
    }
    assert_eq!(answers[0].0, answers[1].0);
    assert_eq!(answers[0].1, answers[1].1);
    assert_eq!(answers[0].1["instance"], "/");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_the_draft_s_problem() {
    let limits = policy("api", Quota::per_minute(1)).build().unwrap();
    let app = limited(&limits, hello());
    statuses(&app, PEER, 1).await;
    let response = app.oneshot(get_from(PEER, "/")).await.unwrap();
    assert_eq!(response.extensions().get::<palisade::Rejection>().unwrap().kind(), palisade::Kind::QuotaExceeded);
    let problem = problem(response).await;
    let expected = serde_json::json!({
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Quota Exceeded",
        "status": 429,
        "detail": "Too many requests. Try again in 60 s.",
        "instance": "/",
        "violated-policies": ["api"],
    });
    assert_eq!(problem, expected);
}
