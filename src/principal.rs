//! Who is calling.

use std::{collections::BTreeSet, sync::Arc};

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::{Facts, Kind, Rejection, Response};

/// A caller that authentication has recognised. Cheap to clone: make it once per caller, not once per request.
///
/// As an extractor it is the caller, or 401 `unauthenticated`; as `Option<Principal>` it is optional.
///
/// ```
/// use palisade::Principal;
/// let caller = Principal::new("user:42").tier("pro").organisation("acme").roles(["admin"]);
/// assert!(caller.has_role("admin"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal(Arc<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    id: Arc<str>,
    tier: Option<Arc<str>>,
    organisation: Option<Arc<str>>,
    roles: BTreeSet<String>,
}

impl Principal {
    /// A caller with an id that is stable and no secret: it stands in logs. An API key is not its own id.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(Arc::new(Inner { id: id.into(), tier: None, organisation: None, roles: BTreeSet::new() }))
    }

    /// The tier whose quotas hold for this caller.
    #[must_use]
    pub fn tier(self, tier: impl Into<Arc<str>>) -> Self {
        self.edit(|inner| inner.tier = Some(tier.into()))
    }

    /// The organisation this caller belongs to.
    #[must_use]
    pub fn organisation(self, organisation: impl Into<Arc<str>>) -> Self {
        self.edit(|inner| inner.organisation = Some(organisation.into()))
    }

    /// What this caller may be.
    #[must_use]
    pub fn roles<R: Into<String>>(self, roles: impl IntoIterator<Item = R>) -> Self {
        self.edit(|inner| inner.roles = roles.into_iter().map(Into::into).collect())
    }

    fn edit(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The id given to [`Principal::new`].
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The tier, if one was given.
    pub fn tier_name(&self) -> Option<&str> {
        self.0.tier.as_deref()
    }

    /// The organisation, if one was given.
    pub fn organisation_name(&self) -> Option<&str> {
        self.0.organisation.as_deref()
    }

    /// Whether this caller has the role.
    pub fn has_role(&self, role: &str) -> bool {
        self.0.roles.contains(role)
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Response;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Response> {
        let facts = Facts::of(head);
        facts.principal().cloned().ok_or_else(|| Rejection::new(Kind::Unauthenticated).respond_to(Some(&facts)))
    }
}

impl<S: Sync> axum::extract::OptionalFromRequestParts<S> for Principal {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(Facts::of(head).principal().cloned())
    }
}
