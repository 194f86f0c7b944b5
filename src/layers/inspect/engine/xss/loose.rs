//! What looks like markup or a script without doing anything yet: the strict sensitivity's business.

use super::{Seen, past_blank};
use crate::inspect::engine::{
    gate::is_word,
    verdict::{Finding, Location},
};

/// A tag with an attribute.
const ATTRIBUTE: u8 = 1;
/// A quote and `>`: the end of an attribute and of its tag.
const END: u8 = 2;
/// `</a`, `<!`, `<?`.
const OTHER: u8 = 4;
/// `<a/`, or a tag that nobody closes.
const OPEN: u8 = 8;
/// `a["b"]`: a member that is computed.
const MEMBER: u8 = 16;
/// `;a(1`, `=a('`: a call where a statement or an operand begins.
const CALL: u8 = 32;
/// Any tag where no markup belongs.
const ADDRESS: u8 = 64;

/// What strict refuses, and default never does, whatever the place.
const POINTS: u16 = 4;

/// The finding, or what speaks for one without it.
pub(super) fn verdict(found: Finding, (kinds, offset): (u8, usize)) -> Finding {
    if kinds == 0 { found } else { found.or(Finding { score: POINTS, rule: "xss-likeness", offset }) }
}

/// At a `<`.
pub(super) fn tag(text: &[u8], at: usize, location: Location, seen: &mut Seen) {
    let next = text.get(at + 1).copied().unwrap_or(0);
    if matches!(next, b'!' | b'?') || next == b'/' && text.get(at + 2).is_some_and(u8::is_ascii_alphabetic) {
        seen.loose(OTHER, at);
    }
    // `Vec<T>`
    if !next.is_ascii_alphabetic() || at > 0 && is_word(text[at - 1]) {
        return;
    }
    if location.prior() > 0 {
        seen.loose(ADDRESS, at);
    }
    let ahead = &text[at + 1..text.len().min(at + 240)];
    let end = ahead.iter().position(|byte| matches!(byte, b'<' | b'>'));
    let inside = &ahead[..end.unwrap_or(ahead.len())];
    let name = inside.iter().position(|byte| !is_word(*byte) && *byte != b'-').unwrap_or(inside.len());
    if inside.contains(&b'=') {
        seen.loose(ATTRIBUTE, at);
    }
    if inside.get(name) == Some(&b'/') && name + 1 < inside.len() || end.is_none() && name < inside.len() {
        seen.loose(OPEN, at);
    }
}

/// At a `>` or a `[`.
pub(super) fn sign(text: &[u8], at: usize, seen: &mut Seen) {
    let before = at.checked_sub(1).map_or(0, |before| text[before]);
    if text[at] == b'>' && matches!(before, b'\'' | b'"') {
        seen.loose(END, at);
    } else if text[at] == b'['
        && (is_word(before) || matches!(before, b')' | b']'))
        && matches!(text.get(at + 1), Some(b'\'' | b'"' | b'`'))
    {
        seen.loose(MEMBER, at);
    }
}

/// At a word.
pub(super) fn call(text: &[u8], start: usize, end: usize, seen: &mut Seen) {
    if text.get(end) != Some(&b'(') {
        return;
    }
    let literal = text
        .get(past_blank(text, end + 1))
        .is_some_and(|byte| matches!(byte, b'\'' | b'"' | b'`' | b'0'..=b'9' | b'/'));
    let begins = start == 0
        || matches!(
            text[start - 1],
            b';' | b'='
                | b'+'
                | b'-'
                | b'*'
                | b'/'
                | b','
                | b'('
                | b'\''
                | b'"'
                | b'}'
                | b')'
                | b'>'
                | b'!'
                | b'~'
                | b':'
                | b'|'
                | b'&'
        );
    if literal && begins {
        seen.loose(CALL, start);
    }
}
