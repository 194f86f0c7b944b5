//! What goes on on one connection: whether a request is under way, and whether the client keeps us from writing.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum_core::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Only the connection's own task and its timers read it: the counts need no order between them.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicUsize,
    ended: AtomicUsize,
    blocked: AtomicBool,
}

impl Activity {
    /// Notes a request, until what it gives is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Request {
        self.begun.fetch_add(1, Relaxed);
        Request(Arc::clone(self))
    }

    fn is_idle(&self) -> bool {
        self.begun.load(Relaxed) == self.ended.load(Relaxed) && !self.blocked.load(Relaxed)
    }

    /// Ready when nothing has been under way for at least `patience`, and for less than twice that.
    pub(super) fn deserted(self: &Arc<Self>, patience: Duration) -> impl Future<Output = ()> + use<> {
        let activity = Arc::clone(self);
        async move {
            loop {
                let ended = activity.ended.load(Relaxed);
                tokio::time::sleep(patience).await;
                if activity.is_idle() && activity.ended.load(Relaxed) == ended {
                    return;
                }
            }
        }
    }
}

/// A request under way, to the end of its answer.
#[derive(Debug)]
pub(super) struct Request(Arc<Activity>);

impl Request {
    pub(super) fn answer(self, body: Body) -> Answer {
        Answer { body, _request: self }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Relaxed);
    }
}

/// The body of an answer, which ends its request.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    _request: Request,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The socket, with what was read of it to find out who speaks and what.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TokioIo<TcpStream>,
    ahead: BytesMut,
    activity: Arc<Activity>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, ahead: BytesMut, activity: Arc<Activity>) -> Self {
        Self { stream: TokioIo::new(stream), ahead, activity }
    }

    fn noted<T>(&self, written: Poll<T>) -> Poll<T> {
        self.activity.blocked.store(written.is_pending(), Relaxed);
        written
    }
}

impl Read for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let fitting = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead.split_to(fitting));
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
