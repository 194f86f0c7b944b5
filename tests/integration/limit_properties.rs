//! The layer against a model, with arrivals, costs and endings drawn at random.
//!
//! The arithmetic is held against governor's, and each way of counting against its promise, next to their code.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes},
    http::StatusCode,
    response::Response,
    routing::get,
};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http_body_util::BodyExt as _;
use palisade::rate_limit::{
    Cost, Key, Policy, Quota, RateLimitLayer,
    engine::{Rate, Refused, decide},
};
use proptest::prelude::*;
use tower::ServiceExt as _;

use crate::support::{get_from, hello, left, limited, send};

const PEER: &str = "192.0.2.1";

/// Under a clock that stands still until it is advanced.
fn paused<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test)
}

fn quotas() -> impl Strategy<Value = (u32, u64, u32)> {
    (1..8_u32, 1..5000_u64, 1..8_u32)
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Read,
    Dropped,
    Cancelled,
    HandlerPanics,
    BodyPanics,
    BodyFails,
    ServerError,
}

fn endings() -> impl Strategy<Value = Ending> {
    use Ending::{BodyFails, BodyPanics, Cancelled, Dropped, HandlerPanics, Read, ServerError};
    prop::sample::select(vec![Read, Dropped, Cancelled, HandlerPanics, BodyPanics, BodyFails, ServerError])
}

fn streamed(ending: Ending) -> Body {
    Body::from_stream(stream::iter(0..3).map(move |piece| match (ending, piece) {
        (Ending::BodyPanics, 1) => panic!("in the body"),
        (Ending::BodyFails, 1) => Err(std::io::Error::other("cut")),
        _ => Ok(Bytes::from_static(b"piece")),
    }))
}

async fn handle(ending: Ending, settles: &[u32], cost: &Cost) -> Response {
    for units in settles {
        cost.settle(*units);
    }
    let mut response = Response::new(streamed(ending));
    match ending {
        Ending::HandlerPanics => panic!("in the handler"),
        Ending::Cancelled => std::future::pending().await,
        Ending::ServerError => *response.status_mut() = StatusCode::BAD_GATEWAY,
        _ => {}
    }
    response
}

async fn run(limits: &RateLimitLayer, ending: Ending, settles: Vec<u32>) -> bool {
    let handler = move |cost: Cost| async move { handle(ending, &settles, &cost).await };
    let app = limited(limits, Router::new().route("/", get(handler)));
    let mut answer = Box::pin(app.oneshot(get_from(PEER, "/")));
    let Some(answer) = (&mut answer).now_or_never() else { return true };
    let mut answer = answer.unwrap();
    let admitted = answer.status() != 429;
    if matches!(ending, Ending::Dropped) {
        let _ = answer.frame().await;
    } else {
        let _ = answer.into_body().collect().await;
    }
    admitted
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// All-or-nothing, by the table's own arithmetic on two accounts at once.
    #[test]
    fn two_policies_decide_as_one(
        quotas in [quotas(), quotas()],
        arrivals in prop::collection::vec((0..2500_u64, 0..5_u32), 1..60),
    ) {
        paused(async {
            let policy = |name: &str, (count, millis, burst): (u32, u64, u32)| {
                let quota = Quota::per(Duration::from_millis(millis), count).burst(burst);
                Policy::new(name, Key::address()).quota(quota).keys(10).cost_by(|head| head.uri.path()[1..].parse().unwrap())
            };
            let limits = RateLimitLayer::builder().policy(policy("a", quotas[0])).policy(policy("b", quotas[1])).build().unwrap();
            let app = limited(&limits, hello().fallback(|| async {}));
            let rates = quotas.map(|(count, millis, burst)| Rate::new(count, Duration::from_millis(millis), burst).unwrap());
            let (mut now, mut tats) = (1, [0, 0]);
            for (gap, cost) in arrivals {
                now += gap * 1_000_000;
                tokio::time::advance(Duration::from_millis(gap)).await;
                let asked = cost.max(1);
                let verdicts = [0, 1].map(|index| decide(&rates[index], tats[index], now, asked));
                let answer = send(&app, get_from(PEER, &format!("/{cost}"))).await;
                let wait = verdicts.iter().filter_map(|verdict| match verdict {
                    Ok(_) => None,
                    Err(Refused::Wait { ticks }) => Some(*ticks),
                    Err(_) => Some(u64::MAX),
                });
                match wait.max() {
                    None => {
                        prop_assert_eq!(answer.status, 200);
                        for index in [0, 1] {
                            tats[index] = decide(&rates[index], tats[index], now, cost).unwrap().new_tat;
                        }
                    }
                    Some(u64::MAX) => prop_assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "")),
                    Some(wait) => {
                        let seconds = wait.div_ceil(1_000_000_000).to_string();
                        prop_assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, seconds.as_str()));
                        prop_assert_ne!(seconds, "0");
                    }
                }
                if answer.status == 429 {
                    let refused = [("a", verdicts[0].is_err()), ("b", verdicts[1].is_err())];
                    let names: Vec<_> = refused.iter().filter(|(_, refused)| *refused).map(|(name, _)| *name).collect();
                    prop_assert_eq!(&answer.json()["violated-policies"], &serde_json::json!(names));
                }
                for (index, name) in ["a", "b"].into_iter().enumerate() {
                    let model = decide(&rates[index], tats[index], now, 0).unwrap().remaining(&rates[index]);
                    prop_assert_eq!(left(&limits, name, PEER), model);
                }
            }
            Ok(())
        })?;
    }

    /// However requests end, and whatever they say about their cost, and how often: the account says what they did cost.
    #[test]
    fn the_account_ends_up_at_the_truth(
        kind in 0..3_usize,
        estimate in 0..20_u32,
        requests in prop::collection::vec((endings(), prop::collection::vec(0..20_u32, 0..3)), 1..25),
    ) {
        const WHOLE: u32 = 1000;
        paused(async {
            let quota = [
                Quota::per_day(WHOLE), Quota::per_day(WHOLE).sliding_window(), Quota::per_day(WHOLE).fixed_window(),
            ][kind];
            let policy = |name: &str| Policy::new(name, Key::address()).quota(quota).keys(8).settled(estimate);
            let running = Policy::new("running", Key::address()).quota(Quota::concurrent(1));
            let limits = RateLimitLayer::builder().policy(policy("one")).policy(running).policy(policy("other")).build().unwrap();
            let mut truth = 0;
            for (ending, settles) in requests {
                let actual = match (settles.first(), ending) {
                    (Some(actual), _) => *actual,
                    (None, Ending::Read) => estimate,
                    (None, _) => 0,
                };
                prop_assert!(run(&limits, ending, settles).await);
                truth += actual;
                for policy in ["one", "other"] {
                    prop_assert_eq!(WHOLE - left(&limits, policy, PEER), truth, "{:?}", ending);
                }
                prop_assert_eq!(left(&limits, "running", PEER), 1, "the place came back");
            }
            Ok(())
        })?;
    }
}
