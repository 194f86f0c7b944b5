//! Serves a router so that palisade can see who is connected, and so that no connection outstays its welcome.
//!
//! **The rule.** Every request carries its peer's address: the socket's, or what a load balancer's PROXY header says, where
//! [`ServerBuilder::proxy_protocol`] names the balancer. A connection on which no head of a request becomes whole in 75 s is
//! closed; a head of more than 32 KiB is answered with 431. After the stop nothing more is accepted, connections between
//! two requests are closed, a head that is on its way has 5 s to become whole, and running requests have 25 s to end: what
//! is left then is cut. A connection that was upgraded (a WebSocket) is the application's, and not waited for.
//!
//! HTTP/1.1, and with feature `http2` also HTTP/2 with prior knowledge, as proxies and gRPC speak it behind TLS.
//!
//! ```no_run
//! # async fn run(app: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use palisade::serve::Server;
//!
//! let listener = tokio::net::TcpListener::bind("0.0.0.0:3000").await?;
//! let server = Server::builder().proxy_protocol(["10.0.0.0/8"]).drain_time(Duration::from_secs(50)).build()?;
//! server.serve(listener, app).await?;
//! # Ok(()) }
//! ```

use std::{future::Future, io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use futures_util::future::{Either, select};
use ipnet::IpNet;
use tokio::{net::TcpListener, sync::watch, time::timeout};

mod builder;
mod connection;
#[cfg(feature = "http2")]
mod http2;
mod proxy_protocol;
mod wire;

pub use self::builder::ServerBuilder;
#[cfg(feature = "http2")]
pub use self::http2::Http2;

/// Serves `app` on `listener` until `SIGTERM` or Ctrl-C, then lets running requests finish for up to 25 s.
///
/// It gives every request its peer's address, without which all clients share one rate limit, and closes a connection
/// whose next request has not sent its head after 75 s. HTTP/1.1, with upgrades; with feature `http2` also HTTP/2. To say
/// more, see [`Server`].
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// palisade::serve(listener, axum::Router::new()).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// Those of the listener that waiting does not mend.
pub async fn serve(listener: TcpListener, app: Router) -> io::Result<()> {
    Server::default().serve(listener, app).await
}

/// [`serve()`], until `stop` is ready.
///
/// # Errors
/// As [`serve()`].
pub async fn serve_until(listener: TcpListener, app: Router, stop: impl Future<Output = ()>) -> io::Result<()> {
    Server::default().serve_until(listener, app, stop).await
}

/// Serves as [`serve()`] does, with what its [builder](Self::builder) was told. See the [module](self) for the exact rule.
#[derive(Debug, Clone, Default)]
pub struct Server(Arc<Settings>);

#[derive(Debug, Clone)]
struct Settings {
    head_timeout: Duration,
    head_size: u32,
    drain_time: Duration,
    balancers: Vec<IpNet>,
    proxy_header_timeout: Duration,
    #[cfg(feature = "http2")]
    http2: Option<Http2>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // Load balancers give an idle connection up after 60 s: of the two, they must be the first.
            head_timeout: Duration::from_secs(75),
            // What nginx takes.
            head_size: 32 * 1024,
            // Kubernetes kills 30 s after it has asked.
            drain_time: Duration::from_secs(25),
            balancers: Vec::new(),
            // The specification asks for 3 s at least, for a packet that must be sent again.
            proxy_header_timeout: Duration::from_secs(5),
            #[cfg(feature = "http2")]
            http2: Some(Http2::new()),
        }
    }
}

/// How far the server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// What runs may end.
    Stopping,
    /// What still runs is cut.
    Over,
}

impl Server {
    /// As [`serve()`] serves, until told otherwise.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// Serves `app` on `listener` until `SIGTERM` or Ctrl-C, then lets running requests finish.
    ///
    /// # Errors
    /// Those of the listener that waiting does not mend.
    pub async fn serve(&self, listener: TcpListener, app: Router) -> io::Result<()> {
        self.serve_until(listener, app, told_to_stop()).await
    }

    /// [`serve()`](Self::serve), until `stop` is ready.
    ///
    /// # Errors
    /// As [`serve()`](Self::serve).
    pub async fn serve_until(
        &self,
        listener: TcpListener,
        app: Router,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        // Connections hear of the stop through their receivers; when the last is dropped, the last has ended.
        let (phase, connections) = watch::channel(Phase::Serving);
        let mut stop = pin!(stop);
        loop {
            match select(pin!(listener.accept()), stop.as_mut()).await {
                Either::Left((Ok((stream, socket)), _)) => {
                    let settings = Arc::clone(&self.0);
                    tokio::spawn(connection::talk(stream, socket, app.clone(), settings, connections.clone()));
                }
                Either::Left((Err(error), _)) => outlive(error).await?,
                Either::Right(_) => break,
            }
        }
        drop((listener, connections));
        phase.send_replace(Phase::Stopping);
        if timeout(self.0.drain_time, phase.closed()).await.is_err() {
            // Each connection watches both ends of the drain.
            let connections = phase.receiver_count().div_ceil(2);
            tracing::warn!(target: "palisade::serve", connections, "the time to drain is over: what still runs is cut");
            phase.send_replace(Phase::Over);
        }
        Ok(())
    }
}

/// A client that left in the queue is nobody's fault; no more file handles is a reason to wait, not to end.
async fn outlive(error: io::Error) -> io::Result<()> {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput, Unsupported};
    match error.kind() {
        ConnectionAborted | ConnectionRefused | ConnectionReset => Ok(()),
        InvalidInput | Unsupported => Err(error),
        _ => {
            tracing::error!(target: "palisade::serve", %error, "no connection can be accepted for now");
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(())
        }
    }
}

async fn told_to_stop() {
    let ctrl_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    select(pin!(ctrl_c), pin!(terminated)).await;
}
