//! What the program says, as lines that can be searched, on stdout and in files.
//!
//! **The rule.** Each `tracing` event is one line, with the fields of the spans it was said in beside its own: within a
//! request `request_id`, `trace_id`, `route`, `method`, `user` and `tier`. Values of fields whose name says that they are secret
//! (`password`, `token`, `api_key`, `authorization`, `cookie` ..) and secrets that are seen in texts are `[redacted]`. No
//! character of any value can begin a line or hide one. Lines are written by a thread of its own; nobody who logs ever
//! waits for a disk or a terminal: what has no room in the queue is dropped and counted, plain lines before errors and
//! [audits](crate::Audit).
//!
//! ```no_run
//! use palisade::logs::{self, LogSettings};
//! # fn main() -> Result<(), palisade::ConfigError> {
//! // Kept until the end of `main`: at its end what still waits is written.
//! let logs = logs::init(&LogSettings::production())?;
//! tracing::info!(port = 3000, "ready");
//! logs.level("info,palisade=debug")?;
//! # Ok(()) }
//! ```
//!
//! What is logged is said by `RUST_LOG`, else by `LOG_LEVEL`, else by [`LogSettings::level`]; spans and their fields select nothing.
//! With a [`directory`](LogSettings::directory) there are `app.log`, `errors.log` and `audit.log`, ended each day and when they are full, then
//! compressed, then removed. A stdout that nobody reads holds up the files too, though never the service. Where one cannot be written, stderr is told so once, the lines are counted, and they go to
//! stderr if nothing else took them.
//!
//! Names stand in a line once. The request's own stand, else the innermost span's; a field of the event that says
//! otherwise is called `field_..`, as in `field_user`.
//!
//! The access log's own lines, which cost less than its events, take the same way:
//! `AccessLogLayer::json(logs.lines())`. Beside other layers of `tracing-subscriber`, such as a tracer's, take [`layer`].

mod file;
mod layer;
mod line;
mod panics;
mod queue;
mod routes;
mod settings;
mod writer;

use std::{sync::Arc, thread, time::Duration};

use tracing::{Dispatch, Subscriber, dispatcher};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt as _, registry::LookupSpan};

pub use self::settings::LogSettings;
use self::{
    layer::{Directives, Levels, LineLayer},
    queue::{Door, Kind, Queue},
    settings::environment,
};
use crate::{ConfigError, metrics::MetricsLayer};

/// How long the end of the program waits for the last lines.
const PATIENCE: Duration = Duration::from_secs(5);

/// Logs from now on, for the whole program: what is said through `tracing`, and what libraries say through `log`.
///
/// # Errors
/// Every mistake in the settings and in the environment: a directive that is none, a directory that cannot be written to, a size of
/// zero; and that somebody listens to `tracing` already.
pub fn init(settings: &LogSettings) -> Result<Logs, ConfigError> {
    let taken = || ConfigError::new("logs", "are there already: `tracing` has one subscriber for the whole program");
    let mut mistakes = ConfigError::default();
    if dispatcher::has_been_set() {
        let _ = mistakes.keep::<(), _>(Err(taken()));
    }
    let Some((dispatch, logs)) = mistakes.keep(subscriber(settings)) else { return Err(mistakes) };
    mistakes.or(())?;
    dispatcher::set_global_default(dispatch).map_err(|_| taken())?;
    // Whoever has a logger of their own for those keeps it.
    let _ = tracing_log::LogTracer::init();
    if settings.catches_panics() {
        panics::tell();
    }
    Ok(logs)
}

/// The same for a part of the program, such as a test: [`tracing::dispatcher::with_default`].
///
/// # Errors
/// As [`init`], without the last.
pub fn subscriber(settings: &LogSettings) -> Result<(Dispatch, Logs), ConfigError> {
    alone(settings, environment)
}

fn alone(settings: &LogSettings, variable: impl Fn(&str) -> Option<String>) -> Result<(Dispatch, Logs), ConfigError> {
    let (lines, logs) = started(settings, variable)?;
    // With nobody beside it, what is not wanted need not be asked for twice.
    Ok((Dispatch::new(Registry::default().with(lines).with(logs.0.levels.clone())), logs))
}

/// The same as a layer of a `tracing-subscriber` 0.3 of one's own, filter included.
///
/// # Errors
/// As [`init`], without the last.
pub fn layer<S>(settings: &LogSettings) -> Result<(impl Layer<S> + use<S>, Logs), ConfigError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let (lines, logs) = started(settings, environment)?;
    Ok((lines.with_filter(logs.0.levels.clone()), logs))
}

fn started(
    settings: &LogSettings,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(LineLayer, Logs), ConfigError> {
    let checked = settings.checked(variable)?;
    let (form, outlets) = (checked.form, checked.outlets);
    let queue = Arc::new(Queue::new(form, checked.queue_bytes));
    let door = Arc::new(Door(Arc::clone(&queue)));
    let write = move || writer::run(&queue, form, outlets);
    let started = thread::Builder::new().name("palisade-log".to_owned()).spawn(write);
    started.map_err(|error| ConfigError::new("logs", format_args!("cannot have a thread: {error}")))?;
    let levels = Levels::new(checked.directives);
    let lines = LineLayer { form, door: Arc::clone(&door), levels: levels.clone() };
    Ok((lines, Logs(Arc::new(Inner { door, levels }))))
}

/// The log while it runs. Cheap to clone; dropping the last one waits, 5 s at most, until all is written.
#[derive(Debug, Clone)]
#[must_use = "dropped at once, the end of the program does not wait for the last lines"]
pub struct Logs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    door: Arc<Door>,
    levels: Levels,
}

impl Logs {
    /// Logs this from now on, as in [`LogSettings::level`].
    ///
    /// # Errors
    /// Every directive that is none; nothing changes then.
    pub fn level(&self, directives: &str) -> Result<(), ConfigError> {
        self.0.levels.replace(Directives::parse("level", directives)?);
        Ok(())
    }

    /// What is logged.
    pub fn levels(&self) -> String {
        self.0.levels.said()
    }

    /// How many lines were dropped, because they came faster than they were written.
    pub fn dropped(&self) -> u64 {
        self.queue().dropped.value()
    }

    /// How many lines a file or stdout did not take: a full disk, a closed pipe. A line counts once for each.
    pub fn failed(&self) -> u64 {
        self.queue().failed.value()
    }

    /// Counts both as metrics from now on: `log_lines_dropped_total` and `log_lines_failed_total`.
    ///
    /// # Errors
    /// The names are taken.
    pub fn measure(&self, metrics: &MetricsLayer) -> Result<(), ConfigError> {
        let mut mistakes = ConfigError::default();
        let dropped = metrics.counter("log_lines_dropped_total", "Lines of the log for which there was no room.");
        let failed = metrics.counter("log_lines_failed_total", "Lines of the log that could not be written.");
        let counters = (mistakes.keep(dropped), mistakes.keep(failed));
        if let (Some(dropped), Some(failed)) = counters {
            self.queue().dropped.tell(&dropped);
            self.queue().failed.tell(&failed);
        }
        mistakes.or(())
    }

    /// Takes lines that are whole already, line feed included: for
    /// [`AccessLogLayer::json`](crate::access_log::AccessLogLayer::json).
    pub fn lines(&self) -> impl Fn(&[u8]) + Clone + Send + Sync + use<> {
        let door = Arc::clone(&self.0.door);
        move |line| door.0.push(line, Kind::Plain)
    }

    /// Waits until all that was said so far is written, at most this long. Whether it is.
    pub fn flush(&self, patience: Duration) -> bool {
        self.queue().flush(patience)
    }

    fn queue(&self) -> &Queue {
        &self.0.door.0
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.door.0.flush(PATIENCE);
    }
}

#[cfg(test)]
mod tests;
