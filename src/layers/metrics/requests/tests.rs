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
    requests.count(route, code, taken, &facts(), 0);
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

/// Every known method on many routes, answered with each of these.
fn flood(requests: &Requests, statuses: &[u16]) -> u64 {
    let mut sent = 0;
    for route in 0..95 {
        for method in METHODS {
            for status in statuses {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                record(requests, &method, &format!("/route/{route}"), *status, Duration::ZERO);
                sent += 1;
            }
        }
    }
    sent
}

fn counts(text: &str) -> impl Iterator<Item = u64> {
    let lines = text.lines().filter(|line| line.starts_with("http_requests_total{"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[test]
fn a_client_that_tries_everything_leaves_room_for_the_first_failure_of_a_route() {
    let requests = recorder(2000);
    let sent = flood(&requests, &[400, 403, 405, 413, 429, 499]);
    record(&requests, &Method::GET, "/route/7", 500, Duration::ZERO);
    record(&requests, &Method::GET, "/route/7", 200, Duration::ZERO);
    let text = rendered(&requests);
    for status in [500, 200] {
        let line = format!("http_requests_total{{method=\"GET\",route=\"/route/7\",status=\"{status}\"}} 1\n");
        assert!(text.contains(&line), "{line}");
    }
    assert_eq!(counts(&text).count(), 500 + 1 + 2, "a quarter, its overflow, and the two");
    assert_eq!(counts(&text).sum::<u64>(), sent + 2, "each is counted once");
}

#[test]
fn a_method_that_a_route_does_not_have_makes_no_series_of_the_route() {
    let requests = recorder(2000);
    let sent = flood(&requests, &[405]);
    let text = rendered(&requests);
    assert_eq!((counts(&text).count(), counts(&text).sum::<u64>()), (METHODS.len(), sent));
    assert!(text.contains(r#"http_requests_total{method="TRACE",route="unmatched",status="405"} 95"#), "{text}");
}

#[test]
fn the_overflow_is_of_no_scheme() {
    let requests = Requests::new(Names::OpenTelemetry, Buckets::seconds(), 1);
    for (route, https) in [("/a", true), ("/b", true), ("/c", false)] {
        let taken = Taken { time: Duration::ZERO, received: 0, sent: 0 };
        let code = Code { method: 0, https, status: 200 };
        requests.count(route, code, taken, &facts(), 0);
    }
    let text = rendered(&requests);
    assert!(text.contains(r#"http_response_status_code="2xx",url_scheme="overflow"} 2"#), "{text}");
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
    let requests = recorder(40);
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
