//! Every form of the headers about quotas, for clients that are not ours: what is written here is read by the real ones
//! in `tests/clients/ratelimit-headers`.

use axum::{Router, body::Body};
use palisade::rate_limit::{Draft, Headers, Key, Policy, Quota, RateLimitLayer};
use serde_json::{Map, Value, json};

use crate::support::{application, from_peer, send};

fn limited(headers: Headers, policies: &[(&str, Quota)]) -> Router {
    let builder = RateLimitLayer::builder().headers(headers);
    let layer = policies
        .iter()
        .fold(builder, |builder, (name, quota)| builder.policy(Policy::new(*name, Key::address()).quota(*quota)))
        .build();
    application().layer(layer.unwrap())
}

/// So many answers, each as its status and its header lines in their order.
async fn answers(app: Router, count: usize) -> Value {
    let mut answers = Vec::new();
    for _ in 0..count {
        let request = from_peer("192.0.2.1", "GET", "/items/1").body(Body::empty()).unwrap();
        let answer = send(&app, request).await;
        let lines = answer.headers.iter().map(|(name, value)| json!([name.as_str(), value.to_str().unwrap()]));
        answers.push(json!({ "status": answer.status.as_u16(), "headers": lines.collect::<Vec<_>>() }));
    }
    answers.into()
}

#[tokio::test]
async fn every_form_is_written_down_for_the_clients() {
    let api = [("api", Quota::per_minute(2))];
    let several = [("api", Quota::per_minute(2)), ("daily", Quota::per_day(1000).burst(100))];
    let mut forms = Map::new();
    for (name, headers, policies, count) in [
        ("default", Headers::default(), &api[..], 3),
        ("all", Headers::all(), &api[..], 3),
        ("draft", Headers::draft(Draft::V11), &api[..], 3),
        ("legacy", Headers::legacy(), &api[..], 3),
        ("several", Headers::all(), &several[..], 3),
        ("concurrent", Headers::all(), &[("running", Quota::concurrent(4))][..], 1),
        ("odd name", Headers::draft(Draft::V11), &[(r#"a "b" \ c, d;q=1"#, Quota::per_minute(2))][..], 1),
        ("none", Headers::none(), &api[..], 3),
    ] {
        forms.insert(name.to_owned(), answers(limited(headers, policies), count).await);
    }
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("header-forms.json");
    std::fs::write(&path, serde_json::to_vec_pretty(&forms).unwrap()).unwrap();
    // A policy that has nothing left refuses, and no form says otherwise.
    assert_eq!(forms["none"][2]["status"], 429);
}
