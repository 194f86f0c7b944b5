//! Finds out who is calling, before the limit that depends on it.
//!
//! **The rule.** The closure given to [`AuthenticationLayer::new`] looks at the head and answers with a [`Principal`], with
//! nobody, or with a [`Rejection`]. What it finds is left in the [`Facts`] and in the extractor [`Principal`]. Nobody is
//! not an error: *anonymous* is a tier of the rate limit, and a handler that needs a caller takes a `Principal`. In a stack
//! the refusal waits for the rate limit, which counts the attempt as anonymous: guessing is limited like anything else.
//!
//! ```
//! use http::request::Parts;
//! use palisade::{Kind, Principal, Rejection, authentication::AuthenticationLayer};
//!
//! let layer = AuthenticationLayer::new(|head: &Parts| match head.headers.get("x-api-key") {
//!     None => Ok(None),
//!     Some(key) if key == "right" => Ok(Some(Principal::new("key:1").tier("pro"))),
//!     Some(_) => Err(Rejection::new(Kind::Unauthenticated).detail("This API key is not known.")),
//! });
//! ```

use std::{fmt, ops::ControlFlow, sync::Arc};

use http::request::Parts;
use tower_layer::Layer;

use crate::{Facts, Guard, Mode, Principal, Rejection, Response, decision::object, guard::Guarded};

type Lookup = dyn Fn(&Parts) -> Authenticated + Send + Sync;

/// Asks who is calling. See the [module](self) for the exact rule.
#[derive(Clone)]
pub struct AuthenticationLayer {
    lookup: Arc<Lookup>,
    mode: Mode,
    /// Whether an [`AuthenticationGate`] further in will refuse.
    defers: bool,
}

/// What a lookup found: made from a [`Principal`], an `Option` of one, or a `Result` of that with a [`Rejection`].
#[derive(Debug)]
pub struct Authenticated(Result<Option<Principal>, Rejection>);

impl From<Principal> for Authenticated {
    fn from(principal: Principal) -> Self {
        Self(Ok(Some(principal)))
    }
}

impl From<Option<Principal>> for Authenticated {
    fn from(principal: Option<Principal>) -> Self {
        Self(Ok(principal))
    }
}

impl From<Result<Principal, Rejection>> for Authenticated {
    fn from(result: Result<Principal, Rejection>) -> Self {
        Self(result.map(Some))
    }
}

impl From<Result<Option<Principal>, Rejection>> for Authenticated {
    fn from(result: Result<Option<Principal>, Rejection>) -> Self {
        Self(result)
    }
}

impl AuthenticationLayer {
    /// Asks `lookup` for every request. It runs on the request's task: a lookup in memory, not in a database.
    pub fn new<F, A>(lookup: F) -> Self
    where
        F: Fn(&Parts) -> A + Send + Sync + 'static,
        A: Into<Authenticated>,
    {
        Self { lookup: Arc::new(move |head| lookup(head).into()), mode: Mode::Enforce, defers: false }
    }

    /// Off, report or enforce. In report mode, who would be refused is let in as nobody.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    pub(crate) fn deferred(self) -> Self {
        Self { defers: true, ..self }
    }

    pub(crate) fn describe(&self) -> (Mode, String) {
        (self.mode, "leaves the principal".to_owned())
    }
}

impl fmt::Debug for AuthenticationLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticationLayer").finish_non_exhaustive()
    }
}

impl Guard for AuthenticationLayer {
    type Ticket = ();

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, ()> {
        if self.mode == Mode::Off {
            return ControlFlow::Continue(());
        }
        match (self.lookup)(head).0 {
            Ok(None) => {}
            Ok(Some(principal)) => Facts::of(head).identify(principal),
            Err(rejection) if self.defers && self.mode == Mode::Enforce => Facts::of(head).refuse_later(rejection),
            Err(rejection) => return object(head, self.mode, "authentication", "lookup", rejection),
        }
        ControlFlow::Continue(())
    }
}

/// Refuses whom the authentication further out did not accept, now that the attempt has been counted.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
#[doc(hidden)]
pub struct AuthenticationGate;

impl Guard for AuthenticationGate {
    type Ticket = ();

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, ()> {
        match Facts::of(head).refused_later() {
            Some(rejection) => object(head, Mode::Enforce, "authentication", "lookup", rejection),
            None => ControlFlow::Continue(()),
        }
    }
}

impl<S> Layer<S> for AuthenticationLayer {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(self.clone(), inner)
    }
}
