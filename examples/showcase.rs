//! A small API with every guard on: the place where everything can be tried from outside.
//!
//! `cargo run --example showcase` reads `PALISADE_ADDR`, `PALISADE_PROFILE` (`development`), `PALISADE_ALLOWED_ORIGINS` and
//! `PALISADE_TRUSTED_PROXIES` (both lists with commas), `PALISADE_TOKEN` (for the inner routes).

use std::{
    collections::HashMap,
    env,
    net::{SocketAddr, ToSocketAddrs as _},
    time::Duration,
};

use axum::{
    Form, Json, Router,
    body::{Body, Bytes},
    extract::{FromRequest, Path, Query, Request, State},
    http::{StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{StreamExt as _, stream};
use palisade::{
    Access, Check, ConfigError, Facts, Health, Kind, Part, Principal, Rejection, Stack,
    rate_limit::{LoginLimit, presets},
    security_headers::SecurityHeadersLayer,
    stack::StackBuilder,
};
use serde::Deserialize;
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter(env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned())).init();
    let (addr, stack) = match settings() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(2);
        }
    };
    let health = Health::new().check(Check::new("self", || async { Ok::<_, ConfigError>(()) }).critical());
    let app = health.router(&stack).merge(stack.inner_routes()).merge(application(&stack)?);

    let listener = tokio::net::TcpListener::bind(addr).await?;
    print!("{}", stack.describe());
    println!("Listening on http://{}", listener.local_addr()?);
    palisade::serve(listener, app).await?;
    Ok(())
}

/// The address and the stack, or every mistake in the environment.
fn settings() -> Result<(SocketAddr, Stack), ConfigError> {
    let variable = |name| env::var(name).unwrap_or_default();
    let list = |name| {
        variable(name)
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let or = |name, default: &str| {
        Some(variable(name)).filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
    };

    let mut mistakes = ConfigError::default();
    let addr = or("PALISADE_ADDR", "127.0.0.1:3000");
    let addr = mistakes.keep(addr.to_socket_addrs().ok().and_then(|mut addrs| addrs.next()).ok_or_else(|| {
        ConfigError::new("PALISADE_ADDR", format_args!("`{addr}` is no address, such as 127.0.0.1:3000"))
    }));
    let stack = configure(Stack::profile(or("PALISADE_PROFILE", "development").as_str()), &variable("PALISADE_TOKEN"))
        .origins(list("PALISADE_ALLOWED_ORIGINS"))
        .trusted_proxies(list("PALISADE_TRUSTED_PROXIES"))
        .build();
    match (addr, mistakes.keep(stack)) {
        (Some(addr), Some(stack)) => Ok((addr, stack)),
        _ => Err(mistakes),
    }
}

fn configure(stack: StackBuilder, token: &str) -> StackBuilder {
    let stack = stack.authenticate(by_api_key()).limits(presets::projects()).deadline(Duration::from_secs(5));
    if token.is_empty() { stack } else { stack.access(Access::token(token)) }
}

/// The caller of each API key, made once.
fn by_api_key() -> impl Fn(&Parts) -> Result<Option<Principal>, Rejection> + Send + Sync {
    // An id stands in logs, so it is not the key.
    let caller = |key: &'static str, id: &'static str, tier: &'static str| (key, Principal::new(id).tier(tier));
    let callers = HashMap::from([
        caller("quick", "caller:1", "quick-project"),
        caller("research", "caller:2", "research-project"),
        caller("production", "caller:3", "production-api"),
    ]);
    move |head| {
        let Some(key) = head.headers.get("x-api-key") else { return Ok(None) };
        let caller = key.to_str().ok().and_then(|key| callers.get(key)).cloned();
        caller.map(Some).ok_or_else(|| Rejection::new(Kind::Unauthenticated).detail("This X-Api-Key is not known."))
    }
}

/// Routes with the limit of the API, the login with a limit of its own shape, and routes without.
fn application(stack: &Stack) -> Result<Router, ConfigError> {
    let api = Router::new()
        .route(
            "/api/items",
            get(|| async { Json(json!([{ "id": 1, "name": "picket" }, { "id": 2, "name": "gate" }])) }),
        )
        .route("/api/items/{id}", get(item))
        .route("/api/echo", post(echo))
        .route("/api/search", get(search))
        .route("/api/whoami", get(who_am_i));
    let auth = Router::new().route("/auth/login", post(login)).with_state(LoginLimit::builder().build()?);
    let page = Router::new().route("/", get(|| async { Html(PAGE) }));
    let others = Router::new()
        .route("/boom/panic", get(|| async { panic!("boom: the secret is correct-horse") as &str }))
        .route("/boom/body", get(panic_in_the_body))
        .route(
            "/boom/error",
            get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "postgres://admin:hunter2@db: no route") }),
        )
        .route("/boom/slow", get(|| async { tokio::time::sleep(Duration::from_secs(60)).await }));
    let unlimited = stack.without(Part::RateLimit);
    let pages = unlimited.security_headers(SecurityHeadersLayer::web());
    // The whole stack last: what is no route at all is limited like the API.
    Ok(unlimited.wrap(others).merge(pages.wrap(page)).merge(unlimited.wrap(auth)).merge(stack.wrap(api)))
}

const PAGE: &str = "<!doctype html><html lang=en><title>palisade showcase</title><h1>palisade showcase</h1>\
<p>An API behind a wall. Try <a href=/api/items>items</a>, <a href=/api/whoami>who you are</a>, \
<a href='/api/search?q=gate'>a search</a>, <a href=/health>health</a>, <a href=/metrics>metrics</a>, \
<a href=/errors/stats>errors</a>, <a href=/boom/panic>a panic</a>.</p></html>";

async fn item(Path(id): Path<u64>) -> Result<Json<Value>, StatusCode> {
    let names = ["picket", "gate"];
    let name = usize::try_from(id).ok().and_then(|id| names.get(id.checked_sub(1)?)).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({ "id": id, "name": name })))
}

/// Gives back what came, in the type it came in.
async fn echo(request: Request) -> Response {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    match content_type.split(';').next().unwrap_or("").trim() {
        "application/json" => give_back(Json::<Value>::from_request(request, &()).await),
        "application/x-www-form-urlencoded" => {
            give_back(Form::<Vec<(String, String)>>::from_request(request, &()).await)
        }
        _ => give_back(String::from_request(request, &()).await),
    }
}

fn give_back<T: IntoResponse, E: IntoResponse>(came: Result<T, E>) -> Response {
    came.map_or_else(IntoResponse::into_response, IntoResponse::into_response)
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

async fn search(Query(Search { q }): Query<Search>) -> Json<Value> {
    let found: Vec<_> = ["picket", "gate"].into_iter().filter(|name| name.contains(&q)).collect();
    Json(json!({ "q": q, "found": found }))
}

#[derive(Deserialize)]
struct Login {
    user: String,
    password: String,
}

/// Five failures of an account or twenty of an address, and neither may try again for a while.
async fn login(
    State(limit): State<LoginLimit>,
    facts: Facts,
    Json(Login { user, password }): Json<Login>,
) -> Result<Json<Value>, Response> {
    let attempt = limit.attempt(&user, &facts)?;
    if password != "palisade" {
        return Err(attempt.failed());
    }
    attempt.succeeded();
    Ok(Json(json!({ "user": user })))
}

async fn who_am_i(facts: Facts) -> Json<Value> {
    let client = facts.client();
    Json(json!({
        "ip": client.and_then(palisade::client_ip::ClientIp::addr),
        "source": client.map(|client| client.source().as_str()),
        "tier": facts.tier(),
        "requestId": facts.request_id().map(ToString::to_string),
    }))
}

async fn panic_in_the_body() -> Body {
    let pieces = stream::iter(0..3).then(|piece| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(piece < 2, "boom: in the body");
        Ok::<_, std::io::Error>(Bytes::from_static(b"a piece of the body\n"))
    });
    Body::from_stream(pieces)
}
