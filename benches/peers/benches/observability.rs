//! What it costs that a request is seen: its client's address, its id, its metrics; time and allocations, by turns in one process.
//!
//! `serve <row> <made> <served>` is for callgrind: two runs that differ in `served` alone differ by what serving costs.

use std::{hint::black_box, mem, net::SocketAddr, sync::OnceLock, time::Duration};

use allocation_counter::measure;
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode},
    routing::{RouterIntoService, get},
};
use axum_prometheus::{PrometheusMetricLayer, PrometheusMetricLayerBuilder};
use cpu_time::ThreadTime;
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use palisade::{
    Guard as _, client_ip::ClientIpLayer, containment::ContainmentLayer, metrics::MetricsLayer,
    request_id::RequestIdLayer,
};
use tower::{Service as _, ServiceBuilder, layer::util::Identity};
use tower_http::{
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    trace::TraceLayer,
};

const ROUNDS: usize = 61;
const BATCH: usize = 1000;

struct Row {
    name: &'static str,
    service: RouterIntoService<Body>,
}

fn router() -> Router {
    Router::new().route("/items/{id}", get(|| async { "hello" }))
}

/// Each as one layer: several calls of `Router::layer` would cost several boxes, whoever's the layers are.
const ROWS: [(&str, fn() -> Router); 8] = [
    ("bare", router),
    ("identity", || router().layer(Identity::new())),
    ("palisade", || router().layer(seen().into_layer())),
    ("palisade-span", || router().layer((seen().into_layer(), ContainmentLayer::new(Duration::from_secs(30))))),
    ("metrics-alone", || router().layer(MetricsLayer::new())),
    ("axum-prometheus", || router().layer(prometheus())),
    ("peers", || router().layer(ServiceBuilder::new().layer(set_id()).layer(propagate_id()).layer(prometheus()))),
    ("peers-trace", || {
        let peers = ServiceBuilder::new().layer(set_id()).layer(propagate_id()).layer(prometheus());
        router().layer(peers.layer(TraceLayer::new_for_http()))
    }),
];

fn seen() -> impl palisade::Guard {
    ClientIpLayer::peer().then(RequestIdLayer::new()).then(MetricsLayer::new())
}

fn set_id() -> SetRequestIdLayer<MakeRequestUuid> {
    SetRequestIdLayer::x_request_id(MakeRequestUuid)
}

fn propagate_id() -> PropagateRequestIdLayer {
    PropagateRequestIdLayer::x_request_id()
}

/// There is one recorder in a process, which all of these share.
fn prometheus() -> PrometheusMetricLayer<'static> {
    static LAYER: OnceLock<PrometheusMetricLayer<'static>> = OnceLock::new();
    LAYER.get_or_init(|| PrometheusMetricLayerBuilder::new().with_default_metrics().build_pair().0).clone()
}

fn rows() -> Vec<Row> {
    ROWS.iter().map(|(name, router)| Row::new(name, router())).collect()
}

fn request() -> Request<Body> {
    let mut request = Request::get("/items/42").body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4711))));
    request
}

impl Row {
    fn new(name: &'static str, router: Router) -> Self {
        Self { name, service: router.with_state(()).into_service() }
    }

    fn serve(&mut self, request: Request<Body>) {
        let (head, mut body) = self.service.call(request).now_or_never().unwrap().unwrap().into_parts();
        while let Some(frame) = body.frame().now_or_never().unwrap() {
            black_box(frame.unwrap());
        }
        assert_eq!(head.status, StatusCode::OK, "{}", self.name);
    }

    fn allocations(&mut self) -> u64 {
        let request = request();
        measure(|| self.serve(request)).count_total
    }

    fn nanos(&mut self) -> f64 {
        let requests: Vec<_> = (0..BATCH).map(|_| request()).collect();
        let start = ThreadTime::now();
        requests.into_iter().for_each(|request| self.serve(request));
        start.elapsed().as_secs_f64() * 1e9 / f64::from(u32::try_from(BATCH).unwrap())
    }
}

fn compare() {
    let mut rows = rows();
    (0..BATCH).for_each(|_| rows.iter_mut().for_each(|row| row.serve(request())));
    let allocations: Vec<_> = rows.iter_mut().map(Row::allocations).collect();
    let mut times = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        rows.iter_mut().zip(&mut times).for_each(|(row, times)| times.push(row.nanos()));
    }
    let times: Vec<f64> = times.into_iter().map(median).collect();
    println!(
        "\nCPU time per request: the median of {ROUNDS} rounds of {BATCH}; less that of a layer that does nothing"
    );
    for ((row, time), count) in rows.iter().zip(&times).zip(&allocations) {
        let (more, times_more) = (time - times[1], time / times[0]);
        let allocated = count.cast_signed() - allocations[1].cast_signed();
        println!(
            "    {:<18}{time:>8.0} ns{times_more:>8.2}x{more:>+8.0} ns{count:>6} allocations{allocated:>+6}",
            row.name
        );
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn serve_some(name: &str, made: usize, served: usize) {
    let (name, router) = ROWS.into_iter().find(|(known, _)| *known == name).unwrap();
    let mut row = Row::new(name, router());
    // What is registered once is registered now.
    row.serve(request());
    let mut requests = (0..made).map(|_| request()).collect::<Vec<_>>().into_iter();
    requests.by_ref().take(served).for_each(|request| row.serve(request));
    // Dropping those not served would be a difference too.
    mem::forget(requests);
}

fn main() {
    // Their metrics start a task.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["rows"] => ROWS.iter().for_each(|(name, _)| println!("{name}")),
        ["serve", row, made, served] => serve_some(row, made.parse().unwrap(), served.parse().unwrap()),
        _ => compare(),
    }
}
