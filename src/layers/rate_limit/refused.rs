//! A refusal, for those who want to answer it in their own way.

use std::{fmt, sync::Arc, time::Duration};

use crate::{Facts, Rejection, Response};

/// What was refused, by which policy, and for how long.
#[derive(Debug)]
pub struct Refused<'a> {
    policy: &'a str,
    facts: &'a Facts,
    retry_after: Option<u64>,
}

impl<'a> Refused<'a> {
    pub(super) const fn new(policy: &'a str, facts: &'a Facts, retry_after: Option<u64>) -> Self {
        Self { policy, facts, retry_after }
    }

    /// The policy to wait longest for.
    pub const fn policy(&self) -> &str {
        self.policy
    }

    /// What is known about the request.
    pub const fn facts(&self) -> &Facts {
        self.facts
    }

    /// What `Retry-After` says; `None` if the request will never fit.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after.map(Duration::from_secs)
    }
}

type Answer = dyn Fn(&Refused<'_>) -> Response + Send + Sync;

#[derive(Clone)]
pub(super) struct Hook(Arc<Answer>);

impl Hook {
    pub(super) fn new(answer: impl Fn(&Refused<'_>) -> Response + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }

    /// Puts the application's answer in the place of ours, which goes along as what the guards outside need to know.
    pub(super) fn answer(&self, refused: &Refused<'_>, response: &mut Response) {
        let rejection = response.extensions_mut().remove::<Rejection>();
        *response = (self.0)(refused);
        if let Some(rejection) = rejection {
            response.extensions_mut().insert(rejection);
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}
