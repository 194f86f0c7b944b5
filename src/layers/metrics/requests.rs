//! The recorder of requests: one series for each method, route and status, found without a lock and updated in place.

use std::{
    sync::{
        OnceLock,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use http::Method;

use super::{
    buckets::Buckets,
    exemplars::Exemplars,
    exposition::{Exposition, Type},
    family::{COUNTER, Collect as _, Family, OVERFLOW},
    instruments::{Cells, Counter},
    names::Names,
    table::{Added, Table},
    window::{Totals, Window},
};
use crate::Facts;

/// The known methods; a client may invent others, and would fill the table with them.
const METHODS: [&str; 11] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "CONNECT", "TRACE", "_OTHER"];

/// A method's place among [`METHODS`].
pub(super) fn known(method: &Method) -> u8 {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        Method::OPTIONS => 6,
        Method::CONNECT => 8,
        Method::TRACE => 9,
        _ if method.as_str() == "QUERY" => 7,
        _ => 10,
    }
}

const METHOD_NOT_ALLOWED: u16 = 405;

/// What of a request's labels is not its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Code {
    pub(super) method: u8,
    pub(super) https: bool,
    pub(super) status: u16,
}

/// What a request has taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) time: Duration,
    pub(super) received: u64,
    pub(super) sent: u64,
}

/// Which share of the series a status is in: no error, the client's, the server's. A client that tries every method on every
/// route fills that of its own errors alone, and the first failure of a route is still told of under its name.
const fn share_of(status: u16) -> usize {
    match status {
        400..=499 => 1,
        500.. => 2,
        _ => 0,
    }
}

#[derive(Debug)]
pub(super) struct Requests {
    names: Names,
    buckets: Buckets,
    table: Table<Series>,
    /// By [`share_of`]: how many of the table's rows are of it, and may be.
    shares: [(AtomicUsize, usize); 3],
    /// Past their shares: one series for each class of status.
    overflow: Table<Series>,
    in_flight: [[AtomicU64; 2]; METHODS.len()],
    /// By route, and how.
    broken_off: Family<Counter, 2>,
    /// Those of the series that were probes, and those of them that failed.
    probes: [Cells; 2],
    /// Set by the first scrape that can carry them: until then they cost nothing.
    wants_exemplars: AtomicBool,
    pub(super) window: Window,
}

#[derive(Debug)]
struct Series {
    route: Box<str>,
    code: Code,
    labels: Box<str>,
    seconds: Cells,
    received: AtomicU64,
    sent: AtomicU64,
    exemplars: OnceLock<Exemplars>,
}

impl Requests {
    pub(super) fn new(names: Names, buckets: Buckets, cap: usize) -> Self {
        let quarter = cap / 4;
        Self {
            names,
            table: Table::new(cap),
            shares: [cap - 2 * quarter, quarter, quarter].map(|share| (AtomicUsize::new(0), share)),
            // 1xx to 9xx.
            overflow: Table::new(9),
            in_flight: Default::default(),
            probes: [&buckets, &buckets].map(Cells::new),
            broken_off: Family::new(COUNTER, [names.route(), "how"], buckets.clone(), cap),
            wants_exemplars: AtomicBool::new(false),
            window: Window::new(Totals::none(buckets.bounds().len() + 1)),
            buckets,
        }
    }

    pub(super) const fn cap(&self) -> usize {
        self.table.cap()
    }

    pub(super) fn begin(&self, method: u8, https: bool) {
        self.in_flight[usize::from(method)][usize::from(https)].fetch_add(1, Relaxed);
    }

    /// An answer that was begun and not brought to its end. It counts as the status that the client was told besides.
    #[cold]
    pub(super) fn broken_off(&self, facts: &Facts, how: &str) {
        self.broken_off.of([facts.route(), how]).inc();
    }

    pub(super) fn end(&self, mut code: Code, taken: Taken, facts: &Facts, now_millis: u64) {
        self.in_flight[usize::from(code.method)][usize::from(code.https)].fetch_sub(1, Relaxed);
        self.window.turn(now_millis, || self.totals());
        code.https &= self.names.tell_scheme();
        self.count(facts.route(), code, taken, facts, now_millis);
    }

    /// Said after [`end`](Self::end): it was counted there too.
    pub(super) fn was_probe(&self, status: u16, taken: Taken) {
        self.probes[usize::from(status >= 500)].observe(taken.time.as_secs_f64());
    }

    fn count(&self, route: &str, code: Code, taken: Taken, facts: &Facts, now_millis: u64) {
        // A method that a route does not have is no more of that route than a path that no route has.
        let route = if code.status == METHOD_NOT_ALLOWED { "unmatched" } else { route };
        let hash = self.table.hash((route, code));
        let record = |series: &Series| self.record(series, taken, facts, now_millis);
        if self.table.with(hash, |series| series.is(route, code), |series| record(series)).is_none() {
            self.count_new(hash, route, code, record);
        }
    }

    fn record(&self, series: &Series, taken: Taken, facts: &Facts, now_millis: u64) {
        let seconds = taken.time.as_secs_f64();
        let bucket = series.seconds.observe(seconds);
        // Most requests have no body, and an addition is dearer than a look.
        if taken.received > 0 {
            series.received.fetch_add(taken.received, Relaxed);
        }
        if taken.sent > 0 {
            series.sent.fetch_add(taken.sent, Relaxed);
        }
        if self.wants_exemplars.load(Relaxed) {
            let exemplars = series.exemplars.get_or_init(|| Exemplars::new(self.buckets.bounds().len() + 1));
            exemplars.offer(bucket, seconds, facts, now_millis);
        }
    }

    #[cold]
    fn count_new(&self, hash: u64, route: &str, code: Code, record: impl FnOnce(&Series)) {
        let (rows, share) = &self.shares[share_of(code.status)];
        let make = || {
            rows.fetch_add(1, Relaxed);
            self.series(route, code, None)
        };
        let room = || rows.load(Relaxed) < *share;
        if let Added::Row(series) = self.table.add_where(room, hash, |series| series.is(route, code), make) {
            return record(&series);
        }
        let class = code.status / 100;
        let is = |series: &Series| series.code.status / 100 == class;
        let known = self.overflow.with(class.into(), is, std::sync::Arc::clone);
        if let Some(series) = known {
            return record(&series);
        }
        if let Added::Row(series) =
            self.overflow.add(class.into(), is, || self.series(OVERFLOW, code, Some(&format!("{class}xx"))))
        {
            record(&series);
        }
    }

    fn series(&self, route: &str, code: Code, class: Option<&str>) -> Series {
        let method = if class.is_some() { OVERFLOW } else { METHODS[usize::from(code.method)] };
        let scheme = match class {
            Some(_) => OVERFLOW,
            None if code.https => "https",
            None => "http",
        };
        let status = code.status.to_string();
        let labels = self.names.labels(method, route, class.unwrap_or(&status), scheme);
        Series {
            route: route.into(),
            code,
            labels: labels.into(),
            seconds: Cells::new(&self.buckets),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            exemplars: OnceLock::new(),
        }
    }

    /// All series in one, but for the probes: for the window.
    pub(super) fn totals(&self) -> Totals {
        let [mut probes, mut totals] = [(); 2].map(|()| Totals::none(self.buckets.bounds().len() + 1));
        // First, so that none is taken away that is not in the series yet.
        probes.add(self.probes[0].counts(), false);
        probes.add(self.probes[1].counts(), true);
        for table in [&self.table, &self.overflow] {
            table.each(|series| totals.add(series.seconds.counts(), series.code.status >= 500));
        }
        totals.since(&probes)
    }

    pub(super) fn bounds(&self) -> &[f64] {
        self.buckets.bounds()
    }

    pub(super) fn wants_exemplars(&self) {
        self.wants_exemplars.store(true, SeqCst);
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        let mut all = self.table.rows();
        all.extend(self.overflow.rows());
        all.sort_by(|one, other| one.labels.cmp(&other.labels));
        let counter = |out: &mut Exposition, name, help, value: fn(&Series) -> u64| {
            out.family(name, Type::Counter, help);
            for series in &all {
                out.sample(name, &series.labels, value(series));
            }
        };
        if self.names == Names::Prometheus {
            let help = "Requests answered, by method, route template and status.";
            counter(out, "http_requests_total", help, |series| series.seconds.count());
        }
        let name = self.names.duration();
        out.family(name, Type::Histogram, "Time from the head of the request to the end of the answer.");
        for series in &all {
            out.histogram(name, &series.labels, &series.seconds, series.exemplars.get());
        }
        // Nobody counts them where there is no body limit: then they are absent, which is not the same as zero.
        if all.iter().any(|series| series.received.load(Relaxed) > 0) {
            let help = "Bytes of request bodies, as read.";
            counter(out, "http_request_body_bytes_total", help, |series| series.received.load(Relaxed));
        }
        let help = "Bytes of response bodies, as handed to the connection.";
        counter(out, "http_response_body_bytes_total", help, |series| series.sent.load(Relaxed));
        let name = "http_responses_broken_off_total";
        out.family(
            name,
            Type::Counter,
            "Answers whose body did not come to its end, by route and how that came about.",
        );
        self.broken_off.inner().collect(name, out);
        self.write_in_flight(out);
    }

    fn write_in_flight(&self, out: &mut Exposition) {
        let name = self.names.in_flight();
        out.family(name, Type::Gauge, "Requests whose answer has not ended.");
        let now = |method: usize, https: usize| self.in_flight[method][https].load(Relaxed);
        if self.names == Names::Prometheus {
            let all: u64 = (0..METHODS.len()).map(|method| now(method, 0) + now(method, 1)).sum();
            return out.sample(name, "", all);
        }
        for (index, method) in METHODS.into_iter().enumerate() {
            for (https, scheme) in ["http", "https"].into_iter().enumerate() {
                out.sample(name, &self.names.in_flight_labels(method, scheme), now(index, https));
            }
        }
    }
}

impl Series {
    fn is(&self, route: &str, code: Code) -> bool {
        self.code == code && *self.route == *route
    }
}

#[cfg(test)]
mod tests;
