//! Looks at what a request brings, and says where it looks like an attack: SQL injection, cross-site scripting, path traversal, command
//! injection.
//!
//! **The rule.** Every value is looked at where it stands, decoded: the path and its segments, names and values of the query, cookies, `User-Agent` and `Referer`
//! (or the headers that are [named](InspectLayer::headers)), and of a body the fields of a form, the keys and strings of JSON, the
//! fields and file names of a multipart form, or a text. Of a body that is as much as [`InspectLayer::largest`] says, 256 KiB unless it
//! does; the rest streams on unseen. What is compressed, of another type (HTML and XML are) or in a file of a form passes as it is: a
//! handler that takes a field of a form for a text must see that it has no `file_name`, which the client gives or not. What is no JSON as
//! far as it goes is looked at as a text, and so is a form whose parts cannot be told. The handler is given the same bytes, whatever
//! they are: nothing is ever rewritten.
//!
//! What is found is one decision of the guard `inspect`, with the class for its policy, and a count in the
//! [summary](InspectLayer::summary) by class, rule, route and field; never the value. In [`Mode::Report`], which it begins in, the request goes
//! on. Look at the summary after some days, [allow](InspectLayer::allow) the fields that are meant to hold code, SQL or HTML, then enforce: what
//! is found is then refused with 400 `suspicious-input`. The handler is then called when what is looked at has come; a body that is not there
//! within 30 s, or the deadline of the stack, is a 408 `request-timeout`. Only reported, a body is looked at while it passes, and nobody waits.
//!
//! ```
//! use palisade::{Mode, inspect::{Class, InspectLayer, Place}};
//! let inspect = InspectLayer::new()
//!     .mode(Mode::Enforce)
//!     .class(Class::CommandInjection, Mode::Report)
//!     .allow(Place::field("body").route("/articles/{id}"), [Class::Xss, Class::SqlInjection]);
//! let app: axum::Router = axum::Router::new().layer(inspect);
//! ```
//!
//! This is defence in depth. The defence is that queries have their parameters bound, pages their texts escaped, and paths are made of what
//! the service knows.

mod body;
mod charset;
mod content;
mod engine;
mod json;
mod known;
mod leaves;
mod look;
mod multipart;
mod overheard;
mod place;
mod summary;

use std::{
    fmt,
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use axum_core::body::Body;
use http::{HeaderName, header, request::Parts};
use http_body::Body as _;
use serde_json::Value;
use tower_layer::Layer;

use self::{content::Content, known::Known, look::Look, overheard::Overheard, place::Allowance, summary::Summary};
pub use self::{
    engine::{Class, Inspector, Location, Scores, Sensitivity, Verdict},
    place::{Field, Place},
};
use crate::{
    Facts, Kind, Mode, Rejection, Response,
    decision::{Label, object},
    guard::waiting::{Now, Waiting, WaitingGuard},
};

/// Looks for attacks. See the [module](self) for the exact rule.
#[derive(Debug, Clone)]
pub struct InspectLayer {
    settings: Arc<Settings>,
    summary: Arc<Summary>,
}

#[derive(Debug, Clone)]
struct Settings {
    inspector: Inspector,
    modes: [Mode; Class::ALL.len()],
    /// Of the user's own rules.
    mode: Mode,
    headers: Arc<[HeaderName]>,
    allowances: Vec<Allowance>,
    rules: Vec<Rule>,
    largest: usize,
    deadline: Duration,
    refuses_larger: bool,
    /// Clean by these settings.
    known: Arc<Known>,
}

/// Left in the extensions of a request whose body was looked at in part, where a class is enforced: what comes behind
/// [`largest`](InspectLayer::largest) is for the handler to judge.
#[derive(Debug, Clone, Copy)]
pub struct PartlyInspected(());

/// A rule of the user's own.
#[derive(Clone)]
struct Rule {
    name: Label,
    objects: Arc<Objects>,
}

type Objects = dyn Fn(Field<'_>, &[u8]) -> bool + Send + Sync;

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.name).finish()
    }
}

impl InspectLayer {
    /// Every class, reported.
    #[must_use]
    pub fn new() -> Self {
        let settings = Settings {
            inspector: Inspector::new(),
            modes: [Mode::Report; Class::ALL.len()],
            mode: Mode::Report,
            headers: Arc::new([header::USER_AGENT, header::REFERER]),
            allowances: Vec::new(),
            rules: Vec::new(),
            largest: 256 * 1024,
            deadline: Duration::from_secs(30),
            refuses_larger: false,
            known: Arc::default(),
        };
        Self { settings: Arc::new(settings), summary: Arc::default() }
    }

    /// Off, report or enforce: every class, and rules of one's own.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        self.edit(|settings| {
            settings.modes = [mode; Class::ALL.len()];
            settings.mode = mode;
        })
    }

    /// Off, report or enforce: one class.
    #[must_use]
    pub fn class(self, class: Class, mode: Mode) -> Self {
        self.edit(|settings| settings.modes[class as usize] = mode)
    }

    /// Looks more closely, where values hold no prose and no code: finds more, and takes more for an attack that is none.
    #[must_use]
    pub fn strict(self) -> Self {
        self.edit(|settings| settings.inspector = Inspector::all(Sensitivity::Strict))
    }

    /// Looks more closely for one class.
    #[must_use]
    pub fn sensitivity(self, class: Class, sensitivity: Sensitivity) -> Self {
        self.edit(|settings| settings.inspector = settings.inspector.class(class, sensitivity))
    }

    /// These are no attacks there: for a field that is meant to hold code, SQL or HTML.
    #[must_use]
    pub fn allow(self, place: Place, classes: impl IntoIterator<Item = Class>) -> Self {
        let allowance = Allowance { place, classes: classes.into_iter().collect() };
        self.edit(|settings| settings.allowances.push(allowance))
    }

    /// A rule of one's own: whether it objects to a value. The name is that of its decisions and a label in metrics. It is asked of
    /// every value. If it panics, the request is refused with 500 where rules are enforced, and goes on where they are reported.
    ///
    /// ```
    /// use palisade::inspect::{Field, InspectLayer};
    /// let internal = regex::bytes::Regex::new(r"(?i)\binternal-[0-9]{4}\b")?;
    /// let inspect = InspectLayer::new().rule("internal-id", move |_: Field<'_>, value: &[u8]| internal.is_match(value));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn rule(
        self,
        name: impl Into<Label>,
        objects: impl Fn(Field<'_>, &[u8]) -> bool + Send + Sync + 'static,
    ) -> Self {
        let rule = Rule { name: name.into(), objects: Arc::new(objects) };
        self.edit(|settings| settings.rules.push(rule))
    }

    /// The headers that are looked at, in the place of `User-Agent` and `Referer`.
    #[must_use]
    pub fn headers(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        let names = names.into_iter().collect();
        self.edit(|settings| settings.headers = names)
    }

    /// How much of a body is looked at, in bytes.
    #[must_use]
    pub fn largest(self, bytes: usize) -> Self {
        self.edit(|settings| settings.largest = bytes)
    }

    /// Whether a body that is larger than what is looked at is refused with 413, where a class is enforced. Otherwise its rest streams on
    /// unseen; the summary counts it, and the handler finds [`PartlyInspected`].
    #[must_use]
    pub fn refuse_larger(self, refused: bool) -> Self {
        self.edit(|settings| settings.refuses_larger = refused)
    }

    /// How long the part of a body that is looked at may take to come: 30 s if nothing is said. In a stack it is the handler's deadline.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        self.edit(|settings| settings.deadline = deadline)
    }

    /// What was found since the start, as JSON: `findings` with `class`, `rule`, `route`, `location`, `field`, `mode` and `count`, the most
    /// frequent first, some 1000 rows at most (past 500 the field is `overflow`); and how many `bodies` were `inspected`, `partly`, or `passed` for want of a known type.
    pub fn summary(&self) -> Value {
        self.summary.told()
    }

    fn edit(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        let settings = Arc::make_mut(&mut self.settings);
        change(settings);
        settings.known = Arc::default();
        self
    }

    /// What a stack says of it: the most that happens to what is found, and to which classes what.
    pub(crate) fn describe(&self) -> (Mode, String) {
        let Settings { inspector, modes, allowances, rules, largest, refuses_larger, .. } = &*self.settings;
        let classes = Class::ALL.map(|class| {
            let strict = if inspector.sensitivity(class) == Sensitivity::Strict { " (strict)" } else { "" };
            format!("{} {}{strict}", class.name(), modes[class as usize])
        });
        let strongest = modes.iter().copied().max().unwrap_or(Mode::Off);
        let own = format!("{} allowed places, {} rules of one's own", allowances.len(), rules.len());
        let most = if *refuses_larger { "at most" } else { "the first" };
        (strongest, format!("{}; {most} {largest} bytes of a body; {own}", classes.join(", ")))
    }
}

impl Default for InspectLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl Settings {
    fn is_off(&self) -> bool {
        self.modes.iter().all(|mode| *mode == Mode::Off) && (self.rules.is_empty() || self.mode == Mode::Off)
    }

    fn enforces(&self) -> bool {
        self.modes.contains(&Mode::Enforce) || (!self.rules.is_empty() && self.mode == Mode::Enforce)
    }
}

impl WaitingGuard for InspectLayer {
    type Ticket = ();

    fn try_now(&self, head: &mut Parts, body: Body) -> Now<()> {
        if self.settings.is_off() {
            return Now::Decided(ControlFlow::Continue(((), body)));
        }
        if let Some(refused) = self.look_at_head(head) {
            return Now::Decided(ControlFlow::Break(refused));
        }
        if body.is_end_stream() {
            return Now::Decided(ControlFlow::Continue(((), body)));
        }
        match Content::of(&head.headers) {
            None => {
                self.summary.passed.fetch_add(1, Relaxed);
                Now::Decided(ControlFlow::Continue(((), body)))
            }
            Some(_) if self.settings.enforces() => {
                // What announces itself as too large is not asked for.
                let announced =
                    head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
                match self.refuse_larger_than(announced.unwrap_or(0), head) {
                    ControlFlow::Break(refused) => Now::Decided(ControlFlow::Break(refused)),
                    ControlFlow::Continue(()) => Now::Wait(body),
                }
            }
            Some(content) => {
                let overheard = Overheard::new(self.clone(), Facts::of(head), content);
                Now::Decided(ControlFlow::Continue(((), overheard.listen(body))))
            }
        }
    }

    async fn wait(&self, head: &mut Parts, body: Body) -> ControlFlow<Response, ((), Body)> {
        let Settings { largest, deadline, .. } = *self.settings;
        let Some(content) = Content::of(&head.headers) else { return ControlFlow::Continue(((), body)) };
        let (read, is_late) = body::read(body, largest, deadline).await;
        if is_late {
            let late = Rejection::new(Kind::RequestTimeout).detail("The body came too slowly.");
            object(head, Mode::Enforce, "inspect", "deadline", late)?;
        }
        self.refuse_larger_than(read.bytes.len(), head)?;
        if read.is_part() {
            head.extensions.insert(PartlyInspected(()));
        }
        match self.look_at_body(&content, &read.bytes, read.is_part(), &Facts::of(head)) {
            Some(refused) => ControlFlow::Break(refused),
            None => ControlFlow::Continue(((), read.whole())),
        }
    }
}

impl InspectLayer {
    fn look_at_head(&self, head: &mut Parts) -> Option<Response> {
        let facts = Facts::of(head);
        let mut look = Look::new(&self.settings, &self.summary, &facts);
        let _ = self.values_of(head, &mut |field, value| look.at(field, value));
        look.refused()
    }

    fn look_at_body(&self, content: &Content, body: &[u8], is_part: bool, facts: &Facts) -> Option<Response> {
        let counted = match (content.is_hidden(body), is_part) {
            (true, _) => &self.summary.passed,
            (false, true) => &self.summary.part,
            (false, false) => &self.summary.whole,
        };
        counted.fetch_add(1, Relaxed);
        let mut look = Look::new(&self.settings, &self.summary, facts);
        let _ = content.values(body, &mut |field, value| look.at(field, value));
        look.refused()
    }

    fn refuse_larger_than(&self, length: usize, head: &mut Parts) -> ControlFlow<Response> {
        let Settings { largest, refuses_larger, .. } = *self.settings;
        if !refuses_larger || length <= largest {
            return ControlFlow::Continue(());
        }
        let large = Rejection::new(Kind::PayloadTooLarge)
            .detail(format!("The body may have at most {largest} bytes here."))
            .member("limitBytes", largest);
        object(head, Mode::Enforce, "inspect", "largest", large)
    }

    fn values_of(&self, head: &Parts, see: &mut leaves::See<'_>) -> ControlFlow<()> {
        leaves::path(&head.uri, see)?;
        if let Some(query) = head.uri.query() {
            leaves::pairs(query.as_bytes(), Location::Query, see)?;
        }
        leaves::cookies(&head.headers, see)?;
        self.settings.headers.iter().try_for_each(|name| leaves::header(&head.headers, name, see))
    }
}

impl<S> Layer<S> for InspectLayer {
    type Service = Waiting<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Waiting::new(self.clone(), inner)
    }
}
