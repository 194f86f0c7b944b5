//! What guards held against requests, counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{
    exposition::{Exposition, Type, labels},
    family::OVERFLOW,
    table::{Added, Table},
};
use crate::Decision;

/// One count per guard, policy, reason and mode.
#[derive(Debug)]
pub(super) struct Decisions {
    table: Table<Row>,
    /// Those past the cap. Policies are the operator's words, so there should be none.
    overflow: AtomicU64,
}

#[derive(Debug)]
struct Row {
    decision: Decision,
    count: AtomicU64,
}

impl Decisions {
    pub(super) fn new(cap: usize) -> Self {
        Self { table: Table::new(cap), overflow: AtomicU64::new(0) }
    }

    pub(super) fn count(&self, decision: &Decision) {
        let is = |row: &Row| row.decision == *decision;
        let key = (decision.guard(), decision.policy(), decision.reason(), decision.mode().as_str());
        let hash = self.table.hash(key);
        if self.table.with(hash, is, |row| row.count.fetch_add(1, Relaxed)).is_some() {
            return;
        }
        match self.table.add(hash, is, || Row { decision: decision.clone(), count: AtomicU64::new(0) }) {
            Added::Row(row) => row.count.fetch_add(1, Relaxed),
            Added::Full => self.overflow.fetch_add(1, Relaxed),
        };
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        let name = "palisade_decisions_total";
        out.family(name, Type::Counter, "What guards objected to, refused or only reported.");
        let mut rows = self.table.rows();
        rows.sort_by(|one, other| one.decision.cmp(&other.decision));
        for row in rows {
            let it = &row.decision;
            let said = [it.guard(), it.policy(), it.outcome(), it.reason(), it.mode().as_str()];
            out.sample(name, &named(said), row.count.load(Relaxed));
        }
        let overflow = self.overflow.load(Relaxed);
        if overflow > 0 {
            out.sample(name, &named([OVERFLOW; 5]), overflow);
        }
    }
}

fn named(values: [&str; 5]) -> String {
    labels(["guard", "policy", "outcome", "reason", "mode"].into_iter().zip(values))
}
