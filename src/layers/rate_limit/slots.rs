//! A fixed number of keys and when each has paid off its debt, without HTTP in it.

use std::sync::{Arc, Mutex, PoisonError};

use governor::{nanos::Nanos, state::StateStore};
use tokio::time::Instant;

/// Keys that may stand in each other's way; a full set forgets the one with the least debt.
const WAYS: usize = 8;

/// Hashed keys with their theoretical arrival times, in sets that are locked one by one for the time of a few loads.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    sets: Arc<[Mutex<Set>]>,
}

/// `(key, arrival)`; an arrival of 0 is a free slot.
type Set = [(u64, u64); WAYS];

impl Slots {
    pub(super) fn new(keys: usize) -> Self {
        let sets = keys.div_ceil(WAYS).max(1);
        Self { sets: (0..sets).map(|_| Mutex::default()).collect() }
    }

    fn set(&self, key: u64) -> &Mutex<Set> {
        // Multiply and shift: the upper bits of the hash choose the set, evenly for any number of sets.
        let index = (u128::from(key) * self.sets.len() as u128) >> 64;
        &self.sets[usize::try_from(index).unwrap_or_default()]
    }
}

impl StateStore for Slots {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut set = self.set(*key).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, arrival)) = set.iter_mut().find(|(known, arrival)| known == key && *arrival > 0) {
            let (outcome, next) = decide(Some(Nanos::from(*arrival)))?;
            *arrival = next.as_u64();
            return Ok(outcome);
        }
        let (outcome, next) = decide(None)?;
        // A key without debt is past its arrival time, so the least arrival is a free slot, an idle key or the cheapest loss.
        if let Some(slot) = set.iter_mut().min_by_key(|(_, arrival)| *arrival) {
            *slot = (*key, next.as_u64());
        }
        Ok(outcome)
    }
}

/// Nanoseconds since the policy was made. Tokio's clock, so that a test can advance it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start: Instant::now() }
    }
}

impl governor::clock::Clock for Clock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.start.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(slots: &Slots, key: u64, at: u64) -> Option<u64> {
        slots.measure_and_replace::<_, _, ()>(&key, |known| Ok((known.map(Nanos::as_u64), Nanos::from(at)))).unwrap()
    }

    #[test]
    fn a_full_set_forgets_the_key_with_the_least_debt() {
        let slots = Slots::new(WAYS);
        for key in 1..=WAYS as u64 {
            assert_eq!(arrive(&slots, key, 100 + key), None);
        }
        assert_eq!(arrive(&slots, 99, 500), None);
        assert_eq!(arrive(&slots, 1, 600), None, "the least debt was forgotten");
        assert_eq!(arrive(&slots, 8, 700), Some(108), "the greatest was kept");
    }

    #[test]
    fn a_refusal_writes_nothing() {
        let slots = Slots::new(1);
        arrive(&slots, 1, 100);
        assert_eq!(slots.measure_and_replace(&1, |_| Err::<((), Nanos), _>("no")), Err("no"));
        assert_eq!(arrive(&slots, 1, 100), Some(100));
    }
}
