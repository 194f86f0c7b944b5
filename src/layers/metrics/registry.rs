//! Numbers by name, without HTTP in it: series found by borrowed labels and updated in place.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use http::Method;

use crate::decision::Decision;

/// Upper bounds in milliseconds: Prometheus' defaults, which most dashboards expect.
const BUCKETS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

const OVERFLOW: &str = "overflow";

#[derive(Debug)]
pub(super) struct Registry {
    cap: usize,
    len: AtomicUsize,
    /// A route's few series are searched in order. Written to when a series is first met, read ever after.
    routes: RwLock<HashMap<Box<str>, Vec<Arc<Series>>>>,
    /// Guards, policies and reasons are the operator's words: there are as many as there are.
    decisions: Mutex<BTreeMap<Decision, u64>>,
}

#[derive(Debug)]
struct Series {
    method: &'static str,
    status: u16,
    nanos: AtomicU64,
    /// One more than the bounds: the last is for what no bound holds.
    buckets: [AtomicU64; BUCKETS.len() + 1],
}

impl Series {
    fn record(&self, took: Duration) {
        let millis = took.as_nanos().div_ceil(1_000_000);
        let bucket = BUCKETS.iter().position(|bound| millis <= u128::from(*bound)).unwrap_or(BUCKETS.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }
}

impl Registry {
    pub(super) fn new(cap: usize) -> Self {
        let (routes, decisions) = (RwLock::default(), Mutex::default());
        Self { cap, len: AtomicUsize::new(0), routes, decisions }
    }

    pub(super) const fn cap(&self) -> usize {
        self.cap
    }

    pub(super) fn record(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let method = known(method);
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let found = routes.get(route).and_then(|series| find(series, method, status));
        if let Some(series) = found {
            series.record(took);
            return;
        }
        drop(routes);
        self.register(method, route, status).record(took);
    }

    #[cold]
    fn register(&self, method: &'static str, route: &str, status: u16) -> Arc<Series> {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let route = if self.len.load(Relaxed) < self.cap { route } else { OVERFLOW };
        let known = routes.entry(route.into()).or_default();
        if let Some(series) = find(known, method, status) {
            return Arc::clone(series);
        }
        self.len.fetch_add(1, Relaxed);
        let series = Arc::new(Series { method, status, nanos: AtomicU64::new(0), buckets: Default::default() });
        known.push(Arc::clone(&series));
        series
    }

    pub(super) fn count(&self, decision: &Decision) {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        match decisions.get_mut(decision) {
            Some(count) => *count += 1,
            None => drop(decisions.insert(decision.clone(), 1)),
        }
    }

    pub(super) fn render(&self, in_flight: u64) -> String {
        let mut text = String::new();
        self.write(&mut text, in_flight).unwrap_or_default();
        text
    }

    fn write(&self, out: &mut String, in_flight: u64) -> std::fmt::Result {
        let mut series: Vec<_> = {
            let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
            let all =
                routes.iter().flat_map(|(route, all)| all.iter().map(|series| (route.clone(), Arc::clone(series))));
            all.collect()
        };
        series.sort_by(|(a, x), (b, y)| (a, x.method, x.status).cmp(&(b, y.method, y.status)));
        head(out, "http_requests_total", "counter", "Requests answered, by method, route template and status.")?;
        for (route, series) in &series {
            writeln!(out, "http_requests_total{{{}}} {}", labels(route, series), series.count())?;
        }
        head(
            out,
            "http_request_duration_seconds",
            "histogram",
            "Time from the head of the request to the end of the answer.",
        )?;
        for (route, series) in &series {
            histogram(out, &labels(route, series), series)?;
        }
        head(out, "http_requests_in_flight", "gauge", "Requests whose answer has not ended.")?;
        writeln!(out, "http_requests_in_flight {in_flight}")?;
        head(out, "palisade_decisions_total", "counter", "What guards objected to, refused or only reported.")?;
        for (decision, count) in &*self.decisions.lock().unwrap_or_else(PoisonError::into_inner) {
            let (guard, policy, outcome) = (decision.guard(), escape(decision.policy()), decision.outcome());
            let (reason, mode) = (decision.reason(), decision.mode());
            writeln!(
                out,
                "palisade_decisions_total{{guard=\"{guard}\",policy=\"{policy}\",outcome=\"{outcome}\",reason=\"{reason}\",mode=\"{mode}\"}} {count}"
            )?;
        }
        Ok(())
    }
}

fn find<'a>(series: &'a [Arc<Series>], method: &str, status: u16) -> Option<&'a Arc<Series>> {
    series.iter().find(|series| series.status == status && series.method == method)
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn labels(route: &str, series: &Series) -> String {
    format!(r#"method="{}",route="{}",status="{}""#, series.method, escape(route), series.status)
}

fn histogram(out: &mut String, labels: &str, series: &Series) -> std::fmt::Result {
    let name = "http_request_duration_seconds";
    let mut count = 0;
    for (bucket, bound) in series.buckets.iter().zip(BUCKETS) {
        count += bucket.load(Relaxed);
        writeln!(out, "{name}_bucket{{{labels},le=\"{}\"}} {count}", Duration::from_millis(bound).as_secs_f64())?;
    }
    count += series.buckets[BUCKETS.len()].load(Relaxed);
    writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}")?;
    writeln!(out, "{name}_sum{{{labels}}} {}", Duration::from_nanos(series.nanos.load(Relaxed)).as_secs_f64())?;
    writeln!(out, "{name}_count{{{labels}}} {count}")
}

/// The text format's escapes for a label's value.
pub(crate) fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

/// The known methods by name; a client may invent others, and would fill the registry with them.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "QUERY" => "QUERY",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_past_the_cap_shares_the_overflow_route() {
        let registry = Registry::new(2);
        for route in ["/a", "/b", "/c", "/d", "/a"] {
            registry.record(&Method::GET, route, 200, Duration::from_millis(1));
        }
        let text = registry.render(0);
        assert!(text.contains(r#"http_requests_total{method="GET",route="/a",status="200"} 2"#), "{text}");
        assert!(text.contains(r#"http_requests_total{method="GET",route="overflow",status="200"} 2"#), "{text}");
        assert!(!text.contains("/c"));
    }

    #[test]
    fn an_invented_method_is_not_a_label() {
        let registry = Registry::new(10);
        registry.record(&Method::from_bytes(b"BREW").unwrap(), "/", 200, Duration::ZERO);
        assert!(registry.render(0).contains(r#"method="_OTHER""#));
    }

    #[test]
    fn a_bucket_holds_what_is_at_most_its_bound() {
        let registry = Registry::new(10);
        for micros in [5_000, 5_001, 11_000_000] {
            registry.record(&Method::GET, "/", 200, Duration::from_micros(micros));
        }
        let text = registry.render(0);
        for line in [r#"le="0.005"} 1"#, r#"le="0.01"} 2"#, r#"le="10"} 2"#, r#"le="+Inf"} 3"#] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        assert_eq!(escape("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
