//! Listens to `tracing`: remembers the fields of spans, makes a line of each event.

use std::{
    cell::Cell,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;
use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber, callsite,
    dispatcher::{self, WeakDispatch},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, Filter},
    registry::LookupSpan,
};

use super::{
    line::{Fields, Form, Line},
    queue::{Door, Kind},
};
use crate::{ConfigError, audit};

/// Makes lines.
#[derive(Debug)]
pub(super) struct LineLayer {
    pub(super) form: Form,
    pub(super) door: Arc<Door>,
    pub(super) levels: Levels,
}

thread_local! {
    /// The buffers of this thread's last line. Taken while in use: what is formatted may itself say something.
    static LINE: Cell<Line> = Cell::default();
}

/// What a span has to say in each of its lines.
struct Remembered {
    fields: Fields,
    is_request: bool,
}

/// The span that [`ContainmentLayer`](crate::containment::ContainmentLayer) makes.
fn is_request(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.name() == "request" && metadata.target() == "palisade::guard::containment"
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LineLayer {
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        let _ = self.levels.0.dispatch.set(dispatch.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        fields.record(self.form, |visitor| attributes.record(visitor));
        span.extensions_mut().replace(Remembered { fields, is_request: is_request(attributes.metadata()) });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        // Apart: a value's `Display` may log, or panic, and the span is locked for whoever else is in it.
        let mut fields = Fields::default();
        fields.record(self.form, |visitor| values.record(visitor));
        if let Some(known) = span.extensions_mut().get_mut::<Remembered>() {
            known.fields.adopt(&fields, true);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // What came through `log` says elsewhere where it is from.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let mut line = LINE.try_with(Cell::take).unwrap_or_default();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(known) = span.extensions().get::<Remembered>() {
                line.context(&known.fields, known.is_request);
            }
        }
        let kind = match (metadata.target(), *metadata.level()) {
            (audit::TARGET, _) => Kind::Audit,
            (_, Level::ERROR) => Kind::Error,
            _ => Kind::Plain,
        };
        let is_log = normalized.is_some();
        let text =
            line.finish(self.form, *metadata.level(), metadata.target(), is_log, |visitor| event.record(visitor));
        self.door.0.push(text, kind);
        line.clear();
        let _ = LINE.try_with(|kept| kept.set(line));
    }
}

/// What is wanted, to be changed while running.
#[derive(Debug, Clone)]
pub(super) struct Levels(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directives: ArcSwap<Directives>,
    /// Who has to be asked again when they change.
    dispatch: OnceLock<WeakDispatch>,
}

/// Directives, and what they mean.
#[derive(Debug)]
pub(super) struct Directives {
    said: String,
    targets: Targets,
}

impl Directives {
    /// Reads `info,hyper=warn`.
    ///
    /// # Errors
    /// Each directive that is none.
    pub(super) fn parse(place: &str, said: &str) -> Result<Self, ConfigError> {
        let mut mistakes = ConfigError::default();
        let mut targets = Targets::new();
        let directives: Vec<_> = said.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
        for directive in &directives {
            // What selects spans or fields would be taken for a name, which nothing has.
            let is_name = |char: char| char.is_alphanumeric() || "_:-=./".contains(char);
            match directive.parse::<Targets>() {
                Ok(read) if directive.chars().all(is_name) && !directive.ends_with('=') && !is_misspelt(directive) => {
                    targets.extend(read.iter());
                    if let Some(level) = read.default_level() {
                        targets = targets.with_default(level);
                    }
                }
                _ => mistakes
                    .push(place, format_args!("`{directive}` is no level such as `info`, and no `target=level`")),
            }
        }
        if directives.is_empty() {
            mistakes.push(place, "names no level");
        }
        mistakes.or(Self { said: directives.join(","), targets })
    }
}

/// Whether a word without a level is meant to be one. As a target it would say everything of that name, and nothing else would be said.
fn is_misspelt(directive: &str) -> bool {
    !directive.contains('=') && !directive.contains("::") && directive.parse::<LevelFilter>().is_err()
}

impl Levels {
    pub(super) fn new(directives: Directives) -> Self {
        Self(Arc::new(Inner { directives: ArcSwap::from_pointee(directives), dispatch: OnceLock::new() }))
    }

    pub(super) fn said(&self) -> String {
        self.0.directives.load().said.clone()
    }

    pub(super) fn replace(&self, directives: Directives) {
        self.0.directives.store(Arc::new(directives));
        // Where there is but one subscriber, and not for the whole program, it is asked only on threads that are in it.
        match self.0.dispatch.get().and_then(WeakDispatch::upgrade) {
            Some(dispatch) => dispatcher::with_default(&dispatch, callsite::rebuild_interest_cache),
            None => callsite::rebuild_interest_cache(),
        }
    }

    /// Audits always are; and so is the request's span, without which a warning would not say where it belongs.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == audit::TARGET
            || is_request(metadata)
            || self.0.directives.load().targets.would_enable(metadata.target(), metadata.level())
    }
}

impl Levels {
    fn interest(&self, metadata: &Metadata<'_>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn most(&self) -> LevelFilter {
        let directives = self.0.directives.load();
        let most = directives.targets.iter().map(|(_, level)| level).max().max(directives.targets.default_level());
        // What is always wanted is at `INFO`.
        most.map_or(LevelFilter::INFO, |most| most.max(LevelFilter::INFO))
    }
}

/// Beside other layers.
impl<S> Filter<S> for Levels {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.interest(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most())
    }
}

/// With nobody beside it.
impl<S: Subscriber> Layer<S> for Levels {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.interest(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most())
    }
}
