//! The metrics of the user's own work, by name: each name once, and only names that a scraper understands.

use std::{
    collections::BTreeMap,
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
    families: Mutex<BTreeMap<Box<str>, Entry>>,
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
        if families.contains_key(base(name)) {
            return Err(ConfigError::new(
                format_args!("metric `{name}`"),
                "is there already, by this name or its samples'",
            ));
        }
        families.insert(base(name).into(), Entry { name: name.into(), kind, help: help.into(), family });
        Ok(())
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        for Entry { name, kind, help, family } in self.families.lock().unwrap_or_else(PoisonError::into_inner).values()
        {
            out.family(name, *kind, help);
            family.collect(name, out);
        }
    }
}

/// The samples of a family are named after it: two families whose names differ in these endings alone get in each other's way.
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
        || ["http_request", "http_requests", "http_response", "http_server"]
            .iter()
            .any(|ours| name.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')))
        || base(name) == "build"
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
            families.values().map(|entry| entry.name.clone()).collect::<Vec<_>>()
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
