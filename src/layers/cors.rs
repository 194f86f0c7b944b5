//! Lets pages of named origins read the answers, and no others.
//!
//! **The rule** (Fetch standard). Origins are compared whole: scheme, host and port. `*`, `null` and patterns are not
//! origins. A preflight is an `OPTIONS` with `Origin` and `Access-Control-Request-Method`: from a listed origin it is
//! answered with 204, from another refused with 403 `origin-not-allowed`; every other `OPTIONS` goes to the handler. An
//! answer to a listed origin names it; one to another origin carries no CORS header, so that the browser keeps it from
//! the page. `Vary: Origin` stands on every answer.
//!
//! ```
//! use palisade::cors::CorsLayer;
//! # fn main() -> Result<(), palisade::ConfigError> {
//! let app: axum::Router = axum::Router::new()
//!     .layer(CorsLayer::origins(["https://app.example", "http://localhost:5173"])?.credentials(true));
//! # Ok(()) }
//! ```
//!
//! Defaults: methods `GET, HEAD, POST, PUT, PATCH, DELETE`; request headers `Content-Type, Authorization, X-Api-Key,
//! X-Request-Id, X-Csrf-Token`; exposed are the headers palisade answers with; a preflight is good for 10 minutes; no credentials.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request::Parts};
use tower_layer::Layer;

use crate::{
    ConfigError, Guard, Kind, Mode, Rejection, Response, decision::object, guard::Guarded, request_id::X_REQUEST_ID,
};

/// Answers cross-origin requests. See the [module](self) for the exact rule and the defaults.
#[derive(Debug, Clone)]
pub struct CorsLayer {
    settings: Arc<Settings>,
}

#[derive(Debug, Clone)]
struct Settings {
    /// Sorted.
    origins: Vec<HeaderValue>,
    methods: HeaderValue,
    headers: HeaderValue,
    exposed: HeaderValue,
    max_age: HeaderValue,
    credentials: bool,
    mode: Mode,
}

impl CorsLayer {
    /// Only these origins. With none, every preflight is refused.
    ///
    /// # Errors
    /// Every entry that is no origin, with what is wrong with it.
    pub fn origins<S: AsRef<str>>(origins: impl IntoIterator<Item = S>) -> Result<Self, ConfigError> {
        let mut error = ConfigError::default();
        let parsed = origins.into_iter().filter_map(|text| error.keep(parse_origin(text.as_ref())));
        let mut origins: Vec<_> = parsed.collect();
        origins.sort_unstable();
        origins.dedup();
        let settings = Settings {
            origins,
            methods: HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"),
            headers: HeaderValue::from_static("content-type, authorization, x-api-key, x-request-id, x-csrf-token"),
            exposed: HeaderValue::from_static(
                "x-request-id, retry-after, ratelimit, ratelimit-policy, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset",
            ),
            max_age: HeaderValue::from_static("600"),
            credentials: false,
            mode: Mode::Enforce,
        };
        error.or(Self { settings: Arc::new(settings) })
    }

    /// The methods a page may use, in the place of the default's.
    #[must_use]
    pub fn methods(self, methods: impl IntoIterator<Item = Method>) -> Self {
        let methods = list(methods.into_iter().map(|method| method.as_str().to_owned()));
        self.edit(|settings| settings.methods = methods)
    }

    /// The request headers a page may set, in the place of the default's; a few (`Accept` ..) always are.
    #[must_use]
    pub fn headers(self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        let headers = list(headers.into_iter().map(|name| name.as_str().to_owned()));
        self.edit(|settings| settings.headers = headers)
    }

    /// The response headers a page may read, in the place of the default's; a few (`Content-Type` ..) always are.
    #[must_use]
    pub fn exposed(self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        let headers = list(headers.into_iter().map(|name| name.as_str().to_owned()));
        self.edit(|settings| settings.exposed = headers)
    }

    /// How long a browser may keep the answer to a preflight, in whole seconds. Chromium keeps it 2 hours at most.
    #[must_use]
    pub fn max_age(self, age: Duration) -> Self {
        self.edit(|settings| settings.max_age = HeaderValue::from(age.as_secs()))
    }

    /// Off, report or enforce: whether a preflight of another origin is refused here, or goes on to the handler. The
    /// browser refuses it all the same, for want of headers.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        self.edit(|settings| settings.mode = mode)
    }

    /// Whether requests may carry cookies and client certificates. Not for origins of plain HTTP, whose pages anyone on
    /// the way can write: a stack refuses to be built so.
    #[must_use]
    pub fn credentials(self, allowed: bool) -> Self {
        self.edit(|settings| settings.credentials = allowed)
    }

    /// Where the lists say `x-request-id`, they say this.
    pub(crate) fn id_header(self, name: &HeaderName) -> Self {
        let replaced = |listed: &HeaderValue| {
            let names = listed.to_str().unwrap_or_default().split(", ");
            list(names.map(|listed| if X_REQUEST_ID == listed { name.as_str() } else { listed }.to_owned()))
        };
        self.edit(|settings| {
            settings.headers = replaced(&settings.headers);
            settings.exposed = replaced(&settings.exposed);
        })
    }

    /// Origins whose pages anyone on the way can write, although they may send cookies.
    pub(crate) fn careless(&self) -> impl Iterator<Item = &str> {
        let origins = self.settings.origins.iter().filter(|_| self.settings.credentials);
        origins.filter_map(|origin| origin.to_str().ok()).filter(|origin| {
            let host = origin.strip_prefix("http://").map(|host| host.split_once(':').map_or(host, |(host, _)| host));
            host.is_some_and(|host| !matches!(host, "localhost" | "127.0.0.1" | "[") && !host.ends_with(".localhost"))
        })
    }

    fn edit(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    /// The listed origin that this request comes from.
    fn listed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut sent = headers.get_all(header::ORIGIN).iter();
        let origin = sent.next().filter(|_| sent.next().is_none())?;
        let index = self.settings.origins.binary_search(origin).ok()?;
        Some(self.settings.origins[index].clone())
    }

    fn answer_preflight(&self) -> Response {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.settings.methods.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.settings.headers.clone());
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.settings.max_age.clone());
        headers.insert(
            header::VARY,
            HeaderValue::from_static("access-control-request-method, access-control-request-headers"),
        );
        response
    }

    fn allow(&self, origin: HeaderValue, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, self.settings.exposed.clone());
        if self.settings.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    pub(crate) fn describe(&self) -> (Mode, String) {
        let origins: Vec<_> = self.settings.origins.iter().filter_map(|origin| origin.to_str().ok()).collect();
        let origins = if origins.is_empty() { "no origin is allowed".to_owned() } else { origins.join(", ") };
        let credentials = if self.settings.credentials { "allowed" } else { "not allowed" };
        (self.settings.mode, format!("{origins}; credentials {credentials}"))
    }
}

fn varies_by_origin(headers: &HeaderMap) -> bool {
    let names = headers.get_all(header::VARY).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    names.map(<[u8]>::trim_ascii).any(|name| name.eq_ignore_ascii_case(b"origin") || name == b"*")
}

fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(header::ORIGIN)
        && head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn list(names: impl Iterator<Item = String>) -> HeaderValue {
    HeaderValue::try_from(names.collect::<Vec<_>>().join(", ")).unwrap_or(HeaderValue::from_static(""))
}

/// An origin as a browser writes it: lower case, no path, no default port.
fn parse_origin(text: &str) -> Result<HeaderValue, ConfigError> {
    let wrong = |problem: &str| ConfigError::new("origin", format_args!("`{text}` {problem}"));
    if text.contains('*') {
        return Err(wrong("is a pattern; origins are listed one by one"));
    }
    let example = "is no origin: write scheme and host, such as `https://app.example`";
    let Some((scheme, authority)) = text.split_once("://") else {
        return Err(wrong(example));
    };
    if authority.contains(['/', '?', '#']) {
        return Err(wrong("has a path; an origin ends after host and port"));
    }
    if authority.contains('@') {
        return Err(wrong("names a user; an origin is scheme, host and port"));
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(wrong("has capitals; browsers send origins in lower case"));
    }
    let uri: Uri = text.parse().map_err(|_| wrong(example))?;
    if uri.host().is_none_or(str::is_empty) || !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err(wrong(example));
    }
    let port = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map(|(_, port)| port);
    match (scheme, port) {
        ("https", Some("443")) | ("http", Some("80")) => {
            Err(wrong("names its scheme's own port; browsers leave it out"))
        }
        (_, Some(port)) if port.parse::<u16>().is_err() => Err(wrong("has a port that is no number from 0 to 65535")),
        _ => HeaderValue::from_str(text).map_err(|_| wrong(example)),
    }
}

impl Guard for CorsLayer {
    /// The origin to name in the answer.
    type Ticket = Option<HeaderValue>;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Self::Ticket> {
        let origin = self.listed(&head.headers);
        if !is_preflight(head) {
            return ControlFlow::Continue(origin);
        }
        if let Some(origin) = origin {
            let mut response = self.answer_preflight();
            self.on_response(&mut Some(origin), &mut response);
            return ControlFlow::Break(response);
        }
        let rejection = Rejection::new(Kind::OriginNotAllowed)
            .detail("This origin may not call the service from a browser.")
            .cause("a preflight from an origin that is not listed");
        object(head, self.settings.mode, "cors", "origins", rejection).map_continue(|()| None)
    }

    fn on_response(&self, origin: &mut Self::Ticket, response: &mut Response) {
        let headers = response.headers_mut();
        if !varies_by_origin(headers) {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = origin.take()
            && !headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
        {
            self.allow(origin, headers);
        }
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for good in
            ["https://app.example", "http://localhost:5173", "https://[::1]:8443", "https://[::1]", "app://shell"]
        {
            assert!(parse_origin(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "app.example",
            "https://",
            "https://*.example",
            "https://a.example/",
            "https://a.example:443",
            "http://a.example:80",
            "https://a.example?x",
            "HTTPS://a.example",
            "https://A.example",
            "https://a b",
            "://a",
            "https://user@a.example",
            "https://a.example:99999",
            "https://a.example:",
            "https://bücher.example",
        ] {
            assert!(parse_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_wrong_origin_is_named_at_once() {
        let error = CorsLayer::origins(["*", "https://ok.example", "null"]).unwrap_err();
        assert_eq!(error.mistakes().len(), 2, "{error}");
    }
}
