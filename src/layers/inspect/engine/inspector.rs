//! The way of a value through gate, decoders and detectors.

use std::cell::RefCell;

use super::{
    canonical::{Signals, canonical},
    command,
    escapes::unescape,
    gate::{Made, has},
    sql, traversal,
    verdict::{Class, Location, Scores, Sensitivity, Verdict},
    xml, xss,
};

/// Looks at values and says which of them look like an attack.
///
/// A cheap handle. What it needs to work in is kept per thread: a value allocates nothing unless it is longer than any before
/// it on its thread.
///
/// ```
/// use palisade::inspect::{Class, Inspector, Location, Sensitivity};
///
/// let inspector = Inspector::new().class(Class::PathTraversal, Sensitivity::Off);
/// assert!(inspector.inspect(b"O'Brien", Location::Form).is_none());
/// let verdict = inspector.inspect(b"1' OR '1'='1", Location::Query).unwrap();
/// assert_eq!(verdict.class(), Class::SqlInjection);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inspector {
    sensitivity: [Sensitivity; 4],
}

/// What is decoded at a time, and kept.
const WINDOW: usize = 64 * 1024;
/// What two windows share: no attack needs more to be one.
const OVERLAP: usize = 1024;

#[derive(Default)]
struct Scratch {
    canonical: Vec<u8>,
    unescaped: Vec<u8>,
    tokens: Vec<sql::Token>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Inspector {
    /// Every class by default.
    #[must_use]
    pub const fn new() -> Self {
        Self::all(Sensitivity::Default)
    }

    /// Every class as sensitive as this.
    #[must_use]
    pub const fn all(sensitivity: Sensitivity) -> Self {
        Self { sensitivity: [sensitivity; 4] }
    }

    /// Another sensitivity for one class: off for a field that holds SQL, HTML or code.
    #[must_use]
    pub const fn class(mut self, class: Class, sensitivity: Sensitivity) -> Self {
        self.sensitivity[class.index()] = sensitivity;
        self
    }

    /// How sensitive it is to a class.
    pub const fn sensitivity(&self, class: Class) -> Sensitivity {
        self.sensitivity[class.index()]
    }

    /// The clearest attack that this value looks like. The value is decoded of its transport: a name or value of a query, a string of
    /// a JSON document, never a whole body.
    pub fn inspect(&self, value: &[u8], location: Location) -> Option<Verdict> {
        let made = Made::of(&value[..value.len().min(WINDOW)]);
        if value.len() <= WINDOW && is_clean(value, made) {
            return None;
        }
        self.verdict(&self.scores_of(value, made, location))
    }

    /// The scores of the classes that are not off: two sensitivities can be asked of one look.
    pub fn scores(&self, value: &[u8], location: Location) -> Scores {
        self.scores_of(value, Made::of(&value[..value.len().min(WINDOW)]), location)
    }

    /// The same, where it is known what the first window is made of.
    fn scores_of(self, value: &[u8], made: Made, location: Location) -> Scores {
        let mut scores = Scores::default();
        // Whole, whatever it says it is: to a handler that reads text a declaration of XML is a few letters before an attack.
        self.windows(value, made, location, &mut scores);
        if xml::is_document(value) {
            // Each leaf is a value of its own as well.
            xml::leaves(value, |leaf| self.windows(leaf, Made::of(leaf), location, &mut scores));
        }
        scores
    }

    fn windows(self, value: &[u8], mut made: Made, location: Location, scores: &mut Scores) {
        let mut start = 0;
        loop {
            let end = value.len().min(start + WINDOW);
            self.window(&value[start..end], made, start, location, scores);
            if end == value.len() {
                return;
            }
            start = end - OVERLAP;
            made = Made::of(&value[start..value.len().min(start + WINDOW)]);
        }
    }

    /// What is refused of a value with these scores.
    pub fn verdict(&self, scores: &Scores) -> Option<Verdict> {
        scores.verdict_by(|class| self.sensitivity(class))
    }

    fn window(self, value: &[u8], made: Made, start: usize, location: Location, scores: &mut Scores) {
        if is_clean(value, made) {
            return;
        }
        SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut scratch) => self.detect(value, made, start, location, scores, &mut scratch),
            Err(_) => self.detect(value, made, start, location, scores, &mut Scratch::default()),
        });
    }

    fn detect(
        self,
        value: &[u8],
        made: Made,
        start: usize,
        location: Location,
        scores: &mut Scores,
        scratch: &mut Scratch,
    ) {
        let Scratch { canonical: decoded, unescaped, tokens } = scratch;
        let (text, made, signals) = if made.has(has::ENCODED) {
            let signals = canonical(value, decoded);
            (&**decoded, Made::of(decoded), signals)
        } else {
            (value, made, Signals::default())
        };
        let is_on = |class: Class| self.sensitivity(class) != Sensitivity::Off;
        let mut raise = |class, mut finding: super::verdict::Finding| {
            if finding.score > 0 {
                finding.offset = start + finding.offset.min(value.len());
                finding.score = finding.score.saturating_add_signed(i16::try_from(location.prior()).unwrap_or(0));
                scores.raise(class, finding);
            }
        };
        let mut found = false;
        if is_on(Class::SqlInjection) && sql::may_be(made) {
            let finding = sql::score(text, made, location, tokens);
            found = finding.score >= Sensitivity::Default.threshold();
            raise(Class::SqlInjection, finding);
        }
        if is_on(Class::PathTraversal) && traversal::may_be(made, signals, text) {
            raise(Class::PathTraversal, traversal::score(text, made, signals, location));
        }
        let scripts = is_on(Class::Xss) || is_on(Class::CommandInjection);
        let escaped = scripts && made.has(has::AMPERSAND | has::BACKSLASH) && unescape(text, unescaped);
        let (text, made) = if escaped { (&**unescaped, Made::of(unescaped)) } else { (text, made) };
        if escaped && is_on(Class::SqlInjection) && !found && sql::may_be(made) {
            raise(Class::SqlInjection, sql::score(text, made, location, tokens));
        }
        if escaped && is_on(Class::PathTraversal) && made.has(has::DOTS) {
            raise(Class::PathTraversal, traversal::score(text, made, signals, location));
        }
        if is_on(Class::Xss) && (escaped || xss::may_be(made)) {
            raise(Class::Xss, xss::score(text, made, escaped, location));
        }
        if is_on(Class::CommandInjection) && command::may_be(made, text) {
            raise(Class::CommandInjection, command::score(text, made, location));
        }
    }
}

/// Nothing to decode, and nothing that any detector wants to see.
fn is_clean(value: &[u8], made: Made) -> bool {
    !made.has(has::ENCODED | has::AMPERSAND | has::BACKSLASH | has::MARKUP)
        && !sql::may_be(made)
        && !traversal::may_be(made, Signals::default(), value)
        && !command::may_be(made, value)
}
