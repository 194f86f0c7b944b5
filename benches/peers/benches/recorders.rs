//! One count and one duration of a request, as a recorder takes them: by labels that must be found, or by a handle.
//!
//! `serve <row> <made> <served>` is for callgrind.

use std::{
    hint::black_box,
    sync::{Arc, Barrier},
    thread,
    time::Instant,
};

use palisade::metrics::{Buckets, Counter, Family, Histogram, MetricsLayer};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter as TheirCounter, family::Family as TheirFamily, histogram::Histogram as TheirHistogram,
    },
};

const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const ROUNDS: usize = 31;
const BATCH: usize = 20_000;

/// Borrowed where it can be, as a careful user of theirs would have it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    route: String,
    status: u16,
}

struct Ours {
    requests: Family<Counter, 3>,
    seconds: Family<Histogram, 3>,
}

impl Ours {
    fn new() -> Self {
        let metrics = MetricsLayer::new();
        let names = ["method", "route", "status"];
        let requests = metrics.counters("requests_total", "Requests.", names).unwrap();
        let ours =
            Self { requests, seconds: metrics.histograms("d_seconds", "Time.", names, Buckets::seconds()).unwrap() };
        (0..200).for_each(|number| ours.by_labels(&format!("/route/{number}"), 0.003));
        ours
    }

    fn by_labels(&self, route: &str, seconds: f64) {
        self.requests.of(["GET", route, "200"]).inc();
        self.seconds.of(["GET", route, "200"]).observe(seconds);
    }
}

struct Theirs {
    requests: TheirFamily<Labels, TheirCounter>,
    seconds: TheirFamily<Labels, TheirHistogram>,
}

impl Theirs {
    fn new() -> Self {
        let seconds = TheirFamily::new_with_constructor((|| TheirHistogram::new(BOUNDS)) as fn() -> TheirHistogram);
        let theirs = Self { requests: TheirFamily::default(), seconds };
        (0..200).for_each(|number| theirs.by_labels(&format!("/route/{number}"), 0.003));
        theirs
    }

    fn by_labels(&self, route: &str, seconds: f64) {
        let labels = Labels { method: "GET", route: route.to_owned(), status: 200 };
        self.requests.get_or_create(&labels).inc();
        self.seconds.get_or_create(&labels).observe(seconds);
    }
}

type Record = Arc<dyn Fn() + Send + Sync>;

fn rows() -> Vec<(&'static str, Record)> {
    let (ours, theirs) = (Arc::new(Ours::new()), Arc::new(Theirs::new()));
    let kept = (ours.requests.of(["GET", "/route/7", "200"]), ours.seconds.of(["GET", "/route/7", "200"]));
    let seven = Labels { method: "GET", route: "/route/7".to_owned(), status: 200 };
    let theirs_kept = (theirs.requests.get_or_create(&seven).clone(), theirs.seconds.get_or_create(&seven).clone());
    vec![
        ("empty", Arc::new(|| ())),
        ("palisade-labels", Arc::new(move || ours.by_labels(black_box("/route/7"), black_box(0.003)))),
        ("prometheus-client-labels", Arc::new(move || theirs.by_labels(black_box("/route/7"), black_box(0.003)))),
        (
            "palisade-handle",
            Arc::new(move || {
                kept.0.inc();
                kept.1.observe(black_box(0.003));
            }),
        ),
        (
            "prometheus-client-handle",
            Arc::new(move || {
                theirs_kept.0.inc();
                theirs_kept.1.observe(black_box(0.003));
            }),
        ),
    ]
}

fn nanos(record: &Record, threads: usize) -> f64 {
    let barrier = Barrier::new(threads);
    let timed = || {
        barrier.wait();
        let start = Instant::now();
        (0..BATCH).for_each(|_| record());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(u32::try_from(BATCH).unwrap())
    };
    thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(timed)).collect();
        all.into_iter().map(|one| one.join().unwrap()).fold(0.0, f64::max)
    })
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["rows"] => rows().iter().for_each(|(name, _)| println!("{name}")),
        ["serve", row, _, served] => {
            let (_, record) = rows().into_iter().find(|(name, _)| *name == row).unwrap();
            (0..served.parse().unwrap()).for_each(|_: usize| record());
        }
        _ => {
            println!(
                "\nns for a count and a duration, the median of {ROUNDS} rounds: one thread, and two on the same series"
            );
            for (name, record) in rows() {
                let median = |threads| {
                    let mut times: Vec<_> = (0..ROUNDS).map(|_| nanos(&record, threads)).collect();
                    times.sort_by(f64::total_cmp);
                    times[ROUNDS / 2]
                };
                println!("    {name:<26}{:>8.1}{:>8.1}", median(1), median(2));
            }
        }
    }
}
