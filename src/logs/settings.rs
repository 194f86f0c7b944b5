//! What is logged, in which shape and where to.

use std::{
    env, fs,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    file::{DAY, LogFile, Retention},
    layer::Directives,
    line::Form,
    queue::Kind,
    writer::{Outlet, Sink},
};
use crate::{ConfigError, Profile};

/// A queue in which a few lines fit.
const SMALLEST_QUEUE: usize = 64 * 1024;

/// How the program logs. Nothing is checked before [`init`](super::init), which then names every mistake at once.
#[derive(Debug, Clone)]
#[must_use]
pub struct LogSettings {
    mistakes: ConfigError,
    level: String,
    is_json: bool,
    stdout: bool,
    directory: Option<PathBuf>,
    keep: Retention,
    queue_bytes: usize,
    panics: bool,
}

impl LogSettings {
    /// Lines of JSON on stdout from `info` on. The default.
    pub fn production() -> Self {
        Self {
            mistakes: ConfigError::default(),
            level: "info".to_owned(),
            is_json: true,
            stdout: true,
            directory: None,
            keep: Retention {
                // What an editor still opens.
                bytes: 100 * 1024 * 1024,
                // With those of the day, not more than 1.5 GB before they are compressed.
                files: 14,
                // As long as most may keep what says who did what.
                age: 30 * DAY,
            },
            // Some 20 000 lines: what comes in the second in which a disk is busy.
            queue_bytes: 8 * 1024 * 1024,
            // There is one hook, and it may be somebody's already.
            panics: false,
        }
    }

    /// As in production: what differs would not be rehearsed.
    pub fn staging() -> Self {
        Self::production()
    }

    /// For who reads the log in a terminal: readable lines from `debug` on, in colours where stdout is a terminal.
    pub fn development() -> Self {
        // What connections say of themselves hides the rest.
        let level = "debug,hyper=info,hyper_util=info,h2=info".to_owned();
        Self { level, is_json: false, ..Self::production() }
    }

    /// From a profile or the name of one, as a [`Stack`](crate::Stack::profile) is. A wrong name is one of the mistakes that [`init`](super::init) names.
    pub fn profile<P: TryInto<Profile, Error: Into<ConfigError>>>(profile: P) -> Self {
        match profile.try_into() {
            Ok(profile) if profile.to_string() == "development" => Self::development(),
            Ok(_) => Self::production(),
            Err(error) => Self { mistakes: error.into(), ..Self::production() },
        }
    }

    /// What is logged where neither `RUST_LOG` nor `LOG_LEVEL` says so: levels and `target=level`, with commas between, such as
    /// `info,hyper=warn`. The longest target that fits a line counts.
    pub fn level(mut self, directives: impl Into<String>) -> Self {
        self.level = directives.into();
        self
    }

    /// Lines of JSON, one object each.
    pub fn json(mut self) -> Self {
        self.is_json = true;
        self
    }

    /// Lines for people.
    pub fn readable(mut self) -> Self {
        self.is_json = false;
        self
    }

    /// Whether lines go to stdout. They do if nothing is said.
    pub fn stdout(mut self, wanted: bool) -> Self {
        self.stdout = wanted;
        self
    }

    /// Lines go to `app.log` in this directory, those of level `ERROR` to `errors.log` and [audits](crate::Audit) to `audit.log` as well. It is made
    /// where it is missing. No other process may write there: not a second instance, and no `logrotate`.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The largest a file grows, in bytes, before it is ended and compressed; it also is at the end of its day (UTC). 100 MiB if nothing is
    /// said.
    pub fn file_bytes(mut self, bytes: u64) -> Self {
        self.keep.bytes = bytes;
        self
    }

    /// How many ended files are kept of each log: 14 if nothing is said.
    pub fn keep_files(mut self, files: usize) -> Self {
        self.keep.files = files;
        self
    }

    /// How long ended files are kept, in whole days: 30 if nothing is said.
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.keep.age = age;
        self
    }

    /// How many bytes of lines may wait to be written: 8 MiB if nothing is said. What has no room is dropped and counted; lines of level
    /// `ERROR` and audits have a quarter more.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Whether each panic is a line of level `ERROR` and target `palisade::panic`, with the place in the source, in place of the many lines
    /// that the standard library prints on stderr, secrets included. Off if nothing is said: the hook that was there is lost, so ask
    /// before others, an error tracker say, set theirs. Only [`init`](super::init) does it.
    pub fn panics(mut self, wanted: bool) -> Self {
        self.panics = wanted;
        self
    }

    pub(super) const fn catches_panics(&self) -> bool {
        self.panics
    }

    /// Opens what is written to. Every mistake is named.
    pub(super) fn checked(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Checked, ConfigError> {
        let mut mistakes = self.mistakes.clone();
        let said = ["RUST_LOG", "LOG_LEVEL"].into_iter().find_map(|name| {
            let value = variable(name).filter(|value| !value.trim().is_empty())?;
            Some((name, value))
        });
        let mut directives = mistakes.keep(Directives::parse("level", &self.level));
        if let Some((place, said)) = said {
            directives = mistakes.keep(Directives::parse(place, &said));
        }
        let Retention { bytes, files, age } = self.keep;
        for (is_wrong, place, problem) in [
            (bytes == 0, "file bytes", "are 0, in which no line fits"),
            (files == 0, "keep files", "is 0: what is ended would be lost at once"),
            (age < DAY, "keep for", "is less than a day, and days are what is kept"),
            (self.queue_bytes < SMALLEST_QUEUE, "queue bytes", "are less than 64 KiB, in which few lines fit"),
            (
                !self.stdout && self.directory.is_none(),
                "stdout",
                "is off, and there is no directory: nothing would be written",
            ),
        ] {
            if is_wrong {
                mistakes.push(place, problem);
            }
        }
        let is_coloured = self.stdout
            // A file is not to be full of them.
            && self.directory.is_none()
            && io::stdout().is_terminal()
            && variable("NO_COLOR").is_none_or(|value| value.is_empty());
        let mut outlets = Vec::new();
        if let Some(directory) = &self.directory {
            match files_in(directory, &self.keep) {
                Ok(files) => outlets.extend(files),
                Err(error) => {
                    mistakes.push("directory", format_args!("`{}` cannot be written to: {error}", directory.display()));
                }
            }
        }
        // Last: a pipe that nobody reads holds up whatever comes after it.
        if self.stdout {
            outlets.push(Outlet::new("stdout", Sink::Stdout, None));
        }
        let form = if self.is_json { Form::Json } else { Form::Readable { is_coloured } };
        let Some(directives) = directives else { return Err(mistakes) };
        mistakes.or(Checked { directives, form, outlets, queue_bytes: self.queue_bytes })
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self::production()
    }
}

/// Settings without a mistake, and what they opened.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) directives: Directives,
    pub(super) form: Form,
    pub(super) outlets: Vec<Outlet>,
    pub(super) queue_bytes: usize,
}

/// The environment, where it is text.
pub(super) fn environment(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn files_in(directory: &Path, keep: &Retention) -> io::Result<[Outlet; 3]> {
    fs::create_dir_all(directory)?;
    let now = SystemTime::now();
    let open = |file, name, only| {
        Ok::<_, io::Error>(Outlet::new(file, Sink::File(LogFile::open(directory, name, keep, now)?), only))
    };
    Ok([
        open("app.log", "app", None)?,
        open("errors.log", "errors", Some(Kind::Error))?,
        open("audit.log", "audit", Some(Kind::Audit))?,
    ])
}
