//! The life of one connection: who is there, what they speak, what they ask, and when it ends.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use axum::{Router, extract::ConnectInfo};
use axum_core::body::Body;
use bytes::BytesMut;
use futures_util::future::{Either, select};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioTimer;
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tower_service::Service as _;

use super::{
    Phase, Settings, proxy_protocol,
    wire::{Activity, Wire},
};

/// How long the head of a request that is on its way may still take once the server stops.
const HEAD_GRACE: Duration = Duration::from_secs(5);

/// Serves what comes on `stream` until it ends, the server stops, or nothing has come for too long.
pub(super) async fn talk(
    mut stream: TcpStream,
    socket: SocketAddr,
    app: Router,
    settings: Arc<Settings>,
    phase: watch::Receiver<Phase>,
) {
    // Answers are written whole; there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    let activity = Arc::new(Activity::default());
    let stopping = pin!(reached(phase.clone(), Phase::Stopping));
    // HTTP/1 hears of its timeout from hyper; this one is for what comes before it, and for HTTP/2.
    let deserted = pin!(activity.deserted(settings.head_timeout));
    let mut end = select(stopping, deserted);
    let mut ahead = BytesMut::new();
    let met = match select(pin!(meet(&mut stream, &mut ahead, socket, &settings)), &mut end).await {
        Either::Left((met, _)) => met,
        Either::Right(_) => return,
    };
    let (peer, protocol) = match met {
        Ok(met) => met,
        Err(error) => return tracing::debug!(target: "palisade::serve", %socket, %error, "a connection ended early"),
    };
    let wire = Wire::new(stream, ahead, Arc::clone(&activity));
    let service = service_fn({
        let activity = Arc::clone(&activity);
        move |mut request: Request<Incoming>| {
            let under_way = activity.begin();
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = app.clone().call(request.map(Body::new));
            async move { answer.await.map(|response| response.map(|body| under_way.answer(body))) }
        }
    });
    let over = async {
        let deserted = activity.deserted(HEAD_GRACE.min(settings.head_timeout));
        select(pin!(reached(phase, Phase::Over)), pin!(deserted)).await;
    };
    let ended = match protocol {
        Protocol::Http1 => {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(settings.head_timeout)
                .max_header_size(settings.head_size as usize);
            let connection = http.serve_connection(wire, service).with_upgrades();
            drive(connection, http1::UpgradeableConnection::graceful_shutdown, end, over).await
        }
        #[cfg(feature = "http2")]
        Protocol::Http2(http2) => {
            let connection = http2.builder(settings.head_size).serve_connection(wire, service);
            drive(connection, hyper::server::conn::http2::Connection::graceful_shutdown, end, over).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(target: "palisade::serve", %peer, %error, "a connection ended early");
    }
}

enum Protocol {
    Http1,
    #[cfg(feature = "http2")]
    Http2(super::Http2),
}

/// Serves until `end`, then lets what is under way finish until `over`.
async fn drive<C: Future<Output = hyper::Result<()>>>(
    connection: C,
    finish: fn(Pin<&mut C>),
    end: impl Future + Unpin,
    over: impl Future,
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    if let Either::Left((ended, _)) = select(connection.as_mut(), end).await {
        return ended;
    }
    finish(connection.as_mut());
    match select(connection, pin!(over)).await {
        Either::Left((ended, _)) => ended,
        Either::Right(_) => Ok(()),
    }
}

/// Ready when the server has come so far. Whoever drops the server does not stop it.
async fn reached(mut phase: watch::Receiver<Phase>, goal: Phase) {
    if phase.wait_for(|phase| *phase >= goal).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Finds out whose connection it is and what they speak, from the first bytes where those must say.
async fn meet(
    stream: &mut TcpStream,
    ahead: &mut BytesMut,
    socket: SocketAddr,
    settings: &Settings,
) -> io::Result<(SocketAddr, Protocol)> {
    let mut peer = socket;
    if settings.balancers.iter().any(|net| net.contains(&socket.ip().to_canonical())) {
        let read = timeout(settings.proxy_header_timeout, proxy_protocol::read(stream, ahead)).await;
        match read.unwrap_or_else(|late| Err(late.into())) {
            Ok(client) => peer = client.unwrap_or(socket),
            Err(error) => {
                use io::ErrorKind::{InvalidData, TimedOut, UnexpectedEof};
                if matches!(error.kind(), InvalidData | TimedOut | UnexpectedEof) {
                    tracing::warn!(target: "palisade::serve", %socket, %error, "a load balancer sent no good PROXY header");
                }
                return Err(error);
            }
        }
    }
    #[cfg(feature = "http2")]
    if let Some(http2) = settings.http2
        && super::http2::is_spoken(stream, ahead).await?
    {
        return Ok((peer, Protocol::Http2(http2)));
    }
    Ok((peer, Protocol::Http1))
}
