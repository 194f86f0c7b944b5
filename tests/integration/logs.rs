//! What a service with a whole stack leaves in its log.

use std::{fs, path::PathBuf, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    routing::{get, post},
};
use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use palisade::{
    Access, Audit, Facts, Principal, Redacted,
    access_log::AccessLogLayer,
    logs::{self, LogSettings, Logs},
    metrics::MetricsLayer,
};
use serde_json::{Value, json};
use tracing::instrument::WithSubscriber as _;

use crate::support::{from_peer, get_from, send, stack};

/// Logs in a directory of their own.
pub(crate) struct Logged {
    directory: PathBuf,
    pub(crate) dispatch: tracing::Dispatch,
    pub(crate) logs: Logs,
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Logged {
    pub(crate) fn new(test: &str, settings: LogSettings) -> Self {
        let directory = std::env::temp_dir().join(format!("palisade-{}-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        let (dispatch, logs) = logs::subscriber(&settings.stdout(false).directory(&directory)).unwrap();
        logs.level("debug").unwrap();
        Self { directory, dispatch, logs }
    }

    /// All that was written, file by file.
    pub(crate) fn texts(&self) -> Vec<(String, String)> {
        assert!(self.logs.flush(Duration::from_secs(10)));
        let files = fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect()
    }

    fn lines(&self, file: &str) -> Vec<Value> {
        let (_, text) = self.texts().into_iter().find(|(path, _)| path.ends_with(file)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

const SECRET: &str = "hunter2hunter2hunter2";

/// Tells everything to everybody.
async fn careless(headers: HeaderMap, facts: Facts, uri: http::Uri, body: Bytes) -> String {
    let password = Redacted::new(SECRET);
    let body = String::from_utf8_lossy(&body).into_owned();
    let cookie = headers.get("cookie").and_then(|cookie| cookie.to_str().ok()).unwrap_or_default();
    tracing::info!(?headers, %uri, body, cookie, %password, "asked for {uri} with {body}");
    tracing::error!(authorization = headers["authorization"].to_str().unwrap(), "and {:?}", headers["authorization"]);
    tracing::debug!(api_key = ?headers.get("x-api-key"), "X-Api-Key: {}", headers["x-api-key"].to_str().unwrap());
    Audit::new("login").on(&uri).by(&facts).because(&body).failed();
    panic!("no user at {uri} with {body}");
}

#[tokio::test]
async fn a_planted_secret_is_in_no_file_whatever_a_handler_says() {
    for (name, settings) in [("json", LogSettings::production()), ("readable", LogSettings::production().readable())] {
        let logged = Logged::new(&format!("secret-{name}"), settings);
        let app = stack().build().unwrap().wrap(Router::new().route("/login", post(careless)));
        let request = from_peer("192.0.2.1", "POST", &format!("/login?token={SECRET}&page=2"))
            .header("authorization", format!("Bearer {SECRET}"))
            .header("cookie", format!("session={SECRET}"))
            .header("x-api-key", SECRET)
            .header("referer", format!("https://app.example/?token={SECRET}"))
            .body(Body::from(format!(r#"{{"user":"ada","password":"{SECRET}"}}"#)));
        let answer = send(&app, request.unwrap()).with_subscriber(logged.dispatch.clone()).await;
        assert_eq!(answer.status, 500);
        let texts = logged.texts();
        assert_eq!(texts.len(), 3);
        for (path, text) in texts {
            assert!(!text.contains("hunter2"), "{path}: {text}");
            assert!(text.contains("[redacted]") || path.ends_with("audit.log"), "{path}: {text}");
            let marker = match path.rsplit('/').next().unwrap() {
                "app.log" => "asked for",
                "errors.log" => "no user at",
                _ => "login",
            };
            assert!(text.contains(marker), "{path} has nothing to tell: {text}");
        }
    }
}

#[tokio::test]
async fn every_line_of_a_request_says_which_who_and_where() {
    let logged = Logged::new("context", LogSettings::production());
    let handler = async |facts: Facts| {
        tracing::info!("in the handler");
        Audit::new("item.read").on("item:1").by(&facts).succeeded();
        Body::from_stream(stream::iter(0..1).map(|_| {
            tracing::info!("in the body");
            Ok::<_, std::io::Error>("item")
        }))
    };
    let stack = stack()
        .authenticate(|_: &http::request::Parts| Some(Principal::new("user:42").tier("pro")))
        .access_log(AccessLogLayer::json(logged.logs.lines()))
        .build()
        .unwrap();
    let app = stack.wrap(Router::new().route("/items/{id}", get(handler)));
    let answer = send(&app, get_from("192.0.2.1", "/items/1")).with_subscriber(logged.dispatch.clone()).await;
    let id = answer.header("x-request-id");
    let lines = logged.lines("app.log");
    let of = |message: &str| {
        lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("{message} in {lines:?}"))
    };
    for message in ["in the handler", "in the body", "audit"] {
        let line = of(message);
        for (name, value) in [("request_id", id), ("route", "/items/{id}"), ("method", "GET"), ("user", "user:42")] {
            assert_eq!(line[name], value, "{message}: {line}");
        }
        assert!(line["trace_id"].as_str().is_some_and(|trace| trace.len() == 32), "{line}");
    }
    assert_eq!(of("audit")["actor"], "user:42");
    let access = lines.iter().find(|line| line["duration_ms"].is_number()).unwrap();
    assert_eq!((&access["request_id"], &access["status"]), (&Value::from(id), &Value::from(200)));
    assert_eq!(logged.lines("audit.log").len(), 1);
}

#[tokio::test]
async fn what_is_logged_is_changed_by_who_may_and_audited() {
    let logged = Logged::new("level", LogSettings::production());
    let stack = stack().build().unwrap();
    let app = stack.probes().wrap(logged.logs.router(Access::token("let me in")));
    let ask = async |method: &str, token: &str, body: &'static str| {
        let request = from_peer("192.0.2.1", method, "/log/level").header("authorization", format!("Bearer {token}"));
        send(&app, request.body(Body::from(body)).unwrap()).with_subscriber(logged.dispatch.clone()).await
    };
    assert_eq!(ask("PUT", "guess", "off").await.status, 401);
    assert_eq!(ask("GET", "let me in", "").await.text(), "debug");
    assert_eq!(ask("PUT", "let me in", "warn,palisade=debug\n").await.status, 204);
    assert_eq!(ask("GET", "let me in", "").await.text(), "warn,palisade=debug");
    let refused = ask("PUT", "let me in", "warn,loud=louder").await;
    assert!(refused.status == 400 && refused.text().contains("loud=louder"), "{}", refused.text());
    assert_eq!(ask("GET", "let me in", "").await.text(), "warn,palisade=debug");
    let audits = logged.lines("audit.log");
    let told: Vec<_> = audits.iter().map(|line| [&line["object"], &line["outcome"], &line["client"]]).collect();
    assert_eq!(told, [["warn,palisade=debug", "succeeded", "192.0.2.1"], ["warn,loud=louder", "failed", "192.0.2.1"]]);
}

#[test]
fn what_was_dropped_is_a_metric() {
    let logged = Logged::new("dropped", LogSettings::production().queue_bytes(64 * 1024));
    let metrics = MetricsLayer::new();
    logged.logs.measure(&metrics).unwrap();
    assert_eq!(logged.logs.measure(&metrics).unwrap_err().mistakes().len(), 2);
    // A line that never has room.
    logged.logs.lines()("x".repeat(100_000).as_bytes());
    assert_eq!((logged.logs.dropped(), logged.logs.failed()), (1, 0));
    let text = metrics.render();
    assert!(text.contains("log_lines_dropped_total 1\n") && text.contains("log_lines_failed_total 0\n"), "{text}");
    let lines = logged.lines("app.log");
    assert!(lines.iter().any(|line| line["message"].as_str().unwrap().contains("dropped")), "{lines:?}");
}

/// Runs `here` in a process of its own, which has one subscriber for all of it.
fn elsewhere(test: &str, env: &[(&str, &str)]) -> (Vec<Value>, String) {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]).env_remove("RUST_LOG");
    let output = command.envs(env.iter().copied()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stdout}{stderr}");
    // The first follows what the harness has to say.
    let lines = stdout.lines().filter_map(|line| line.find(r#"{"time""#).map(|start| &line[start..]));
    (lines.map(|line| serde_json::from_str(line).unwrap()).collect(), stderr)
}

#[test]
fn it_is_there_for_the_whole_program_once_and_its_end_waits_for_the_last_line() {
    let (lines, stderr) = elsewhere("logs::here_it_is_set_up", &[("LOG_LEVEL", "debug")]);
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    let threads: Vec<_> = (0..1000).map(|number| format!("line {number}")).collect();
    assert_eq!(messages[..3], ["detail", "through log", "broke at /?token=[redacted]"]);
    assert_eq!(messages[3..], threads);
    let log = json!({"level": "WARN", "target": "a_library", "message": "through log", "time": lines[1]["time"]});
    assert_eq!(lines[1], log);
    let place = lines[2]["location"].as_str().unwrap();
    assert!(place.contains("logs.rs:") && lines[2]["target"] == "palisade::panic", "{}", lines[2]);
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
#[ignore = "started by the test above"]
fn here_it_is_set_up() {
    let logs = logs::init(&LogSettings::production().panics(true)).unwrap();
    let error = logs::init(&LogSettings::production().level("loud=louder")).unwrap_err();
    assert_eq!(error.mistakes().len(), 2, "{error}");
    tracing::debug!("detail");
    log::warn!(target: "a_library", "through log");
    let broke = std::panic::catch_unwind(|| panic!("broke at /?token={SECRET}"));
    assert!(broke.is_err());
    std::thread::spawn(|| (0..1000).for_each(|number| tracing::info!("line {number}"))).join().unwrap();
    drop(logs);
    // Nothing after this is waited for.
    std::process::exit(0);
}

#[test]
fn a_mistake_in_the_environment_is_an_error_and_no_panic() {
    let (_, stderr) = elsewhere("logs::here_the_environment_is_wrong", &[("RUST_LOG", "info,loud=louder")]);
    assert!(stderr.contains("RUST_LOG: `loud=louder`"), "{stderr}");
}

#[test]
#[ignore = "started by the test above"]
fn here_the_environment_is_wrong() {
    eprintln!("{}", logs::init(&LogSettings::production()).unwrap_err());
}

/// Says something whenever it is printed, or panics.
struct Talks(bool);

impl std::fmt::Display for Talks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        assert!(!self.0, "a value that cannot be printed");
        tracing::info!("said while it is printed");
        f.write_str("printed")
    }
}

#[derive(Debug)]
struct Circle;

impl std::fmt::Display for Circle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("round and round")
    }
}

impl std::error::Error for Circle {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self)
    }
}

#[test]
fn a_value_that_logs_or_panics_or_goes_round_holds_up_nobody() {
    let logged = Logged::new("talks", LogSettings::production());
    tracing::dispatcher::with_default(&logged.dispatch, || {
        for panics in [false, true, false] {
            let span = tracing::info_span!("work", value = tracing::field::Empty);
            let _entered = span.enter();
            let recorded =
                std::panic::AssertUnwindSafe(|| span.record("value", tracing::field::display(Talks(panics))));
            assert_eq!(std::panic::catch_unwind(recorded).is_err(), panics);
            tracing::info!(panics, "after");
        }
        tracing::info!(error = &Circle as &(dyn std::error::Error + 'static), prompt_tokens = 120, "circle");
    });
    let lines = logged.lines("app.log");
    let after: Vec<_> =
        lines.iter().filter(|line| line["message"] == "after").map(|line| line["value"].clone()).collect();
    assert_eq!(after, [json!("printed"), Value::Null, json!("printed")]);
    assert_eq!(lines.iter().filter(|line| line["message"] == "said while it is printed").count(), 2);
    let circle = lines.iter().find(|line| line["message"] == "circle").unwrap();
    assert_eq!((&circle["error"], &circle["prompt_tokens"]), (&json!("round and round"), &json!(120)));
}
