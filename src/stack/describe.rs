//! The stack in words: what stands where, in which mode, with which numbers, and why there.

use std::fmt::Write as _;

use super::{Layers, Stack};
use crate::Mode;

/// A line: the part, its mode (`None` is off), its numbers, and why it stands where it stands.
type Row = (&'static str, Option<(Mode, String)>, &'static str);

impl Stack {
    /// One line per part, outermost first.
    pub fn describe(&self) -> String {
        let mut text = format!("palisade, profile {}, outermost first:\n", self.layers.profile);
        for (index, (part, state, reason)) in self.layers.rows().into_iter().enumerate() {
            let (mode, numbers) = state.unwrap_or((Mode::Off, String::new()));
            let mode =
                if matches!(part, "hygiene" | "flood" | "rate_limit" | "body_limit" | "cors") || mode == Mode::Off {
                    mode.as_str()
                } else {
                    "on"
                };
            let _ = writeln!(text, "{:>3}. {part:<17} {mode:<8} {numbers}", index + 1);
            let _ = writeln!(text, "{:32}why here: {reason}", "");
        }
        let _ = writeln!(text, "inner routes are for {}", self.layers.access.describe());
        text
    }
}

impl Layers {
    #[rustfmt::skip]
    fn rows(&self) -> [Row; 13] {
        fn on<G>(layer: Option<&G>, numbers: impl Fn(&G) -> String) -> Option<(Mode, String)> {
            layer.map(|layer| (Mode::Enforce, numbers(layer)))
        }
        let hygiene = self.hygiene.map(|layer| (layer.current_mode(), layer.describe()));
        [
            ("client_ip", on(self.client_ip.as_ref(), super::super::layers::client_ip::ClientIpLayer::describe), "trust in anything a proxy says depends on it"),
            ("request_id", on(self.request_id.as_ref(), |_| "UUIDv7; an inbound id only from a trusted proxy".into()), "everything below can be traced"),
            ("metrics", on(self.metrics.as_ref(), super::super::layers::metrics::MetricsLayer::describe), "counts every answer, refusals included"),
            ("error_tracking", on(self.error_tracking.as_ref(), |_| "every 5xx and panic is logged once".into()), "sees every answer that broke"),
            ("security_headers", on(self.security_headers.as_ref(), super::super::layers::security_headers::SecurityHeadersLayer::describe), "dresses every answer"),
            ("cors", on(self.cors.as_ref(), super::super::layers::cors::CorsLayer::describe), "a browser can read a refusal; a preflight spends no quota"),
            ("hygiene", hygiene, "what is malformed goes no further"),
            ("flood", on(self.flood.as_ref(), super::super::layers::rate_limit::RateLimitLayer::describe), "before anything expensive, authentication included"),
            ("authentication", on(self.authentication.as_ref(), |_| "leaves the principal".into()), "the next limit depends on it"),
            ("rate_limit", on(self.rate_limit.as_ref(), super::super::layers::rate_limit::RateLimitLayer::describe), "needs to know who is calling"),
            ("problem", on(self.problem.as_ref(), |_| "bare errors become problem+json; the text of a 5xx stays in the log".into()), "next to the router, whose bare errors it shapes"),
            ("body_limit", on(Some(&self.body_limit), |l| l.describe()), "the only stage whose cost grows with the request"),
            ("containment", on(Some(&self.containment), |l| l.describe()), "around the handler alone"),
        ]
    }
}
