//! Sends failures, and traces if asked, to Sentry or what speaks its protocol.
//!
//! Not on `sentry-tower`: it copies URL and headers of every request and makes a hub and a scope for it, where one in thousands is
//! reported. Not on the SDK's client and transports either: flushing a full queue waits for the server, and nobody is told what
//! was dropped. What is used of the SDK is its protocol, its DSN and its rate limits.

mod builder;
mod event;
mod queue;

use std::{fmt, sync::Arc, time::Duration};

use ::sentry::{Hub, protocol::Event};

pub use self::builder::SentryBuilder;
use self::{
    event::{Captured, Told},
    queue::Queue,
};
use super::{Ended, Failure, Reporter};

/// Sends every failure to Sentry as one event, and one trace in so many as a transaction: a [`Reporter`].
///
/// ```no_run
/// use palisade::{Stack, error_tracking::SentryReporter};
///
/// # async fn run(listener: tokio::net::TcpListener, app: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
/// let sentry = SentryReporter::builder(std::env::var("SENTRY_DSN")?)
///     .environment("production")
///     .release(concat!("shop@", env!("CARGO_PKG_VERSION")))
///     .traces_sample_rate(0.01)
///     .build()?;
/// let stack = Stack::production().reporter(sentry.clone()).build()?;
/// palisade::serve(listener, stack.wrap(app)).await?;
/// sentry.close();
/// # Ok(()) }
/// ```
///
/// **An event** has the transaction (`GET /items/{id}`), the URL without its query, `Host`, `User-Agent`, `Accept` and `Content-Type`,
/// the request's id, its place in its trace, the [`Principal`](crate::Principal)'s id, the tier, what guards held against it as breadcrumbs, and the cause.
/// All of it goes through the redactor first. Bodies, cookies, other headers and the client's address are never sent; the path is:
/// a secret in a path is sent as a part of it, unless it reads like one. Events are grouped by route and kind of error. A panic is
/// `fatal` and unhandled, what is [operational](Failure::is_operational) a `warning`.
///
/// **A request never waits.** What is to be sent stands in a queue with an end; a thread takes from it, and gives a server 10 s for
/// each. What finds no place is [dropped](Self::dropped) and counted. Transactions may take half of the queue. A request that
/// is not reported costs four looks at its headers and a comparison. The server is trusted by the web's authorities, or by
/// [those that are named](SentryBuilder::root_certificates); a proxy is taken from `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
///
/// **Beside an application's own Sentry** (`sentry::init`) nothing is told twice: the SDK does not hear the log event of a failure
/// that goes this way, whatever `tracing` layer listens; and a panic is left to its panic hook, where its client has one.
///
/// A cheap handle. When the last is dropped, what is queued is sent as by [`close`](Self::close).
#[derive(Clone)]
pub struct SentryReporter(Arc<Inner>);

struct Inner {
    queue: Queue,
    /// Where it is sent, without the key.
    place: String,
    errors: Rate,
    traces: Rate,
    takes_breadcrumbs: bool,
    shutdown: Duration,
    /// A hub that leads nowhere.
    nowhere: Arc<Hub>,
}

impl SentryReporter {
    /// For a project, by its DSN: `https://key@host/project`.
    pub fn builder(dsn: impl Into<String>) -> SentryBuilder {
        SentryBuilder::new(dsn.into())
    }

    /// How many events and transactions the server has taken.
    pub fn sent(&self) -> u64 {
        self.0.queue.sent()
    }

    /// How many were never tried: the queue was full or closed, or the server had asked for silence.
    pub fn dropped(&self) -> u64 {
        self.0.queue.dropped()
    }

    /// How many were tried, and the server did not take: it was not there, was too slow, or refused.
    pub fn failed(&self) -> u64 {
        self.0.queue.failed()
    }

    /// Sends what is queued, and takes no more. Whether all of it went out in the [time](SentryBuilder::shutdown) there is;
    /// what did not is dropped.
    ///
    /// It waits where it is called: for the end of `main`, after the server has stopped.
    #[expect(clippy::must_use_candidate, reason = "at the end of `main` there is nothing left to do about it")]
    pub fn close(&self) -> bool {
        self.0.queue.close(self.0.shutdown)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close(self.shutdown);
    }
}

impl Reporter for SentryReporter {
    fn report(&self, failure: &Failure<'_>) {
        if !self.0.errors.takes(rand::random) || failure.is_panic() && a_hook_has_told() {
            return;
        }
        let breadcrumbs = if self.0.takes_breadcrumbs { hub_breadcrumbs() } else { Vec::new() };
        self.0.queue.push(Captured::new(failure.facts(), Told::failure(failure, breadcrumbs)));
    }

    fn ended(&self, request: &Ended<'_>) {
        let trace = request.facts().trace();
        // What a client did wrong comes by the thousand; that it left is told.
        let is_wanted = || !matches!(request.status(), 400..=498) && trace.is_none_or(|trace| trace.is_sampled());
        if self.0.traces.takes(|| trace.map_or_else(rand::random, |trace| trace.trace_id().randomness())) && is_wanted()
        {
            self.0.queue.push(Captured::new(request.facts(), Told::request(request)));
        }
    }

    fn wants_headers(&self) -> bool {
        true
    }

    fn while_logged(&self, log: &mut dyn FnMut()) {
        // The SDK's layers for `tracing` and `log` speak to the thread's hub.
        Hub::run(Arc::clone(&self.0.nowhere), log);
    }
}

/// Whether the application's own Sentry has a panic hook: then it was told when the panic began, on this thread.
fn a_hook_has_told() -> bool {
    Hub::current().client().is_some_and(|client| {
        client.is_enabled() && client.options().integrations.iter().any(|integration| integration.name() == "panic")
    })
}

/// What the application has put on this thread's hub.
fn hub_breadcrumbs() -> Vec<::sentry::Breadcrumb> {
    let event = Hub::current().configure_scope(|scope| scope.apply_to_event(Event::default()));
    event.map(|event| event.breadcrumbs.values).unwrap_or_default()
}

impl fmt::Debug for SentryReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { queue, place, errors, traces, .. } = &*self.0;
        f.debug_struct("SentryReporter")
            .field("place", place)
            .field("queue", queue)
            .field("errors", errors)
            .field("traces", traces)
            .finish_non_exhaustive()
    }
}

/// One in how many: those whose 56 random bits are at least this. As OpenTelemetry's samplers have it, so that of one trace all
/// services keep their part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate(u64);

impl Rate {
    const BITS: u32 = 56;
    const NONE: Self = Self(1 << Self::BITS);

    /// `None` for what is no fraction.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 2 to the 56")]
    #[expect(clippy::cast_precision_loss, reason = "a power of two has none")]
    fn of(fraction: f64) -> Option<Self> {
        (0.0..=1.0).contains(&fraction).then_some(Self(((1.0 - fraction) * Self::NONE.0 as f64) as u64))
    }

    fn takes(self, random: impl FnOnce() -> u64) -> bool {
        self == Self(0) || self != Self::NONE && random() % Self::NONE.0 >= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_takes_its_fraction_and_nothing_else_is_one() {
        let most = Rate::NONE.0 - 1;
        for (fraction, smallest_taken) in [(1.0, Some(0)), (0.5, Some(1 << 55)), (0.0, None)] {
            let rate = Rate::of(fraction).unwrap();
            assert_eq!(rate.takes(|| most), smallest_taken.is_some(), "{fraction}");
            if let Some(smallest) = smallest_taken {
                assert!(rate.takes(|| smallest), "{fraction}");
                assert!(smallest == 0 || !rate.takes(|| smallest - 1), "{fraction}");
            }
        }
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Rate::of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bits_that_are_not_random_decide_nothing() {
        assert!(!Rate::of(0.5).unwrap().takes(|| 0xff << Rate::BITS));
    }
}
