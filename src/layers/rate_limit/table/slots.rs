//! A fixed-memory concurrent map from 64-bit hashes to TATs.
//!
//! A slot is a pair of atomics: a *tag* that names the key and the key's TAT.
//! Eight slots make a set of two cache lines, and a key may live in either of
//! two sets.
//!
//! A reader takes the tag, the TAT and the tag again, so that the TAT is known
//! to be that key's, and changes it by one compare-and-swap. A key without a
//! slot gets one by [`Slots::claim`], which ensures that two threads that meet
//! the same new key do not give it two. Nothing blocks: the claim of a stalled
//! thread is taken over.

use std::collections::TryReserveError;
use std::fmt;
use std::hint::spin_loop;
use std::ptr;

use super::slot::{EMPTY, OWNED, Set, Slot, WAYS, is_pending, pending, swap};
use super::sync::{AtomicU64, Ordering, fence};

/// Slots per promised key, as a fraction: 1.375, which is 22 bytes.
const SLOTS_PER_KEY: (usize, usize) = (11, 8);
/// Live slots that make a set crowded, so that a new key may prefer its other
/// one. With fewer it stays in its first set: one cache miss, not two.
const CROWDED: usize = WAYS - 2;
/// How often to look whether another thread completes its claim of the same
/// key, some tens of nanoseconds, before taking the claim over.
const PATIENCE: usize = if cfg!(all(test, palisade_loom)) { 1 } else { 64 };

/// A slot that a new key may take, and what was in it.
struct Victim<'a> {
    slot: &'a Slot,
    tag: u64,
    tat: u64,
}

/// A fixed-memory concurrent map from hashes to TATs.
pub(super) struct Slots {
    sets: Box<[Set]>,
    live_evictions: AtomicU64,
}

impl Slots {
    /// Room for `keys` keys.
    pub(super) fn new(keys: usize) -> Result<Self, TryReserveError> {
        let slots = keys.saturating_mul(SLOTS_PER_KEY.0) / SLOTS_PER_KEY.1;
        // Two sets at least, so that a key's two sets can differ.
        let count = slots.div_ceil(WAYS).max(2);
        let mut sets = Vec::new();
        sets.try_reserve_exact(count)?;
        sets.resize_with(count, Set::default);
        Ok(Self { sets: sets.into_boxed_slice(), live_evictions: AtomicU64::new(0) })
    }

    /// The two sets of a hash, by two different parts of it; never the same.
    fn homes(&self, hash: u64) -> [&Set; 2] {
        let first = scale(hash, self.sets.len());
        let other = scale(hash.rotate_left(32), self.sets.len() - 1);
        let second = other + usize::from(other >= first);
        [&self.sets[first], &self.sets[second]]
    }

    /// The slot that a hash owns.
    #[inline]
    fn find(&self, hash: u64) -> Option<&Slot> {
        let [first, second] = self.homes(hash);
        first.find(hash).or_else(|| second.find(hash))
    }

    /// Changes the TAT of a hash: `change` says what to write, if anything,
    /// and what to answer.
    ///
    /// Without a slot, the error is the TAT as far as known: zero, or what it
    /// was when the slot was lost in the act.
    #[inline]
    pub(super) fn update<T>(&self, hash: u64, change: impl Fn(u64) -> (Option<u64>, T)) -> Result<T, u64> {
        let mut known = 0;
        while let Some(slot) = self.find(hash) {
            match slot.update(hash, &change) {
                Ok(answer) => return Ok(answer),
                Err(tat) => known = tat.max(known),
            }
        }
        Err(known)
    }

    /// One attempt at an [`update`](Self::update), in the first set only.
    #[inline]
    pub(super) fn update_at_home<T>(&self, hash: u64, change: impl Fn(u64) -> (Option<u64>, T)) -> Result<T, u64> {
        match self.sets[scale(hash, self.sets.len())].find(hash) {
            Some(slot) => slot.update(hash, &change),
            None => Err(0),
        }
    }

    /// Gives a hash without a slot one with this TAT. `false`: look again.
    ///
    /// The claim is first *pending*, which hides the slot from all but other
    /// claims. Then all slots of the hash are looked through. If it owns one,
    /// this claim is withdrawn; of two pending claims the one in the earlier
    /// slot stands. The fence has it that of two claims at least one sees the
    /// other, so that they cannot both come to own. A pending tag names its
    /// thread, so that a withdrawn claim is not mistaken for a newer one.
    pub(super) fn claim(&self, hash: u64, tat: u64, now: u64) -> bool {
        let homes = self.homes(hash);
        let Some(victim) = choose_victim(homes, hash, now) else {
            return false;
        };
        let Victim { slot, tag, .. } = victim;
        let mine = pending(hash);
        if !swap(&slot.tag, tag, mine) {
            return false;
        }
        // The victim's threads may charge it up to this swap, which sees it.
        let (old, standing) = loop {
            // Acquire, then the tag: as in `update`, the TAT is the victim's.
            let old = slot.tat.load(Ordering::Acquire);
            let standing = slot.tag.load(Ordering::Relaxed) == mine;
            // AcqRel: who reads the new TAT sees that the tag has changed.
            if !standing || swap(&slot.tat, old, tat) {
                break (old, standing);
            }
        };
        if tag & OWNED != 0 && old > now {
            // Relaxed: a statistic orders nothing.
            self.live_evictions.fetch_add(1, Ordering::Relaxed);
        }
        if !standing {
            return false;
        }
        // SeqCst: between writing this claim's tag and reading all others.
        fence(Ordering::SeqCst);
        let mut earlier = true;
        for other in homes.iter().flat_map(|set| &set.0) {
            if ptr::eq(other, slot) {
                earlier = false;
                continue;
            }
            let found = other.tag.load(Ordering::Relaxed);
            let rival = is_pending(found, hash);
            if found == hash | OWNED || rival && (earlier || !swap(&other.tag, found, EMPTY)) {
                // If this fails, a rival has withdrawn the claim already.
                swap(&slot.tag, mine, EMPTY);
                return false;
            }
        }
        // AcqRel: who sees the hash own the slot sees its TAT, or a later one.
        swap(&slot.tag, mine, hash | OWNED)
    }

    /// How many TATs are later than `now`.
    pub(super) fn used(&self, now: u64) -> usize {
        // Relaxed: a count of what goes on changing is a sample.
        let live =
            |slot: &&Slot| slot.tag.load(Ordering::Relaxed) & OWNED != 0 && slot.tat.load(Ordering::Relaxed) > now;
        self.sets.iter().flat_map(|set| &set.0).filter(live).count()
    }

    /// How many TATs later than their `now` were forgotten by claims.
    pub(super) fn live_evictions(&self) -> u64 {
        self.live_evictions.load(Ordering::Relaxed)
    }

    /// The bytes of all slots.
    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.sets)
    }
}

/// Whom it counts is nobody's business, and how many times is no line in a log.
impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").field("sets", &self.sets.len()).finish_non_exhaustive()
    }
}

/// Chooses the slot with the smallest TAT: one that expired, the longest ago,
/// and carries no information; or else the one in least debt.
///
/// Another claim of the same hash that does not complete is itself the victim.
/// `None` if there was one that did.
fn choose_victim(homes: [&Set; 2], hash: u64, now: u64) -> Option<Victim<'_>> {
    let mut live = [0; 2];
    let mut least: [Option<Victim<'_>>; 2] = [None, None];
    for ((set, live), least) in homes.into_iter().zip(&mut live).zip(&mut least) {
        for slot in &set.0 {
            // Acquire: as in `find`.
            let tag = slot.tag.load(Ordering::Acquire);
            if tag == hash | OWNED {
                return None;
            }
            if is_pending(tag, hash) {
                return outlasts(slot, tag).then_some(Victim { slot, tag, tat: 0 });
            }
            let tat = match tag {
                EMPTY => 0,
                // Relaxed: a preference only; `claim` reads it again.
                _ if tag & OWNED != 0 => slot.tat.load(Ordering::Relaxed),
                // Another hash is claiming this one: the last resort.
                _ => u64::MAX,
            };
            *live += usize::from(tat > now);
            if least.as_ref().is_none_or(|least| tat < least.tat) {
                *least = Some(Victim { slot, tag, tat });
            }
        }
    }
    let [first, second] = [least[0].take()?, least[1].take()?];
    let prefer_second =
        if live == [WAYS; 2] { second.tat < first.tat } else { live[0] >= CROWDED && live[1] < live[0] };
    Some(if prefer_second { second } else { first })
}

/// Waits a little for a claim in progress, and answers whether it still is.
fn outlasts(slot: &Slot, tag: u64) -> bool {
    for _ in 0..PATIENCE {
        if slot.tag.load(Ordering::Relaxed) != tag {
            return false;
        }
        spin_loop();
    }
    true
}

/// Multiply-shift: maps hashes evenly to `0..len` without a division.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "less than len")]
fn scale(hash: u64, len: usize) -> usize {
    ((u128::from(hash) * len as u128) >> 64) as usize
}
