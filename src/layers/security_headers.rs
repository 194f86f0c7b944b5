//! Dresses every answer in the headers that keep a browser from being turned against its user.
//!
//! **The rule.** The set is fixed when the layer is made; a header that the handler has set wins; `Strict-Transport-Security`
//! goes out only where the client came by HTTPS (RFC 6797, 7.2), as a trusted proxy says; `Server` and `X-Powered-By` are
//! taken off. Values after the OWASP Secure Headers Project, July 2026.
//!
//! ```
//! use http::{HeaderValue, header};
//! use palisade::security_headers::SecurityHeadersLayer;
//! let layer = SecurityHeadersLayer::web()
//!     .header(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'self'"))
//!     .without(&header::X_FRAME_OPTIONS);
//! let app: axum::Router = axum::Router::new().layer(layer);
//! ```
//!
//! | preset | for | differs in |
//! |---|---|---|
//! | [`api`](SecurityHeadersLayer::api) | JSON | a policy that allows nothing, `Cache-Control: no-store` |
//! | [`web`](SecurityHeadersLayer::web) | pages | a policy that allows the page's own origin |

use std::{ops::ControlFlow, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use tower_layer::Layer;

use crate::{Facts, Guard, Response, guard::Guarded};

type Header = (HeaderName, HeaderValue);

const X_POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");

/// Sets security headers. See the [module](self) for the exact rule.
#[derive(Debug, Clone)]
pub struct SecurityHeadersLayer {
    settings: Arc<Settings>,
}

#[derive(Debug, Clone)]
struct Settings {
    preset: &'static str,
    headers: Vec<Header>,
    /// Two years and subdomains. Without `preload`: that is a promise for others to make.
    hsts: Option<HeaderValue>,
}

const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// Without `upgrade-insecure-requests`: on plain HTTP it breaks the page's own links, over HTTPS it is what HSTS does.
const WEB_POLICY: &str = "default-src 'self'; form-action 'self'; base-uri 'self'; object-src 'none'; \
    frame-ancestors 'none'";
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), \
    fullscreen=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), \
    publickey-credentials-get=(), screen-wake-lock=(), usb=(), xr-spatial-tracking=()";

/// What both presets say.
static COMMON: [(HeaderName, &str); 8] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "deny"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    (HeaderName::from_static("x-permitted-cross-domain-policies"), "none"),
];

impl SecurityHeadersLayer {
    /// For services that answer with data.
    #[must_use]
    pub fn api() -> Self {
        Self::preset("api", &[(header::CONTENT_SECURITY_POLICY, API_POLICY), (header::CACHE_CONTROL, "no-store")])
    }

    /// For services that answer with pages.
    #[must_use]
    pub fn web() -> Self {
        Self::preset("web", &[(header::CONTENT_SECURITY_POLICY, WEB_POLICY)])
    }

    fn preset(preset: &'static str, own: &[(HeaderName, &'static str)]) -> Self {
        let all = own.iter().chain(&COMMON);
        let headers = all.map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        let hsts = Some(HeaderValue::from_static("max-age=63072000; includeSubDomains"));
        Self { settings: Arc::new(Settings { preset, headers, hsts }) }
    }

    /// Sets one header, in the place of the preset's if it has that one.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        let settings = Arc::make_mut(&mut self.settings);
        if name == header::STRICT_TRANSPORT_SECURITY {
            settings.hsts = Some(value);
            return self;
        }
        settings.headers.retain(|(known, _)| *known != name);
        settings.headers.push((name, value));
        self
    }

    /// Leaves one header to the handler.
    #[must_use]
    pub fn without(mut self, name: &HeaderName) -> Self {
        let settings = Arc::make_mut(&mut self.settings);
        settings.headers.retain(|(known, _)| known != name);
        settings.hsts = settings.hsts.take().filter(|_| name != header::STRICT_TRANSPORT_SECURITY);
        self
    }

    /// How many headers it adds at most.
    pub(crate) fn len(&self) -> usize {
        self.settings.headers.len() + 1
    }

    pub(crate) fn describe(&self) -> String {
        format!("preset {}, {} headers, HSTS over HTTPS", self.settings.preset, self.settings.headers.len())
    }
}

/// Takes off the value that was appended last. A handler rarely sets one of these, so it is asked afterwards.
#[cold]
fn take_back(name: &HeaderName, headers: &mut HeaderMap) {
    let mut own: Vec<_> = headers.get_all(name).iter().cloned().collect();
    own.pop();
    headers.remove(name);
    for value in own {
        headers.append(name, value);
    }
}

impl Guard for SecurityHeadersLayer {
    /// Whether the client came by HTTPS.
    type Ticket = bool;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, bool> {
        let client = Facts::of(head).client();
        ControlFlow::Continue(client.is_some_and(super::client_ip::ClientIp::is_https))
    }

    fn on_response(&self, https: &mut bool, response: &mut Response) {
        let headers = response.headers_mut();
        headers.remove(header::SERVER);
        headers.remove(X_POWERED_BY);
        headers.reserve(self.settings.headers.len() + 1);
        for (name, value) in &self.settings.headers {
            if headers.append(name, value.clone()) {
                take_back(name, headers);
            }
        }
        if let Some(hsts) = self.settings.hsts.as_ref().filter(|_| *https) {
            headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert_with(|| hsts.clone());
        }
    }
}

impl<S> Layer<S> for SecurityHeadersLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}
