//! The metrics of the user's own work, by name: each name once, and only names that a scraper understands.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    buckets::Buckets,
    exposition::{Exposition, Type},
    family::{Collect, Family, Kind},
};
use crate::ConfigError;

/// Families by name.
#[derive(Default)]
pub(super) struct Registry {
    families: Mutex<Families>,
}

#[derive(Default)]
struct Families {
    entries: BTreeMap<Box<str>, Entry>,
    /// What a scraper sees of them.
    names: BTreeSet<String>,
}

struct Entry {
    name: Box<str>,
    kind: Type,
    help: Box<str>,
    family: Arc<dyn Collect>,
}

/// More labels than this say more than a time series can.
const MOST_LABELS: usize = 16;

impl Registry {
    /// A new family, unless anything is wrong with its name or its labels.
    pub(super) fn register<M: Clone + Send + Sync + 'static, const N: usize>(
        &self,
        kind: Kind<M>,
        name: &str,
        help: &str,
        labels: [&str; N],
        buckets: Buckets,
        cap: usize,
    ) -> Result<Family<M, N>, ConfigError> {
        let place = format!("metric `{name}`");
        let mut mistakes = ConfigError::default();
        for what in name_mistakes(name, kind.is) {
            mistakes.push(&place, what);
        }
        for (index, label) in labels.iter().enumerate() {
            if !is_label(label) {
                mistakes.push(&place, format_args!("`{label}` cannot be the name of a label"));
            }
            if labels[..index].contains(label) {
                mistakes.push(&place, format_args!("has the label `{label}` twice"));
            }
        }
        if N > MOST_LABELS {
            mistakes.push(&place, format_args!("has more than {MOST_LABELS} labels"));
        }
        if kind.is == Type::Histogram {
            mistakes.keep(buckets.check(&place));
        }
        mistakes.or(())?;
        let is = kind.is;
        let family = Family::new(kind, labels, buckets, cap);
        self.enter(name, help, is, family.inner())?;
        Ok(family)
    }

    pub(super) fn enter(
        &self,
        name: &str,
        help: &str,
        kind: Type,
        family: Arc<dyn Collect>,
    ) -> Result<(), ConfigError> {
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        let names = names(name, kind);
        if names.iter().any(|name| families.names.contains(name)) {
            return Err(ConfigError::new(
                format_args!("metric `{name}`"),
                "is there already, by this name or its samples'",
            ));
        }
        families.names.extend(names);
        families.entries.insert(base(name).into(), Entry { name: name.into(), kind, help: help.into(), family });
        Ok(())
    }

    /// Takes a family back whose companion could not be registered.
    pub(super) fn forget(&self, name: &str) {
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = families.entries.remove(base(name)) {
            for name in names(&entry.name, entry.kind) {
                families.names.remove(&name);
            }
        }
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        let families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        for Entry { name, kind, help, family } in families.entries.values() {
            out.family(name, *kind, help);
            family.collect(name, out);
        }
    }
}

/// What a family and its samples are called, in both formats: two families that have any of it in common get in each other's way.
fn names(name: &str, kind: Type) -> Vec<String> {
    let (family, endings): (&str, &[&str]) = match kind {
        Type::Counter => (base(name), &["", "_total", "_created"]),
        Type::Gauge => (name, &[""]),
        Type::Histogram => (name, &["", "_bucket", "_sum", "_count", "_created"]),
    };
    endings.iter().map(|ending| [family, ending].concat()).collect()
}

/// A name without what samples alone may end in.
fn base(name: &str) -> &str {
    let endings = ["_total", "_bucket", "_sum", "_count", "_created", "_info"];
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// What is wrong with a family's name, in the rules of both formats.
pub(super) fn name_mistakes(name: &str, kind: Type) -> Vec<&'static str> {
    let mut mistakes = Vec::new();
    if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        mistakes.push("is no name of letters, digits and `_`, such as `orders_total`");
    }
    if kind == Type::Counter && !(name.ends_with("_total") && name.len() > "_total".len()) {
        mistakes.push("counts, so its name must end in `_total`");
    }
    if kind != Type::Counter && base(name) != name {
        mistakes.push("ends as only the samples of another kind may");
    }
    if is_ours(name) {
        mistakes.push("is a name of palisade's own");
    }
    mistakes
}

fn is_ours(name: &str) -> bool {
    ["palisade", "process"].iter().any(|ours| name.split('_').next() == Some(ours))
        || ["http_request", "http_requests", "http_response", "http_responses", "http_server"]
            .iter()
            .any(|ours| name.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')))
        || ["build", "build_info"].contains(&base(name))
}

pub(super) fn is_label(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with("__")
        && !["le", "quantile"].contains(&name)
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Where this is written to, something may be registered.
        let names = {
            let families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
            families.entries.values().map(|entry| entry.name.clone()).collect::<Vec<_>>()
        };
        f.debug_set().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::family::{COUNTER, GAUGE, HISTOGRAM},
        *,
    };

    fn counter(registry: &Registry, name: &str, label: &str) -> Result<(), ConfigError> {
        registry.register(COUNTER, name, "Help.", [label], Buckets::seconds(), 10).map(drop)
    }

    #[test]
    fn a_name_is_there_once_and_only_if_scrapers_understand_it() {
        let registry = Registry::default();
        counter(&registry, "orders_total", "channel").unwrap();
        for bad in [
            "orders_total",
            "",
            "_total",
            "orders",
            "0rders_total",
            "or-ders_total",
            "ordérs_total",
            "a b_total",
            "a:b_total",
            "process_cpu_seconds_total",
            "palisade_x_total",
            "http_requests_total",
            "http_server_x_total",
            "http_responses_x_total",
            "build_info_total",
        ] {
            assert!(counter(&registry, bad, "channel").is_err(), "{bad}");
        }
        for bad in ["", "le", "quantile", "__name", "a-b", "1a", "ä"] {
            assert!(counter(&registry, "others_total", bad).is_err(), "{bad}");
        }
        counter(&registry, "https_total", "_a1").unwrap();
    }

    #[test]
    fn samples_of_two_families_never_have_one_name() {
        let registry = Registry::default();
        let gauge = |name| registry.register(GAUGE, name, "", [], Buckets::seconds(), 10).map(drop);
        let histogram = |name| registry.register(HISTOGRAM, name, "", [], Buckets::seconds(), 10).map(drop);
        histogram("size_bytes").unwrap();
        for taken in ["size_bytes", "size_bytes_count", "size_bytes_sum", "size_bytes_bucket", "size_bytes_total"] {
            assert!(gauge(taken).is_err(), "{taken}");
        }
        counter(&registry, "done_total", "a").unwrap();
        assert!(gauge("done").is_err(), "in OpenMetrics the family of `done_total` is `done`");
        for taken in ["size_bytes_count_total", "size_bytes_sum_total", "size_bytes_total", "done_created_total"] {
            assert!(counter(&registry, taken, "a").is_err(), "{taken}");
        }
        counter(&registry, "done_count_total", "a").unwrap();
        assert!(histogram("done_count").is_err());
        counter(&registry, "early_count_total", "a").unwrap();
        assert!(histogram("early").is_err(), "whichever comes first");
    }

    #[test]
    fn a_name_that_was_taken_back_is_free() {
        let registry = Registry::default();
        for _ in 0..2 {
            counter(&registry, "orders_total", "channel").unwrap();
            registry.forget("orders_total");
        }
        registry.forget("never_there");
        registry.register(HISTOGRAM, "orders", "", [], Buckets::seconds(), 10).unwrap();
    }

    #[test]
    fn who_is_shown_the_registry_may_look_into_it() {
        struct Looks<'a>(&'a Registry);
        impl fmt::Write for Looks<'_> {
            fn write_str(&mut self, _: &str) -> fmt::Result {
                self.0.families.try_lock().map(drop).map_err(|_| fmt::Error)
            }
        }
        let registry = Registry::default();
        counter(&registry, "orders_total", "channel").unwrap();
        fmt::Write::write_fmt(&mut Looks(&registry), format_args!("{registry:?}")).unwrap();
    }

    #[test]
    fn every_mistake_in_a_metric_is_named_at_once() {
        let registry = Registry::default();
        let wrong = registry.register(HISTOGRAM, "a-b_sum", "", ["le", "le"], Buckets::new([]), 10);
        assert_eq!(wrong.unwrap_err().mistakes().len(), 6);
    }
}
