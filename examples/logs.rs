//! What a service says, in one shape: `cargo run --example logs --features logs`. With `PALISADE_LOG_DIR=logs` also in files;
//! `PALISADE_PROFILE=production` is lines of JSON; `RUST_LOG` says how much.

use axum::{
    Json, Router,
    routing::{get, post},
};
use palisade::{
    Access, Audit, Facts, Kind, Profile, Redacted, Rejection, Stack,
    access_log::AccessLogLayer,
    logs::{self, LogSettings},
};
use serde_json::Value;

async fn hello() -> &'static str {
    tracing::info!(guests = 1, "a line of the handler knows its request");
    "hello\n"
}

async fn login(facts: Facts, Json(asked): Json<Value>) -> Result<&'static str, Rejection> {
    let user = asked["user"].as_str().unwrap_or_default();
    let password = Redacted::new(asked["password"].as_str().unwrap_or_default());
    tracing::debug!(%asked, ?password, "both are told without the password");
    let audit = Audit::new("login").on(user).by(&facts);
    if *password.expose() != "palisade" {
        audit.because("wrong password").refused();
        return Err(Rejection::new(Kind::Unauthenticated));
    }
    audit.succeeded();
    Ok("welcome\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let profile: Profile = std::env::var("PALISADE_PROFILE").as_deref().unwrap_or("development").parse()?;
    let mut settings = LogSettings::profile(profile.clone()).panics(true);
    if let Some(directory) = std::env::var_os("PALISADE_LOG_DIR") {
        settings = settings.directory(directory);
    }
    let logs = logs::init(&settings)?;

    let mut stack = Stack::profile(profile.clone());
    if profile.to_string() != "development" {
        // One stream of JSON, access log included.
        stack = stack.access_log(AccessLogLayer::json(logs.lines()));
    }
    let stack = stack.build()?;
    if let Some(metrics) = stack.metrics() {
        logs.measure(metrics)?;
    }
    let router = Router::new()
        .route("/hello", get(hello))
        .route("/login", post(login))
        .route("/panic", get(|| async { panic!("no route to postgres://shop:hunter2@db") as &str }));
    let levels = stack.probes().wrap(logs.router(Access::loopback()));
    let app = levels.merge(stack.inner_routes()).merge(stack.wrap(router));

    let addr = std::env::var("PALISADE_ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener =
        tokio::net::TcpListener::bind(&addr).await.map_err(|error| format!("PALISADE_ADDR {addr}: {error}"))?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("Listening on {url}. Try:");
    println!("  curl {url}/hello                                  # its lines have request_id, route, method");
    println!(
        "  curl {url}/login --json '{{\"user\":\"ada\",\"password\":\"guess\"}}'   # an audit, and no password anywhere"
    );
    println!("  curl {url}/panic                                  # an error; the password in its text is taken out");
    println!("  curl -X PUT {url}/log/level -d warn               # from now on only warnings, and audits");
    palisade::serve(listener, app).await?;
    Ok(())
}
