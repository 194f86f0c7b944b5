//! A queue with an end, and the thread that empties it.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use ::sentry::{
    Envelope,
    transports::{RateLimiter, RateLimitingCategory},
    types::Dsn,
};
use ureq::{
    Agent,
    http::Response,
    tls::{RootCerts, TlsConfig},
};

use super::event::{Captured, Labels};
use crate::guard::panic::caught;

/// How long a server has for one event.
const PATIENCE: Duration = Duration::from_secs(10);
/// Its answer is an id: what is longer is not read to its end.
const LONGEST_ANSWER: u64 = 64 * 1024;
const AGENT: &str = concat!("palisade/", env!("CARGO_PKG_VERSION"));

pub(super) struct Queue {
    /// `None` once it is closed.
    sender: Mutex<Option<SyncSender<Captured>>>,
    /// Says nothing, and is cut off when the thread has ended.
    ended: Mutex<Receiver<()>>,
    length: usize,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicUsize,
    sent: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    /// What still waits is dropped.
    is_over: AtomicBool,
}

impl Queue {
    pub(super) fn start(dsn: &Dsn, roots: RootCerts, labels: Labels, length: usize) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(length);
        let (end, ended) = sync_channel(0);
        let shared = Arc::new(Shared::default());
        let mut post = Post::new(dsn, roots, Arc::clone(&shared));
        thread::Builder::new().name("palisade-sentry".to_owned()).spawn(move || {
            let _end: SyncSender<()> = end;
            // Ends when the sender is gone and nothing is left.
            for captured in receiver {
                post.deliver(captured, &labels);
            }
        })?;
        Ok(Self { sender: Mutex::new(Some(sender)), ended: Mutex::new(ended), length, shared })
    }

    /// Never waits.
    pub(super) fn push(&self, captured: Captured) {
        // So that no traffic keeps an error out.
        let room = if captured.is_failure() { self.length } else { self.length.div_ceil(2) };
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let is_taken = self.shared.waiting.fetch_add(1, Relaxed) < room
            && sender.as_ref().is_some_and(|sender| sender.try_send(captured).is_ok());
        drop(sender);
        if !is_taken {
            self.shared.waiting.fetch_sub(1, Relaxed);
            self.shared.dropped.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn close(&self, patience: Duration) -> bool {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Who closes it again has no more time than the first.
        let patience = if sender.is_some() { patience } else { Duration::ZERO };
        drop(sender);
        let has_ended = ended.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected);
        self.shared.is_over.store(true, Relaxed);
        has_ended
    }

    pub(super) fn sent(&self) -> u64 {
        self.shared.sent.load(Relaxed)
    }

    pub(super) fn dropped(&self) -> u64 {
        // The thread may be busy for a while before it throws away what is left.
        let left = if self.shared.is_over.load(Relaxed) { self.shared.waiting.load(Relaxed) } else { 0 };
        self.shared.dropped.load(Relaxed) + left as u64
    }

    pub(super) fn failed(&self) -> u64 {
        self.shared.failed.load(Relaxed)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

/// What the thread has.
struct Post {
    agent: Agent,
    url: String,
    auth: String,
    limits: RateLimiter,
    is_heard: bool,
    shared: Arc<Shared>,
}

impl Post {
    fn new(dsn: &Dsn, roots: RootCerts, shared: Arc<Shared>) -> Self {
        // No redirects: they would take the key elsewhere.
        let config =
            Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).max_redirects(0);
        Self {
            agent: config
                .tls_config(TlsConfig::builder().root_certs(roots).build())
                .user_agent(AGENT)
                .build()
                .new_agent(),
            url: dsn.envelope_api_url().to_string(),
            auth: dsn.to_auth(Some(AGENT)).to_string(),
            limits: RateLimiter::new(),
            is_heard: true,
            shared,
        }
    }

    fn deliver(&mut self, captured: Captured, labels: &Labels) {
        self.shared.waiting.fetch_sub(1, Relaxed);
        let category =
            if captured.is_failure() { RateLimitingCategory::Error } else { RateLimitingCategory::Transaction };
        if self.shared.is_over.load(Relaxed) || self.limits.is_disabled(category).is_some() {
            self.shared.dropped.fetch_add(1, Relaxed);
            return;
        }
        let answer = caught(|| self.send(&captured.envelope(labels)));
        let trouble = answer.map_err(|panic| panic.message).flatten().err();
        let count = if trouble.is_none() { &self.shared.sent } else { &self.shared.failed };
        count.fetch_add(1, Relaxed);
        // Told once, and not again before something has come through.
        if let Some(trouble) = trouble.as_ref().filter(|_| self.is_heard) {
            tracing::warn!(target: "palisade::error", %trouble, "Sentry does not take what is sent to it");
        }
        self.is_heard = trouble.is_none();
    }

    fn send(&mut self, envelope: &Envelope) -> Result<(), String> {
        let mut body = Vec::new();
        envelope.to_writer(&mut body).map_err(|error| error.to_string())?;
        let post = self.agent.post(&self.url).header("content-type", "application/x-sentry-envelope");
        let mut answer = post.header("x-sentry-auth", &self.auth).send(&body[..]).map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        if let Some(limits) = header(&answer, "x-sentry-rate-limits") {
            self.limits.update_from_sentry_header(limits);
        } else if status == 429 {
            // The SDK takes an empty one, and one on any answer, for a minute's silence.
            match header(&answer, "retry-after").filter(|after| !after.trim().is_empty()) {
                Some(after) => self.limits.update_from_retry_after(after),
                None => self.limits.update_from_429(),
            }
        }
        // A connection whose answer was read to its end is used again.
        let _ = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec();
        if (200..300).contains(&status) { Ok(()) } else { Err(format!("it answers {status}")) }
    }
}

fn header<'a, B>(answer: &'a Response<B>, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}
