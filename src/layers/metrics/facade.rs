//! A bridge: what libraries count through the `metrics` facade stands in the same registry, under the same caps.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use metrics::{CounterFn, GaugeFn, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::{
    Buckets, Counter, Gauge, Histogram, MetricsLayer,
    exposition::{Exposition, Type, labels},
    family::{COUNTER, Collect, GAUGE, HISTOGRAM, Kind, OVERFLOW},
    registry::{is_label, name_mistakes},
    table::{Added, Table},
};

/// Names of metrics from libraries: more than any has, and an end to those that make names out of data.
const MOST_FAMILIES: usize = 1000;

/// A recorder for `metrics::set_global_recorder`. Clones and the layer share one registry.
///
/// What is no letter, digit or `_` in a name becomes `_`, and a counter's name gets the `_total` it lacks. A histogram has
/// [`Buckets::seconds`] if its name ends in `_seconds`, [`Buckets::bytes`] if in `_bytes`, else powers of ten. Each metric has at
/// most as many sets of labels as [`MetricsBuilder::series`](super::MetricsBuilder::series) says. What cannot be told, because
/// its name is taken by another kind of metric, is logged once and not counted.
#[derive(Clone)]
pub struct FacadeRecorder {
    metrics: MetricsLayer,
    known: Arc<Known>,
}

#[derive(Default)]
struct Known {
    counters: Families<Counter>,
    gauges: Families<Gauge>,
    histograms: Families<Histogram>,
    helps: Mutex<BTreeMap<String, String>>,
    count: AtomicUsize,
}

/// By name as libraries say it; `None` is one that was refused.
type Families<M> = RwLock<BTreeMap<String, Option<Arc<Family<M>>>>>;

impl MetricsLayer {
    /// For libraries that use the `metrics` facade.
    ///
    /// ```
    /// use palisade::metrics::MetricsLayer;
    /// let metrics = MetricsLayer::new();
    /// metrics::set_global_recorder(metrics.recorder()).expect("no other recorder is set");
    /// metrics::counter!("cache.hits", "cache" => "users").increment(1);
    /// assert!(metrics.render().contains("cache_hits_total{cache=\"users\"} 1"));
    /// ```
    #[must_use]
    pub fn recorder(&self) -> FacadeRecorder {
        FacadeRecorder { metrics: self.clone(), known: Arc::default() }
    }
}

/// Metrics of one name, whose labels may differ from one to the next.
struct Family<M> {
    kind: Kind<M>,
    buckets: Buckets,
    rows: Table<Row<M>>,
    overflow: Arc<M>,
    overflowed: std::sync::atomic::AtomicBool,
}

struct Row<M> {
    key: Key,
    labels: Box<str>,
    /// As the facade takes it: a macro of a library asks each time.
    metric: Arc<M>,
}

impl<M> Family<M> {
    fn of(&self, key: &Key) -> Arc<M> {
        let is = |row: &Row<M>| row.key == *key;
        if let Some(metric) = self.rows.with(key.get_hash(), is, |row| Arc::clone(&row.metric)) {
            return metric;
        }
        let make =
            || Row { key: key.clone(), labels: written(key).into(), metric: self.kind.make(&self.buckets).into() };
        match self.rows.add(key.get_hash(), is, make) {
            Added::Row(row) => Arc::clone(&row.metric),
            Added::Full => {
                self.overflowed.store(true, Relaxed);
                Arc::clone(&self.overflow)
            }
        }
    }
}

impl<M: Send + Sync> Collect for Family<M> {
    fn collect(&self, name: &str, out: &mut Exposition) {
        let mut rows = self.rows.rows();
        rows.sort_by(|one, other| one.labels.cmp(&other.labels));
        for row in rows {
            self.kind.write(&row.metric, name, &row.labels, out);
        }
        if self.overflowed.load(Relaxed) {
            self.kind.write(&self.overflow, name, &labels([(OVERFLOW, "true")]), out);
        }
    }
}

/// The labels of a key. Of two that become one name the first counts: a scrape with both would be refused as a whole.
fn written(key: &Key) -> String {
    let mut pairs: Vec<(String, &str)> = Vec::new();
    for label in key.labels() {
        let name = sanitized(label.key());
        if is_label(&name) && pairs.iter().all(|(known, _)| *known != name) {
            pairs.push((name, label.value()));
        }
    }
    labels(pairs.iter().map(|(name, value)| (&**name, *value)))
}

fn sanitized(name: &str) -> String {
    name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect()
}

/// The name as scrapers know it.
fn told(name: &str, kind: Type) -> String {
    let mut name = sanitized(name);
    if kind == Type::Counter && !name.ends_with("_total") {
        name.push_str("_total");
    }
    name
}

fn buckets(name: &str) -> Buckets {
    match name.rsplit('_').next() {
        Some("seconds") => Buckets::seconds(),
        Some("bytes") => Buckets::bytes(),
        _ => Buckets::exponential(0.001, 10.0, 10),
    }
}

impl FacadeRecorder {
    fn find<M: Send + Sync + 'static>(&self, families: &Families<M>, kind: Kind<M>, key: &Key) -> Option<Arc<M>> {
        if let Some(family) = families.read().unwrap_or_else(PoisonError::into_inner).get(key.name()) {
            return family.as_ref().map(|family| family.of(key));
        }
        if self.known.count.load(Relaxed) >= MOST_FAMILIES {
            return None;
        }
        let mut families = families.write().unwrap_or_else(PoisonError::into_inner);
        if !families.contains_key(key.name()) {
            self.known.count.fetch_add(1, Relaxed);
        }
        let family = families.entry(key.name().to_owned()).or_insert_with(|| self.register(kind, key.name()));
        family.as_ref().map(|family| family.of(key))
    }

    /// The family under its name in the registry, or `None` and a word in the log.
    #[cold]
    fn register<M: Send + Sync + 'static>(&self, kind: Kind<M>, name: &str) -> Option<Arc<Family<M>>> {
        let told = told(name, kind.is);
        let help = self.known.helps.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let (is, buckets, shared) = (kind.is, buckets(&told), &self.metrics.shared);
        let overflow = kind.make(&buckets).into();
        let family =
            Arc::new(Family { kind, rows: Table::new(shared.series), buckets, overflow, overflowed: false.into() });
        let entered = match name_mistakes(&told, is).first() {
            Some(mistake) => Err((*mistake).to_owned()),
            None => shared
                .registry
                .enter(&told, &help.unwrap_or_else(|| "Counted by a library.".to_owned()), is, family.clone())
                .map_err(|error| error.mistakes().join("; ")),
        };
        if let Err(why) = &entered {
            tracing::warn!(target: "palisade::metrics", name, why, "a library's metric cannot be told");
        }
        entered.is_ok().then_some(family)
    }

    fn describe(&self, name: &KeyName, help: &SharedString) {
        let mut helps = self.known.helps.lock().unwrap_or_else(PoisonError::into_inner);
        if helps.len() < MOST_FAMILIES {
            helps.insert(name.as_str().to_owned(), help.clone().into_owned());
        }
    }
}

impl Recorder for FacadeRecorder {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        let found = self.find(&self.known.counters, COUNTER, key);
        found.map_or_else(metrics::Counter::noop, metrics::Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        let found = self.find(&self.known.gauges, GAUGE, key);
        found.map_or_else(metrics::Gauge::noop, metrics::Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        let found = self.find(&self.known.histograms, HISTOGRAM, key);
        found.map_or_else(metrics::Histogram::noop, metrics::Histogram::from_arc)
    }
}

impl CounterFn for Counter {
    fn increment(&self, value: u64) {
        self.add(value);
    }

    fn absolute(&self, value: u64) {
        self.at_least(value);
    }
}

impl GaugeFn for Gauge {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, value: f64) {
        Self::set(self, value);
    }
}

impl HistogramFn for Histogram {
    fn record(&self, value: f64) {
        self.observe(value);
    }
}

impl fmt::Debug for FacadeRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FacadeRecorder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use metrics::{counter, describe_counter, gauge, histogram, with_local_recorder};

    use super::*;

    fn recorded(metrics: &MetricsLayer, record: impl FnOnce()) -> String {
        with_local_recorder(&metrics.recorder(), record);
        metrics.render()
    }

    #[test]
    fn what_a_library_counts_stands_in_the_same_scrape() {
        let text = recorded(&MetricsLayer::new(), || {
            describe_counter!("cache.hits", "Found in the cache.");
            counter!("cache.hits", "cache.name" => "users").increment(2);
            counter!("cache.hits", "cache.name" => "users").increment(1);
            counter!("cache.hits").absolute(7);
            counter!("cache.hits").absolute(5);
            gauge!("pool_size").set(4.0);
            gauge!("pool_size").decrement(1.5);
            histogram!("query_seconds").record(0.02);
            histogram!("page_bytes").record(2000.0);
        });
        for line in [
            "# HELP cache_hits_total Found in the cache.",
            r#"cache_hits_total{cache_name="users"} 3"#,
            "cache_hits_total 7",
            "# HELP pool_size Counted by a library.",
            "pool_size 2.5",
            r#"query_seconds_bucket{le="0.025"} 1"#,
            r#"page_bytes_bucket{le="1000"} 0"#,
            r#"page_bytes_bucket{le="10000"} 1"#,
        ] {
            assert!(text.lines().any(|have| have == line), "{line} in {text}");
        }
    }

    #[test]
    fn a_library_cannot_fill_the_registry_nor_break_the_scrape() {
        let metrics = MetricsLayer::builder().series(2).build().unwrap();
        metrics.gauge("taken", "Ours.").unwrap().set(1.0);
        let text = recorded(&metrics, || {
            for number in 0..100 {
                counter!("flood_total", "id" => number.to_string()).increment(1);
            }
            counter!("taken").increment(1);
            gauge!("flood").set(1.0);
            counter!("process_cpu_seconds").increment(1);
            gauge!("9 lives").set(9.0);
            for number in 0..2 * MOST_FAMILIES {
                counter!(format!("made.{number}")).increment(1);
            }
        });
        assert!(text.contains("flood_total{overflow=\"true\"} 98\n"), "{text}");
        assert_eq!(text.matches("\nflood_total{").count(), 3);
        assert_eq!(text.matches("# TYPE made_").count(), MOST_FAMILIES - 5, "five names were met before");
        assert_eq!(text.matches("# TYPE taken").count(), 1);
        for absent in ["9_lives", "process_cpu_seconds_total 1\n", "# TYPE flood gauge"] {
            assert!(!text.contains(absent), "{absent}");
        }
    }

    #[test]
    fn labels_that_become_one_are_told_once() {
        let text = recorded(&MetricsLayer::new(), || {
            counter!("twice", "a.b" => "1", "a_b" => "2", "le" => "3").increment(1);
        });
        assert!(text.contains("twice_total{a_b=\"1\"} 1\n"), "{text}");
    }
}
