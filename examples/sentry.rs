//! Failures, and one trace in two, for Sentry or what speaks its protocol. Run it with
//! `SENTRY_DSN=https://key@host/1 cargo run --features sentry --example sentry`; `PALISADE_ADDR` sets another address.

use std::{fs, io};

use axum::{
    Router,
    extract::Path,
    http::request::Parts,
    routing::{get, post},
};
use palisade::{AppError, Health, Principal, Stack, error_tracking::SentryReporter};

/// The first line of a file that is not there: the error and its type are told, the client hears of neither.
async fn order(Path(id): Path<u32>) -> Result<String, AppError> {
    let orders = fs::read_to_string(format!("orders-{id}.txt"))
        .map_err(|error| io::Error::new(error.kind(), format!("orders of {id} with password=hunter2: {error}")))?;
    Ok(orders.lines().next().unwrap_or_default().to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let dsn = std::env::var("SENTRY_DSN").map_err(|error| format!("SENTRY_DSN: {error}"))?;
    let sentry = SentryReporter::builder(dsn)
        .environment("development")
        .release(concat!("palisade-example@", env!("CARGO_PKG_VERSION")))
        .traces_sample_rate(0.5)
        .build()?;

    let router = Router::new()
        .route("/hello", get(|| async { "hello\n" }))
        .route("/orders/{id}", get(order))
        .route("/panic", post(|body: String| async move { panic!("the handler broke on {body}") as &str }));
    let stack = Stack::development()
        .authenticate(|head: &Parts| head.headers.get("x-user").map(|_| Principal::new("user:42").tier("pro")))
        .reporter(sentry.clone())
        .build()?;
    let app = Health::new().router(&stack).merge(stack.wrap(router));

    let addr = std::env::var("PALISADE_ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener =
        tokio::net::TcpListener::bind(&addr).await.map_err(|error| format!("PALISADE_ADDR {addr}: {error}"))?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("Listening on {url}. Try:");
    println!("  curl -i -H 'x-user: ada' '{url}/orders/7?token=abc'   # 500: an event, without the token");
    println!("  curl -i -d 'password=abc' {url}/panic                 # 500: a fatal one, without the password");
    println!("  curl -i {url}/hello                                   # every other one is a transaction");
    palisade::serve(listener, app).await?;
    sentry.close();
    println!("Sentry took {}, {} were dropped, {} failed", sentry.sent(), sentry.dropped(), sentry.failed());
    Ok(())
}
