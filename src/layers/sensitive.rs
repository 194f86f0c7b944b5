//! Marks the headers that carry secrets, so that nothing below prints them.
//!
//! **The rule.** `Authorization`, `Proxy-Authorization`, `Cookie` and `X-Api-Key` of a request and `Set-Cookie` of an answer are
//! marked as [sensitive](http::HeaderValue::set_sensitive): their `Debug` is `Sensitive`, and HTTP/2 keeps them out of
//! its compression tables (RFC 7541, 7.1.3). Others can be [named](SensitiveLayer::also).
//!
//! ```
//! use palisade::sensitive::SensitiveLayer;
//! let app: axum::Router = axum::Router::new()
//!     .layer(SensitiveLayer::new().also([http::HeaderName::from_static("x-session")]));
//! ```

use std::{ops::ControlFlow, sync::Arc};

use http::{HeaderMap, HeaderName, header, request::Parts};
use tower_layer::Layer;

use crate::{Guard, Response, guard::Guarded};

/// Those of a request.
static ASKED: [HeaderName; 4] =
    [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE, HeaderName::from_static("x-api-key")];

/// Marks the headers that carry secrets. See the [module](self) for the exact rule.
#[derive(Debug, Clone)]
pub struct SensitiveLayer {
    /// Others than those of the rule.
    others: Arc<[HeaderName]>,
}

impl SensitiveLayer {
    /// The headers of the rule.
    #[must_use]
    pub fn new() -> Self {
        Self { others: Arc::new([]) }
    }

    /// These as well, of requests and of answers.
    #[must_use]
    pub fn also(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        Self { others: self.others.iter().cloned().chain(names).collect() }
    }

    fn mark(&self, known: &[HeaderName], headers: &mut HeaderMap) {
        // One walk is cheaper than a look for each, and finds repeated lines.
        for (name, line) in headers.iter_mut() {
            if known.contains(name) || self.others.contains(name) {
                line.set_sensitive(true);
            }
        }
    }
}

impl Default for SensitiveLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl Guard for SensitiveLayer {
    type Ticket = ();

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, ()> {
        self.mark(&ASKED, &mut head.headers);
        ControlFlow::Continue(())
    }

    fn on_response(&self, (): &mut (), response: &mut Response) {
        self.mark(&[header::SET_COOKIE], response.headers_mut());
    }
}

impl<S> Layer<S> for SensitiveLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}
