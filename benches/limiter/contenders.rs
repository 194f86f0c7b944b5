//! What is compared, on which clock.

use std::{
    hash::BuildHasher as _,
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use foldhash::quality::SeedableRandomState;
use governor::{
    Quota, RateLimiter,
    clock::{self, FakeRelativeClock, MonotonicClock, QuantaClock},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{StateStore, keyed::DashMapStateStore},
};
use palisade::rate_limit::engine::{Rate, Table, seeded_hasher};

use crate::keys::Key;

/// Enough burst for a whole run on one key, and increments long enough that every key stays in debt: each check is an
/// admission of a known key.
const BURST: u32 = 30_000_000;
const INCREMENT: Duration = Duration::from_secs(150);

/// Governor by key, store and clock.
type Governor<K, S, C> = RateLimiter<K, S, C, NoOpMiddleware<<C as clock::Clock>::Instant>>;

/// Ticks since the start, by either of two clocks.
pub(crate) struct Clock(Instant, quanta::Clock, quanta::Instant);

impl Clock {
    fn start() -> Self {
        let quanta = quanta::Clock::new();
        let start = quanta.now();
        Self(Instant::now(), quanta, start)
    }

    #[inline]
    pub(crate) fn std(&self) -> u64 {
        ticks(self.0.elapsed())
    }

    #[inline]
    pub(crate) fn quanta(&self) -> u64 {
        ticks(self.1.now() - self.2)
    }
}

#[inline]
fn ticks(elapsed: Duration) -> u64 {
    elapsed.as_secs().wrapping_mul(1_000_000_000) + u64::from(elapsed.subsec_nanos())
}

/// Multiply-shift, as in the table.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "less than the length")]
fn pick<T>(all: &[T], hash: u64) -> &T {
    &all[((u128::from(hash) * all.len() as u128) >> 64) as usize]
}

/// One cache line, to be written to at random.
#[repr(align(64))]
#[derive(Default)]
struct Line(AtomicU64);

/// The least that a store for governor can do: a number where the hash points to. Keys that meet there share it.
pub(crate) struct Bare(Vec<AtomicU64>);

impl StateStore for Bare {
    type Key = u64;

    #[inline]
    fn measure_and_replace<T, F, E>(&self, hash: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let tat = pick(&self.0, *hash);
        let mut known = tat.load(Relaxed);
        loop {
            let (answer, new) = measure((known != 0).then(|| Nanos::new(known)))?;
            match tat.compare_exchange_weak(known, new.as_u64(), Relaxed, Relaxed) {
                Ok(_) => return Ok(answer),
                Err(other) => known = other,
            }
        }
    }
}

/// Our table as governor's store: read, decide, add the difference. Two threads can be admitted on one reading, and
/// since a store is not told the time, the table cannot know which slots are at rest: a model of the cost, not of use.
pub(crate) struct OnTable(Table);

impl StateStore for OnTable {
    type Key = u64;

    #[inline]
    fn measure_and_replace<T, F, E>(&self, hash: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let tat = self.0.debt(*hash, 0);
        let (answer, new) = measure((tat != 0).then(|| Nanos::new(tat)))?;
        self.0.owe(*hash, new.as_u64() - tat, 0);
        Ok(answer)
    }
}

/// Everything that is compared, filled with the same keys.
pub(crate) struct Arena<K: Key> {
    pub(crate) clock: Clock,
    pub(crate) generous: Rate,
    pub(crate) strict: Rate,
    hasher: SeedableRandomState,
    lines: Vec<Line>,
    pub(crate) table: Table,
    all: NonZeroU32,
    governor: Governor<K, DashMapStateStore<K>, QuantaClock>,
    governor_std: Governor<K, DashMapStateStore<K>, MonotonicClock>,
    bare: Governor<u64, Bare, QuantaClock>,
    on_table: Governor<u64, OnTable, QuantaClock>,
}

/// governor on a clock that costs nothing.
pub(crate) struct Timeless<K: Key> {
    pub(crate) dashmap: Governor<K, DashMapStateStore<K>, FakeRelativeClock>,
    pub(crate) bare: Governor<u64, Bare, FakeRelativeClock>,
    pub(crate) on_table: Governor<u64, OnTable, FakeRelativeClock>,
}

fn quota() -> Quota {
    let burst = NonZeroU32::new(BURST).expect("a burst");
    Quota::with_period(INCREMENT).expect("a period").allow_burst(burst)
}

fn table(keys: u64) -> Table {
    Table::new(usize::try_from(keys).expect("a length")).expect("memory")
}

fn bare(keys: u64) -> Bare {
    Bare((0..2 * keys).map(|_| AtomicU64::default()).collect())
}

impl<K: Key> Timeless<K> {
    pub(crate) fn new(keys: u64, arena: &Arena<K>) -> Self {
        let clock = FakeRelativeClock::default();
        let all = Self {
            dashmap: RateLimiter::new(quota(), DashMapStateStore::default(), clock.clone()),
            bare: RateLimiter::new(quota(), bare(keys), clock.clone()),
            on_table: RateLimiter::new(quota(), OnTable(table(keys)), clock),
        };
        for key in (0..keys).map(K::make) {
            let hash = arena.hash(&key);
            assert!(all.dashmap.check_key(&key).is_ok());
            assert!(all.bare.check_key(&hash).is_ok() && all.on_table.check_key(&hash).is_ok());
        }
        all
    }

    #[inline]
    pub(crate) fn denied(&self, key: &K) -> bool {
        let all = NonZeroU32::new(BURST).expect("a burst");
        self.dashmap.check_key_n(key, all).is_ok_and(|verdict| verdict.is_ok())
    }
}

impl<K: Key> Arena<K> {
    pub(crate) fn new(keys: u64) -> Self {
        let table_itself = table(keys);
        let lines = (table_itself.memory() / 64).min(usize::try_from(keys).unwrap_or(1));
        let arena = Self {
            clock: Clock::start(),
            generous: Rate::new(1, INCREMENT, BURST).expect("a rate"),
            strict: Rate::new(1, INCREMENT, 1).expect("a rate"),
            hasher: seeded_hasher(),
            lines: (0..lines).map(|_| Line::default()).collect(),
            table: table_itself,
            all: NonZeroU32::new(BURST).expect("a burst"),
            governor: RateLimiter::new(quota(), DashMapStateStore::default(), QuantaClock::default()),
            governor_std: RateLimiter::new(quota(), DashMapStateStore::default(), MonotonicClock),
            bare: RateLimiter::new(quota(), bare(keys), QuantaClock::default()),
            on_table: RateLimiter::new(quota(), OnTable(table(keys)), QuantaClock::default()),
        };
        for key in (0..keys).map(K::make) {
            assert!(arena.table(&key) && arena.governor(&key) && arena.governor_std(&key));
            assert!(arena.bare(&key) && arena.on_table(&key));
        }
        arena
    }

    #[inline]
    pub(crate) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    #[inline]
    fn write(&self, key: &K, now: u64) -> bool {
        pick(&self.lines, self.hash(key)).0.fetch_add(now | 1, Relaxed);
        true
    }

    #[inline]
    pub(crate) fn floor(&self, key: &K) -> bool {
        self.write(key, self.clock.std())
    }

    #[inline]
    pub(crate) fn floor_quanta(&self, key: &K) -> bool {
        self.write(key, self.clock.quanta())
    }

    #[inline]
    pub(crate) fn floor_timeless(&self, key: &K) -> bool {
        self.write(key, 1)
    }

    #[inline]
    pub(crate) fn table(&self, key: &K) -> bool {
        let (hash, now) = (self.hash(key), self.clock.std());
        self.table.check(hash, &self.generous, now, 1).is_ok()
    }

    #[inline]
    pub(crate) fn table_quanta(&self, key: &K) -> bool {
        let (hash, now) = (self.hash(key), self.clock.quanta());
        self.table.check(hash, &self.generous, now, 1).is_ok()
    }

    #[inline]
    pub(crate) fn denied(&self, key: &K) -> bool {
        let (hash, now) = (self.hash(key), self.clock.quanta());
        self.table.check(hash, &self.strict, now, 1).is_ok()
    }

    #[inline]
    pub(crate) fn governor(&self, key: &K) -> bool {
        self.governor.check_key(key).is_ok()
    }

    #[inline]
    pub(crate) fn governor_std(&self, key: &K) -> bool {
        self.governor_std.check_key(key).is_ok()
    }

    /// All of the burst at once, of a key that has used some of it.
    #[inline]
    pub(crate) fn governor_denied(&self, key: &K) -> bool {
        self.governor.check_key_n(key, self.all).is_ok_and(|verdict| verdict.is_ok())
    }

    #[inline]
    pub(crate) fn bare(&self, key: &K) -> bool {
        self.bare.check_key(&self.hash(key)).is_ok()
    }

    #[inline]
    pub(crate) fn on_table(&self, key: &K) -> bool {
        self.on_table.check_key(&self.hash(key)).is_ok()
    }
}
