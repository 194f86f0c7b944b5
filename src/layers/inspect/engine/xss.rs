//! Cross-site scripting: what a browser would run of the value, in a page, in an attribute or in a script.

mod loose;
mod script;
mod tag;

use super::{
    PLENTY,
    gate::{Made, has, is_word},
    verdict::{Finding, Location, Signs},
};

/// Whether it is worth a look.
pub(super) fn may_be(made: Made) -> bool {
    made.has(has::MARKUP)
}

/// What of a value has been seen so far.
#[derive(Default)]
struct Seen {
    signs: Signs,
    /// A tag has begun, so what looks like an attribute is one.
    tag: bool,
    /// A tag with an attribute.
    markup: bool,
    /// Points for calls and objects of scripts: many say no more than a few.
    script: i32,
    /// Where something is first that only strict minds.
    loose: Option<usize>,
}

impl Seen {
    fn add(&mut self, points: i32, rule: &'static str, at: usize) {
        self.signs.add(points, rule, at);
    }

    fn script(&mut self, points: i32, rule: &'static str, at: usize) {
        let points = points.min(10 - self.script);
        if points > 0 {
            self.script += points;
            self.signs.add(points, rule, at);
        }
    }
}

/// Bytes that are neither of a word nor of a tag.
static IDLE: [bool; 256] = {
    let mut idle = [true; 256];
    let mut byte = 0_u8;
    loop {
        idle[byte as usize] = !(byte.is_ascii_alphabetic()
            || matches!(byte, b'_' | b'$' | b'<' | b'>' | b'[' | b':' | b'{' | b'&' | b'+'));
        if byte == u8::MAX {
            break idle;
        }
        byte += 1;
    }
};

/// One pass. `escaped` says that there were entities or `\x` escapes, which hide more than they help.
pub(super) fn score(text: &[u8], made: Made, escaped: bool, location: Location) -> Finding {
    let mut seen = Seen::default();
    let mut at = 0;
    while let Some(idle) = text[at..].iter().position(|byte| !IDLE[usize::from(*byte)]) {
        at += idle;
        let byte = text[at];
        if seen.signs.sum() > PLENTY {
            break;
        }
        match byte {
            b'<' => {
                loose::tag(text, at, location, &mut seen);
                tag::open(text, at, &mut seen);
            }
            b'>' | b'[' => loose::sign(text, at, &mut seen),
            b':' => script::scheme(text, at, &mut seen),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => {
                let start = at;
                at += text[at..].iter().take_while(|byte| is_word(**byte) || **byte == b'$').count();
                loose::call(text, start, at, &mut seen);
                word(text, start, at, &mut seen);
                continue;
            }
            b'{' if text.get(at + 1) == Some(&b'{') => script::template(text, at, &mut seen),
            // What Netscape ran inside any attribute.
            b'&' if text.get(at + 1) == Some(&b'{') => seen.add(if seen.tag { 6 } else { 4 }, "xss-attribute", at),
            b'+' if text[at..].starts_with(b"+ADw-") => seen.add(10, "xss-utf7", at),
            _ => {}
        }
        at += 1;
    }
    if seen.tag && seen.script > 0 {
        seen.script(3, "xss-script-call", 0);
    }
    // Nobody writes markup into an address.
    if seen.markup && matches!(location, Location::Path | Location::Query) && seen.signs.sum() > 0 {
        seen.add(4, "xss-tag", 0);
    }
    if made.has(has::SYMBOLS) && made.has(has::PARENTHESIS) && made.has(has::SIGN) {
        script::symbols_only(text, &mut seen);
    }
    if escaped && seen.signs.sum() >= 4 {
        seen.add(1, "xss-escaped", 0);
    }
    loose::verdict(seen.signs.less(0), seen.loose)
}

fn word(text: &[u8], start: usize, end: usize, seen: &mut Seen) {
    let word = &text[start..end];
    let is_handler = word.len() >= 5
        && word[..2].eq_ignore_ascii_case(b"on")
        && word[2..].iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    if is_handler {
        tag::handler(text, start, end, seen);
    }
    script::word(text, start, end, seen);
}

/// Past what browsers skip between names: white space, controls and what is no ASCII.
fn past_blank(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(|byte| *byte <= b' ' || *byte == 0x7F) {
        at += 1;
    }
    at
}

fn starts_with(text: &[u8], at: usize, what: &str) -> bool {
    text.get(at..at + what.len()).is_some_and(|text| text.eq_ignore_ascii_case(what.as_bytes()))
}
