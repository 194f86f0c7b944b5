//! Values of headers and cookies that were clean. Clients send the same ones with every request, and nearly all of them are sent by many.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Two that meet in a place take it from each other.
const PLACES: usize = 1024;

#[derive(Debug)]
pub(super) struct Known {
    /// Of a value only its hash: by a key that nobody knows, so that nobody can make a value look like another.
    hasher: RandomState,
    places: Box<[AtomicU64]>,
}

impl Default for Known {
    fn default() -> Self {
        Self { hasher: RandomState::new(), places: (0..PLACES).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Known {
    pub(super) fn hash(&self, value: &[u8]) -> u64 {
        self.hasher.hash_one(value)
    }

    pub(super) fn holds(&self, hash: u64) -> bool {
        self.place(hash).load(Relaxed) == hash
    }

    pub(super) fn keep(&self, hash: u64) {
        self.place(hash).store(hash, Relaxed);
    }

    fn place(&self, hash: u64) -> &AtomicU64 {
        // The low bits: a power of two of places.
        &self.places[usize::try_from(hash % PLACES as u64).unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_known_and_nothing_else_is() {
        let known = Known::default();
        let [one, other] = [b"Mozilla/5.0", b"Mozilla/6.0"].map(|value| known.hash(value));
        assert!(!known.holds(one));
        known.keep(one);
        assert!(known.holds(one) && !known.holds(other));
        for index in 0..100_000_u32 {
            known.keep(known.hash(&index.to_le_bytes()));
        }
        assert_eq!(known.places.len(), PLACES, "it does not grow");
    }
}
