//! A limit in the shape of a login: by account and by address, failures only, and nothing to be learnt from it.

use std::{fmt, sync::Arc};

use foldhash::quality::SeedableRandomState;
use smallvec::SmallVec;

use super::{
    Clock, Key, Quota, Subject,
    headers::{retry_after, set_retry_after},
    key::Hashes,
    limit::{Limit, NEVER, Store},
    reservations::{Reservations, Reserved},
    table::seeded_hasher,
};
use crate::{ConfigError, Facts, Kind, Mode, Rejection, Response, decision::note};

/// Limits failed logins per account and per address; of IPv6 by /64 and, with sixteen times as many, by /48 (unless
/// the address's quota is a sliding window).
///
/// An attempt is counted before the password is looked at, so that a thousand at once are not a thousand guesses. Success
/// takes it back and clears the account, not the address: an attacker with one account of his own cannot clear himself.
/// An attempt whose outcome is never reported counts as failed. An account is counted whether it exists or not, in lower
/// case and without surrounding space: for a known and an unknown one, the answers are the same.
///
/// ```
/// use axum::{Json, extract::State, http::StatusCode};
/// use palisade::{Facts, Response, rate_limit::LoginLimit};
///
/// async fn login(
///     State(limit): State<LoginLimit>,
///     facts: Facts,
///     Json((user, password)): Json<(String, String)>,
/// ) -> Result<&'static str, Response> {
///     let attempt = limit.attempt(&user, &facts)?;
///     if password != "right" {
///         return Err(attempt.failed());
///     }
///     attempt.succeeded();
///     Ok("welcome")
/// }
/// ```
#[derive(Debug, Clone)]
pub struct LoginLimit(Arc<Inner>);

struct Inner {
    seed: SeedableRandomState,
    accounts: Side,
    addresses: Side,
    /// Attempts on their way, by address.
    open: Reservations,
    clock: Clock,
}

struct Side {
    store: Store,
    limit: Limit,
    /// Sixteen times that, for the network around an address; none where windows slide.
    around: Option<Limit>,
}

/// Without the counts, and without the seed that would tell which names fall together.
impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accounts, addresses, .. } = self;
        f.debug_struct("Inner")
            .field("accounts", &accounts.limit)
            .field("addresses", &addresses.limit)
            .finish_non_exhaustive()
    }
}

/// A [`LoginLimit`] in the making.
#[derive(Debug, Clone)]
#[must_use]
pub struct LoginLimitBuilder {
    account: Quota,
    address: Quota,
    keys: usize,
}

impl LoginLimit {
    /// Five failures in any 15 minutes per account; twenty at once, and as many in 15 minutes, per address.
    pub fn builder() -> LoginLimitBuilder {
        let quarter = std::time::Duration::from_secs(15 * 60);
        let account = Quota::per(quarter, 5).sliding_window();
        LoginLimitBuilder { account, address: Quota::per(quarter, 20), keys: 100_000 }
    }

    /// Starts an attempt on this account from the request's address.
    ///
    /// # Errors
    /// 429 `quota-exceeded`, if the account or the address has failed too often.
    #[expect(clippy::result_large_err, reason = "a handler's `?` needs the answer itself")]
    pub fn attempt(&self, account: &str, facts: &Facts) -> Result<Attempt, Response> {
        let moment = self.0.clock.now();
        let account = account.trim().to_lowercase();
        let account = Key::hash_of(&self.0.seed, &[Subject::value(account.as_bytes())]);
        let client = facts.address().map(Subject::address);
        let Hashes { key, around, .. } = Key::address().hashes_of(&self.0.seed, client.as_slice());
        let Inner { accounts, addresses, open, .. } = &*self.0;
        let networks = [Some((key, addresses.limit)), around.zip(addresses.around)];
        // All are looked at before any is charged, so that a refusal costs nothing.
        let looks = networks.iter().flatten().map(|(key, limit)| addresses.store.peek(*key, limit, moment, 1).wait);
        let wait =
            looks.chain([accounts.store.peek(account, &accounts.limit, moment, 1).wait]).max().unwrap_or_default();
        if wait > 0 {
            return Err(refusal(wait, facts));
        }
        let charged = accounts.store.charge(account, &accounts.limit, moment, 1);
        let receipt = charged.map_err(|standing| refusal(standing.wait, facts))?.1;
        let reserved = SmallVec::new();
        let mut attempt = Attempt { limit: self.clone(), facts: facts.clone(), account, reserved, used: 1 };
        for (key, limit) in networks.into_iter().flatten() {
            match open.reserve(&addresses.store, key, &limit, moment, 1) {
                Ok((_, reserved)) => attempt.reserved.push((key, limit, reserved)),
                Err(standing) => {
                    // Somebody came between the look and the charge: the attempt has not been.
                    accounts.store.refund(account, &accounts.limit, receipt, 1, moment);
                    attempt.used = 0;
                    return Err(refusal(standing.wait, facts));
                }
            }
        }
        Ok(attempt)
    }
}

impl LoginLimit {
    /// Forgets the failures of an account: for the customer on the telephone. Answers whether there were any.
    pub fn reset(&self, account: &str) -> bool {
        let account = account.trim().to_lowercase();
        self.0.accounts.store.reset(Key::hash_of(&self.0.seed, &[Subject::value(account.as_bytes())]))
    }
}

fn refusal(wait: u64, facts: &Facts) -> Response {
    note(facts, Mode::Enforce, "login_limit", "login", Kind::QuotaExceeded);
    let seconds = retry_after(wait.min(NEVER - 1), 0).unwrap_or(1);
    let rejection = Rejection::new(Kind::QuotaExceeded)
        .detail("Too many failed logins. Try again later.")
        .member("violated-policies", vec!["login"]);
    let mut response = rejection.respond_to(Some(facts));
    set_retry_after(response.headers_mut(), seconds);
    response
}

impl LoginLimitBuilder {
    /// How many failures an account may have.
    pub fn account(mut self, failures: Quota) -> Self {
        self.account = failures;
        self
    }

    /// How many failures an address may have, over all accounts.
    pub fn address(mut self, failures: Quota) -> Self {
        self.address = failures;
        self
    }

    /// How many accounts, and how many addresses, are counted at once. The default is 100 000.
    pub fn keys(mut self, keys: usize) -> Self {
        self.keys = keys;
        self
    }

    /// The limit.
    ///
    /// # Errors
    /// A quota of nothing, or too many keys for the memory there is.
    pub fn build(self) -> Result<LoginLimit, ConfigError> {
        let mut error = ConfigError::default();
        let keys = self.keys;
        let mut side = |place: &'static str, quota: Quota| {
            let limit = error.keep(quota.compile(&place))?;
            if matches!(limit, Limit::Concurrent { .. }) {
                error.push(place, "is no quota of failures over time");
            }
            let store = error.keep(Store::new(&[limit], keys).map_err(|problem| ConfigError::new(place, problem)))?;
            // A window remembers each failure: sixteen times as many would take sixteen times the memory for every address.
            let around = quota.times(16).compile(&place).ok().filter(|_| !matches!(limit, Limit::SlidingWindow { .. }));
            Some(Side { store, limit, around })
        };
        let sides = (side("login by account", self.account), side("login by address", self.address));
        let (Some(accounts), Some(addresses)) = sides else { return Err(error) };
        let Ok(open) = Reservations::new(keys.min(16_384)) else {
            return Err(ConfigError::new("login", "needs more memory for its attempts than there is"));
        };
        let inner = Inner { seed: seeded_hasher(), accounts, addresses, open, clock: Clock::start() };
        error.or(LoginLimit(Arc::new(inner)))
    }
}

/// One attempt to log in, counted as failed until it is said to have succeeded.
#[derive(Debug)]
#[must_use = "say how the attempt ended"]
pub struct Attempt {
    limit: LoginLimit,
    facts: Facts,
    account: u64,
    /// For the address, and for the network around it.
    reserved: SmallVec<[(u64, Limit, Reserved); 1]>,
    /// What the attempt costs them in the end.
    used: u32,
}

impl Attempt {
    /// It was the right password: the account is cleared, and this attempt is taken back from the address.
    pub fn succeeded(mut self) {
        self.limit.0.accounts.store.reset(self.account);
        self.used = 0;
    }

    /// It was not: here is the answer, 401 `unauthenticated`, the same whether the account exists or not.
    #[must_use]
    pub fn failed(self) -> Response {
        let rejection = Rejection::new(Kind::Unauthenticated).detail("The account or the password is wrong.");
        rejection.respond_to(Some(&self.facts))
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Inner { addresses, open, clock, .. } = &*self.limit.0;
        for (key, limit, reserved) in &self.reserved {
            open.settle(&addresses.store, *key, limit, reserved, (1, self.used), clock.now());
        }
    }
}
