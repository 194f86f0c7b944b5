//! Takes a request's data only if it keeps the rules that its type states; otherwise the client is told what is wrong, field by field.
//!
//! The rules are [`garde`]'s: a derive, and attributes on the fields. [`Valid`] goes around any extractor that holds a value
//! (`Json`, `Query`, `Form`, `Path`); [`rules`] has what garde lacks.
//!
//! ```
//! use axum::{Json, Router, routing::post};
//! use garde::Validate;
//! use palisade::validate::{Valid, rules};
//!
//! #[derive(serde::Deserialize, Validate)]
//! struct SignUp {
//!     #[garde(length(min = 3, max = 30), custom(rules::no_markup))]
//!     name: String,
//!     #[garde(custom(rules::password(12)))]
//!     password: String,
//!     #[garde(custom(rules::safe_file_name))]
//!     portrait: String,
//! }
//!
//! async fn sign_up(Valid(Json(wish)): Valid<Json<SignUp>>) -> String {
//!     format!("welcome, {}", wish.name)
//! }
//! let app: Router = Router::new().route("/users", post(sign_up));
//! ```
//!
//! It needs `garde` (0.23, with its feature `derive`) and `serde` beside palisade with its feature `validate`.
//!
//! **The rule.** What breaks a rule is a 400 `validation-failed`, whose `errors` name each field by its JSON pointer (RFC 6901), as the client
//! called it, with what is wrong with it, and never what it was. serde's `rename` and `flatten` are seen through, and so are aliases of
//! the same letters (`userName`); a field that is sent by an alias of other letters is named as the struct names it. What cannot be read at all is refused by the extractor inside, as a
//! problem too. Of two crates that do this, garde is the one whose errors keep the path to a field as data.

mod names;
pub mod rules;

use std::ops::Deref;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum_core::response::IntoResponse;
use bytes::Bytes;
use futures_util::FutureExt as _;
use garde::{Report, Validate};
use http::request::Parts;
use serde_json::Value;

use crate::{AppError, Facts, Guard, Rejection, Response, problem::ProblemLayer};

/// An extractor whose value keeps its rules. See the [module](self).
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "it is a wrapper")]
pub struct Valid<E>(pub E);

impl<E: Deref> Deref for Valid<E> {
    type Target = E::Target;

    fn deref(&self) -> &E::Target {
        &self.0
    }
}

impl<E, S> FromRequest<S> for Valid<E>
where
    E: FromRequest<S> + Deref<Target: Validate<Context: Default>>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (mut head, body) = request.into_parts();
        let mut facts = Facts::of(&mut head);
        if !names::are_readable(&head.headers) {
            // A `Form` of a GET is in the query.
            let uri = head.uri.clone();
            let read = E::from_request(Request::from_parts(head, body), state).await;
            return checked(read, || names::of_pairs(uri.query().unwrap_or_default()), &mut facts);
        }
        // Kept, for the names in it.
        let headers = head.headers.clone();
        let body = Bytes::from_request(Request::from_parts(head.clone(), body), state).await;
        let body = body.map_err(|rejection| as_problem(rejection, &mut facts))?;
        let read = E::from_request(Request::from_parts(head, body.clone().into()), state).await;
        checked(read, || names::of_body(&headers, &body), &mut facts)
    }
}

impl<E, S> FromRequestParts<S> for Valid<E>
where
    E: FromRequestParts<S> + Deref<Target: Validate<Context: Default>>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Response> {
        let mut facts = Facts::of(head);
        let read = E::from_request_parts(head, state).await;
        let sent = || {
            let in_path = RawPathParams::from_request_parts(head, state).now_or_never().and_then(Result::ok);
            let in_path: Vec<_> = in_path.iter().flatten().map(|(name, _)| name.to_owned()).collect();
            names::of_target(in_path, head.uri.query().unwrap_or_default())
        };
        checked(read, sent, &mut facts)
    }
}

#[expect(clippy::result_large_err, reason = "it is the rejection of an extractor")]
fn checked<E, R>(read: Result<E, R>, sent: impl FnOnce() -> Value, facts: &mut Facts) -> Result<Valid<E>, Response>
where
    E: Deref<Target: Validate<Context: Default>>,
    R: IntoResponse,
{
    let read = read.map_err(|rejection| as_problem(rejection, facts))?;
    match read.validate() {
        Ok(()) => Ok(Valid(read)),
        Err(report) => Err(Rejection::from(error(&report, &sent())).respond_to(Some(facts))),
    }
}

/// Outside a stack too.
fn as_problem(rejection: impl IntoResponse, facts: &mut Facts) -> Response {
    let mut response = rejection.into_response();
    ProblemLayer::new().on_response(facts, &mut response);
    response
}

const MOST_TOLD: usize = 50;

fn error(report: &Report, sent: &Value) -> AppError {
    let error = AppError::validation("Not all of it is as it has to be.");
    // A client that breaks a thousand is helped by the first.
    let broken = report.iter().take(MOST_TOLD);
    broken.fold(error, |error, (path, broken)| error.field(names::pointer(path, sent), broken.message().to_owned()))
}
