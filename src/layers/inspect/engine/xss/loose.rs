//! What looks like markup or a script without doing anything yet: the strict sensitivity's business.

use super::{Seen, past_blank};
use crate::inspect::engine::{
    gate::is_word,
    verdict::{Finding, Location},
};

/// What strict refuses, and default never does, whatever the place.
const POINTS: u16 = 4;

/// The finding, or what only strict minds.
pub(super) fn verdict(found: Finding, likeness: Option<usize>) -> Finding {
    likeness.map_or(found, |offset| found.or(Finding { score: POINTS, rule: "xss-likeness", offset }))
}

/// At a `<`.
pub(super) fn tag(text: &[u8], at: usize, location: Location, seen: &mut Seen) {
    if seen.loose.is_none() && is_likely(text, at, location) {
        seen.loose = Some(at);
    }
}

fn is_likely(text: &[u8], at: usize, location: Location) -> bool {
    let begins = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphabetic);
    if matches!(text.get(at + 1), Some(b'!' | b'?')) || text.get(at + 1) == Some(&b'/') && begins(at + 2) {
        return true;
    }
    // `Vec<T>`
    if !begins(at + 1) || at > 0 && is_word(text[at - 1]) {
        return false;
    }
    let ahead = &text[at + 1..text.len().min(at + 240)];
    let end = ahead.iter().position(|byte| matches!(byte, b'<' | b'>'));
    let inside = &ahead[..end.unwrap_or(ahead.len())];
    let name = inside.iter().position(|byte| !is_word(*byte) && *byte != b'-').unwrap_or(inside.len());
    let rest = &inside[name..];
    // No markup belongs into an address. Elsewhere: an attribute, one without a blank before it, or a tag that nobody closes.
    location.prior() > 0
        || rest.contains(&b'=')
        || rest.len() > 1 && rest[0] == b'/'
        || end.is_none() && !rest.is_empty()
}

/// At a `>` or a `[`.
pub(super) fn sign(text: &[u8], at: usize, seen: &mut Seen) {
    let before = at.checked_sub(1).map_or(0, |before| text[before]);
    let quote = text.get(at + 1).copied().unwrap_or(0);
    // The end of an attribute and of its tag.
    if text[at] == b'>' && matches!(before, b'\'' | b'"') {
        seen.loose = seen.loose.or(Some(at));
    } else if text[at] == b'['
        && (is_word(before) || matches!(before, b')' | b']'))
        && matches!(quote, b'\'' | b'"' | b'`')
    {
        seen.loose = seen.loose.or(Some(at));
        // `["al"+"ert"]`, `["alert"](`: to hide a name, seldom for anything else.
        let ahead = &text[at + 2..text.len().min(at + 66)];
        let after = ahead.iter().position(|byte| *byte == quote).map_or(&[][..], |string| &ahead[string + 1..]);
        if after.starts_with(b"+") {
            seen.script(9, "xss-script-object", at);
        } else if after.starts_with(b"](") {
            seen.script(6, "xss-script-object", at);
        }
    }
}

/// At a word: `;a(1`, `=a('`, a call with a literal where a statement or an operand begins. Prose has a blank before it.
pub(super) fn call(text: &[u8], start: usize, end: usize, seen: &mut Seen) {
    if seen.loose.is_some() || text.get(end) != Some(&b'(') {
        return;
    }
    let is_literal = |byte: &u8| matches!(byte, b'\'' | b'"' | b'`' | b'0'..=b'9' | b'/');
    let begins =
        |byte: &u8| !is_word(*byte) && byte.is_ascii_graphic() && !matches!(byte, b'.' | b'[' | b'<' | b'@' | b'#');
    if text.get(past_blank(text, end + 1)).is_some_and(is_literal) && (start == 0 || begins(&text[start - 1])) {
        seen.loose = Some(start);
    }
}
