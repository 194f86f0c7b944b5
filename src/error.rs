//! What is wrong: with the settings, all of it at once; with a request, said by its handler.

mod app;
mod respond;

use std::{convert::Infallible, fmt};

#[cfg(feature = "logs")]
pub(crate) use self::app::chain;

pub use self::{
    app::{AppError, BoxError},
    respond::{Failed, Respond},
};

/// Every mistake in the settings, each with the place it was found in. An operator reads it once, before the socket opens.
///
/// ```
/// use palisade::Stack;
/// let error = Stack::production()
///     .origins(["https://app.example/", "app.example"])
///     .trusted_proxies(["10.0.0.0/99"])
///     .build()
///     .unwrap_err();
/// assert_eq!(error.mistakes().len(), 3);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigError {
    mistakes: Vec<String>,
}

impl ConfigError {
    /// One mistake: where it is, and what is wrong there.
    pub fn new(place: impl fmt::Display, problem: impl fmt::Display) -> Self {
        let mut error = Self::default();
        error.push(place, problem);
        error
    }

    /// Each mistake in a sentence of its own.
    pub fn mistakes(&self) -> &[String] {
        &self.mistakes
    }

    /// Notes one more mistake.
    pub fn push(&mut self, place: impl fmt::Display, problem: impl fmt::Display) {
        self.mistakes.push(format!("{place}: {problem}"));
    }

    /// Takes the value out of a result, or its mistakes into this list.
    pub fn keep<T, E: Into<Self>>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.mistakes.extend(error.into().mistakes)).ok()
    }

    /// `value` if there is no mistake, else this error.
    ///
    /// # Errors
    /// Itself, when it holds any mistake.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.mistakes.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len();
        write!(f, "{count} {} in the settings", if count == 1 { "mistake" } else { "mistakes" })?;
        self.mistakes.iter().try_for_each(|mistake| write!(f, "\n  - {mistake}"))
    }
}

impl std::error::Error for ConfigError {}

impl From<Infallible> for ConfigError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
