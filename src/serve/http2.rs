//! HTTP/2, and how much of it one connection may ask for.

use std::{io, time::Duration};

use bytes::BytesMut;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

use crate::ConfigError;

/// What every client with prior knowledge sends first (RFC 9113, 3.4). As HTTP/1 it would be a request of no known version.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Limits of one HTTP/2 connection, each with a default that is safe.
///
/// ```
/// use std::time::Duration;
/// use palisade::serve::{Http2, Server};
/// # fn main() -> Result<(), palisade::ConfigError> {
/// let server = Server::builder().http2(Http2::new().streams(250).ping(Duration::from_secs(10))).build()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Http2 {
    streams: u32,
    ping: Duration,
    ping_timeout: Duration,
    reset_early: usize,
    reset_here: usize,
}

impl Http2 {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            streams: 100,
            ping: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(20),
            reset_early: 20,
            reset_here: 1024,
        }
    }

    /// Requests that a connection may have open at the same time. 100 unless said, the least that RFC 9113 (6.5.2) recommends.
    pub const fn streams(self, streams: u32) -> Self {
        Self { streams, ..self }
    }

    /// How often the other side is asked whether it is still there. 30 s unless said.
    pub const fn ping(self, interval: Duration) -> Self {
        Self { ping: interval, ..self }
    }

    /// How long it may take to say so before the connection is closed. 20 s unless said.
    pub const fn ping_timeout(self, timeout: Duration) -> Self {
        Self { ping_timeout: timeout, ..self }
    }

    /// Streams that the client may have reset before they were even looked at, at the same time: one more closes the
    /// connection (CVE-2023-44487, "rapid reset"). 20 unless said.
    pub const fn reset_early(self, streams: usize) -> Self {
        Self { reset_early: streams, ..self }
    }

    /// Streams that we may have to reset for the client's errors: one more closes the connection (RUSTSEC-2024-0003). 1024
    /// unless said.
    pub const fn reset_here(self, streams: usize) -> Self {
        Self { reset_here: streams, ..self }
    }

    pub(super) fn check(self, mistakes: &mut ConfigError) {
        if self.streams == 0 {
            mistakes.push("HTTP/2 streams", "with none there is no request");
        }
        for (place, time) in [("HTTP/2 ping", self.ping), ("HTTP/2 ping timeout", self.ping_timeout)] {
            if time.is_zero() {
                mistakes.push(place, "no connection is that fast");
            }
        }
    }

    pub(super) fn builder(self, head_size: u32) -> http2::Builder<TokioExecutor> {
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .max_concurrent_streams(self.streams)
            .max_header_list_size(head_size)
            .keep_alive_interval(self.ping)
            .keep_alive_timeout(self.ping_timeout)
            .max_pending_accept_reset_streams(self.reset_early)
            .max_local_error_reset_streams(self.reset_here);
        http
    }
}

impl Default for Http2 {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether the connection begins as HTTP/2 does. What was read to find out stays in `ahead`.
pub(super) async fn is_spoken(stream: &mut TcpStream, ahead: &mut BytesMut) -> io::Result<bool> {
    // Most heads come whole, and are then read with one call.
    ahead.reserve(2048);
    loop {
        if ahead.iter().zip(PREFACE).any(|(byte, expected)| byte != expected) {
            return Ok(false);
        }
        if ahead.len() >= PREFACE.len() {
            return Ok(true);
        }
        if stream.read_buf(ahead).await? == 0 {
            return Ok(false);
        }
    }
}
