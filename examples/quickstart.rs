//! The wall in one call. Run it with `cargo run --example quickstart`; `PALISADE_ADDR` sets another address.

use axum::{Router, routing::get};
use palisade::{
    Health, Stack,
    rate_limit::{Key, Policy, Quota},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init(); // refusals and errors are told here, with the request id
    let router = Router::new()
        .route("/hello", get(|| async { "hello, from behind the wall\n" }))
        .route("/panic", get(|| async { panic!("the handler broke") as &str }));

    let limit = Policy::new("api", Key::address()).quota(Quota::per_minute(10));
    let stack = Stack::development().limits(limit).build()?;
    let app = Health::new().router(&stack).merge(stack.inner_routes()).merge(stack.wrap(router));

    let addr = std::env::var("PALISADE_ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener =
        tokio::net::TcpListener::bind(&addr).await.map_err(|error| format!("PALISADE_ADDR {addr}: {error}"))?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("Listening on {url}. Try:");
    println!("  curl -i {url}/hello                              # dressed: id, security headers, quota");
    println!("  curl -i {url}/panic                              # a panic is a clean 500; its text stays here");
    println!("  curl -i {url}/%2e%2e/etc/passwd                  # malformed goes no further");
    println!("  for i in $(seq 12); do curl -s -o /dev/null -w '%{{http_code}} ' {url}/hello; done   # 429 in the end");
    println!("  curl -s {url}/metrics                            # all of it, counted");
    palisade::serve(listener, app).await?;
    Ok(())
}
