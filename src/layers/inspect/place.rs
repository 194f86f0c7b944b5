//! Where in a service a value stands: which field, of which route, in which part of a request.

use std::sync::Arc;

use super::{Class, Location};
use crate::Facts;

/// A value that was found in a request. What it is called and where it stands; never what it is.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    pub(super) location: Location,
    pub(super) name: &'a str,
}

impl<'a> Field<'a> {
    /// Where it stands.
    pub const fn location(&self) -> Location {
        self.location
    }

    /// What it is called: the name of a parameter, header or cookie; in JSON the keys on the way to it, joined by dots. The client chose
    /// it, unless the place has no names.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// As much of the name as is told: the client chose how long it is.
    pub(super) fn told(&self) -> &'a str {
        const LONGEST: usize = 64;
        self.name.char_indices().nth(LONGEST).map_or(self.name, |(end, _)| &self.name[..end])
    }
}

/// A place where a class of attacks is none: a field that is meant to hold code, SQL or HTML. What is said together must all be so.
///
/// ```
/// use palisade::inspect::{Location, Place};
/// let article = Place::field("body").route("/articles/{id}");
/// let agent = Place::field("user-agent").location(Location::Header);
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Place {
    field: Option<Arc<str>>,
    route: Option<Arc<str>>,
    location: Option<Location>,
}

impl Place {
    /// A field of this name, as the client writes it: `tags[]` is not `tags`. Of a body of JSON the end of the way to it will do, which is
    /// `comment.body`, or `body`, wherever it stands; a part of a form that is JSON is below the part's name, and needs the whole
    /// way. A header's case does not matter.
    pub fn field(name: impl Into<Arc<str>>) -> Self {
        Self { field: Some(name.into()), ..Self::default() }
    }

    /// Everything on a route, by its template.
    pub fn on(template: impl Into<Arc<str>>) -> Self {
        Self::default().route(template)
    }

    /// Everything in a part of the request.
    pub fn at(location: Location) -> Self {
        Self::default().location(location)
    }

    /// Only on this route, by its template.
    pub fn route(mut self, template: impl Into<Arc<str>>) -> Self {
        self.route = Some(template.into());
        self
    }

    /// Only in this part of the request.
    pub fn location(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    fn holds(&self, field: Field<'_>, facts: &Facts) -> bool {
        let is_named = |name: &str| match field.location {
            Location::Json => field.name.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            Location::Header => field.name.eq_ignore_ascii_case(name),
            _ => field.name == name,
        };
        self.field.as_deref().is_none_or(is_named)
            && self.route.as_deref().is_none_or(|route| route == facts.route())
            && self.location.is_none_or(|location| location == field.location)
    }
}

/// What is none, and where.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    pub(super) place: Place,
    pub(super) classes: Vec<Class>,
}

impl Allowance {
    pub(super) fn allows(&self, class: Class, field: Field<'_>, facts: &Facts) -> bool {
        self.classes.contains(&class) && self.place.holds(field, facts)
    }
}
