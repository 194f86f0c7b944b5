//! What it costs to say a line, on the thread that says it and until it is written; and what a request's line costs. By turns in one process.

use std::{
    fs,
    hint::black_box,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use allocation_counter::measure;
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::Request,
    routing::{RouterIntoService, get},
};
use cpu_time::ThreadTime;
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use palisade::{
    access_log::AccessLogLayer,
    containment::ContainmentLayer,
    logs::{self, LogSettings, Logs},
};
use tower::{Service as _, layer::util::Identity};
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tracing::{Dispatch, Level, dispatcher::with_default, info, info_span};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

const ROUNDS: usize = 41;
const BATCH: usize = 2000;
/// Lines of a round of which the end is waited for.
const MANY: usize = 100_000;

/// Keeps what writes in the background.
enum Kept {
    Palisade(Logs),
    Theirs(WorkerGuard),
}

impl Kept {
    /// Both wait for the last line.
    fn finish(self) {
        match self {
            Self::Palisade(logs) => {
                assert!(logs.flush(Duration::from_secs(60)));
                assert_eq!((logs.dropped(), logs.failed()), (0, 0));
            }
            Self::Theirs(guard) => drop(guard),
        }
    }
}

type Make = fn(&Path) -> (Dispatch, Kept);

fn palisade(directory: &Path) -> (Dispatch, Kept) {
    // As many bytes as `MANY` lines have: none is to be dropped here.
    let settings = LogSettings::production().stdout(false).directory(directory).queue_bytes(128 * 1024 * 1024);
    let (dispatch, logs) = logs::subscriber(&settings.file_bytes(u64::MAX)).unwrap();
    (dispatch, Kept::Palisade(logs))
}

fn theirs(directory: &Path) -> (Dispatch, Kept) {
    let file = tracing_appender::rolling::never(directory, "app.log");
    let (writer, guard) = NonBlockingBuilder::default().finish(file);
    let lines = tracing_subscriber::fmt().json().with_writer(writer).with_max_level(Level::INFO);
    (Dispatch::new(lines.finish()), Kept::Theirs(guard))
}

/// In the shape that is nearest to ours: no list of spans beside the current one, fields at the top.
fn theirs_flat(directory: &Path) -> (Dispatch, Kept) {
    let file = tracing_appender::rolling::never(directory, "app.log");
    let (writer, guard) = NonBlockingBuilder::default().finish(file);
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_span_list(false).with_writer(writer);
    (Dispatch::new(lines.with_max_level(Level::INFO).finish()), Kept::Theirs(guard))
}

const SUBSCRIBERS: [(&str, Make); 3] =
    [("palisade::logs", palisade), ("fmt json + appender", theirs), ("fmt json, flattened", theirs_flat)];

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("palisade-bench-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn in_request<T>(run: impl FnOnce() -> T) -> T {
    let span = info_span!(
        "request",
        method = "GET",
        route = "/items/{id}",
        request_id = "019ab3c8-7b1e-7c3a-9d55-1f0f4a6b2c3d",
        trace_id = "0af7651916cd43dd8448eb211c80319c",
        user = "user:42",
        tier = "pro"
    );
    span.in_scope(run)
}

fn say(number: usize) {
    info!(item = number, kind = "picket", took_ms = 1.25, "an item was read from the database");
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "small")]
fn each(total: f64, count: usize) -> f64 {
    total * 1e9 / count as f64
}

/// CPU time of the caller, allocations, and lines a second until they are written.
fn lines() {
    println!(
        "\nA line with 3 fields in a request's span with 6, into a file: the median of {ROUNDS} rounds of {BATCH}"
    );
    let directories: Vec<_> = SUBSCRIBERS.iter().enumerate().map(|(at, _)| Directory::new(&at.to_string())).collect();
    let made: Vec<_> = SUBSCRIBERS.iter().zip(&directories).map(|((_, make), directory)| make(&directory.0)).collect();
    let mut times = vec![Vec::new(); made.len()];
    for _ in 0..ROUNDS {
        for ((dispatch, _), times) in made.iter().zip(&mut times) {
            with_default(dispatch, || {
                in_request(|| {
                    let start = ThreadTime::now();
                    (0..BATCH).for_each(say);
                    times.push(each(start.elapsed().as_secs_f64(), BATCH));
                });
            });
            // So that no writer is still busy in another's round.
            std::thread::sleep(Duration::from_millis(30));
        }
    }
    let allocated = made
        .iter()
        .map(|(dispatch, _)| with_default(dispatch, || in_request(|| measure(|| (0..100).for_each(say)).count_total)));
    let allocated: Vec<_> = allocated.collect();
    made.into_iter().for_each(|(_, kept)| kept.finish());

    let mut walls = vec![Vec::new(); SUBSCRIBERS.len()];
    for round in 0..7 {
        for (at, (_, make)) in SUBSCRIBERS.iter().enumerate() {
            let directory = Directory::new(&format!("wall-{round}-{at}"));
            let (dispatch, kept) = make(&directory.0);
            let start = Instant::now();
            with_default(&dispatch, || in_request(|| (0..MANY).for_each(say)));
            kept.finish();
            let took = start.elapsed().as_secs_f64();
            let text = fs::read_to_string(directory.0.join("app.log")).unwrap();
            walls[at].push((took, text.lines().count(), text.len()));
        }
    }
    for (at, (name, _)) in SUBSCRIBERS.iter().enumerate() {
        let (_, count, bytes) = walls[at][0];
        let wall = median(walls[at].iter().map(|(took, ..)| *took).collect());
        let all = if walls[at].iter().all(|(_, count, _)| *count == MANY) { "" } else { ", and dropped some" };
        println!(
            "    {name:<22}{:>7.0} ns{:>8.2} allocations{:>12.0} lines/s until written{all} ({} bytes a line)",
            median(times[at].clone()),
            f64::from(u32::try_from(allocated[at]).unwrap()) / 100.0,
            1e9 / each(wall, count),
            bytes / count,
        );
    }
}

fn router() -> Router {
    Router::new().route("/items/{id}", get(|| async { "hello" }))
}

fn request() -> Request<Body> {
    let mut request = Request::get("/items/42").header("user-agent", "curl/8.5").body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4711))));
    request
}

fn serve(service: &mut RouterIntoService<Body>, request: Request<Body>) {
    let mut body = service.call(request).now_or_never().unwrap().unwrap().into_body();
    while let Some(frame) = body.frame().now_or_never().unwrap() {
        black_box(frame.unwrap());
    }
}

/// One line per request, whoever writes it: its start and its end are one.
fn traced() -> Router {
    let spans = DefaultMakeSpan::new().level(Level::INFO);
    let layer = TraceLayer::new_for_http().make_span_with(spans).on_request(());
    router().layer(layer.on_response(DefaultOnResponse::new().level(Level::INFO)))
}

fn requests() {
    for (subscriber, make) in [SUBSCRIBERS[0], SUBSCRIBERS[1]] {
        let directory = Directory::new("requests");
        let (dispatch, kept) = make(&directory.0);
        let mut rows = vec![
            ("identity", router().layer(Identity::new())),
            ("access log, events", router().layer(AccessLogLayer::events())),
            ("the same, and a span", router().layer((AccessLogLayer::events(), ContainmentLayer::unlimited()))),
            ("TraceLayer", traced()),
        ];
        if let Kept::Palisade(logs) = &kept {
            rows.push(("access log, lines", router().layer(AccessLogLayer::json(logs.lines()))));
        }
        let mut rows: Vec<_> =
            rows.into_iter().map(|(name, router)| (name, router.with_state(()).into_service())).collect();
        let mut times = vec![Vec::new(); rows.len()];
        let mut allocated = vec![0; rows.len()];
        with_default(&dispatch, || {
            for _ in 0..ROUNDS {
                for (at, (_, service)) in rows.iter_mut().enumerate() {
                    let requests: Vec<_> = (0..BATCH).map(|_| request()).collect();
                    let start = ThreadTime::now();
                    requests.into_iter().for_each(|request| serve(service, request));
                    times[at].push(each(start.elapsed().as_secs_f64(), BATCH));
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            for (at, (_, service)) in rows.iter_mut().enumerate() {
                let request = request();
                allocated[at] = measure(|| serve(service, request)).count_total.cast_signed();
            }
        });
        kept.finish();
        println!(
            "\nOne line per request under {subscriber}: CPU time of the caller, less that of a layer that does nothing"
        );
        let times: Vec<_> = times.into_iter().map(median).collect();
        for ((name, _), (time, count)) in rows.iter().zip(times.iter().zip(&allocated)) {
            println!("    {name:<22}{:>+7.0} ns{:>+5} allocations", time - times[0], count - allocated[0]);
        }
    }
}

fn main() {
    lines();
    requests();
}
