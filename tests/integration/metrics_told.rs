//! What is told to whom, and in which form.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, header},
    routing::get,
};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http_body_util::BodyExt as _;
use palisade::{
    Access, ConfigError, Facts, Guard as _, Health, Part, Stack, Trust,
    client_ip::ClientIpLayer,
    health::Check,
    metrics::{Buckets, Format, MetricsLayer, Names},
    request_id::RequestIdLayer,
    trace_context::TraceContextLayer,
};
use tower::ServiceExt as _;

use crate::support::{Answer, application, from_peer, get_from, send, stack};

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

async fn scrape(app: &Router, accept: &str) -> Answer {
    send(app, Request::get("/metrics").header(header::ACCEPT, accept).body(Body::empty()).unwrap()).await
}

fn line(text: &str, start: &str) -> String {
    text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start} in {text}")).to_owned()
}

#[tokio::test]
async fn a_scraper_gets_the_format_it_asks_for() {
    let app: Router = MetricsLayer::new().router();
    for (accept, content_type, ends) in [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", "\n"),
        (OPEN_METRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8", "\n# EOF\n"),
    ] {
        let answer = scrape(&app, accept).await;
        assert_eq!(answer.header("content-type"), content_type);
        assert!(answer.header("vary").contains("accept"));
        assert!(answer.text().ends_with(ends));
        assert_eq!(answer.text().matches("# EOF").count(), usize::from(accept != "*/*"));
    }
}

#[tokio::test]
async fn a_bucket_leads_to_a_request_in_open_metrics_alone() {
    let metrics = MetricsLayer::new();
    let observed = ClientIpLayer::peer().then(RequestIdLayer::new()).then(metrics.clone());
    let app = application().layer(observed.into_layer()).merge(metrics.router());
    send(&app, get_from("192.0.2.1", "/items/1")).await;
    assert!(!scrape(&app, OPEN_METRICS).await.text().contains(" # {"), "nobody had asked for any");
    let id = send(&app, get_from("192.0.2.1", "/items/1")).await.header("x-request-id").to_owned();
    let bucket =
        "http_request_duration_seconds_bucket{method=\"GET\",route=\"/items/{id}\",status=\"200\",le=\"0.005\"} 2";
    let open = scrape(&app, OPEN_METRICS).await;
    assert!(
        line(open.text(), bucket).starts_with(&format!("{bucket} # {{request_id=\"{id}\"}} 0.")),
        "{}",
        open.text()
    );
    send(&app, get_from("192.0.2.1", "/items/1")).await;
    let open = scrape(&app, OPEN_METRICS).await;
    assert!(open.text().contains(&id), "one a second is enough");
    assert!(!scrape(&app, "text/plain").await.text().contains(" # {"));
}

#[tokio::test]
async fn a_bucket_leads_to_the_trace_where_there_is_one() {
    let stack = stack().access(Access::loopback()).build().unwrap();
    let app = stack.inner_routes().merge(stack.wrap(Router::new().route(
        "/",
        get(|facts: Facts| async move { facts.trace().map(|trace| trace.trace_id().to_string()).unwrap_or_default() }),
    )));
    let open_metrics = || from_peer("127.0.0.1", "GET", "/metrics").header(header::ACCEPT, OPEN_METRICS);
    send(&app, open_metrics().body(Body::empty()).unwrap()).await;
    let trace = send(&app, get_from("192.0.2.1", "/")).await.text().to_owned();
    let told = send(&app, open_metrics().body(Body::empty()).unwrap()).await;
    assert_eq!(trace.len(), 32);
    assert!(told.text().contains(&format!(" # {{trace_id=\"{trace}\"}} 0.")), "{}", told.text());
}

#[tokio::test(start_paused = true)]
async fn a_trace_that_nobody_records_is_no_example_of_anything() {
    let metrics = MetricsLayer::new();
    let traced =
        RequestIdLayer::new().then(TraceContextLayer::new().trust(Trust::UnsafeEverybody)).then(metrics.clone());
    let app = application().layer(traced.into_layer()).merge(metrics.router());
    scrape(&app, OPEN_METRICS).await;
    for (trace, sampled) in [("1", "00"), ("2", "01"), ("3", "01")] {
        let parent = format!("00-{trace:0>32}-00f067aa0ba902b7-{sampled}");
        let request = from_peer("192.0.2.1", "GET", "/items/1").header("traceparent", parent);
        send(&app, request.body(Body::empty()).unwrap()).await;
        let told = scrape(&app, OPEN_METRICS).await;
        assert_eq!(told.text().contains(" # {"), sampled == "01", "{}", told.text());
    }
    let told = scrape(&app, OPEN_METRICS).await;
    assert!(told.text().contains(&format!(" # {{trace_id=\"{:0>32}\"}} ", 2)), "one a second, and it was the first");
}

#[tokio::test]
async fn two_scrapes_have_the_same_lines_in_the_same_order() {
    let metrics = MetricsLayer::new();
    let families = metrics.counters("b_total", "B.", ["x"]).unwrap();
    let app = application().layer(metrics.clone());
    for (uri, value) in [("/items/1", "z"), ("/error", "a"), ("/none", "m"), ("/items/2", "0")] {
        send(&app, get_from("192.0.2.1", uri)).await;
        families.of([value]).inc();
    }
    metrics.gauge("a", "A.").unwrap();
    let names = || -> Vec<String> {
        let text = metrics.render();
        text.lines().map(|line| line.rsplit_once(' ').map_or(line, |(name, _)| name).to_owned()).collect()
    };
    assert_eq!(names(), names());
    let text = metrics.render();
    let place = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("{needle} in {text}"));
    assert!(place("b_total{x=\"0\"}") < place("b_total{x=\"a\"}") && place("# TYPE a gauge") < place("# TYPE b_total"));
}

#[tokio::test]
async fn bytes_are_those_that_were_read_and_sent_whatever_was_announced() {
    let stack = stack().access(Access::loopback()).build().unwrap();
    let streamed = || {
        let pieces = stream::iter(0..10).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 100])));
        Body::from_stream(pieces)
    };
    let routes = application().route("/stream", get(move || async move { streamed() }));
    let app = stack.inner_routes().merge(stack.wrap(routes));
    send(&app, get_from("192.0.2.1", "/stream")).await;
    // Read in part, and left.
    let mut left = app.clone().oneshot(get_from("192.0.2.1", "/stream")).await.unwrap().into_body();
    left.frame().now_or_never().unwrap().unwrap().unwrap();
    drop(left);
    send(&app, from_peer("192.0.2.1", "HEAD", "/stream").body(Body::empty()).unwrap()).await;
    let post = |body: Body, length: &str| {
        from_peer("192.0.2.1", "POST", "/bytes").header(header::CONTENT_LENGTH, length).body(body).unwrap()
    };
    send(&app, post(Body::from(vec![b'x'; 250]), "250")).await;
    send(&app, post(Body::from("x"), "999999999999")).await;
    let chunked = from_peer("192.0.2.1", "POST", "/bytes").body(streamed()).unwrap();
    send(&app, chunked).await;
    let text = send(&app, get_from("127.0.0.1", "/metrics")).await.text().to_owned();
    for line in [
        r#"http_response_body_bytes_total{method="GET",route="/stream",status="200"} 1100"#,
        r#"http_response_body_bytes_total{method="HEAD",route="/stream",status="200"} 0"#,
        r#"http_request_body_bytes_total{method="POST",route="/bytes",status="200"} 1250"#,
        r#"http_request_body_bytes_total{method="POST",route="/bytes",status="413"} 0"#,
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
}

#[tokio::test]
async fn what_nobody_counts_is_absent() {
    let metrics = MetricsLayer::new();
    let app = application().layer(metrics.clone());
    send(&app, from_peer("192.0.2.1", "POST", "/bytes").body(Body::from("hello")).unwrap()).await;
    let text = metrics.render();
    assert!(!text.contains("http_request_body_bytes_total"), "no body limit, no count: {text}");
    assert!(text.contains(r#"http_response_body_bytes_total{method="POST",route="/bytes",status="200"} 1"#), "{text}");
    let quiet = MetricsLayer::builder().process(false).build().unwrap().render();
    assert!(!quiet.contains("process_"));
    #[cfg(target_os = "linux")]
    for name in ["cpu_seconds_total", "resident_memory_bytes", "virtual_memory_bytes", "open_fds", "start_time_seconds"]
    {
        let told = line(&text, &format!("process_{name} "));
        let value: f64 = told.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(value > 0.0 || name == "cpu_seconds_total", "{told}");
    }
}

#[tokio::test]
async fn the_names_of_open_telemetry_are_those_of_its_conventions() {
    let metrics = MetricsLayer::builder().names(Names::OpenTelemetry).build().unwrap();
    let proxied = ClientIpLayer::trusting(["127.0.0.1"]).unwrap().then(metrics.clone());
    let app = application().layer(proxied.into_layer());
    let https = from_peer("127.0.0.1", "GET", "/items/1").header("x-forwarded-proto", "https");
    send(&app, https.body(Body::empty()).unwrap()).await;
    send(&app, get_from("127.0.0.1", "/error")).await;
    send(&app, get_from("127.0.0.1", "/nowhere")).await;
    let waiting = tokio::spawn(app.clone().oneshot(get_from("127.0.0.1", "/slow")));
    tokio::task::yield_now().await;
    let text = metrics.render();
    for line in [
        r#"http_server_request_duration_seconds_count{http_request_method="GET",http_route="/items/{id}",http_response_status_code="200",url_scheme="https"} 1"#,
        r#"http_server_request_duration_seconds_count{http_request_method="GET",http_route="/error",http_response_status_code="500",url_scheme="http",error_type="500"} 1"#,
        r#"http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="404",url_scheme="http"} 1"#,
        r#"http_server_active_requests{http_request_method="GET",url_scheme="http"} 1"#,
        r#"http_server_active_requests{http_request_method="GET",url_scheme="https"} 0"#,
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
    assert!(text.contains("le=\"0.075\"") && !text.contains("http_requests_total"), "{text}");
    waiting.abort();
}

#[tokio::test(start_paused = true)]
async fn the_last_minute_is_told_to_people_as_json() {
    let stack = stack().access(Access::loopback()).build().unwrap();
    let routes = application().route(
        "/wait",
        get(|| async {
            tokio::time::sleep(Duration::from_millis(700)).await;
        }),
    );
    let app = stack.inner_routes().merge(stack.without(Part::RateLimit).wrap(routes));
    tokio::time::advance(Duration::from_secs(600)).await;
    for _ in 0..60 {
        send(&app, get_from("192.0.2.1", "/wait")).await;
        tokio::time::advance(Duration::from_millis(300)).await;
    }
    for _ in 0..20 {
        send(&app, get_from("192.0.2.1", "/error")).await;
    }
    let summary = send(&app, get_from("127.0.0.1", "/health/metrics")).await;
    assert_eq!(summary.header("cache-control"), "no-store");
    let told = summary.json();
    assert_eq!(told["uptimeSeconds"], 660);
    let number = |name: &str| told[name].as_f64().unwrap_or_else(|| panic!("{name} in {told}"));
    assert!((60.0..=65.0).contains(&number("windowSeconds")));
    assert!((number("requestsPerSecond") - 80.0 / 60.0).abs() < 0.1, "{told}");
    assert!((number("errorRate") - 0.25).abs() < 0.001, "{told}");
    // 0.7 s is in the bucket from 0.5 s to 1 s.
    assert!((0.5..=1.0).contains(&number("p95Seconds")), "{told}");
    assert!(number("p50Seconds") < number("p95Seconds") && number("p95Seconds") < number("p99Seconds"), "{told}");
    let beside_errors = send(&app, get_from("127.0.0.1", "/errors/stats")).await.json();
    for (name, same) in [
        ("requestsPerSecond", "requests_per_second"),
        ("p50Seconds", "p50_seconds"),
        ("p95Seconds", "p95_seconds"),
        ("p99Seconds", "p99_seconds"),
    ] {
        assert!(told[name].is_number() && told[name] == beside_errors[same], "{name}: {told} {beside_errors}");
    }
    assert_eq!(beside_errors["total_errors"], 20);
    #[cfg(target_os = "linux")]
    assert!(told["memoryBytes"].as_u64() > Some(1_000_000), "{told}");
    assert_eq!(send(&app, get_from("192.0.2.1", "/health/metrics")).await.status, 403);
}

#[tokio::test(start_paused = true)]
async fn probes_and_scrapes_are_counted_but_are_no_part_of_the_last_minute() {
    let stack = stack().access(Access::loopback()).build().unwrap();
    let broken = Check::new("database", || async { Err::<(), _>("gone") }).critical();
    let app = Health::new().check(broken).router(&stack).merge(stack.inner_routes()).merge(stack.wrap(application()));
    for _ in 0..30 {
        assert_eq!(send(&app, get_from("127.0.0.1", "/ready")).await.status, 503);
        assert_eq!(send(&app, get_from("127.0.0.1", "/health")).await.status, 503);
        send(&app, get_from("127.0.0.1", "/metrics")).await;
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let summary = async || send(&app, get_from("127.0.0.1", "/health/metrics")).await.json();
    let told = summary().await;
    assert_eq!((&told["requestsPerSecond"], &told["errorRate"]), (&0.0.into(), &serde_json::Value::Null), "{told}");
    for uri in ["/items/1", "/items/1", "/items/1", "/error"] {
        send(&app, get_from("192.0.2.1", uri)).await;
    }
    let told = summary().await;
    assert_eq!(told["errorRate"], 0.25, "{told}");
    let text = send(&app, get_from("127.0.0.1", "/metrics")).await.text().to_owned();
    assert!(text.contains(r#"http_requests_total{method="GET",route="/ready",status="503"} 30"#), "{text}");
}

#[tokio::test]
async fn the_inner_routes_can_have_a_listener_of_their_own() {
    let stack = stack().access(Access::token("right")).build().unwrap();
    let public = stack.wrap(application());
    let inner: Router = stack.access(Access::unsafe_everybody()).inner_routes();
    send(&public, get_from("192.0.2.1", "/items/1")).await;
    assert_eq!(send(&public, get_from("192.0.2.1", "/metrics")).await.status, 404);
    let told = send(&inner, get_from("127.0.0.1", "/metrics")).await;
    assert!(told.text().contains(r#"route="/items/{id}",status="200"} 1"#), "{}", told.text());
    assert_eq!(
        send(&stack.inner_routes(), get_from("127.0.0.1", "/metrics")).await.status,
        401,
        "the stack is as it was"
    );
}

#[cfg(feature = "compression")]
#[tokio::test]
async fn a_scrape_is_gzipped_for_who_accepts_it() {
    let stack = stack().access(Access::unsafe_everybody()).build().unwrap();
    let app: Router = stack.inner_routes();
    let ask = |encoding: &str| from_peer("127.0.0.1", "GET", "/metrics").header("accept-encoding", encoding);
    let plain = send(&app, ask("identity").body(Body::empty()).unwrap()).await;
    let packed = send(&app, ask("gzip").body(Body::empty()).unwrap()).await;
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), ("", "gzip"));
    assert_eq!(packed.header("content-type"), plain.header("content-type"));
    assert!(packed.body.starts_with(&[0x1f, 0x8b]) && packed.body.len() * 2 < plain.body.len());
}

#[tokio::test]
async fn metrics_of_ones_own_stand_beside_the_stacks() -> Result<(), ConfigError> {
    let metrics = MetricsLayer::builder().series(3).build_info("shop", "1.2.3", "abc\"def").build()?;
    let orders = metrics.counters("orders_total", "Orders placed.", ["channel"])?;
    let queued = metrics.gauge("queued_orders", "Orders that wait.")?;
    let sizes = metrics.histogram("order_items", "Items of an order.", Buckets::new([1.0, 10.0]))?;
    let stack = Stack::production().metrics(metrics).access(Access::loopback()).build()?;
    for number in 0..100 {
        orders.of([&format!("channel-{number}")]).inc();
        sizes.observe(f64::from(number));
    }
    queued.set(2.5);
    queued.dec();
    assert!(stack.metrics().is_some_and(|metrics| metrics.gauge("queued_orders", "Again.").is_err()));
    let app: Router = stack.inner_routes();
    let text = send(&app, get_from("127.0.0.1", "/metrics")).await.text().to_owned();
    for line in [
        r#"orders_total{channel="channel-0"} 1"#,
        r#"orders_total{channel="overflow"} 97"#,
        "queued_orders 1.5",
        r#"order_items_bucket{le="1"} 2"#,
        r#"order_items_bucket{le="+Inf"} 100"#,
        "order_items_sum 4950",
        r#"build_info{name="shop",version="1.2.3",revision="abc\"def"} 1"#,
        concat!("palisade_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
    assert_eq!(text.matches("orders_total{").count(), 4, "three and the overflow");
    Ok(())
}

#[test]
fn every_mistake_in_the_settings_is_named() {
    let wrong = MetricsLayer::builder().buckets(Buckets::new([1.0, 0.5])).series(0).build();
    assert_eq!(wrong.unwrap_err().mistakes().len(), 2);
    let metrics = MetricsLayer::new();
    assert!(metrics.timer("render_time", "No unit.").is_err());
    assert_eq!(metrics.timer("a-b", "No unit, and no name.").unwrap_err().mistakes().len(), 2);
    assert!(metrics.histogram("h", "No buckets.", Buckets::new([])).is_err());
    assert!(metrics.render_as(Format::OpenMetrics).ends_with("# EOF\n"));
}
