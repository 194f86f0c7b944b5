//! A record in its three shapes. No text of a client's can begin a line or a field of its own.

use std::{
    io::Write as _,
    time::{Duration, SystemTime},
};

use humantime::format_rfc3339_millis;

use super::Record;
use crate::text::{push_json, push_number, push_thousandths};

pub(super) const TARGET: &str = "palisade::access";

impl Record<'_> {
    /// A line of JSON, with its line feed. What is not known is left out.
    pub(super) fn json(&self, one_in: u32) -> Vec<u8> {
        let facts = self.facts();
        // Most lines fit.
        let mut text = Vec::with_capacity(640);
        let _ = write!(text, r#"{{"time":"{}""#, format_rfc3339_millis(SystemTime::now()));
        let mut string = |name: &str, value: &str| {
            text.extend_from_slice(b",\"");
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b"\":");
            push_json(&mut text, value);
        };
        if let Some(id) = facts.request_id() {
            string("request_id", id.as_str());
        }
        let refused_by = self.refused_by();
        for (name, value) in [
            ("user", self.user()),
            ("tier", facts.tier()),
            ("method", Some(facts.method().as_str())),
            ("path", Some(&*self.path())),
            ("route", Some(facts.route())),
            ("version", Some(self.version())),
            ("outcome", Some(self.outcome())),
            ("reason", self.reason()),
            ("refused_by", refused_by.as_deref()),
            ("user_agent", self.user_agent().as_deref()),
            ("referer", self.referer().as_deref()),
        ] {
            if let Some(value) = value {
                string(name, value);
            }
        }
        if let Some(trace) = facts.trace() {
            let _ = write!(text, r#","trace_id":"{}""#, trace.trace_id());
        }
        if let Some(client) = self.client() {
            let _ = write!(text, r#","client":"{client}""#);
        }
        text.extend_from_slice(br#","status":"#);
        push_number(&mut text, self.status().into());
        text.extend_from_slice(br#","bytes":"#);
        push_number(&mut text, self.bytes());
        text.extend_from_slice(br#","received":"#);
        push_number(&mut text, facts.received());
        text.extend_from_slice(br#","head_ms":"#);
        push_thousandths(&mut text, micros(self.head_after()));
        text.extend_from_slice(br#","duration_ms":"#);
        push_thousandths(&mut text, micros(self.duration()));
        if self.is_slow() {
            text.extend_from_slice(br#","slow":true"#);
        }
        if one_in > 1 {
            text.extend_from_slice(br#","one_in":"#);
            push_number(&mut text, one_in.into());
        }
        text.extend_from_slice(b"}\n");
        text
    }

    /// A line as Apache and nginx write it: `%h - %u [%t] "%r" %s %b "%{Referer}" "%{User-Agent}"`.
    pub(super) fn combined(&self) -> Vec<u8> {
        let facts = self.facts();
        let mut text = Vec::with_capacity(320);
        match self.client() {
            Some(client) => drop(write!(text, "{client}")),
            None => text.push(b'-'),
        }
        text.extend_from_slice(b" - ");
        push_word(&mut text, self.user().unwrap_or("-"));
        text.extend_from_slice(b" [");
        push_clf_time(&mut text, SystemTime::now());
        text.extend_from_slice(b"] \"");
        push_quoted(&mut text, facts.method().as_str());
        text.push(b' ');
        push_quoted(&mut text, &self.path());
        text.push(b' ');
        text.extend_from_slice(self.version().as_bytes());
        text.extend_from_slice(b"\" ");
        push_number(&mut text, self.status().into());
        text.push(b' ');
        match self.bytes() {
            0 => text.push(b'-'),
            bytes => push_number(&mut text, bytes),
        }
        for header in [self.referer(), self.user_agent()] {
            text.extend_from_slice(b" \"");
            push_quoted(&mut text, header.as_deref().unwrap_or("-"));
            text.push(b'"');
        }
        text.push(b'\n');
        text
    }

    /// A `tracing` event, a warning where the request was slow.
    pub(super) fn event(&self, one_in: u32) {
        let facts = self.facts();
        macro_rules! tell {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: TARGET,
                    request_id = facts.request_id().map(tracing::field::display),
                    trace_id = facts.logged_trace_id(),
                    client = self.client().map(tracing::field::display),
                    user = self.user(),
                    tier = facts.tier(),
                    method = facts.method().as_str(),
                    path = &*self.path(),
                    route = facts.route(),
                    version = self.version(),
                    status = self.status(),
                    outcome = self.outcome(),
                    reason = self.reason(),
                    refused_by = self.refused_by(),
                    bytes = self.bytes(),
                    received = facts.received(),
                    head_ms = millis(self.head_after()),
                    duration_ms = millis(self.duration()),
                    user_agent = self.user_agent().as_deref(),
                    referer = self.referer().as_deref(),
                    one_in = (one_in > 1).then_some(one_in),
                    $message
                )
            };
        }
        if self.is_slow() {
            tell!(warn, "slow request");
        } else {
            tell!(info, "request");
        }
    }

    /// A slow request, for the log beside the lines.
    pub(super) fn warn(&self) {
        tracing::warn!(
            target: TARGET,
            request_id = self.facts().request_id().map(tracing::field::display),
            trace_id = self.facts().logged_trace_id(),
            method = self.facts().method().as_str(),
            route = self.route(),
            status = self.status(),
            head_ms = millis(self.head_after()),
            "slow request"
        );
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// To the microsecond: what is finer, no clock of a service knows.
#[expect(clippy::cast_precision_loss, reason = "exact for some hundred years")]
fn millis(duration: Duration) -> f64 {
    micros(duration) as f64 / 1000.0
}

/// `10/Oct/2026:13:55:36 +0000`.
fn push_clf_time(text: &mut Vec<u8>, time: SystemTime) {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let iso = humantime::format_rfc3339_seconds(time).to_string();
    let month = iso.get(5..7).and_then(|month| MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?));
    let (day, year, clock) = (iso.get(8..10), iso.get(..4), iso.get(11..19));
    let [day, year, clock] = [day, year, clock].map(Option::unwrap_or_default);
    let _ = write!(text, "{day}/{}/{year}:{clock} +0000", month.unwrap_or(&""));
}

/// What stands between quotes: quotes, backslashes and what is not printable ASCII as `\xHH`, as nginx does.
fn push_quoted(text: &mut Vec<u8>, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => drop(write!(text, "\\x{byte:02X}")),
            _ => text.push(byte),
        }
    }
}

/// What stands between spaces: spaces too, and never nothing.
fn push_word(text: &mut Vec<u8>, value: &str) {
    let value = if value.is_empty() { "-" } else { value };
    for (index, part) in value.split(' ').enumerate() {
        if index > 0 {
            text.extend_from_slice(b"\\x20");
        }
        push_quoted(text, part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_common_log_format() {
        for (seconds, expected) in [
            (0, "01/Jan/1970:00:00:00 +0000"),
            (951_782_400, "29/Feb/2000:00:00:00 +0000"),
            (1_798_761_599, "31/Dec/2026:23:59:59 +0000"),
        ] {
            let mut text = Vec::new();
            push_clf_time(&mut text, SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
    }

    #[test]
    fn nothing_a_client_says_leaves_its_place() {
        let mut text = Vec::new();
        push_word(&mut text, "a b\"\\\n\r\u{7f}é");
        assert_eq!(String::from_utf8(text).unwrap(), r"a\x20b\x22\x5C\x0A\x0D\x7F\xC3\xA9");
        let mut text = Vec::new();
        push_word(&mut text, "");
        assert_eq!(text, b"-");
    }
}
