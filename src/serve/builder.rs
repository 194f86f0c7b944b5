//! From what the operator says to a server, or to every mistake in it.

use std::{sync::Arc, time::Duration};

use super::{Server, Settings};
use crate::{ConfigError, client_ip::parse_cidr};

/// A [`Server`] in the making. Nothing is checked before [`build`](Self::build), which then names every mistake at once.
#[derive(Debug, Clone)]
#[must_use]
pub struct ServerBuilder {
    settings: Settings,
    balancers: Vec<String>,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self { settings: Settings::default(), balancers: Vec::new() }
    }

    /// How long a connection may take to send a request's head, idle time before it included. 75 s unless said: more than
    /// the 60 s after which load balancers give an idle connection up, for of the two they must be the first.
    /// An HTTP/2 connection with no stream open is closed after one to two times as long.
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.settings.head_timeout = timeout;
        self
    }

    /// The largest head of a request, in bytes; 32 KiB unless said. A larger one is answered with 431.
    pub fn head_size(mut self, bytes: u32) -> Self {
        self.settings.head_size = bytes;
        self
    }

    /// How long running requests may take to end after the stop. 25 s unless said: Kubernetes kills 30 s after it has asked.
    pub fn drain_time(mut self, time: Duration) -> Self {
        self.settings.drain_time = time;
        self
    }

    /// CIDRs or addresses of load balancers that say by the PROXY protocol, version 1 or 2, who is connected.
    ///
    /// **The rule.** What connects from one of them must begin with a header, whole within
    /// [`proxy_header_timeout`](Self::proxy_header_timeout); the address in it becomes the peer's. `LOCAL`, `UNKNOWN`, `UNSPEC`
    /// and what is no TCP keep the socket's. A header that is malformed, cut short or late closes the connection, with a warning
    /// in the log. What connects from anywhere else is served as who it is: a header that it sends is no HTTP, and answered
    /// with 400. Where nobody but the balancer may come in at all, that is for the firewall to say.
    ///
    /// The address in the header is from then on the peer for all of palisade: forwarding headers are believed only if
    /// [`trusted_proxies`](crate::stack::StackBuilder::trusted_proxies) names the client, not the balancer.
    pub fn proxy_protocol<S: AsRef<str>>(mut self, balancers: impl IntoIterator<Item = S>) -> Self {
        self.balancers.extend(balancers.into_iter().map(|balancer| balancer.as_ref().to_owned()));
        self
    }

    /// How long a PROXY header may take. 5 s unless said; the specification wants 3 s at least, for one packet sent again.
    pub fn proxy_header_timeout(mut self, timeout: Duration) -> Self {
        self.settings.proxy_header_timeout = timeout;
        self
    }

    /// Limits of HTTP/2 connections other than the [defaults](super::Http2).
    #[cfg(feature = "http2")]
    pub fn http2(mut self, limits: super::Http2) -> Self {
        self.settings.http2 = Some(limits);
        self
    }

    /// No HTTP/2, whatever features other crates have switched on.
    #[cfg(feature = "http2")]
    pub fn http1_only(mut self) -> Self {
        self.settings.http2 = None;
        self
    }

    /// The server.
    ///
    /// # Errors
    /// Every mistake: what is no CIDR or is everybody, a timeout of nothing, a head size too small for any request.
    pub fn build(self) -> Result<Server, ConfigError> {
        let Self { mut settings, balancers } = self;
        let mut mistakes = ConfigError::default();
        let nets = balancers.iter().filter_map(|text| mistakes.keep(parse_cidr("PROXY protocol", text)));
        settings.balancers = nets.collect();
        for net in settings.balancers.iter().filter(|net| net.prefix_len() == 0) {
            mistakes
                .push("PROXY protocol", format_args!("`{net}` is everybody, who would be whoever they say they are"));
        }
        for (place, timeout) in
            [("head timeout", settings.head_timeout), ("PROXY header timeout", settings.proxy_header_timeout)]
        {
            if timeout.is_zero() {
                mistakes.push(place, "no connection is that fast");
            }
        }
        if settings.head_size < 1024 {
            mistakes.push(
                "head size",
                format_args!("{} bytes are too few for a browser; 1024 at least", settings.head_size),
            );
        }
        #[cfg(feature = "http2")]
        settings.http2.iter().for_each(|http2| http2.check(&mut mistakes));
        mistakes.or(Server(Arc::new(settings)))
    }
}
