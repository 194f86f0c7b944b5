//! What a flood of invented requests does to the metrics: nothing.

use allocation_counter::{AllocationInfo, measure};
use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Method, Request, Uri, header},
    routing::any,
};
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use palisade::metrics::{Buckets, Format, MetricsLayer};
use tower::Service as _;

/// Xorshift: a test that fails does so again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A path, a method and a host that nobody has sent before, most of them; and a route that exists, now and then.
    fn request(&mut self) -> Request<Body> {
        let number = self.next();
        let path = match number % 4 {
            0 => format!("/items/{number}"),
            1 => format!("/route/{}", number % 64),
            _ => format!("/{number:x}/{}", self.next()),
        };
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = Uri::try_from(path).unwrap();
        *request.method_mut() = match number % 3 {
            0 => Method::from_bytes(format!("M{number}").as_bytes()).unwrap(),
            1 => Method::POST,
            _ => Method::GET,
        };
        let host = HeaderValue::try_from(format!("{number}.example")).unwrap();
        request.headers_mut().insert(header::HOST, host);
        request
    }
}

fn serve(app: &mut impl FnMut(Request<Body>), random: &mut Random, count: usize) -> AllocationInfo {
    measure(|| (0..count).for_each(|_| app(random.request())))
}

#[test]
fn a_million_invented_requests_add_no_series_and_no_memory() {
    let metrics = MetricsLayer::builder().series(80).process(false).build().unwrap();
    let routes =
        (0..64).fold(Router::new(), |router, number| router.route(&format!("/route/{number}"), any(|| async {})));
    let routes = routes.route("/items/{id}", any(|| async { "item" }));
    let mut app = routes.layer(metrics.clone()).with_state(());
    let mut ask = |request: Request<Body>| {
        let answer = app.call(request).now_or_never().unwrap().unwrap();
        answer.into_body().collect().now_or_never().unwrap().unwrap();
    };
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    serve(&mut ask, &mut random, 20_000);
    let series = || metrics.render().lines().filter(|line| line.starts_with("http_requests_total{")).count();
    let before = series();
    assert_eq!(before, 40 + 1 + 3, "half the cap, its overflow, and what was not found by one of three methods");
    let grown = serve(&mut ask, &mut random, 1_000_000);
    assert_eq!(series(), before);
    // The notes of the last minute may have become more, up to fourteen.
    assert!(grown.bytes_current.abs() < 8192, "{grown:?}");
    let counted: u64 = metrics
        .render()
        .lines()
        .filter(|line| line.starts_with("http_requests_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(counted, 1_020_000);
}

#[test]
fn five_million_samples_take_no_more_memory_than_one() {
    let metrics = MetricsLayer::new();
    let histogram = metrics.histogram("size_bytes", "Sizes.", Buckets::bytes()).unwrap();
    histogram.observe(1.0);
    let grown = measure(|| (0..5_000_000).for_each(|number| histogram.observe(f64::from(number))));
    assert_eq!((grown.count_total, grown.bytes_current), (0, 0));
    assert_eq!(histogram.count(), 5_000_001);
}

#[test]
fn a_known_series_is_counted_without_an_allocation() {
    let metrics = MetricsLayer::new();
    let family = metrics.counters("orders_total", "Orders.", ["channel", "country"]).unwrap();
    family.of(["web", "de"]).inc();
    let again = measure(|| family.of(["web", "de"]).inc());
    assert_eq!(again.count_total, 0);
    let past = MetricsLayer::builder().series(1).build().unwrap().counters("a_total", "A.", ["x"]).unwrap();
    past.of(["a"]).inc();
    past.of(["b"]).inc();
    assert_eq!(measure(|| past.of(["c"]).inc()).count_total, 0, "what has overflowed costs no more");
}

/// The first request of a route is dearer; the exemplars of a scraper cost at most one a second.
#[test]
fn a_request_costs_what_the_plumbing_costs_and_the_facts() {
    let metrics = MetricsLayer::new();
    let mut app = Router::new().route("/", any(|| async { "hello" })).layer(metrics.clone()).with_state(());
    let mut bare =
        Router::new().route("/", any(|| async { "hello" })).layer(tower::layer::util::Identity::new()).with_state(());
    let mut count = |app: &mut Router| {
        let request = Request::new(Body::empty());
        let counted = measure(|| {
            let answer = app.call(request).now_or_never().unwrap().unwrap();
            answer.into_body().collect().now_or_never().unwrap().unwrap();
        });
        counted.count_total
    };
    let warm =
        |count: &mut dyn FnMut(&mut Router) -> u64, app: &mut Router| (0..10).map(|_| count(app)).last().unwrap();
    let (with, without) = (warm(&mut count, &mut app), warm(&mut count, &mut bare));
    // The facts, their box among the extensions and the room for it there, and the watch of the body.
    assert!(with - without <= 4, "{with} and {without}");
    metrics.render_as(Format::OpenMetrics);
    count(&mut app);
    assert_eq!(count(&mut app), with, "within the second, no other exemplar is taken");
}
