//! Turns a request away whose body is larger than the service will read, or slower than it will wait for.
//!
//! **The rule.** A `Content-Length` over the limit is refused with 413 `payload-too-large` before anything is read. Any
//! other body is counted as it is read, and cut at the limit; if the handler then answers with an error, whatever error
//! it is, that becomes the 413 as well. A body of which nothing comes for 10 s is given up; the handler's error then becomes 408
//! `request-timeout`. axum's own `DefaultBodyLimit` is set aside: there is one limit, this one.
//!
//! ```
//! use palisade::body_limit::BodyLimitLayer;
//! let app: axum::Router = axum::Router::new().layer(BodyLimitLayer::bytes(64 * 1024));
//! ```

use std::{ops::ControlFlow, time::Duration};

use axum::extract::DefaultBodyLimit;
use axum_core::body::Body;
use http::{HeaderMap, Request, header, request::Parts};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tower_layer::Layer;

use crate::{
    Facts, Kind, Mode, Rejection, Response,
    decision::{note, object},
    guard::{
        patience::Patient,
        waiting::{Now, Waiting, WaitingGuard},
    },
};

/// Limits the request's body. See the [module](self) for the exact rule.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimitLayer {
    bytes: usize,
    patience: Duration,
    mode: Mode,
}

/// How long the next piece of a body may take. A mobile client that changes cells needs some seconds.
const PATIENCE: Duration = Duration::from_secs(10);

impl BodyLimitLayer {
    /// At most so many bytes of body.
    #[must_use]
    pub const fn bytes(bytes: usize) -> Self {
        Self { bytes, patience: PATIENCE, mode: Mode::Enforce }
    }

    /// Whatever comes. axum's own limit then holds.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self { bytes: usize::MAX, patience: Duration::MAX, mode: Mode::Off }
    }

    /// How long the next piece of a body may take: 10 s if nothing is said.
    #[must_use]
    pub const fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same with another largest body.
    pub(crate) const fn resized(self, bytes: usize) -> Self {
        Self { bytes, mode: Mode::Enforce, ..self }
    }

    /// Off, report or enforce. What is reported is what was announced; a body without a length is then not counted.
    #[must_use]
    pub const fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    fn rejection(self) -> Rejection {
        Rejection::new(Kind::PayloadTooLarge)
            .detail(format!("The body may have at most {} bytes.", self.bytes))
            .member("limitBytes", self.bytes)
    }

    fn announces_too_much(self, headers: &HeaderMap) -> bool {
        let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        length.is_some_and(|length| length > self.bytes as u64)
    }

    pub(crate) fn describe(self) -> Option<(Mode, String)> {
        (self.bytes < usize::MAX)
            .then(|| (self.mode, format!("{} bytes of request body, the next within {:?}", self.bytes, self.patience)))
    }
}

impl WaitingGuard for BodyLimitLayer {
    /// The facts of a request with a body; one without needs no look at its answer.
    type Ticket = Option<Facts>;

    fn try_now(&self, head: &mut Parts, body: Body) -> Now<Self::Ticket> {
        if self.mode != Mode::Off && self.announces_too_much(&head.headers) {
            let objection = object(head, self.mode, "body_limit", "content-length", self.rejection());
            return Now::Decided(objection.map_continue(|()| (None, body)));
        }
        if body.is_end_stream() || self.mode != Mode::Enforce {
            return Now::Decided(ControlFlow::Continue((None, body)));
        }
        let facts = Facts::of(head);
        set_axum_limit_aside(head);
        let (noted, told) = (facts.clone(), facts.clone());
        let body = Patient::new(body, self.patience, facts.clone()).map_frame(move |frame| {
            told.add_received(frame.data_ref().map_or(0, |data| data.len() as u64));
            frame
        });
        let counted = Limited::new(body, self.bytes).map_err(move |error| {
            if error.is::<LengthLimitError>() {
                noted.set_body_overflowed();
            }
            error
        });
        Now::Decided(ControlFlow::Continue((Some(facts), Body::new(counted))))
    }

    /// Never asked: the answer is always known at once.
    async fn wait(&self, _: &mut Parts, body: Body) -> ControlFlow<Response, (Self::Ticket, Body)> {
        ControlFlow::Continue((None, body))
    }

    fn on_response(&self, facts: &mut Self::Ticket, response: &mut Response) {
        let Some(facts) = facts else { return };
        let rejection = if facts.body_overflowed() {
            self.rejection()
        } else if facts.is_body_late() {
            Rejection::new(Kind::RequestTimeout).detail("The body came too slowly.")
        } else {
            return;
        };
        if response.status().is_client_error() || response.status().is_server_error() {
            note(facts, Mode::Enforce, "body_limit", "body", rejection.kind());
            rejection.replace(response, facts);
        }
    }
}

/// axum hands its limit from layer to extractor in a private extension, which only a whole request can be given.
fn set_axum_limit_aside(head: &mut Parts) {
    let mut request = Request::new(());
    std::mem::swap(request.extensions_mut(), &mut head.extensions);
    DefaultBodyLimit::disable().apply(&mut request);
    std::mem::swap(request.extensions_mut(), &mut head.extensions);
}

impl<S> Layer<S> for BodyLimitLayer {
    type Service = Waiting<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Waiting::new(*self, inner)
    }
}
