//! Tells of every request, once, when its answer has ended.
//!
//! **The rule.** One line or event per request at the end of its response *body*: when, who, what, the status, how many
//! bytes, how long, and how it ended (`complete`; `aborted` by the client; `failed` or `panicked` while it was streamed). A
//! client that left before the answer is status 499. The query is left out, of the target and of the `Referer`: that is
//! where tokens stand; what reads like a secret is taken out of the rest of both. A [rule](AccessLogLayer::sample) may keep one in so many; what was answered with a 5xx, failed or panicked while
//! it was streamed, or was [slow](AccessLogLayer::slow) is kept whatever it says; what a client aborted is not, or whoever
//! fills a log would only have to hang up. A slow request is a warning of target `palisade::access` in every shape.
//!
//! ```
//! use std::{io::Write as _, time::Duration};
//! use palisade::access_log::AccessLogLayer;
//!
//! let log = AccessLogLayer::json(|line| { let _ = std::io::stdout().write_all(line); })
//!     .slow(Duration::from_millis(500))
//!     .sample(|request| if request.route() == "/ping" { 100 } else { 1 });
//! let app: axum::Router = axum::Router::new().layer(log);
//! ```
//!
//! A line costs about a quarter of an event that a subscriber formats: events are for those who look at both together.

mod record;
mod shapes;

use std::{fmt, ops::ControlFlow, sync::Arc, time::Duration};

use http::{HeaderValue, Version, header, request::Parts};
use tower_layer::Layer;

pub use self::record::Record;
use self::shapes::TARGET;
use crate::{End, Facts, Guard, Rejection, Response, guard::Guarded};

/// Tells of every request. See the [module](self) for the exact rule.
#[derive(Debug, Clone)]
pub struct AccessLogLayer {
    settings: Arc<Settings>,
}

#[derive(Debug, Clone)]
struct Settings {
    shape: Shape,
    slow: Duration,
    sample: Option<Rule>,
}

#[derive(Debug, Clone)]
enum Shape {
    Events,
    Json(Lines),
    Combined(Lines),
}

/// Where lines go, one whole line at a time.
#[derive(Clone)]
struct Lines(Arc<Write>);

type Write = dyn Fn(&[u8]) + Send + Sync;

#[derive(Clone)]
struct Rule(Arc<OneIn>);

type OneIn = dyn Fn(&Record<'_>) -> u32 + Send + Sync;

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rule")
    }
}

impl AccessLogLayer {
    /// As `tracing` events of target `palisade::access`, at `INFO`. While no subscriber wants them they cost nothing.
    #[must_use]
    pub fn events() -> Self {
        Self::shaped(Shape::Events)
    }

    /// As lines of JSON, each given to `write` with its line feed.
    ///
    /// `write` is called where the request is served: it should not wait. What it may share it locks itself.
    #[must_use]
    pub fn json(write: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self::shaped(Shape::Json(Lines(Arc::new(write))))
    }

    /// As lines in the combined format of Apache and nginx, each given to `write` with its line feed.
    #[must_use]
    pub fn combined(write: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self::shaped(Shape::Combined(Lines(Arc::new(write))))
    }

    fn shaped(shape: Shape) -> Self {
        Self { settings: Arc::new(Settings { shape, slow: Duration::from_secs(1), sample: None }) }
    }

    /// How long the *head* of an answer may take before the request is slow: 1 s if nothing is said. Bodies may stream for as
    /// long as they like.
    #[must_use]
    pub fn slow(mut self, after: Duration) -> Self {
        Arc::make_mut(&mut self.settings).slow = after;
        self
    }

    /// Keeps one request in as many as the rule answers: 1 is every one, 0 none. The line says so as `one_in`, so that it can
    /// be counted for the others; the combined shape has no place for it.
    #[must_use]
    pub fn sample(mut self, rule: impl Fn(&Record<'_>) -> u32 + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.settings).sample = Some(Rule(Arc::new(rule)));
        self
    }

    pub(crate) fn describe(&self) -> String {
        let Settings { shape, slow, sample } = &*self.settings;
        let shape = match shape {
            Shape::Events => "tracing events",
            Shape::Json(_) => "JSON",
            Shape::Combined(_) => "combined",
        };
        format!("{shape}{}, slow after {slow:?}", if sample.is_some() { ", sampled" } else { "" })
    }

    /// Whether anybody listens.
    fn is_wanted(&self) -> bool {
        !matches!(self.settings.shape, Shape::Events) || tracing::enabled!(target: TARGET, tracing::Level::WARN)
    }

    /// One in how many such requests is to be told of; `None` is not this one.
    fn sampled(&self, record: &Record<'_>) -> Option<u32> {
        match &self.settings.sample {
            Some(Rule(rule)) if !record.is_kept() => {
                let one_in = rule(record);
                (one_in > 0 && (one_in == 1 || rand::random_range(0..one_in) == 0)).then_some(one_in)
            }
            _ => Some(1),
        }
    }
}

/// What is remembered of a request until it has ended.
#[derive(Debug)]
pub struct Pending {
    facts: Facts,
    version: Version,
    user_agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
    /// 0 until there is an answer.
    status: u16,
    head_after: Duration,
    reason: Option<&'static str>,
}

impl Guard for AccessLogLayer {
    /// Boxed: it is moved often.
    type Ticket = Option<Box<Pending>>;
    const WATCHES_END: bool = true;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Self::Ticket> {
        let pending = || Pending {
            facts: Facts::of(head),
            version: head.version,
            user_agent: head.headers.get(header::USER_AGENT).cloned(),
            referer: head.headers.get(header::REFERER).cloned(),
            status: 0,
            head_after: Duration::ZERO,
            reason: None,
        };
        ControlFlow::Continue(self.is_wanted().then(pending).map(Box::new))
    }

    fn on_response(&self, ticket: &mut Self::Ticket, response: &mut Response) {
        let Some(pending) = ticket else { return };
        pending.status = response.status().as_u16();
        pending.head_after = pending.facts.elapsed();
        pending.reason = response.extensions().get::<Rejection>().map(|rejection| rejection.kind().slug());
    }

    fn on_end(&self, ticket: Self::Ticket, end: End) {
        let Some(pending) = ticket else { return };
        let record = Record::new(&pending, end, self.settings.slow);
        let Some(one_in) = self.sampled(&record) else { return };
        match &self.settings.shape {
            Shape::Events => record.event(one_in),
            Shape::Json(Lines(write)) => write(&record.json(one_in)),
            Shape::Combined(Lines(write)) => write(&record.combined()),
        }
        if record.is_slow() && !matches!(self.settings.shape, Shape::Events) {
            record.warn();
        }
    }

    fn watches_end(&self, ticket: &Self::Ticket) -> bool {
        ticket.is_some()
    }
}

impl<S> Layer<S> for AccessLogLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}
