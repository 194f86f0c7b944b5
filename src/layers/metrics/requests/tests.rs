use axum::body::Body;
use http::Request;

use super::{super::accept::Format, *};

fn recorder(cap: usize) -> Requests {
    Requests::new(Names::Prometheus, Buckets::seconds(), cap)
}

fn facts() -> Facts {
    Facts::of(&mut Request::new(Body::empty()).into_parts().0)
}

/// One request of a route that the table is asked for by name, as facts get theirs from a router alone.
fn record(requests: &Requests, method: &Method, route: &str, status: u16, took: Duration) {
    let code = Code { method: known(method), https: false, status };
    let taken = Taken { time: took, received: 0, sent: 0 };
    let hash = requests.table.hash((route, code));
    let record = |series: &Series| requests.record(series, taken, &facts(), 0);
    if requests.table.with(hash, |series| series.is(route, code), |series| record(series)).is_none() {
        requests.record_new(hash, route, code, record);
    }
}

fn rendered(requests: &Requests) -> String {
    let mut out = Exposition::new(Format::Text);
    requests.write(&mut out);
    out.finish()
}

#[test]
fn a_series_past_the_cap_shares_the_overflow_of_its_class() {
    let requests = recorder(2);
    for route in ["/a", "/b", "/c", "/d", "/a"] {
        record(&requests, &Method::GET, route, 200, Duration::from_millis(1));
    }
    record(&requests, &Method::POST, "/a", 503, Duration::from_millis(1));
    let text = rendered(&requests);
    for line in [
        r#"http_requests_total{method="GET",route="/a",status="200"} 2"#,
        r#"http_requests_total{method="overflow",route="overflow",status="2xx"} 2"#,
        r#"http_requests_total{method="overflow",route="overflow",status="5xx"} 1"#,
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("/c"));
}

#[test]
fn whatever_comes_there_are_never_more_series_than_the_cap_and_nine() {
    let requests = recorder(5);
    for status in 100..1000 {
        for method in [Method::GET, Method::DELETE] {
            record(&requests, &method, "/a", status, Duration::ZERO);
        }
    }
    let text = rendered(&requests);
    let counts: Vec<u64> = text
        .lines()
        .filter(|line| line.starts_with("http_requests_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!((counts.len(), counts.iter().sum::<u64>()), (14, 1800));
}

#[test]
fn an_invented_method_is_not_a_label() {
    let requests = recorder(100);
    for (name, label) in METHODS.into_iter().zip(METHODS).chain([("BREW", "_OTHER"), ("get", "_OTHER")]) {
        assert_eq!(METHODS[usize::from(known(&Method::from_bytes(name.as_bytes()).unwrap()))], label);
        record(&requests, &Method::from_bytes(name.as_bytes()).unwrap(), "/", 200, Duration::ZERO);
    }
    assert!(!rendered(&requests).contains("BREW"));
}

#[test]
fn a_bucket_holds_what_is_at_most_its_bound() {
    let requests = recorder(10);
    for micros in [5_000, 5_001, 11_000_000] {
        record(&requests, &Method::GET, "/", 200, Duration::from_micros(micros));
    }
    let text = rendered(&requests);
    for line in [r#"le="0.005"} 1"#, r#"le="0.01"} 2"#, r#"le="10"} 2"#, r#"le="+Inf"} 3"#] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn counts_are_exact_among_many_threads_that_meet_new_series_at_once() {
    let requests = recorder(20);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for number in 0..10_000 {
                    let route = ["/a", "/b", "/c"][number % 3];
                    let status = 200 + u16::try_from(number % 10).unwrap();
                    record(&requests, &Method::GET, route, status, Duration::from_millis(3));
                }
            });
        }
    });
    let text = rendered(&requests);
    let counted = text.lines().filter(|line| line.starts_with("http_requests_total{"));
    let counted: Vec<u64> = counted.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!((counted.len(), counted.iter().sum::<u64>()), (21, 80_000));
    assert_eq!(requests.totals().requests(), 80_000);
}
