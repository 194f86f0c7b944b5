//! Tells the client how long its answer took: for developers, and for pages that measure themselves.
//!
//! **The rule.** `X-Response-Time: 12.345ms` and `Server-Timing: total;dur=12.345`, in milliseconds from the first guard to the
//! head of the answer. What a handler says in `Server-Timing` stays beside it. How long things take also tells an attacker
//! what exists, so that production does not send it unless asked.
//!
//! ```
//! let app: axum::Router = axum::Router::new().layer(palisade::response_time::ResponseTimeLayer::new());
//! ```

use std::ops::ControlFlow;

use http::{HeaderName, HeaderValue, request::Parts};
use tower_layer::Layer;

use crate::{Facts, Guard, Response, guard::Guarded, text::push_thousandths};

const X_RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Tells how long an answer took. See the [module](self) for the exact rule.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ResponseTimeLayer;

impl ResponseTimeLayer {
    /// Both headers.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Guard for ResponseTimeLayer {
    type Ticket = Facts;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Facts> {
        ControlFlow::Continue(Facts::of(head))
    }

    fn on_response(&self, facts: &mut Facts, response: &mut Response) {
        let micros = u64::try_from(facts.elapsed().as_micros()).unwrap_or(u64::MAX);
        let said = |before: &str, after: &str| {
            let mut text = before.as_bytes().to_vec();
            push_thousandths(&mut text, micros);
            text.extend_from_slice(after.as_bytes());
            HeaderValue::from_maybe_shared(bytes::Bytes::from(text))
        };
        if let Ok(time) = said("", "ms") {
            response.headers_mut().insert(X_RESPONSE_TIME, time);
        }
        if let Ok(timing) = said("total;dur=", "") {
            response.headers_mut().append(SERVER_TIMING, timing);
        }
    }
}

impl<S> Layer<S> for ResponseTimeLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(*self, inner)
    }
}
