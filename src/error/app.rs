//! What a handler returns when it cannot answer.

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

use axum_core::response::IntoResponse;
use http::{HeaderValue, header};
use serde_json::json;

use crate::{Kind, Rejection, Response, redact::told};

/// Any error, with why it was no fault of a caller.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// An error of a handler, answered as a problem: see the [table](crate::rejection) of kinds.
///
/// `?` makes one of any error: 500 `internal-error`, whose text and sources go to the log under the request's id and never to
/// the client. What a client may know is said with a constructor.
///
/// ```
/// use palisade::AppError;
///
/// async fn order(id: u32) -> Result<String, AppError> {
///     if id == 0 {
///         return Err(AppError::validation("An order has a number.").field("/id", "must not be 0"));
///     }
///     let text = std::fs::read_to_string("orders.txt")?;              // 500, and the log says why
///     text.lines().nth(1).map(str::to_owned).ok_or_else(|| AppError::not_found("There is no such order."))
/// }
/// let app: axum::Router = axum::Router::new().route("/", axum::routing::get(|| order(1)));
/// ```
///
/// As `anyhow`'s it is no [`std::error::Error`] itself, or `?` could not take all that are.
pub struct AppError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    detail: Cow<'static, str>,
    fields: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    source: Option<BoxError>,
    source_type: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl AppError {
    /// An error of this kind; `detail` is sent to the client, without the secrets that are seen in a text made at run time.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        let (detail, fields) = (detail.into(), Vec::new());
        Self(Box::new(Inner { kind, detail, fields, source: None, source_type: None, retry_after: None }))
    }

    /// 400: understood, and not acceptable. Which [field](Self::field) is not, can be said of each.
    pub fn validation(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::ValidationFailed, detail)
    }

    /// 401: nobody knows who is calling.
    pub fn unauthenticated(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unauthenticated, detail)
    }

    /// 403: known, and not allowed.
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Forbidden, detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    /// 409: it is in a state that does not allow it.
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Conflict, detail)
    }

    /// 429: a limit of the application's own; `after` is what `Retry-After` says, in whole seconds, rounded up.
    pub fn rate_limited(detail: impl Into<Cow<'static, str>>, after: Duration) -> Self {
        Self::new(Kind::QuotaExceeded, detail).retry_after(after)
    }

    /// 502: a service behind this one failed. The error goes to the log.
    pub fn external_service(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::ExternalService, "").source(source)
    }

    /// 503: not now; `after` is what `Retry-After` says.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>, after: Duration) -> Self {
        Self::new(Kind::Unavailable, detail).retry_after(after)
    }

    /// 500: broken here. The error goes to the log; `?` says the same.
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::InternalError, "").source(source)
    }

    /// What is wrong with one field, by its JSON pointer (RFC 6901), such as `/items/0/price`.
    #[must_use]
    pub fn field(mut self, pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.fields.push((pointer.into(), detail.into()));
        self
    }

    /// Why, for the log: the error and all it stands on.
    #[must_use]
    pub fn source(mut self, source: impl Into<BoxError>) -> Self {
        // A text says nothing by its type, and what is in a box no more.
        let name = std::any::type_name_of_val(&source);
        self.0.source_type = Some(name).filter(|name| !name.starts_with('&') && !name.starts_with("alloc::"));
        self.0.source = Some(source.into());
        self
    }

    /// When to come back, in whole seconds, rounded up, at least 1.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Which no it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether it is one that a sound program meets: anything but `internal-error`, which asks for a programmer.
    pub fn is_operational(&self) -> bool {
        self.0.kind != Kind::InternalError
    }

    /// The error that it was made of.
    pub fn reported_source(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }
}

/// An error and all that it stands on, in one line.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    // Twice the same is what wrappers that print their source say.
    let mut texts = vec![error.to_string()];
    for error in std::iter::successors(error.source(), |error: &&dyn StdError| (*error).source()).take(LONGEST_CHAIN) {
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

/// A chain that is longer, is most likely one without an end.
const LONGEST_CHAIN: usize = 32;

impl<E: Into<BoxError>> From<E> for AppError {
    fn from(error: E) -> Self {
        Self::internal(error)
    }
}

impl From<AppError> for Rejection {
    fn from(error: AppError) -> Self {
        let Inner { kind, detail, fields, source, source_type, .. } = *error.0;
        let mut rejection = Self::new(kind).detail(told(detail));
        if let Some(source) = source {
            rejection = rejection.cause(chain(&*source)).cause_type(source_type);
        }
        if !fields.is_empty() {
            let errors: Vec<_> = fields
                .into_iter()
                .map(|(pointer, detail)| json!({ "pointer": pointer, "detail": told(detail) }))
                .collect();
            rejection = rejection.member("errors", errors);
        }
        rejection
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let seconds = self.0.retry_after.map(|after| (after.as_nanos().div_ceil(1_000_000_000)).max(1));
        let mut response = Rejection::from(self).into_response();
        if let Some(Ok(seconds)) = seconds.map(u64::try_from) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl fmt::Debug for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for AppError {
    /// For the log: the kind, what the client is told, and why.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.slug())?;
        if !self.0.detail.is_empty() {
            write!(f, ": {}", self.0.detail)?;
        }
        match &self.0.source {
            Some(source) => write!(f, ": {}", chain(&**source)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Wrapped(std::num::ParseIntError, &'static str);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.1)
        }
    }

    impl StdError for Wrapped {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn any_error_is_internal_and_keeps_its_sources() {
        let fails =
            || -> Result<u32, AppError> { Ok("x".parse::<u32>().map_err(|error| Wrapped(error, "no number"))?) };
        let error = fails().unwrap_err();
        assert!(!error.is_operational());
        assert_eq!(error.to_string(), "internal-error: no number: invalid digit found in string");
        assert_eq!(Rejection::from(error).reported_cause(), Some("no number: invalid digit found in string"));
        assert_eq!(AppError::from("a text will do").to_string(), "internal-error: a text will do");
    }

    #[test]
    fn what_prints_its_source_says_it_once() {
        let source = "x".parse::<u32>().unwrap_err();
        assert_eq!(chain(&Wrapped(source, "invalid digit found in string")), "invalid digit found in string");
    }

    #[test]
    fn each_constructor_has_its_status() {
        let second = Duration::from_secs(1);
        for (error, status, is_operational) in [
            (AppError::validation(""), 400, true),
            (AppError::unauthenticated(""), 401, true),
            (AppError::forbidden(""), 403, true),
            (AppError::not_found(""), 404, true),
            (AppError::conflict(""), 409, true),
            (AppError::rate_limited("", second), 429, true),
            (AppError::internal("cause"), 500, false),
            (AppError::external_service("cause"), 502, true),
            (AppError::unavailable("", second), 503, true),
        ] {
            assert_eq!((error.kind().status().as_u16(), error.is_operational()), (status, is_operational));
        }
    }
}
