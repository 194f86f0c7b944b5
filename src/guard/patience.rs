//! A request's body that is given up when nothing of it comes for too long.

use std::{
    fmt,
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum_core::{Error, body::Body};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::Facts;

pub(crate) struct Patient {
    inner: Body,
    patience: Duration,
    /// Made when there is something to wait for, which is seldom.
    timer: Option<Pin<Box<Sleep>>>,
    facts: Facts,
}

impl Patient {
    pub(crate) fn new(inner: Body, patience: Duration, facts: Facts) -> Self {
        Self { inner, patience, timer: None, facts }
    }
}

impl http_body::Body for Patient {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            if this.timer.take().is_some() {
                this.facts.set_body_awaited(false);
            }
            return Poll::Ready(frame);
        }
        let (facts, patience) = (&this.facts, this.patience);
        let timer = this.timer.get_or_insert_with(|| {
            facts.set_body_awaited(true);
            Box::pin(sleep(patience))
        });
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.facts.set_body_late();
        Poll::Ready(Some(Err(Error::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        self.facts.set_body_awaited(false);
    }
}

/// What the handler's read ends with.
#[derive(Debug)]
struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request's body came too slowly")
    }
}

impl std::error::Error for TooSlow {}
