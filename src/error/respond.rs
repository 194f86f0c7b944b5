//! How an application's own errors become answers.

use std::{borrow::Cow, error::Error as StdError};

use axum_core::response::IntoResponse;

use super::app::AppError;
use crate::{Kind, Response};

/// What an error of the application's own is to a client. Handlers return it as [`Failed<E>`].
///
/// ```
/// use std::{borrow::Cow, fmt};
/// use palisade::{Failed, Kind, Respond};
///
/// #[derive(Debug)]
/// enum ShopError { SoldOut, Storage(std::io::Error) }
///
/// impl Respond for ShopError {
///     fn kind(&self) -> Kind {
///         match self { Self::SoldOut => Kind::Conflict, Self::Storage(_) => Kind::InternalError }
///     }
///     fn detail(&self) -> Cow<'static, str> {
///         match self { Self::SoldOut => "Sold out.".into(), Self::Storage(_) => "".into() }
///     }
/// }
///
/// async fn buy() -> Result<&'static str, Failed<ShopError>> {
///     let stock = std::fs::read_to_string("stock.txt").map_err(ShopError::Storage)?;
///     if stock.is_empty() { Err(ShopError::SoldOut)? }
///     Ok("yours")
/// }
/// # impl fmt::Display for ShopError {
/// #     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("no") }
/// # }
/// # impl std::error::Error for ShopError {}
/// let app: axum::Router = axum::Router::new().route("/", axum::routing::post(buy));
/// ```
pub trait Respond: StdError + Send + Sync + Sized + 'static {
    /// Which no it is.
    fn kind(&self) -> Kind;

    /// What the client is told beyond the title. Nothing, if nothing is said; the error's own text goes to the log only.
    fn detail(&self) -> Cow<'static, str> {
        Cow::Borrowed("")
    }
}

/// An error of the application's own, on its way to be an answer.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is a wrapper")]
pub struct Failed<E>(pub E);

impl<E: Respond> From<E> for Failed<E> {
    fn from(error: E) -> Self {
        Self(error)
    }
}

impl<E: Respond> IntoResponse for Failed<E> {
    fn into_response(self) -> Response {
        AppError::new(self.0.kind(), self.0.detail()).source(self.0).into_response()
    }
}
