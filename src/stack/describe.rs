//! The stack in words: what stands where, in which mode, with which numbers, and why there.

use std::fmt::Write as _;

use super::{Layers, Stack};
use crate::{Mode, hygiene::HygieneLayer, inspect::InspectLayer};

/// A line: the part, its state (`None` is off) and numbers, and why it stands where it stands.
type Row = (&'static str, Option<(State, String)>, &'static str);

impl Stack {
    /// One line per part, outermost first.
    pub fn describe(&self) -> String {
        let mut text = format!("palisade, profile {}, outermost first:\n", self.layers.profile);
        for (index, (part, state, reason)) in self.layers.rows().into_iter().enumerate() {
            let (state, numbers) = state.unwrap_or((State::Off, String::new()));
            let _ = writeln!(text, "{:>3}. {part:<17} {:<8} {numbers}", index + 1, state.as_str());
            let _ = writeln!(text, "{:32}why here: {reason}", "");
        }
        let _ = writeln!(text, "inner routes are for {}", self.layers.access.describe());
        text
    }
}

/// A part that can refuse has a mode; the others are on or off.
enum State {
    Off,
    On,
    In(Mode),
}

impl State {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::In(mode) => mode.as_str(),
        }
    }
}

fn on<G>(layer: Option<&G>, numbers: impl Fn(&G) -> String) -> Option<(State, String)> {
    layer.map(|layer| (State::On, numbers(layer)))
}

fn refusing<G>(layer: Option<&G>, describe: impl Fn(&G) -> (Mode, String)) -> Option<(State, String)> {
    layer.map(describe).map(|(mode, numbers)| (State::In(mode), numbers))
}

impl Layers {
    #[rustfmt::skip]
    fn rows(&self) -> Vec<Row> {
        let body_limit = self.body_limit.describe();
        let texts = |text: &'static str| move || text.to_owned();
        let timing = texts("X-Response-Time and Server-Timing");
        let sensitive = texts("headers with secrets are marked");
        let errors = texts("every 5xx and panic is logged once");
        let problem = texts("bare errors become problem+json; the text of a 5xx stays in the log");
        vec![
            ("client_ip", on(self.client_ip.as_ref(), |layer| layer.describe()), "trust in anything a proxy says depends on it"),
            ("request_id", on(self.request_id.as_ref(), |layer| layer.describe()), "everything below can be traced"),
            ("trace_context", on(self.trace_context.as_ref(), |layer| layer.describe()), "everything below can be traced, over all services"),
            ("sensitive", on(self.sensitive.as_ref(), |_| sensitive()), "nothing below prints a secret"),
            ("metrics", on(self.metrics.as_ref(), |layer| layer.describe()), "counts every answer, refusals included"),
            ("access_log", on(self.access_log.as_ref(), |layer| layer.describe()), "tells of every answer, to the end of its body"),
            ("error_tracking", on(self.error_tracking.as_ref(), |_| errors()), "sees every answer that broke"),
            ("response_time", on(self.response_time.as_ref(), |_| timing()), "measures all that the service does itself"),
            ("security_headers", on(self.security_headers.as_ref(), |layer| layer.describe()), "dresses every answer"),
            ("cors", refusing(self.cors.as_ref(), |layer| layer.describe()), "a browser can read a refusal; a preflight spends no quota"),
            ("hygiene", refusing(self.hygiene.as_ref(), HygieneLayer::describe), "what is malformed goes no further"),
            ("flood", refusing(self.flood.as_ref(), |layer| layer.describe()), "before anything expensive, authentication included"),
            ("authentication", refusing(self.authentication.as_ref(), |layer| layer.describe()), "the next limit depends on it; refuses once that has counted"),
            ("tier_lookup", on(self.tiers.as_ref(), |layer| layer.describe()), "may have to wait; the next limit depends on it"),
            #[cfg(feature = "compression")]
            ("compression", on(self.compression.as_ref(), |_| "gzip, but for what holds a secret".to_owned()), "what is counted is what is sent"),
            ("rate_limit", refusing(self.rate_limit.as_ref(), |layer| layer.describe()), "needs to know who is calling"),
            ("problem", on(self.problem.as_ref(), |_| problem()), "next to the router, whose bare errors it shapes"),
            ("body_limit", body_limit.map(|(mode, numbers)| (State::In(mode), numbers)), "the only stage whose cost grows with the request"),
            ("inspect", refusing(self.inspect.as_ref(), InspectLayer::describe), "its cost grows with the request too; the limit stands before the read"),
            ("containment", on(Some(&self.containment), |layer| layer.describe()), "around the handler alone"),
        ]
    }
}
