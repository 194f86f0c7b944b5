//! What was found since the start, so that enforcing is decided on data.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use serde_json::{Value, json};

use super::{Field, Location};
use crate::{Facts, Mode, decision::Label};

/// Names of fields are the clients': past so many rows the others of a route share one, and past twice as many the others of a class.
const MOST_ROWS: usize = 500;

#[derive(Debug, Default)]
pub(super) struct Summary {
    found: Mutex<HashMap<Row, u64>>,
    /// Bodies that were looked at, to their end or not, and those that nothing is known about.
    pub(super) whole: AtomicU64,
    pub(super) part: AtomicU64,
    pub(super) passed: AtomicU64,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Row {
    class: String,
    rule: &'static str,
    route: String,
    location: Option<Location>,
    field: String,
    mode: &'static str,
}

impl Summary {
    pub(super) fn count(&self, class: &Label, rule: &'static str, field: Field<'_>, facts: &Facts, mode: Mode) {
        let row = Row {
            class: class.as_str().to_owned(),
            rule,
            route: facts.route().to_owned(),
            location: Some(field.location),
            field: field.told().to_owned(),
            mode: mode.as_str(),
        };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let is_held = |row: &Row, most: usize| found.len() < most || found.contains_key(row);
        let mut row = row;
        if !is_held(&row, MOST_ROWS) {
            "overflow".clone_into(&mut row.field);
        }
        if !is_held(&row, 2 * MOST_ROWS) {
            (row.rule, row.route, row.location) = ("", "overflow".to_owned(), None);
        }
        *found.entry(row).or_default() += 1;
    }

    /// The most frequent first.
    pub(super) fn told(&self) -> Value {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<_> = found.iter().collect();
        rows.sort_by(|one, other| other.1.cmp(one.1).then_with(|| one.0.order().cmp(&other.0.order())));
        let rows: Vec<_> = rows.into_iter().map(|(row, count)| row.told(*count)).collect();
        json!({
            "findings": rows,
            "bodies": {
                "inspected": self.whole.load(Relaxed),
                "partly": self.part.load(Relaxed),
                "passed": self.passed.load(Relaxed),
            },
        })
    }
}

impl Row {
    fn order(&self) -> (&str, &str, &str) {
        (&self.class, &self.route, &self.field)
    }

    fn told(&self, count: u64) -> Value {
        json!({
            "class": self.class,
            "rule": self.rule,
            "route": self.route,
            "location": self.location.map(Location::name),
            "field": self.field,
            "mode": self.mode,
            "count": count,
        })
    }
}
