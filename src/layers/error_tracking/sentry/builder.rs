//! From what the operator says to a reporter, or to every mistake in it.

use std::{fmt, sync::Arc, time::Duration};

use ::sentry::{Hub, types::Dsn};
use ureq::tls::{PemItem, RootCerts, parse_pem};

use super::{Inner, Rate, SentryReporter, event::Labels, queue::Queue};
use crate::ConfigError;

/// A [`SentryReporter`] in the making. Nothing is checked before [`build`](Self::build), which then names every mistake at once.
#[derive(Clone)]
#[must_use]
pub struct SentryBuilder {
    dsn: String,
    labels: Labels,
    sample_rate: f64,
    traces_sample_rate: f64,
    takes_breadcrumbs: bool,
    root_certificates: Option<Vec<u8>>,
    queue: usize,
    shutdown: Duration,
}

impl SentryBuilder {
    pub(super) fn new(dsn: String) -> Self {
        Self {
            dsn,
            labels: Labels::default(),
            sample_rate: 1.0,
            traces_sample_rate: 0.0,
            takes_breadcrumbs: false,
            root_certificates: None,
            // Each may hold the head of its request: 32 KiB at most in `palisade::serve`.
            queue: 100,
            // What the SDK takes.
            shutdown: Duration::from_secs(2),
        }
    }

    /// Where this runs, such as `production`. Sentry takes what says nothing for `production`.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.labels.environment = Some(environment.into().into());
        self
    }

    /// Which version runs, such as `shop@1.2.0`.
    pub fn release(mut self, release: impl Into<String>) -> Self {
        self.labels.release = Some(release.into().into());
        self
    }

    /// The name of this machine, which is not sent unless it is given here.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.labels.server_name = Some(name.into().into());
        self
    }

    /// How many of the failures are sent, from 0 to 1: all, if nothing is said.
    pub fn sample_rate(mut self, fraction: f64) -> Self {
        self.sample_rate = fraction;
        self
    }

    /// Of how many of the traces that say they are recorded this service's part is sent, from 0 to 1: none, if nothing is said.
    ///
    /// It is decided by the trace's id, so that services with the same rate send the same traces. Probes and 4xx are left out.
    pub fn traces_sample_rate(mut self, fraction: f64) -> Self {
        self.traces_sample_rate = fraction;
        self
    }

    /// Whether the breadcrumbs that the application has left on the current Sentry hub are sent along, as `sentry::add_breadcrumb` does.
    ///
    /// For applications that bind a hub per request *around* the stack: on a hub that is shared, the breadcrumbs are everybody's.
    pub fn hub_breadcrumbs(mut self, sent: bool) -> Self {
        self.takes_breadcrumbs = sent;
        self
    }

    /// Whom to trust in place of the web's authorities, as PEM: for a server of one's own, whose certificate is one's own too.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self
    }

    /// How many may wait to be sent: 100, if nothing is said. More are dropped, and [counted](SentryReporter::dropped).
    pub fn queue(mut self, length: usize) -> Self {
        self.queue = length;
        self
    }

    /// How long the end may take, for what is still queued: 2 s, if nothing is said.
    pub fn shutdown(mut self, patience: Duration) -> Self {
        self.shutdown = patience;
        self
    }

    /// The reporter, with its thread running.
    ///
    /// # Errors
    /// Every mistake in one [`ConfigError`]: a DSN that is none, a rate that is no fraction, a queue without a place, PEM without a
    /// certificate; or that no thread is to be had.
    pub fn build(self) -> Result<SentryReporter, ConfigError> {
        let mut mistakes = ConfigError::default();
        let mut rate = |place: &str, fraction| {
            let rate = Rate::of(fraction);
            if rate.is_none() {
                mistakes.push(format_args!("Sentry {place}"), format_args!("{fraction} is not from 0 to 1"));
            }
            rate.unwrap_or(Rate::NONE)
        };
        let (errors, traces) =
            (rate("sample rate", self.sample_rate), rate("traces sample rate", self.traces_sample_rate));
        if self.queue == 0 {
            mistakes.push("Sentry queue", "is 0 long, which drops everything");
        }
        let roots = self.root_certificates.as_deref().map_or(RootCerts::WebPki, certificates);
        if matches!(&roots, RootCerts::Specific(none) if none.is_empty()) {
            mistakes.push("Sentry root certificates", "hold no certificate in PEM");
        }
        // Without the DSN itself: it holds a key.
        let dsn = self
            .dsn
            .trim()
            .parse()
            .map_err(|error| ConfigError::new("Sentry DSN", format_args!("is not one: {error}")));
        let dsn: Option<Dsn> = mistakes.keep(dsn);
        let Some(dsn) = mistakes.or(dsn)? else { return Err(ConfigError::new("Sentry DSN", "is not one")) };
        let place = format!("{}, project {}", dsn.host(), dsn.project_id());
        // The SDK's main hub belongs to the thread that first asks for one. Had that to be a failing request, an application
        // that calls `sentry::init` later would be unheard on the others.
        let _ = Hub::main();
        let queue = Queue::start(&dsn, roots, self.labels, self.queue)
            .map_err(|error| ConfigError::new("Sentry", format_args!("its thread does not start: {error}")))?;
        Ok(SentryReporter(Arc::new(Inner {
            queue,
            place,
            errors,
            traces,
            takes_breadcrumbs: self.takes_breadcrumbs,
            shutdown: self.shutdown,
            nowhere: Arc::new(Hub::new(None, Arc::default())),
        })))
    }
}

fn certificates(pem: &[u8]) -> RootCerts {
    let certificates = parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    RootCerts::from(certificates)
}

impl fmt::Debug for SentryBuilder {
    /// Without the DSN, which holds a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentryBuilder").field("labels", &self.labels).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_named_at_once_and_the_key_never() {
        let built = SentryReporter::builder("https://topsecretkey@sentry.example/");
        let built = built.sample_rate(1.5).traces_sample_rate(f64::NAN).queue(0).root_certificates("no PEM");
        let wrong = built.build().unwrap_err();
        assert_eq!(wrong.mistakes().len(), 5, "{wrong}");
        for mistake in [
            "Sentry DSN: is not one",
            "Sentry sample rate: 1.5",
            "Sentry traces sample rate: NaN",
            "Sentry queue",
            "Sentry root certificates",
        ] {
            assert!(wrong.to_string().contains(mistake), "{mistake} in {wrong}");
        }
        assert!(!wrong.to_string().contains("topsecretkey"));
    }

    #[test]
    fn what_is_no_dsn_is_a_mistake() {
        for dsn in [
            "",
            "sentry.example/1",
            "https://sentry.example/1",
            "ftp://key@sentry.example/1",
            "https://key@sentry.example",
        ] {
            assert!(SentryReporter::builder(dsn).build().is_err(), "{dsn}");
        }
    }

    #[test]
    fn the_key_is_not_printed() {
        let builder = SentryReporter::builder("https://topsecretkey@127.0.0.1:1/42");
        assert!(!format!("{builder:?}").contains("topsecretkey"));
        let printed = format!("{:?}", builder.build().unwrap());
        assert!(printed.contains("127.0.0.1, project 42") && !printed.contains("topsecretkey"), "{printed}");
    }
}
