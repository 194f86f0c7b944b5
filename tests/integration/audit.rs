//! What is told of sensitive operations.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Body, routing::post};
use futures_util::FutureExt as _;
use palisade::{
    Audit, Facts, Guard as _, Principal, authentication::AuthenticationLayer, client_ip::ClientIpLayer,
    request_id::RequestIdLayer,
};

use crate::support::{Log, from_peer, send};

/// What is said meanwhile.
fn said(run: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, run);
    log.lines_with("palisade::audit")
}

#[test]
fn an_operation_is_told_of_once_when_it_has_ended() {
    for (end, outcome) in [
        (Audit::succeeded as fn(Audit), "succeeded"),
        (Audit::refused, "refused"),
        (Audit::failed, "failed"),
        (drop, "unfinished"),
    ] {
        let told = said(|| end(Audit::new("key.rotate").on("key:7").actor("cron").because("it was due")));
        let expected = format!(
            r#" INFO palisade::audit: audit action="key.rotate" object="key:7" actor="cron" outcome="{outcome}" reason="it was due""#
        );
        assert_eq!(told, [expected]);
    }
}

#[test]
fn a_panic_on_the_way_leaves_it_unfinished() {
    let told = said(|| {
        let _ = std::panic::catch_unwind(|| {
            let _audit = Audit::new("user.delete");
            std::panic::resume_unwind(Box::new("on the way"));
        });
    });
    assert_eq!(told, [r#" INFO palisade::audit: audit action="user.delete" outcome="unfinished""#]);
}

#[test]
fn a_secret_is_not_told() {
    let told = said(|| Audit::new("login").on("https://ada:hunter2@db").because("token=abc was stale").refused());
    assert_eq!(told.len(), 1);
    assert!(!told[0].contains("hunter2") && !told[0].contains("abc"), "{told:?}");
}

#[test]
fn who_and_in_which_request_comes_with_the_facts() {
    let caller = AuthenticationLayer::new(|head: &http::request::Parts| {
        head.headers.contains_key("x-user").then(|| Principal::new("user:42"))
    });
    let app = Router::new()
        .route("/", post(|facts: Facts| async move { Audit::new("user.delete").on("user:12").by(&facts).succeeded() }))
        .layer(ClientIpLayer::peer().then(RequestIdLayer::new()).then(caller).into_layer());
    for (header, actor) in [("x-user", "user:42"), ("x-nobody", "anonymous")] {
        let id = Arc::new(Mutex::new(String::new()));
        let told = said(|| {
            let request = from_peer("192.0.2.1", "POST", "/").header(header, "ada").body(Body::empty()).unwrap();
            let answer = send(&app, request).now_or_never().unwrap();
            answer.header("x-request-id").clone_into(&mut id.lock().unwrap());
        });
        let id = id.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].ends_with(&format!(
                r#"object="user:12" actor="{actor}" outcome="succeeded" client=192.0.2.1 request_id={id}"#
            )),
            "{told:?}"
        );
    }
}
