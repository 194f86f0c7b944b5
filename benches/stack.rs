//! What palisade costs: time and allocations per request of each layer alone and of the whole stack, beside a bare
//! axum router.
//!
//! `cargo bench --bench stack` prints the table; `benches/instructions.sh` counts instructions.

#![expect(clippy::unwrap_used, reason = "whatever goes wrong here is to be seen")]

use std::{env, fmt::Write as _, hint::black_box, mem, net::SocketAddr, time::Duration, time::Instant};

use allocation_counter::measure;
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode, Uri, header, request::Parts},
    routing::get,
};
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use palisade::{
    Guard, Principal, Stack,
    access_log::AccessLogLayer,
    authentication::AuthenticationLayer,
    body_limit::BodyLimitLayer,
    client_ip::ClientIpLayer,
    containment::ContainmentLayer,
    cors::CorsLayer,
    error_tracking::ErrorTrackingLayer,
    hygiene::HygieneLayer,
    metrics::MetricsLayer,
    problem::ProblemLayer,
    rate_limit::{Key, Policy, Quota},
    request_id::RequestIdLayer,
    security_headers::SecurityHeadersLayer,
    sensitive::SensitiveLayer,
    stack::StackBuilder,
    trace_context::TraceContextLayer,
};
use tower::{Service as _, layer::util::Identity};

const ORIGIN: &str = "https://app.example";

/// Short enough that a round mostly fits between two interruptions, long enough for the clock.
const BATCH: usize = 100;
/// The median of so many rounds is the same from run to run, also on a busy machine.
const ROUNDS: usize = 1000;

struct Row {
    name: &'static str,
    app: Router,
    status: StatusCode,
}

fn router() -> Router {
    Router::new().route("/items/{id}", get(|| async { "an item" }))
}

/// Refills faster than the bench can ask, while the numbers in the answer look like those of an API.
fn plenty() -> Quota {
    Quota::per_second(100_000_000).burst(500)
}

fn limits(quota: Quota) -> Policy {
    Policy::new("api", Key::principal_or_address()).tier("anonymous", quota).tier("pro", quota)
}

/// Callers are made once, and found by their key.
fn lookup() -> impl Fn(&Parts) -> Option<Principal> + Send + Sync + 'static {
    let caller = Principal::new("key:1").tier("pro");
    move |head| head.headers.get(header::AUTHORIZATION).filter(|key| *key == "right").map(|_| caller.clone())
}

fn builder(quota: Quota) -> StackBuilder {
    Stack::production().origins([ORIGIN]).flood(plenty()).authenticate(lookup()).limits(limits(quota))
}

fn stack(quota: Quota) -> Stack {
    builder(quota).build().unwrap()
}

/// What every request is known by and counted with.
fn observers() -> impl Guard {
    ClientIpLayer::peer().then(RequestIdLayer::new()).then(MetricsLayer::new())
}

/// Made and thrown away: where lines go is not palisade's.
fn json_lines() -> AccessLogLayer {
    AccessLogLayer::json(|line| {
        black_box(line);
    })
}

fn rows() -> Vec<Row> {
    let ok = |name, app| Row::new(name, app, StatusCode::OK);
    vec![
        ok("bare", router()),
        // What axum itself takes for a layer, whatever the layer does.
        ok("identity", router().layer(Identity::new())),
        ok("client_ip", router().layer(ClientIpLayer::peer())),
        ok("request_id", router().layer(RequestIdLayer::new())),
        ok("trace_context", router().layer(TraceContextLayer::new())),
        ok("sensitive", router().layer(SensitiveLayer::new())),
        ok("metrics", router().layer(MetricsLayer::new())),
        ok("error_tracking", router().layer(ErrorTrackingLayer::new())),
        ok("security_headers", router().layer(SecurityHeadersLayer::api())),
        ok("cors", router().layer(CorsLayer::origins([ORIGIN]).unwrap())),
        ok("hygiene", router().layer(HygieneLayer::new())),
        ok("authentication", router().layer(AuthenticationLayer::new(lookup()))),
        ok("rate_limit", router().layer(limits(plenty()).build().unwrap())),
        Row::new(
            "rate_limit_429",
            router().layer(limits(Quota::per_day(1)).build().unwrap()),
            StatusCode::TOO_MANY_REQUESTS,
        ),
        ok("problem", router().layer(ProblemLayer::new())),
        ok("body_limit", router().layer(BodyLimitLayer::bytes(2 * 1024 * 1024))),
        ok("containment", router().layer(ContainmentLayer::new(Duration::from_secs(30)))),
        ok("observed", router().layer(observers().into_layer())),
        ok("observed, logged", router().layer(observers().then(json_lines()).into_layer())),
        ok("stack", stack(plenty()).wrap(router())),
        ok("stack, logged", builder(plenty()).access_log(json_lines()).build().unwrap().wrap(router())),
        // The first request, which is let in, is a warm-up's.
        Row::new("stack_429", stack(Quota::per_day(1)).wrap(router()), StatusCode::TOO_MANY_REQUESTS),
    ]
}

/// What a page's script sends, from a peer that the server has noted. Clones of the URI cost no allocation, as with hyper.
fn request() -> Request<Body> {
    Request::get(Uri::from_static("/items/42?fields=name"))
        .header(header::HOST, "api.example")
        .header(header::USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .header(header::ACCEPT, "application/json")
        .header(header::ACCEPT_ENCODING, "gzip, deflate, br")
        .header(header::ORIGIN, ORIGIN)
        .header(header::AUTHORIZATION, "right")
        .extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4711))))
        .body(Body::empty())
        .unwrap()
}

impl Row {
    /// With its state given, as every server gives it at last: without, axum makes the handler's service anew each time.
    fn new(name: &'static str, app: Router, status: StatusCode) -> Self {
        Self { name, app: app.with_state(()), status }
    }

    /// One request, its answer read to the end. Nothing here has to wait, so there is no runtime to measure.
    fn serve(&mut self, request: Request<Body>) -> StatusCode {
        let (head, mut body) = self.app.call(request).now_or_never().unwrap().unwrap().into_parts();
        while let Some(frame) = body.frame().now_or_never().unwrap() {
            black_box(frame.unwrap());
        }
        head.status
    }

    fn warm_up(&mut self) {
        let statuses = (0..BATCH).map(|_| self.serve(request()));
        assert_eq!(statuses.last(), Some(self.status), "{}", self.name);
    }

    fn allocations(&mut self) -> u64 {
        let request = request();
        let counted = measure(|| {
            self.serve(request);
        });
        counted.count_total
    }

    fn nanos_per_request(&mut self) -> f64 {
        let requests: Vec<_> = (0..BATCH).map(|_| request()).collect();
        let start = Instant::now();
        let right = requests.into_iter().all(|request| self.serve(request) == self.status);
        let took = start.elapsed();
        assert!(right, "{}", self.name);
        took.as_secs_f64() * 1e9 / f64::from(u32::try_from(BATCH).unwrap())
    }
}

fn table(mut rows: Vec<Row>) -> String {
    rows.iter_mut().for_each(Row::warm_up);
    let allocations: Vec<_> = rows.iter_mut().map(Row::allocations).collect();
    let mut times = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for (row, times) in rows.iter_mut().zip(&mut times) {
            times.push(row.nanos_per_request());
        }
    }
    let medians: Vec<_> = times.into_iter().map(median).collect();
    let mut text = format!("{:<18}{:>10}{:>10}{:>14}{:>10}\n", "", "ns", "to bare", "allocations", "to bare");
    for ((row, nanos), count) in rows.iter().zip(&medians).zip(&allocations) {
        let (ratio, more) = (nanos / medians[0], count - allocations[0]);
        writeln!(text, "{:<18}{nanos:>10.0}{ratio:>9.2}x{count:>14}{more:>+10}", row.name).unwrap();
    }
    text
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// For callgrind: always makes `made` requests, and serves the first `served` of them.
///
/// Two runs that differ in `served` alone differ by what serving costs, and by nothing else.
fn serve_some(name: &str, made: usize, served: usize) {
    let mut row = rows().into_iter().find(|row| row.name == name).unwrap();
    let mut requests = (0..made).map(|_| request()).collect::<Vec<_>>().into_iter();
    let statuses = requests.by_ref().take(served).map(|request| row.serve(request));
    assert_eq!(statuses.last(), Some(row.status), "{name}");
    // Dropping those not served would be a difference too.
    mem::forget(requests);
}

fn main() {
    // Cargo adds a `--bench`.
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["rows"] => rows().iter().for_each(|row| println!("{}", row.name)),
        ["serve", row, made, served] => serve_some(row, made.parse().unwrap(), served.parse().unwrap()),
        _ => print!("{}", table(rows())),
    }
}
