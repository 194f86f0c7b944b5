//! What becomes of those who go on after they were refused: bans that grow, and are forgotten in time.

use std::{fmt, sync::Arc, time::Duration};

use foldhash::quality::SeedableRandomState;
use http::request::Parts;

use super::{
    Key, Quota,
    caller::Caller,
    gcra::Rate,
    limit::{Limit, Moment},
    table::{Table, seeded_hasher},
};
use crate::ConfigError;

/// Bans who goes on after being refused, for longer each time.
///
/// Refusals over the tolerated quota lead to a ban: 403 `banned`, with `Retry-After`. The first lasts
/// [`first`](Self::first), each next twice as long, up to [`longest`](Self::longest). For every
/// [`forgets`](Self::forgets) that pass, one ban is forgotten. Bans are by principal, or by address where nobody is known;
/// who has no address is never banned.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use palisade::rate_limit::{PenaltyLadder, Quota};
/// let ladder = PenaltyLadder::new().tolerates(Quota::per_minute(30)).first(Duration::from_secs(60));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct PenaltyLadder {
    tolerates: Quota,
    first: Duration,
    longest: Duration,
    forgets: Duration,
    key: Key,
    keys: usize,
}

impl Default for PenaltyLadder {
    fn default() -> Self {
        Self::new()
    }
}

impl PenaltyLadder {
    /// Twenty refusals in a minute are a minute's ban; at most a day's; one is forgotten each hour.
    pub fn new() -> Self {
        Self {
            tolerates: Quota::per_minute(20),
            first: Duration::from_secs(60),
            longest: Duration::from_secs(86_400),
            forgets: Duration::from_secs(3600),
            key: Key::principal_or_address(),
            keys: 10_000,
        }
    }

    /// How many refusals are no offence. A flow, as a policy's quota.
    pub fn tolerates(mut self, refusals: Quota) -> Self {
        self.tolerates = refusals;
        self
    }

    /// How long the first ban lasts.
    pub fn first(mut self, ban: Duration) -> Self {
        self.first = ban;
        self
    }

    /// How long a ban lasts at most.
    pub fn longest(mut self, ban: Duration) -> Self {
        self.longest = ban;
        self
    }

    /// The time in which one ban is forgotten, counted from when it was imposed.
    pub fn forgets(mut self, time: Duration) -> Self {
        self.forgets = time;
        self
    }

    /// Who is banned. The default is [`Key::principal_or_address`].
    pub fn key(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// How many offenders are remembered at once, in 66 bytes each. The default is 10 000.
    pub fn keys(mut self, keys: usize) -> Self {
        self.keys = keys;
        self
    }

    pub(super) fn compile(self) -> Result<Penalties, ConfigError> {
        let mut error = ConfigError::default();
        let tolerated = error.keep(self.tolerates.compile(&"penalty"));
        if tolerated.is_some_and(|limit| !matches!(limit, Limit::Flow(_))) {
            error.push("penalty", format_args!("tolerates `{}`, which is not counted as a flow", self.tolerates));
        }
        let mut ticks = |name: &str, duration: Duration| {
            let ticks = u64::try_from(duration.as_nanos()).ok().filter(|ticks| (1..=1 << 58).contains(ticks));
            ticks.unwrap_or_else(|| {
                error.push(
                    "penalty",
                    format_args!("{name} is {duration:?}; it must be more than 0 and at most nine years"),
                );
                1
            })
        };
        let (first, longest) = (ticks("the first ban", self.first), ticks("the longest ban", self.longest));
        let forgets = ticks("the time to forget", self.forgets);
        if longest < first {
            error.push("penalty", "has a longest ban that is shorter than the first");
        }
        if self.keys == 0 {
            error.push("penalty", "has room for no offender");
        }
        let table = || Table::new(self.keys).map_err(|_| ConfigError::new("penalty", "needs too much memory"));
        let tables = table().and_then(|strikes| Ok((strikes, table()?, table()?)));
        let (Some((strikes, rungs, bans)), Some(Limit::Flow(tolerated))) = (error.keep(tables), tolerated) else {
            return Err(error);
        };
        let (key, seed) = (self.key, seeded_hasher());
        let (strikes, rungs, bans, keys) = (Arc::new(strikes), Arc::new(rungs), Arc::new(bans), self.keys);
        error.or(Penalties { key, seed, tolerated, first, longest, forgets, strikes, rungs, bans, keys })
    }
}

/// A ladder at work: three tables of times, as bounded as any policy's.
pub(super) struct Penalties {
    key: Key,
    seed: SeedableRandomState,
    tolerated: Rate,
    first: u64,
    longest: u64,
    forgets: u64,
    /// Refusals that are no offence yet.
    strikes: Arc<Table>,
    /// Bans that are not forgotten: so many times `forgets` of debt.
    rungs: Arc<Table>,
    /// When the ban ends.
    bans: Arc<Table>,
    keys: usize,
}

/// Without the seed, which would tell which names fall together.
impl fmt::Debug for Penalties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, tolerated, .. } = self;
        f.debug_struct("Penalties").field("key", key).field("tolerated", tolerated).finish_non_exhaustive()
    }
}

impl Penalties {
    fn offender(&self, head: &Parts, caller: Caller<'_>) -> Option<u64> {
        let hashes = self.key.hashes(&self.seed, head, caller);
        hashes.found.then_some(hashes.key)
    }

    /// Goes on with the bans of the ladder that this one replaces, where both ban by the same key.
    pub(super) fn succeed(&mut self, earlier: &Self) {
        if self.keys == earlier.keys && self.key.to_string() == earlier.key.to_string() {
            self.seed = earlier.seed.clone();
            self.strikes = Arc::clone(&earlier.strikes);
            self.rungs = Arc::clone(&earlier.rungs);
            self.bans = Arc::clone(&earlier.bans);
        }
    }

    /// How long the caller is still banned, if it is.
    pub(super) fn banned(&self, head: &Parts, caller: Caller<'_>, moment: Moment) -> Option<u64> {
        let debt = self.bans.debt(self.offender(head, caller)?, moment.now);
        (debt > 0).then_some(debt)
    }

    /// One refusal more; a ban, if it is one too many.
    pub(super) fn strike(&self, head: &Parts, caller: Caller<'_>, moment: Moment) {
        let Some(key) = self.offender(head, caller) else { return };
        if self.strikes.check(key, &self.tolerated, moment.now, 1).is_ok() {
            return;
        }
        self.strikes.reset(key);
        let bans = self.rungs.owe(key, self.forgets, moment.now).div_ceil(self.forgets);
        let doubled = u32::try_from(bans.saturating_sub(1)).unwrap_or(u32::MAX).min(62);
        let ban = self.first.saturating_mul(1 << doubled).min(self.longest);
        self.bans.owe(key, ban, moment.now);
        tracing::warn!(
            target: "palisade::rate_limit",
            client = caller.address().map(tracing::field::display),
            principal = caller.principal().map(crate::principal::Principal::id),
            seconds = Duration::from_nanos(ban).as_secs(),
            "a caller is banned for going on after refusals"
        );
    }
}
