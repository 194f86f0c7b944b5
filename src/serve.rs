//! Serves a router so that palisade can see who is connected, and so that no connection outstays its welcome.

use std::{future::Future, io, net::SocketAddr, pin::pin, time::Duration};

use axum::{Router, extract::ConnectInfo};
use axum_core::body::Body;
use futures_util::future::{Either, select};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tower_service::Service as _;

/// How long a connection may take to send a request's head, idle time before it included. More than the 60 s after
/// which load balancers give an idle connection up: of the two, they must be the first.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// How long running requests may take to end. Kubernetes kills 30 s after it has asked.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// Serves `app` on `listener` until `SIGTERM` or Ctrl-C, then lets running requests finish for up to 25 s.
///
/// It gives every request its peer's address, without which all clients share one rate limit, and closes a connection
/// whose next request has not sent its head after 75 s. HTTP/1.1, with upgrades.
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
    serve_until(listener, app, told_to_stop()).await
}

/// [`serve`], until `stop` is ready.
///
/// # Errors
/// As [`serve`].
pub async fn serve_until(listener: TcpListener, app: Router, stop: impl Future<Output = ()>) -> io::Result<()> {
    // Connections hear of the stop through their receivers; when the last is dropped, the last has ended.
    let (stopping, connections) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        match select(pin!(listener.accept()), stop.as_mut()).await {
            Either::Left((Ok((stream, peer)), _)) => {
                tokio::spawn(talk(stream, peer, app.clone(), connections.clone()));
            }
            Either::Left((Err(error), _)) => outlive(error).await?,
            Either::Right(_) => break,
        }
    }
    drop((listener, connections));
    stopping.send_replace(());
    select(pin!(stopping.closed()), pin!(tokio::time::sleep(DRAIN_TIMEOUT))).await;
    Ok(())
}

async fn talk(stream: TcpStream, peer: SocketAddr, app: Router, mut stopped: watch::Receiver<()>) {
    // Answers are written whole; there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        app.clone().call(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = match select(connection.as_mut(), pin!(stopped.changed())).await {
        Either::Left((ended, _)) => ended,
        Either::Right(_) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(target: "palisade::serve", %peer, %error, "a connection ended early");
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
