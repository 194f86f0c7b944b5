//! A bridge: what libraries count through the `metrics` facade stands in the same registry, under the same caps.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use metrics::{CounterFn, GaugeFn, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::{
    Buckets, Counter, Gauge, Histogram, MetricsLayer,
    exposition::{Exposition, Type, labels},
    family::{COUNTER, Collect, GAUGE, HISTOGRAM, Kind, LONGEST_VALUE, OVERFLOW},
    registry::{is_label, name_mistakes},
    table::{Added, Table},
};

/// Names of metrics from libraries: more than any has, and an end to those that make names out of data.
const MOST_NAMES: usize = 1000;

/// A recorder for `metrics::set_global_recorder`. It, all others of the same layer, and the layer share one registry.
///
/// What is no letter, digit or `_` in a name becomes `_`, and a counter's name gets the `_total` it lacks: what then has one
/// name is one metric, and what then has the same labels one series of it. A histogram has
/// [`Buckets::seconds`] if its name ends in `_seconds`, [`Buckets::bytes`] if in `_bytes`, else powers of ten. Each metric has at
/// most as many sets of labels as [`MetricsBuilder::series`](super::MetricsBuilder::series) says; those past it, and those with
/// a value of more than 128 bytes, share one series, `overflow="true"`. What cannot be told, because
/// its name is taken by another kind of metric or there are 1000 names already, is logged once and not counted.
#[derive(Clone)]
pub struct FacadeRecorder {
    metrics: MetricsLayer,
}

/// What libraries have counted, by name.
#[derive(Default)]
pub(super) struct Known {
    counters: Families<Counter>,
    gauges: Families<Gauge>,
    histograms: Families<Histogram>,
    helps: Mutex<BTreeMap<String, String>>,
    count: AtomicUsize,
    is_full: AtomicBool,
}

/// By name as libraries say it, and as it is told; `None` is one that was refused.
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
        FacadeRecorder { metrics: self.clone() }
    }
}

/// Metrics of one name, whose labels may differ from one to the next.
struct Family<M> {
    kind: Kind<M>,
    buckets: Buckets,
    rows: Table<Row<M>>,
    /// The way to the rows by what a macro of a library asks for each time. What finds no room here is found among the rows.
    keys: Table<(Key, Arc<M>)>,
    overflow: Arc<M>,
    overflowed: AtomicBool,
}

struct Row<M> {
    labels: Box<str>,
    /// As the facade takes it.
    metric: Arc<M>,
}

impl<M> Family<M> {
    fn new(kind: Kind<M>, buckets: Buckets, cap: usize) -> Self {
        let overflow = kind.make(&buckets).into();
        Self { kind, buckets, rows: Table::new(cap), keys: Table::new(cap), overflow, overflowed: false.into() }
    }

    fn of(&self, key: &Key) -> Arc<M> {
        let known = self.keys.with(key.get_hash(), |(known, _)| known == key, |row| Arc::clone(&row.1));
        known.unwrap_or_else(|| self.meet(key))
    }

    #[cold]
    fn meet(&self, key: &Key) -> Arc<M> {
        let labels = written(key);
        if key.labels().all(|label| label.value().len() <= LONGEST_VALUE)
            && labels != overflow_labels()
            && let Added::Row(row) =
                self.rows.add(self.rows.hash(&labels), |row| *row.labels == *labels, || self.row(&labels))
        {
            let metric = || (key.clone(), Arc::clone(&row.metric));
            self.keys.add(key.get_hash(), |(known, _)| known == key, metric);
            return Arc::clone(&row.metric);
        }
        self.overflowed.store(true, Relaxed);
        Arc::clone(&self.overflow)
    }

    fn row(&self, labels: &str) -> Row<M> {
        Row { labels: labels.into(), metric: self.kind.make(&self.buckets).into() }
    }
}

fn overflow_labels() -> String {
    labels([(OVERFLOW, "true")])
}

impl<M: Send + Sync> Collect for Family<M> {
    fn collect(&self, name: &str, out: &mut Exposition) {
        let mut rows = self.rows.rows();
        rows.sort_by(|one, other| one.labels.cmp(&other.labels));
        for row in rows {
            self.kind.write(&row.metric, name, &row.labels, out);
        }
        if self.overflowed.load(Relaxed) {
            self.kind.write(&self.overflow, name, &overflow_labels(), out);
        }
    }
}

/// The labels of a key, in one order however they were said. Of two that become one name the first counts: a scrape with both
/// would be refused as a whole. One without a value is as good as absent to a scraper.
fn written(key: &Key) -> String {
    let mut pairs: BTreeMap<String, &str> = BTreeMap::new();
    for label in key.labels() {
        let name = sanitized(label.key());
        if is_label(&name) {
            pairs.entry(name).or_insert(label.value());
        }
    }
    labels(pairs.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (&**name, *value)))
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
    fn known(&self) -> &Known {
        &self.metrics.handle.shared.facade
    }

    fn find<M: Send + Sync + 'static>(&self, families: &Families<M>, kind: Kind<M>, key: &Key) -> Option<Arc<M>> {
        if let Some(family) = families.read().unwrap_or_else(PoisonError::into_inner).get(key.name()) {
            return family.as_ref().map(|family| family.of(key));
        }
        let (family, mistake) = self.meet(families, kind, key.name());
        // Said when no lock is held any more: what writes the log may count its lines here.
        if let Some(why) = mistake {
            tracing::warn!(target: "palisade::metrics", name = key.name(), why, "a library's metric cannot be told");
        }
        family.map(|family| family.of(key))
    }

    /// The family of a name that nobody has said before, and what there is to warn of.
    #[cold]
    fn meet<M: Send + Sync + 'static>(
        &self,
        families: &Families<M>,
        kind: Kind<M>,
        name: &str,
    ) -> (Option<Arc<Family<M>>>, Option<String>) {
        let (known, told) = (self.known(), told(name, kind.is));
        let mut families = families.write().unwrap_or_else(PoisonError::into_inner);
        let is_full = known.count.load(Relaxed) >= MOST_NAMES;
        let (family, mistake) = match families.get(&told) {
            Some(family) => (family.clone(), None),
            None if is_full => {
                let first = !known.is_full.swap(true, Relaxed);
                (None, first.then(|| format!("there are {MOST_NAMES} names already; of those to come nothing is said")))
            }
            None => match self.register(kind, name, &told) {
                Ok(family) => (Some(family), None),
                Err(mistake) => (None, Some(mistake)),
            },
        };
        if !is_full && families.insert(name.to_owned(), family.clone()).is_none() {
            known.count.fetch_add(1, Relaxed);
            families.insert(told, family.clone());
        }
        (family, mistake)
    }

    /// The family under its name in the registry.
    fn register<M: Send + Sync + 'static>(
        &self,
        kind: Kind<M>,
        name: &str,
        told: &str,
    ) -> Result<Arc<Family<M>>, String> {
        let is = kind.is;
        if let Some(mistake) = name_mistakes(told, is).first() {
            return Err((*mistake).to_owned());
        }
        let help = self.known().helps.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let help = help.unwrap_or_else(|| "Counted by a library.".to_owned());
        let shared = &self.metrics.handle.shared;
        let family = Arc::new(Family::new(kind, buckets(told), shared.series));
        shared.registry.enter(told, &help, is, family.clone()).map_err(|error| error.mistakes().join("; "))?;
        Ok(family)
    }

    fn describe(&self, name: &KeyName, help: &SharedString) {
        let mut helps = self.known().helps.lock().unwrap_or_else(PoisonError::into_inner);
        if helps.len() < MOST_NAMES {
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
        let found = self.find(&self.known().counters, COUNTER, key);
        found.map_or_else(metrics::Counter::noop, metrics::Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        let found = self.find(&self.known().gauges, GAUGE, key);
        found.map_or_else(metrics::Gauge::noop, metrics::Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        let found = self.find(&self.known().histograms, HISTOGRAM, key);
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

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("names", &self.count).finish_non_exhaustive()
    }
}

impl fmt::Debug for FacadeRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FacadeRecorder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
