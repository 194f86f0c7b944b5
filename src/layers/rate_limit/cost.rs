//! What a request costs, known before or after it was served.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use http::{HeaderName, request::Parts};

use crate::{Kind, Rejection, Response};

type By = dyn Fn(&Parts) -> u32 + Send + Sync;

/// How a policy prices a request.
#[derive(Clone)]
pub(super) struct Price {
    units: Units,
    settled: bool,
    header: Option<HeaderName>,
}

#[derive(Clone)]
enum Units {
    Fixed(u32),
    By(Arc<By>),
}

impl Default for Price {
    fn default() -> Self {
        Self { units: Units::Fixed(1), settled: false, header: None }
    }
}

impl Price {
    pub(super) fn fixed(self, units: u32) -> Self {
        Self { units: Units::Fixed(units), ..self }
    }

    pub(super) fn by(self, units: impl Fn(&Parts) -> u32 + Send + Sync + 'static) -> Self {
        Self { units: Units::By(Arc::new(units)), ..self }
    }

    pub(super) fn settled(self, estimate: u32) -> Self {
        Self { settled: true, ..self.fixed(estimate) }
    }

    pub(super) fn told_by(self, name: HeaderName) -> Self {
        Self { settled: true, header: Some(name), ..self }
    }

    pub(super) fn of(&self, head: &Parts) -> u32 {
        match &self.units {
            Units::Fixed(units) => *units,
            Units::By(units) => units(head),
        }
    }

    /// The cost that is the same for every request, where it is.
    pub(super) fn fixed_units(&self) -> Option<u32> {
        if let Units::Fixed(units) = self.units { Some(units) } else { None }
    }

    pub(super) const fn is_settled(&self) -> bool {
        self.settled
    }

    pub(super) const fn header(&self) -> Option<&HeaderName> {
        self.header.as_ref()
    }
}

/// Tells what a request did cost, where a policy asks for that: see [`Policy::settled`](super::Policy::settled).
///
/// ```
/// use palisade::rate_limit::Cost;
/// async fn generate(cost: Cost) -> String {
///     let (text, tokens) = ("an answer".to_owned(), 42);
///     cost.settle(tokens);
///     text
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cost(Arc<OnceLock<u32>>);

impl Cost {
    /// It did cost so many units. The first word counts.
    pub fn settle(&self, units: u32) {
        let _ = self.0.set(units);
    }

    pub(super) fn settled(&self) -> Option<u32> {
        self.0.get().copied()
    }
}

impl<S: Sync> FromRequestParts<S> for Cost {
    /// 500 where no policy asks for the cost: the operator's mistake, and the log says so.
    type Rejection = Response;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Response> {
        head.extensions.get::<Self>().cloned().ok_or_else(|| {
            let cause = "a handler asks for a Cost, but no policy of this route is `settled`";
            Rejection::new(Kind::InternalError).cause(cause).respond(head)
        })
    }
}
