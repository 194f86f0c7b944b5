//! Serves a router so that palisade can see who is connected.

use std::{io, net::SocketAddr};

use axum::Router;
use tokio::net::TcpListener;

/// Serves `app` on `listener` until `SIGTERM` or Ctrl-C, then lets running requests finish.
///
/// It is `axum::serve` with the peer's address, without which every client is unknown and all share one rate limit.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// palisade::serve(listener, axum::Router::new()).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// Those of the listener.
pub async fn serve(listener: TcpListener, app: Router) -> io::Result<()> {
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).with_graceful_shutdown(told_to_stop()).await
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
    futures_util::future::select(std::pin::pin!(ctrl_c), std::pin::pin!(terminated)).await;
}
