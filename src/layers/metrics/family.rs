//! One metric for each set of label values, up to a cap.

use std::{fmt, sync::Arc};

use super::{
    buckets::Buckets,
    exposition::{Exposition, Type, labels},
    instruments::{Counter, Gauge, Histogram},
    table::{Added, Table},
};

/// What stands for every label value past the cap.
pub(super) const OVERFLOW: &str = "overflow";

/// In bytes. What is longer is hardly a word of the operator's.
pub(super) const LONGEST_VALUE: usize = 128;

/// A kind of metric: how one is made, and how its samples are written.
pub(super) struct Kind<M> {
    pub(super) is: Type,
    make: fn(&Buckets) -> M,
    write: fn(&M, &str, &str, &mut Exposition),
}

impl<M> Kind<M> {
    pub(super) fn make(&self, buckets: &Buckets) -> M {
        (self.make)(buckets)
    }

    pub(super) fn write(&self, metric: &M, name: &str, labels: &str, out: &mut Exposition) {
        (self.write)(metric, name, labels, out);
    }
}

pub(super) const COUNTER: Kind<Counter> = Kind {
    is: Type::Counter,
    make: |_| Counter::default(),
    write: |counter, name, labels, out| out.sample(name, labels, counter.value()),
};

pub(super) const GAUGE: Kind<Gauge> = Kind {
    is: Type::Gauge,
    make: |_| Gauge::default(),
    write: |gauge, name, labels, out| out.float(name, labels, gauge.value()),
};

pub(super) const HISTOGRAM: Kind<Histogram> = Kind {
    is: Type::Histogram,
    make: Histogram::new,
    write: |histogram, name, labels, out| out.histogram(name, labels, histogram.cells(), None),
};

/// A metric with `N` labels: one counter, gauge or histogram for each set of their values. A cheap handle.
///
/// Past the cap (see [`MetricsBuilder::series`](super::MetricsBuilder::series)) all new sets of values share one series, whose
/// values are all `overflow`; so does a value of more than 128 bytes.
#[derive(Clone)]
pub struct Family<M, const N: usize>(Arc<Inner<M>>);

pub(super) struct Inner<M> {
    kind: Kind<M>,
    names: Box<[Box<str>]>,
    buckets: Buckets,
    rows: Table<Row<M>>,
    /// Beyond the cap there is one more.
    overflow: Table<Row<M>>,
}

struct Row<M> {
    values: Box<[Box<str>]>,
    labels: Box<str>,
    metric: M,
}

impl<M: Clone, const N: usize> Family<M, N> {
    pub(super) fn new(kind: Kind<M>, names: [&str; N], buckets: Buckets, cap: usize) -> Self {
        let names = names.map(Into::into).into();
        Self(Arc::new(Inner { kind, names, buckets, rows: Table::new(cap), overflow: Table::new(1) }))
    }

    /// The metric with these values, in the order of the labels' names. Neither allocates nor locks once it is known; kept,
    /// the handle saves the search.
    pub fn of(&self, values: [&str; N]) -> M {
        self.0.of(&values)
    }

    pub(super) fn inner(&self) -> Arc<Inner<M>> {
        Arc::clone(&self.0)
    }
}

impl<M: Clone> Inner<M> {
    fn of(&self, values: &[&str]) -> M {
        let hash = self.rows.hash(values);
        let is = |row: &Row<M>| row.values.iter().map(|value| &**value).eq(values.iter().copied());
        let known = self.rows.with(hash, is, |row| row.metric.clone());
        known.unwrap_or_else(|| self.register(hash, values))
    }

    #[cold]
    fn register(&self, hash: u64, values: &[&str]) -> M {
        let is = |row: &Row<M>| row.values.iter().map(|value| &**value).eq(values.iter().copied());
        // Else there would be two series with the same labels, and a scraper would refuse them all.
        let is_overflow = !values.is_empty() && values.iter().all(|value| *value == OVERFLOW);
        if !is_overflow
            && values.iter().all(|value| value.len() <= LONGEST_VALUE)
            && let Added::Row(row) = self.rows.add(hash, is, || self.row(values))
        {
            return row.metric.clone();
        }
        let shared = || self.row(&vec![OVERFLOW; self.names.len()]);
        match self.overflow.with(0, |_| true, |row| row.metric.clone()) {
            Some(metric) => metric,
            None => match self.overflow.add(0, |_| true, shared) {
                Added::Row(row) => row.metric.clone(),
                // There is room for the one.
                Added::Full => self.kind.make(&self.buckets),
            },
        }
    }

    fn row(&self, values: &[&str]) -> Row<M> {
        let pairs = self.names.iter().map(|name| &**name).zip(values.iter().copied());
        Row {
            labels: labels(pairs).into(),
            values: values.iter().map(|value| Box::from(*value)).collect(),
            metric: self.kind.make(&self.buckets),
        }
    }
}

/// Something that writes its samples at a scrape.
pub(super) trait Collect: Send + Sync {
    fn collect(&self, name: &str, out: &mut Exposition);
}

impl<M: Clone + Send + Sync> Collect for Inner<M> {
    fn collect(&self, name: &str, out: &mut Exposition) {
        let mut rows = self.rows.rows();
        rows.extend(self.overflow.rows());
        rows.sort_by(|one, other| one.labels.cmp(&other.labels));
        for row in rows {
            self.kind.write(&row.metric, name, &row.labels, out);
        }
    }
}

impl<M, const N: usize> fmt::Debug for Family<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("labels", &self.0.names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::accept::Format, *};

    fn written<const N: usize>(family: &Family<Counter, N>) -> String {
        let mut out = Exposition::new(Format::Text);
        family.inner().collect("x_total", &mut out);
        out.finish()
    }

    #[test]
    fn past_the_cap_all_share_one_series() {
        let family = Family::new(COUNTER, ["a", "b"], Buckets::seconds(), 2);
        for number in 0..1000 {
            family.of([&number.to_string(), "x"]).inc();
        }
        let expected =
            "x_total{a=\"0\",b=\"x\"} 1\nx_total{a=\"1\",b=\"x\"} 1\nx_total{a=\"overflow\",b=\"overflow\"} 998\n";
        assert_eq!(written(&family), expected);
    }

    #[test]
    fn values_that_join_to_the_same_text_are_not_the_same() {
        let family = Family::new(COUNTER, ["a", "b"], Buckets::seconds(), 10);
        family.of(["x", "yz"]).inc();
        family.of(["xy", "z"]).add(2);
        family.of(["x", "yz"]).inc();
        assert_eq!(written(&family), "x_total{a=\"x\",b=\"yz\"} 2\nx_total{a=\"xy\",b=\"z\"} 2\n");
    }

    #[test]
    fn a_value_that_says_overflow_shares_the_overflow() {
        let family = Family::new(COUNTER, ["a", "b"], Buckets::seconds(), 2);
        for values in [["overflow", "overflow"], ["overflow", "x"], ["x", "x"], ["y", "y"], ["overflow", "overflow"]] {
            family.of(values).inc();
        }
        let expected =
            "x_total{a=\"overflow\",b=\"overflow\"} 3\nx_total{a=\"overflow\",b=\"x\"} 1\nx_total{a=\"x\",b=\"x\"} 1\n";
        assert_eq!(written(&family), expected);
    }

    #[test]
    fn a_novel_is_no_label() {
        let family = Family::new(COUNTER, ["a"], Buckets::seconds(), 10);
        family.of([&"x".repeat(LONGEST_VALUE)]).inc();
        family.of([&"x".repeat(LONGEST_VALUE + 1)]).inc();
        family.of([&"y".repeat(1 << 20)]).inc();
        assert!(written(&family).contains("x_total{a=\"overflow\"} 2\n"));
        assert!(written(&family).len() < 300);
    }
}
