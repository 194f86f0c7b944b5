//! One look at the values of a request: what is found is noted, and is refused where that is enforced.

use std::ops::ControlFlow;

use super::{Class, Field, Location, Rule, Scores, Sensitivity, Settings, summary::Summary};
use crate::{
    Facts, Kind, Mode, Rejection, Response,
    decision::{Label, note},
    guard::panic::caught,
};

/// A request with more findings than this is known well enough; the summary counts on.
const MOST_NOTED: usize = 16;

pub(super) struct Look<'a> {
    settings: &'a Settings,
    summary: &'a Summary,
    facts: &'a Facts,
    noted: usize,
    /// What the path was found to be: its segments are looked at too, and are no other finding.
    in_path: [bool; Class::ALL.len()],
    refused: Option<Response>,
}

impl<'a> Look<'a> {
    pub(super) const fn new(settings: &'a Settings, summary: &'a Summary, facts: &'a Facts) -> Self {
        Self { settings, summary, facts, noted: 0, in_path: [false; Class::ALL.len()], refused: None }
    }

    /// The answer, if one was enforced.
    pub(super) fn refused(self) -> Option<Response> {
        self.refused
    }

    /// Looks at one value; breaks once the request is refused.
    #[inline]
    pub(super) fn at(&mut self, field: Field<'_>, value: &[u8]) -> ControlFlow<()> {
        self.inspect(field, value)?;
        if self.settings.rules.is_empty() { ControlFlow::Continue(()) } else { self.ask_rules(field, value) }
    }

    fn inspect(&mut self, field: Field<'_>, value: &[u8]) -> ControlFlow<()> {
        let Settings { inspector, known, .. } = self.settings;
        let hash = matches!(field.location, Location::Header | Location::Cookie).then(|| known.hash(value));
        if hash.is_some_and(|hash| known.holds(hash)) {
            return ControlFlow::Continue(());
        }
        let scores = inspector.scores(value, field.location);
        if inspector.verdict(&scores).is_some() {
            return self.judge(field, &scores);
        }
        if let Some(hash) = hash {
            known.keep(hash);
        }
        ControlFlow::Continue(())
    }

    /// Each class that it looks like, the clearest first.
    #[cold]
    fn judge(&mut self, field: Field<'_>, scores: &Scores) -> ControlFlow<()> {
        let Settings { inspector, modes, allowances, .. } = self.settings;
        let mut inspector = *inspector;
        for class in Class::ALL {
            let is_allowed = || allowances.iter().any(|allowance| allowance.allows(class, field, self.facts));
            let is_known = field.location == Location::Path && self.in_path[class as usize];
            if is_known || modes[class as usize] == Mode::Off || is_allowed() {
                inspector = inspector.class(class, Sensitivity::Off);
            }
        }
        while let Some(verdict) = inspector.verdict(scores) {
            let class = verdict.class();
            self.in_path[class as usize] |= field.location == Location::Path;
            self.found(field, &class.name().into(), verdict.rule(), Some(verdict.offset()), modes[class as usize])?;
            inspector = inspector.class(class, Sensitivity::Off);
        }
        ControlFlow::Continue(())
    }

    #[cold]
    fn ask_rules(&mut self, field: Field<'_>, value: &[u8]) -> ControlFlow<()> {
        let settings = self.settings;
        let objects = |rule: &&Rule| match settings.mode {
            Mode::Off => false,
            // What is only reported breaks nothing, not even by a panic, of which the process's hook tells.
            Mode::Report => caught(|| (rule.objects)(field, value)).unwrap_or(false),
            Mode::Enforce => (rule.objects)(field, value),
        };
        let mut objecting = settings.rules.iter().filter(objects);
        objecting.try_for_each(|rule| self.found(field, &rule.name, "own", None, settings.mode))
    }

    fn found(
        &mut self,
        field: Field<'_>,
        class: &Label,
        rule: &'static str,
        offset: Option<usize>,
        mode: Mode,
    ) -> ControlFlow<()> {
        self.summary.count(class, rule, field, self.facts, mode);
        if self.noted < MOST_NOTED {
            self.noted += 1;
            // Beside the decision, where to look: the name is the client's, so that it is no label.
            tracing::debug!(
                target: "palisade::inspect",
                class = class.as_str(),
                rule,
                location = field.location.name(),
                field = field.told(),
                offset,
                request_id = self.facts.request_id().map(tracing::field::display),
                "a value looks like an attack"
            );
            note(self.facts, mode, "inspect", class.clone(), Kind::SuspiciousInput);
        }
        if mode != Mode::Enforce {
            return ControlFlow::Continue(());
        }
        let rejection = Rejection::new(Kind::SuspiciousInput)
            .detail("A value in the request looks like an attack.")
            .member("class", class.as_str())
            .member("location", field.location.name());
        self.refused = Some(rejection.respond_to(Some(self.facts)));
        ControlFlow::Break(())
    }
}
