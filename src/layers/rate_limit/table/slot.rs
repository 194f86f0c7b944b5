//! One slot: a tag that names a key, and the key's TAT.
//!
//! A tag is empty, *owned* by a hash, or *pending*: claimed for a hash by a
//! thread. Only an owned slot's TAT means anything.

use super::sync::{AtomicU64, Ordering, thread_number};

/// Slots per set: two cache lines of four pairs.
pub(super) const WAYS: usize = if cfg!(all(test, palisade_loom)) { 2 } else { 8 };

/// The tag of no key. The TAT beside it has no meaning.
pub(super) const EMPTY: u64 = 0;
/// Set in the tag of a key that owns its slot; the other bits are its hash.
pub(super) const OWNED: u64 = 1;
/// Set in the tag of a claim in progress, beside the claiming thread's number.
const PENDING: u64 = 2;
/// The bits of the hash that a pending tag keeps, above the thread number.
const PENDING_HASH: u64 = !0 << 24;

/// One key's state.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) tag: AtomicU64,
    pub(super) tat: AtomicU64,
}

/// The slots between which a hash does not distinguish.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Set(pub(super) [Slot; WAYS]);

impl Slot {
    /// One attempt to change the TAT of a hash that was seen to own the slot.
    /// The error asks to look again; it is the TAT if the slot was lost in the
    /// act, else zero.
    #[inline]
    pub(super) fn update<T>(&self, hash: u64, change: impl Fn(u64) -> (Option<u64>, T)) -> Result<T, u64> {
        // Acquire: if this TAT is already that of a next owner, then the tag
        // read after it is not this hash's any more.
        let tat = self.tat.load(Ordering::Acquire);
        if self.tag.load(Ordering::Relaxed) != hash | OWNED {
            return Err(0);
        }
        let (new, answer) = change(tat);
        let Some(new) = new else {
            return Ok(answer);
        };
        // AcqRel: passes on what earlier writers of this TAT released. A claim
        // meanwhile has changed the TAT, so that this fails.
        if !swap(&self.tat, tat, new) {
            return Err(0);
        }
        // Relaxed: a claim overlooked here finds the new TAT in its turn and
        // counts it as evicted. One that is seen has yet to change the TAT, or
        // has set just the same: then the next owner's is put right.
        if self.tag.load(Ordering::Relaxed) != hash | OWNED {
            swap(&self.tat, new, tat);
            return Err(tat);
        }
        Ok(answer)
    }
}

impl Set {
    /// The slot in this set that a hash owns.
    #[inline]
    pub(super) fn find(&self, hash: u64) -> Option<&Slot> {
        // Acquire: the TAT read next is no older than the ownership. To stop
        // at the first match keeps the branch predictor, and so the memory
        // accesses that follow, ahead of a cache miss.
        let owned = |slot: &&Slot| slot.tag.load(Ordering::Acquire) == hash | OWNED;
        self.0.iter().find(owned)
    }
}

/// The tag that claims a slot for a hash in the name of this thread.
pub(super) fn pending(hash: u64) -> u64 {
    hash & PENDING_HASH | thread_number() << 2 & !PENDING_HASH | PENDING
}

/// Whether a tag is a claim in progress of this hash. If it is of another one
/// (one pair in 2^40), one of the two claims a second time.
pub(super) fn is_pending(tag: u64, hash: u64) -> bool {
    tag & OWNED == 0 && tag & PENDING != 0 && (tag ^ hash) & PENDING_HASH == 0
}

/// One compare-and-swap, `AcqRel`. The callers say why.
#[inline]
pub(super) fn swap(word: &AtomicU64, from: u64, to: u64) -> bool {
    word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}
