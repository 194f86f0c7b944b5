//! Reads a body as far as it is looked at, and hands on the same bytes.

use std::time::Duration;

use axum_core::{Error, body::Body};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use tokio::time::{Instant, timeout_at};

/// What was read of a body, and what comes after it.
pub(super) struct Read {
    pub(super) bytes: Bytes,
    rest: Rest,
}

enum Rest {
    Nothing,
    Trailers(HeaderMap),
    More(Body),
    /// How it ended is the handler's to hear, as it would have without anybody in between.
    Failed(Error),
}

impl Read {
    /// Whether the body goes on.
    pub(super) const fn is_part(&self) -> bool {
        matches!(self.rest, Rest::More(_))
    }

    /// The body as it came.
    pub(super) fn whole(self) -> Body {
        let first = stream::iter((!self.bytes.is_empty()).then(|| Ok(Frame::data(self.bytes.clone()))));
        match self.rest {
            Rest::Nothing => Body::from(self.bytes),
            Rest::Trailers(trailers) => {
                Body::new(StreamBody::new(first.chain(stream::iter([Ok::<_, Error>(Frame::trailers(trailers))]))))
            }
            Rest::More(body) => Body::new(StreamBody::new(first.chain(BodyStream::new(body)))),
            Rest::Failed(error) => Body::new(StreamBody::new(first.chain(stream::iter([Err(error)])))),
        }
    }
}

/// All of it, or more than the first `most` bytes; what has come by the deadline, and whether that was missed.
pub(super) async fn read(mut body: Body, most: usize, deadline: Duration) -> (Read, bool) {
    let mut bytes = Gathered::default();
    let mut is_late = false;
    let until = Instant::now() + deadline.min(A_DAY);
    let rest = loop {
        if bytes.len() > most {
            break Rest::More(body);
        }
        let Ok(frame) = timeout_at(until, body.frame()).await else {
            is_late = true;
            break Rest::More(body);
        };
        match frame.map(|frame| frame.map(Frame::into_data)) {
            None => break Rest::Nothing,
            Some(Ok(Ok(data))) => bytes.push(data),
            Some(Ok(Err(frame))) => {
                if let Ok(trailers) = frame.into_trailers() {
                    break Rest::Trailers(trailers);
                }
            }
            Some(Err(error)) => break Rest::Failed(error),
        }
    };
    (Read { bytes: bytes.into_bytes(), rest }, is_late)
}

/// Nobody waits longer, and the clock cannot overflow.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Most bodies come in one piece, which is not copied.
#[derive(Default)]
pub(super) struct Gathered {
    first: Bytes,
    all: BytesMut,
}

impl Gathered {
    pub(super) fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    pub(super) fn push(&mut self, data: Bytes) {
        if self.len() == 0 {
            self.first = data;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&data);
    }

    pub(super) fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(frames: Vec<Result<Frame<Bytes>, Error>>) -> Body {
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    #[expect(clippy::unnecessary_wraps, reason = "a frame as a body gives it")]
    fn data(text: &'static str) -> Result<Frame<Bytes>, Error> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_handed_on_is_what_came() {
        let trailers = || HeaderMap::from_iter([(http::header::ETAG, "v".parse().unwrap())]);
        for (most, seen, is_part) in [
            (100, "onetwothree", false),
            (11, "onetwothree", false),
            (10, "onetwothree", true),
            (4, "onetwo", true),
            (2, "one", true),
        ] {
            let body = frames(vec![data("one"), data("two"), data("three"), Ok(Frame::trailers(trailers()))]);
            let (read, is_late) = read(body, most, Duration::from_secs(1)).await;
            assert_eq!((&*read.bytes, read.is_part(), is_late), (seen.as_bytes(), is_part, false));
            let whole = read.whole().collect().await.unwrap();
            assert_eq!(whole.trailers(), Some(&trailers()));
            assert_eq!(whole.to_bytes(), "onetwothree");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn how_a_body_failed_is_heard_behind_what_came_of_it() {
        let (read, _) = read(frames(vec![data("one"), Err(Error::new("gone"))]), 100, Duration::MAX).await;
        let mut whole = read.whole();
        assert_eq!(whole.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
        assert_eq!(whole.frame().await.unwrap().unwrap_err().to_string(), "gone");
    }

    #[tokio::test(start_paused = true)]
    async fn who_drips_is_not_waited_for_for_ever() {
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            Some((data("a"), ()))
        });
        let (read, is_late) = read(Body::new(StreamBody::new(drops)), 100, Duration::from_secs(30)).await;
        assert_eq!((&*read.bytes, is_late), (&b"aaa"[..], true));
    }
}
