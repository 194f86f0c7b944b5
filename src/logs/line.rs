//! One line: what was said, and in which request, in a shape that nothing said in it can break.

use std::{fmt, io::Write as _, mem, ops::Range, time::SystemTime};

use humantime::format_rfc3339_micros;
use tracing::{
    Level,
    field::{Field, Visit},
};

use crate::{
    error::chain,
    redact::{head, names_secret, redacted_head},
    text::{push_json, push_visible},
};

/// The longest value, in bytes: one `Debug` of a large structure must not fill the log.
const LONGEST: usize = 16 * 1024;

/// What is said by the log itself.
const OWN_TARGET: &str = "palisade::logs";

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Readable { is_coloured: bool },
}

impl Form {
    fn is_json(self) -> bool {
        self == Self::Json
    }

    /// Begins a line: when, how important, from where.
    fn head(self, text: &mut Vec<u8>, level: Level, target: &str) {
        let time = format_rfc3339_micros(SystemTime::now());
        let level_name = level.as_str();
        match self {
            Self::Json => {
                let _ = write!(text, r#"{{"time":"{time}","level":"{level_name}","target":"#);
                push_json(text, target);
            }
            Self::Readable { is_coloured: false } => {
                let _ = write!(text, "{time} {level_name:>5} ");
                push_visible(text, target);
                text.push(b':');
            }
            Self::Readable { is_coloured: true } => {
                let colour = match level {
                    Level::ERROR => 31,
                    Level::WARN => 33,
                    Level::INFO => 32,
                    Level::DEBUG => 34,
                    Level::TRACE => 35,
                };
                let _ = write!(text, "\x1b[2m{time}\x1b[0m \x1b[{colour}m{level_name:>5}\x1b[0m \x1b[2m");
                push_visible(text, target);
                text.extend_from_slice(b":\x1b[0m");
            }
        }
    }

    fn message(self, text: &mut Vec<u8>, message: &str) {
        if self.is_json() {
            text.extend_from_slice(br#","message":"#);
            push_json(text, message);
        } else {
            text.push(b' ');
            push_visible(text, message);
        }
    }

    /// ` name=` or `,"name":`; where the name itself stands.
    fn name(self, text: &mut Vec<u8>, clashes: usize, name: &str) -> Range<usize> {
        text.extend_from_slice(if self.is_json() { b",\"" } else { b" " });
        let start = text.len();
        (0..clashes).for_each(|_| text.extend_from_slice(b"field_"));
        push_name(text, name);
        let end = text.len();
        text.extend_from_slice(if self.is_json() { b"\":" } else { b"=" });
        start..end
    }

    fn value(self, text: &mut Vec<u8>, value: &Value<'_>) {
        match value {
            Value::Text(value) if self.is_json() || !is_word(value) => push_json(text, value),
            Value::Text(value) | Value::Bare(value) => text.extend_from_slice(value.as_bytes()),
        }
    }

    fn end(self, text: &mut Vec<u8>) {
        text.extend_from_slice(if self.is_json() { b"}\n" } else { b"\n" });
    }

    /// A line of the log about itself.
    pub(super) fn own_line(self, text: &mut Vec<u8>, level: Level, message: &str) {
        self.head(text, level, OWN_TARGET);
        self.message(text, message);
        self.end(text);
    }
}

/// Names are the program's own, and may still be any text between quotes.
fn push_name(text: &mut Vec<u8>, name: &str) {
    let name = name.strip_prefix("r#").unwrap_or(name);
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')) {
        text.extend_from_slice(name.as_bytes());
    } else {
        let is_fit = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
        text.extend(name.bytes().map(|byte| if is_fit(byte) { byte } else { b'_' }));
    }
}

/// Whether it can be read without quotes.
fn is_word(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'='))
}

enum Value<'a> {
    /// A number, true or false.
    Bare(&'a str),
    Text(&'a str),
}

/// The fields of a span, written once and copied into each line that is said in it.
#[derive(Debug, Default)]
pub(super) struct Fields {
    text: Vec<u8>,
    entries: Vec<Entry>,
}

/// `,"name":value`.
#[derive(Debug, Clone)]
struct Entry {
    name: Range<usize>,
    whole: Range<usize>,
}

impl Fields {
    /// Takes them from whoever `record`s them; a name that was there has its new value then.
    pub(super) fn record(&mut self, form: Form, record: impl FnOnce(&mut dyn Visit)) {
        let mut value = String::new();
        record(&mut Visitor { value: &mut value, write: &mut |name, value| self.set(form, name, value) });
    }

    /// Takes over those of others, with or without what is here already.
    pub(super) fn adopt(&mut self, others: &Self, replaces: bool) {
        for entry in &others.entries {
            let name = &others.text[entry.name.clone()];
            let known = self.entries.iter().position(|known| self.text[known.name.clone()] == *name);
            if known.is_some() && !replaces {
                continue;
            }
            let start = self.text.len();
            self.text.extend_from_slice(&others.text[entry.whole.clone()]);
            let moved =
                |range: &Range<usize>| range.start - entry.whole.start + start..range.end - entry.whole.start + start;
            let entry = Entry { name: moved(&entry.name), whole: moved(&entry.whole) };
            match known {
                Some(known) => self.entries[known] = entry,
                None => self.entries.push(entry),
            }
        }
    }

    fn set(&mut self, form: Form, name: &str, value: &Value<'_>) {
        let start = self.text.len();
        let name = form.name(&mut self.text, 0, name);
        form.value(&mut self.text, value);
        let entry = Entry { name, whole: start..self.text.len() };
        match self.entries.iter_mut().find(|known| self.text[known.name.clone()] == self.text[entry.name.clone()]) {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
    }
}

/// What every line begins with.
const HEAD: [&[u8]; 4] = [b"time", b"level", b"target", b"message"];
const RESERVED: u64 = bit(HEAD[0]) | bit(HEAD[1]) | bit(HEAD[2]) | bit(HEAD[3]);

/// One of 64, by what tells most names apart.
const fn bit(name: &[u8]) -> u64 {
    match name {
        [first, .., last] => 1 << ((name.len() * 5 + *first as usize * 3 + *last as usize) % 64),
        _ => 1,
    }
}

/// A line in the making. Kept by the thread for its next line.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: Vec<u8>,
    context: Fields,
    /// The names that stand in `text`.
    names: Vec<Range<usize>>,
    /// A bit for each name there and in `context`: most that are new are seen to be.
    seen: u64,
    value: String,
}

impl Line {
    /// Adds what is known from a span, the innermost first. What is there stays, unless the request itself says otherwise.
    pub(super) fn context(&mut self, fields: &Fields, is_request: bool) {
        for entry in &fields.entries {
            self.seen |= bit(&fields.text[entry.name.clone()]);
        }
        self.context.adopt(fields, is_request);
    }

    /// The whole line, with its line feed. Of what came through `log`, its own fields of where it is from are left out.
    pub(super) fn finish(
        &mut self,
        form: Form,
        level: Level,
        target: &str,
        is_log: bool,
        record: impl FnOnce(&mut dyn Visit),
    ) -> &[u8] {
        form.head(&mut self.text, level, target);
        let mut value = mem::take(&mut self.value);
        let mut has_message = false;
        record(&mut Visitor {
            value: &mut value,
            write: &mut |name, value| match value {
                Value::Text(text) | Value::Bare(text) if name == "message" && !mem::replace(&mut has_message, true) => {
                    form.message(&mut self.text, text);
                }
                _ if is_log && name.starts_with("log.") => {}
                _ => self.field(form, name, value),
            },
        });
        self.value = value;
        for entry in &self.context.entries {
            self.text.extend_from_slice(&self.context.text[entry.whole.clone()]);
        }
        form.end(&mut self.text);
        &self.text
    }

    /// A field of the line's own. Where its name is taken it gets another, unless it says the same.
    fn field(&mut self, form: Form, name: &str, value: &Value<'_>) {
        let start = self.text.len();
        for clashes in 0.. {
            let place = form.name(&mut self.text, clashes, name);
            let named = &self.text[place.clone()];
            let bit = bit(named);
            if (self.seen | RESERVED) & bit == 0 {
                self.seen |= bit;
                self.names.push(place);
                form.value(&mut self.text, value);
                return;
            }
            let reserved = form.is_json() && HEAD.contains(&named);
            let taken = reserved || self.names.iter().any(|known| self.text[known.clone()] == *named);
            let context = self.context.entries.iter().find(|known| self.context.text[known.name.clone()] == *named);
            if !taken && context.is_none() {
                self.names.push(place);
                form.value(&mut self.text, value);
                return;
            }
            if let Some(context) = context {
                form.value(&mut self.text, value);
                if self.text[start..] == self.context.text[context.whole.clone()] {
                    self.text.truncate(start);
                    return;
                }
            }
            self.text.truncate(start);
        }
    }

    /// For the next line.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.context.text.clear();
        self.context.entries.clear();
        self.names.clear();
        self.seen = 0;
        // One long line is not paid for until the thread ends.
        self.text.shrink_to(2 * LONGEST);
    }
}

/// Hands each field over as text, without its secrets.
struct Visitor<'a> {
    value: &'a mut String,
    write: &'a mut dyn FnMut(&'static str, &Value<'_>),
}

impl Visitor<'_> {
    fn text(&mut self, field: &Field, text: &str) {
        if names_secret(field.name().as_bytes()) {
            return self.secret(field);
        }
        match redacted_head(text, LONGEST) {
            (text, true) => (self.write)(field.name(), &Value::Text(&text)),
            (text, false) => (self.write)(field.name(), &Value::Text(&(text.into_owned() + "…"))),
        }
    }

    /// What is formatted only to be written.
    fn formatted(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if names_secret(field.name().as_bytes()) {
            return self.secret(field);
        }
        let mut text = mem::take(self.value);
        text.clear();
        let _ = fmt::Write::write_fmt(&mut Bounded(&mut text), value);
        self.text(field, &text);
        *self.value = text;
    }

    fn number(&mut self, field: &Field, number: fmt::Arguments<'_>) {
        // How many tokens a model took is no secret.
        let counts = ["tokens", "count"].iter().any(|word| field.name().contains(word));
        if !counts && names_secret(field.name().as_bytes()) {
            return self.secret(field);
        }
        self.value.clear();
        let _ = fmt::Write::write_fmt(self.value, number);
        (self.write)(field.name(), &Value::Bare(self.value));
    }

    fn secret(&mut self, field: &Field) {
        (self.write)(field.name(), &Value::Text("[redacted]"));
    }
}

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, format_args!("{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.number(field, format_args!("{value}"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.number(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no other numbers.
        if value.is_finite() {
            self.number(field, format_args!("{value}"));
        } else {
            self.formatted(field, format_args!("{value}"));
        }
    }

    /// That a secret is there is none.
    fn record_bool(&mut self, field: &Field, value: bool) {
        (self.write)(field.name(), &Value::Bare(if value { "true" } else { "false" }));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, &chain(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.formatted(field, format_args!("{value:?}"));
    }
}

/// Takes more than is shown, so that a secret at the cut is seen.
struct Bounded<'a>(&'a mut String);

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let room = (2 * LONGEST).saturating_sub(self.0.len());
        self.0.push_str(head(piece, room));
        // An error would be one to whoever formats.
        Ok(())
    }
}
