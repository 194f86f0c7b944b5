//! Logins: failures are counted, by account and by address, and nothing is to be learnt from the answers.

use std::time::Duration;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    routing::get,
};
use futures_util::future::join_all;
use palisade::{
    Facts, Response, Stack,
    rate_limit::{LoginLimit, Quota},
};
use tokio::time::advance;

use crate::support::{Answer, get_from, send};

/// `ada` is an account, and her password is `right`; whoever says `leave` never hears the end.
async fn login(State(limit): State<LoginLimit>, facts: Facts, uri: Uri) -> Result<&'static str, Response> {
    let (account, password) = uri.query().unwrap().split_once(':').unwrap();
    let account = account.replace("%20", " ");
    let attempt = limit.attempt(&account, &facts)?;
    tokio::task::yield_now().await;
    match (account.trim().to_lowercase().as_str(), password) {
        (_, "leave") => Ok("nothing was said"),
        ("ada" | "eve", "right") => {
            attempt.succeeded();
            Ok("welcome")
        }
        _ => Err(attempt.failed()),
    }
}

fn limit() -> LoginLimit {
    let quota = |count| Quota::per(Duration::from_secs(900), count);
    LoginLimit::builder().account(quota(5)).address(quota(20)).keys(1000).build().unwrap()
}

fn app(limit: LoginLimit) -> Router {
    let routes = Router::new().route("/login", get(login)).with_state(limit);
    Stack::production().flood(None).build().unwrap().wrap(routes)
}

async fn attempt(app: &Router, peer: &str, account: &str, password: &str) -> Answer {
    send(app, get_from(peer, &format!("/login?{account}:{password}"))).await
}

async fn outcomes(app: &Router, peer: &str, account: &str, password: &str, count: usize) -> Vec<u16> {
    let mut outcomes = Vec::new();
    for _ in 0..count {
        outcomes.push(attempt(app, peer, account, password).await.status.as_u16());
    }
    outcomes
}

/// What an answer shows, without what differs from request to request.
fn shown(answer: &Answer) -> (StatusCode, HeaderMap, usize, serde_json::Value) {
    let (mut headers, mut body) = (answer.headers.clone(), answer.json());
    for volatile in ["x-request-id", "date"] {
        headers.remove(volatile);
    }
    for differs in ["requestId", "traceId"] {
        body.as_object_mut().unwrap().remove(differs);
    }
    (answer.status, headers, answer.body.len(), body)
}

#[tokio::test(start_paused = true)]
async fn a_known_and_an_unknown_account_get_the_same_answers() {
    let app = app(limit());
    for _ in 0..8 {
        let known = attempt(&app, "192.0.2.1", "ada", "wrong").await;
        let unknown = attempt(&app, "192.0.2.2", "nobody-at-all", "wrong").await;
        assert_eq!(shown(&known), shown(&unknown));
        advance(Duration::from_secs(7)).await;
    }
    assert_eq!(attempt(&app, "192.0.2.3", "ada", "wrong").await.status, 429);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_does_not_say_whether_it_is_for_the_account_or_for_the_address() {
    let app = app(limit());
    assert_eq!(outcomes(&app, "192.0.2.1", "ada", "wrong", 6).await, [401, 401, 401, 401, 401, 429]);
    for index in 0..20 {
        attempt(&app, "192.0.2.2", &format!("guess-{index}"), "wrong").await;
    }
    let for_the_account = attempt(&app, "192.0.2.3", "ada", "wrong").await;
    let for_the_address = attempt(&app, "192.0.2.2", "bob", "wrong").await;
    let ((status, mut headers, length, body), mut other) = (shown(&for_the_account), shown(&for_the_address));
    // How long it lasts is what it is.
    assert!(headers.remove("retry-after").is_some() && other.1.remove("retry-after").is_some());
    assert_eq!((status, headers, length, body), other);
    assert_eq!(for_the_account.json()["violated-policies"], serde_json::json!(["login"]));
}

#[tokio::test(start_paused = true)]
async fn only_failures_count() {
    let app = app(limit());
    assert_eq!(outcomes(&app, "192.0.2.1", "ada", "right", 100).await, [200; 100]);
    assert_eq!(outcomes(&app, "192.0.2.1", "ada", "wrong", 6).await, [401, 401, 401, 401, 401, 429]);
    assert_eq!(outcomes(&app, "192.0.2.1", "ada", "right", 1).await, [429], "not even with the right password");
}

#[tokio::test(start_paused = true)]
async fn success_clears_the_account_and_not_the_address() {
    let app = app(limit());
    // Eve guesses at other accounts, and logs in to her own after every guess.
    let mut guesses = 0;
    for index in 0..100 {
        let guess = attempt(&app, "192.0.2.1", &format!("guess-{index}"), "wrong").await;
        guesses += usize::from(guess.status == 401);
        let own = attempt(&app, "192.0.2.1", "eve", "right").await.status;
        assert_eq!(own, if guesses < 20 { 200 } else { 429 });
    }
    assert_eq!(guesses, 20);
    for _ in 0..4 {
        assert_eq!(outcomes(&app, "192.0.2.2", "ada", "wrong", 4).await, [401; 4]);
        assert_eq!(outcomes(&app, "192.0.2.2", "ada", "right", 1).await, [200], "the account begins anew");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_is_the_same_in_any_case_and_with_space_around_it() {
    let app = app(limit());
    for account in ["ada", "ADA", "%20Ada", "aDa%20%20", "%20ADA%20"] {
        assert_eq!(outcomes(&app, "192.0.2.1", account, "wrong", 1).await, [401], "{account}");
    }
    for account in ["ada", "Ada", "ADA%20"] {
        assert_eq!(outcomes(&app, "192.0.2.2", account, "right", 1).await, [429], "{account}");
    }
    assert_eq!(outcomes(&app, "192.0.2.2", "a%20da", "wrong", 1).await, [401]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_of_which_nobody_hears_has_failed() {
    let app = app(limit());
    assert_eq!(outcomes(&app, "192.0.2.1", "ada", "leave", 6).await, [200, 200, 200, 200, 200, 429]);
    let limit = limit();
    let app = self::app(limit.clone());
    for _ in 0..5 {
        use futures_util::FutureExt as _;
        let mut waiting = Box::pin(attempt(&app, "192.0.2.1", "ada", "right"));
        assert!((&mut waiting).now_or_never().is_none(), "the client goes before the answer");
    }
    assert_eq!(outcomes(&app, "192.0.2.1", "ada", "right", 1).await, [429]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_attempt_counts_for_neither() {
    let app = app(limit());
    assert_eq!(outcomes(&app, "192.0.2.1", "ada", "wrong", 60).await[5..], [429; 55]);
    for index in 0..15 {
        let other = attempt(&app, "192.0.2.1", &format!("guess-{index}"), "wrong").await;
        assert_eq!(other.status, 401, "only five of the twenty are used by those");
    }
    assert_eq!(outcomes(&app, "192.0.2.1", "bob", "wrong", 10).await, [429; 10]);
    assert_eq!(outcomes(&app, "192.0.2.9", "bob", "wrong", 6).await, [401, 401, 401, 401, 401, 429]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_forgotten_in_time() {
    let app = app(limit());
    outcomes(&app, "192.0.2.1", "ada", "wrong", 5).await;
    let refused = attempt(&app, "192.0.2.1", "ada", "right").await;
    assert_eq!(refused.header("retry-after"), "180");
    advance(Duration::from_millis(179_999)).await;
    assert_eq!(outcomes(&app, "192.0.2.1", "ada", "right", 1).await, [429]);
    advance(Duration::from_millis(1)).await;
    assert_eq!(outcomes(&app, "192.0.2.1", "ada", "right", 1).await, [200]);
}

#[tokio::test(start_paused = true)]
async fn failures_may_be_counted_in_any_way_that_knows_time() {
    let hour = |count| Quota::per_hour(count);
    for (account, address) in [
        (hour(2).sliding_window(), hour(4).sliding_window()),
        (Quota::per_day(2).fixed_window(), Quota::per_day(4).fixed_window()),
        (hour(2), hour(4).sliding_window()),
    ] {
        let limit = LoginLimit::builder().account(account).address(address).keys(100).build().unwrap();
        let app = app(limit);
        assert_eq!(outcomes(&app, "192.0.2.1", "ada", "right", 9).await, [200; 9], "{account}");
        assert_eq!(outcomes(&app, "192.0.2.1", "ada", "wrong", 3).await, [401, 401, 429], "{account}");
        assert_eq!(outcomes(&app, "192.0.2.1", "bob", "wrong", 3).await, [401, 401, 429], "{account}");
        assert_eq!(outcomes(&app, "192.0.2.1", "eve", "right", 1).await, [429], "{address}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_guesses_at_once_are_as_many_as_may_fail() {
    let app = app(limit());
    for (guess, allowed) in
        [(&(|_| "ada".to_owned()) as &dyn Fn(usize) -> String, 5), (&|index| format!("u{index}"), 15)]
    {
        let guesses = (0..1000).map(|index| {
            let (app, account) = (app.clone(), guess(index));
            tokio::spawn(async move { attempt(&app, "192.0.2.1", &account, "wrong").await.status })
        });
        let looked_at = join_all(guesses).await.into_iter().filter(|status| *status.as_ref().unwrap() == 401).count();
        assert_eq!(looked_at, allowed, "of the account's five, then of the address's twenty");
    }
}
