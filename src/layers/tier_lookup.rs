//! Asks a database or another service which tier a caller is in, before the limit that depends on it.
//!
//! **The rule.** A request with a [`Principal`] is looked up by its id; one without is not. While the answer is not
//! cached, the request waits for it, for 200 ms unless [`TierLookup::timeout`] says otherwise. A lookup that fails or is
//! late never refuses a request: it gets the tier of [`TierLookup::otherwise`], or, without one, the principal's own tier.
//! A failure is not cached, and is one `WARN` event of target `palisade::tier_lookup`.
//!
//! ```
//! use std::time::Duration;
//! use palisade::{Principal, Stack, tier_lookup::TierLookup};
//! # async fn plan_of(id: String) -> Result<Option<String>, std::io::Error> { Ok(Some("pro".to_owned())) }
//! # fn main() -> Result<(), palisade::ConfigError> {
//! let tiers = TierLookup::new(|caller: Principal| plan_of(caller.id().to_owned())).otherwise("free");
//! # #[cfg(feature = "tier-cache")]
//! let tiers = tiers.cached(10_000, Duration::from_secs(60));
//! let stack = Stack::production().tiers(tiers).build()?;
//! # Ok(()) }
//! ```
//!
//! [`TierLookup::cached`] needs the feature `tier-cache`: at most so many callers are remembered, each for so long, and a
//! caller that is asked about twice at once is looked up once. What is found is left in the [`Facts`].

use std::{error::Error, fmt, future::Future, ops::ControlFlow, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum_core::body::Body;
use futures_util::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use http::request::Parts;
use tower_layer::Layer;

use crate::{
    Facts, Principal, Response,
    guard::waiting::{Now, Waiting, WaitingGuard},
};

type Tier = Option<Arc<str>>;
type Find = dyn Fn(Principal) -> BoxFuture<'static, Result<Tier, String>> + Send + Sync;

/// Looks up callers' tiers. See the [module](self) for the exact rule.
#[derive(Clone)]
#[must_use]
pub struct TierLookup {
    find: Arc<Find>,
    otherwise: Tier,
    timeout: Duration,
    #[cfg(feature = "tier-cache")]
    cache: Option<moka::future::Cache<Arc<str>, Tier>>,
}

impl TierLookup {
    /// `find` answers with the name of the tier; `None` leaves it to the principal.
    pub fn new<F, T, N, E>(find: F) -> Self
    where
        F: Fn(Principal) -> T + Send + Sync + 'static,
        T: Future<Output = Result<Option<N>, E>> + Send + 'static,
        N: Into<Arc<str>> + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        let find = move |caller| {
            let found = find(caller).map_ok(|tier| tier.map(Into::into));
            found.map_err(|error| error.into().to_string()).boxed()
        };
        Self {
            find: Arc::new(find),
            otherwise: None,
            timeout: Duration::from_millis(200),
            #[cfg(feature = "tier-cache")]
            cache: None,
        }
    }

    /// The tier of a caller who cannot be looked up.
    pub fn otherwise(mut self, tier: impl Into<Arc<str>>) -> Self {
        self.otherwise = Some(tier.into());
        self
    }

    /// How long a request waits for the answer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Remembers at most so many callers, each for so long.
    #[cfg(feature = "tier-cache")]
    pub fn cached(mut self, callers: u64, time: Duration) -> Self {
        self.cache = Some(moka::future::Cache::builder().max_capacity(callers).time_to_live(time).build());
        self
    }

    /// The tier, if it is known without asking.
    #[cfg(feature = "tier-cache")]
    fn known(&self, caller: &Principal) -> Option<Tier> {
        self.cache.as_ref()?.get(caller.id()).now_or_never()?
    }

    #[cfg(not(feature = "tier-cache"))]
    #[expect(clippy::unused_self, reason = "with the feature it looks into the cache")]
    fn known(&self, _: &Principal) -> Option<Tier> {
        None
    }

    #[cfg(feature = "tier-cache")]
    async fn ask(&self, caller: Principal) -> Result<Tier, String> {
        let Some(cache) = &self.cache else { return (self.find)(caller).await };
        let id = Arc::from(caller.id());
        cache.try_get_with(id, async { (self.find)(caller).await }).await.map_err(|error| String::clone(&error))
    }

    #[cfg(not(feature = "tier-cache"))]
    async fn ask(&self, caller: Principal) -> Result<Tier, String> {
        (self.find)(caller).await
    }

    pub(crate) fn describe(&self) -> String {
        let otherwise = self.otherwise.as_deref().unwrap_or("the principal's own");
        format!("within {:?}, otherwise {otherwise}", self.timeout)
    }
}

impl fmt::Debug for TierLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TierLookup").field(&self.describe()).finish()
    }
}

fn note(facts: &Facts, tier: Tier) {
    if let Some(tier) = tier {
        facts.set_looked_up_tier(tier);
    }
}

impl WaitingGuard for TierLookup {
    type Ticket = ();

    fn try_now(&self, head: &mut Parts, body: Body) -> Now<()> {
        let facts = Facts::of(head);
        let known = match facts.principal() {
            None => None,
            Some(caller) => match self.known(caller) {
                None => return Now::Wait(body),
                Some(tier) => tier,
            },
        };
        note(&facts, known);
        Now::Decided(ControlFlow::Continue(((), body)))
    }

    async fn wait(&self, head: &mut Parts, body: Body) -> ControlFlow<Response, ((), Body)> {
        let facts = Facts::of(head);
        if let Some(caller) = facts.principal().cloned() {
            let asked = tokio::time::timeout(self.timeout, AssertUnwindSafe(self.ask(caller)).catch_unwind()).await;
            let asked = asked.map(|asked| asked.unwrap_or_else(|_| Err("the lookup panicked".to_owned())));
            let tier = asked.unwrap_or_else(|_| Err(format!("no answer within {:?}", self.timeout))).unwrap_or_else(
                |reason| {
                    tracing::warn!(
                        target: "palisade::tier_lookup",
                        reason,
                        request_id = facts.request_id().map(tracing::field::display),
                        "a caller's tier could not be looked up"
                    );
                    self.otherwise.clone()
                },
            );
            note(&facts, tier);
        }
        ControlFlow::Continue(((), body))
    }
}

impl<S> Layer<S> for TierLookup {
    type Service = Waiting<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Waiting::new(self.clone(), inner)
    }
}
