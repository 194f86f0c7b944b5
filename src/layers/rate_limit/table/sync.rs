//! Atomics and thread numbers, or loom's in their place under its model.

#[cfg(all(test, palisade_loom))]
pub(super) use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(all(test, palisade_loom))]
use loom::thread_local;
#[cfg(not(all(test, palisade_loom)))]
pub(super) use std::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(not(all(test, palisade_loom)))]
use std::thread_local;

static THREADS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

thread_local! {
    static THREAD: u64 = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// A number that no other thread has, of the first four million.
pub(super) fn thread_number() -> u64 {
    THREAD.with(|number| *number)
}
