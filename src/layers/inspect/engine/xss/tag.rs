//! Tags, attributes and handlers.

use super::{Seen, past_blank, starts_with};
use crate::inspect::engine::{
    gate::is_word,
    words::{self, mark},
};

/// What a tag does when nothing else is said about it.
enum Tag {
    Script,
    /// Loads a document, a program or a style from an address of its own.
    Loads,
    Style,
    Meta,
    /// Other languages with scripts of their own.
    Foreign,
    Plain,
}

const LOADING: [&str; 15] = [
    "iframe",
    "frame",
    "frameset",
    "object",
    "embed",
    "applet",
    "base",
    "link",
    "layer",
    "ilayer",
    "bgsound",
    "portal",
    "isindex",
    "event-source",
    "xml",
];

fn tag(name: &[u8]) -> Tag {
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    if is("script") {
        Tag::Script
    } else if LOADING.iter().any(|other| is(other)) {
        Tag::Loads
    } else if is("style") {
        Tag::Style
    } else if is("meta") {
        Tag::Meta
    } else if is("svg")
        || is("math")
        || is("xml")
        || is("xss")
        || is("template")
        || is("animate")
        || is("set")
        || is("foreignobject")
    {
        Tag::Foreign
    } else {
        Tag::Plain
    }
}

/// At a `<`.
pub(super) fn open(text: &[u8], at: usize, seen: &mut Seen) {
    let closing = text.get(at + 1) == Some(&b'/');
    let start = at + 1 + usize::from(closing);
    match text.get(start) {
        Some(b'!') => return declaration(text, at, seen),
        Some(b'?') => return instruction(text, at, seen),
        Some(b'%') if starts_with(text, start, "%=") => return,
        Some(byte) if byte.is_ascii_alphabetic() => {}
        _ => return,
    }
    let mut end = start;
    while text.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
        end += 1;
    }
    let name = &text[start..end];
    seen.tag = true;
    seen.markup |= inside(text, end).contains(&b'=');
    if closing {
        seen.markup = true;
        seen.add(if matches!(tag(name), Tag::Script) { 6 } else { 1 }, "xss-tag", at);
        return;
    }
    match tag(name) {
        Tag::Script => script_tag(text, at, end, seen),
        Tag::Loads => {
            if attribute(
                text,
                end,
                &[
                    "src", "data", "href", "code", "codebase", "classid", "srcdoc", "type", "action", "rows", "cols",
                    "prompt",
                ],
            ) {
                seen.add(9, "xss-tag", at);
            } else {
                seen.add(5, "xss-tag", at);
            }
        }
        Tag::Style => {
            let sheet =
                text[end..text.len().min(end + 160)].iter().any(|byte| matches!(byte, b'{' | b'@' | b'\\' | b'='));
            seen.add(if sheet { 9 } else { 5 }, "xss-tag", at);
        }
        Tag::Meta => {
            seen.add(if attribute(text, end, &["http-equiv", "charset", "content"]) { 9 } else { 3 }, "xss-tag", at);
        }
        Tag::Foreign => {
            // What an animation may set: an address, a handler.
            let sets = attribute(text, end, &["attributename"]);
            seen.add(if sets { 8 } else { 4 }, "xss-tag", at);
        }
        // A name of another language's, or one that loads or sends something.
        Tag::Plain
            if text.get(end) == Some(&b':')
                && text[start..text.len().min(end + 2)].iter().all(|byte| matches!(byte, b'a'..=b'z' | b':')) =>
        {
            seen.add(if seen.markup { 9 } else { 6 }, "xss-tag", at);
        }
        // Every attribute that matters has a value, but for one.
        Tag::Plain if !inside(text, end).iter().any(|byte| matches!(byte, b'=' | b':')) => {}
        Tag::Plain => {
            let named = inside(text, end).windows(6).any(|six| six.eq_ignore_ascii_case(b"xmlns:"));
            if named
                || attribute(
                    text,
                    end,
                    &[
                        "dataformatas",
                        "datasrc",
                        "xmlns",
                        "ev:event",
                        "srcdoc",
                        "formaction",
                        "autofocus",
                        "xlink:href",
                    ],
                )
            {
                seen.add(8, "xss-attribute", at);
            } else if attribute(text, end, &["style"]) {
                let active = text[end..text.len().min(end + 160)]
                    .windows(4)
                    .any(|four| four.eq_ignore_ascii_case(b"url(") || four.contains(&b'\\'));
                seen.add(if active { 8 } else { 4 }, "xss-attribute", at);
            } else if attribute(text, end, &["href", "src", "action", "background", "pattern", "poster"]) {
                seen.add(4, "xss-attribute", at);
            }
        }
    }
}

/// A script's tag: with an address or with a program it runs; alone it is a word about scripts.
fn script_tag(text: &[u8], at: usize, end: usize, seen: &mut Seen) {
    let ahead = &text[end..text.len().min(end + 160)];
    let close = ahead.iter().position(|byte| *byte == b'>').unwrap_or(ahead.len());
    let (inside, after) = ahead.split_at(close);
    let program = after.iter().any(|byte| matches!(byte, b'(' | b'=' | b';' | b'`' | b'[' | b'\\'));
    let points = if inside.contains(&b'=') || program {
        11
    } else if text.get(end).is_none_or(|byte| matches!(byte, b'<' | b'/' | b'\t')) {
        9
    } else {
        6
    };
    seen.add(points, "xss-script", at);
}

/// What follows within a tag: not all of it, for the sake of time.
fn inside(text: &[u8], start: usize) -> &[u8] {
    let text = &text[start..text.len().min(start + 240)];
    &text[..text.iter().position(|byte| matches!(byte, b'<' | b'>')).unwrap_or(text.len())]
}

/// Whether one of these attributes follows within its tag.
fn attribute(text: &[u8], start: usize, names: &[&str]) -> bool {
    let inside = inside(text, start);
    inside.iter().enumerate().any(|(at, byte)| {
        byte.is_ascii_alphabetic()
            && (at == 0 || !is_word(inside[at - 1]))
            && names.iter().any(|name| {
                starts_with(inside, at, name)
                    && inside[at + name.len()..].iter().find(|byte| !matches!(byte, b'/' | 0..=b' ')) == Some(&b'=')
            })
    })
}

fn declaration(text: &[u8], at: usize, seen: &mut Seen) {
    if starts_with(text, at, "<!--#") {
        seen.add(10, "xss-include", at);
    } else if starts_with(text, at, "<!entity") || starts_with(text, at, "<!attlist") {
        seen.add(10, "xss-entity", at);
    } else if starts_with(text, at, "<!--[if") {
        seen.add(6, "xss-comment", at);
    } else if starts_with(text, at, "<![") {
        seen.add(4, "xss-comment", at);
    } else if starts_with(text, at, "<!doctype") && text[at..].contains(&b'[') {
        seen.add(6, "xss-entity", at);
    }
    seen.tag = true;
}

fn instruction(text: &[u8], at: usize, seen: &mut Seen) {
    if starts_with(text, at, "<?import") || starts_with(text, at, "<?xml-stylesheet") || starts_with(text, at, "<?xml:")
    {
        seen.add(10, "xss-instruction", at);
    }
    seen.tag = true;
}

/// `onload=`, whatever the event: new ones come every year.
pub(super) fn handler(text: &[u8], start: usize, end: usize, seen: &mut Seen) {
    let equals = past_blank(text, end);
    if text.get(equals) != Some(&b'=') || text.get(equals + 1) == Some(&b'=') {
        return;
    }
    let before = start.checked_sub(1).map(|before| text[before]);
    // A handler is no part of a path, a query or a name.
    if matches!(before, Some(b'?' | b'&' | b'.' | b'-' | b'$' | b'@' | b'#' | b':')) && !seen.tag {
        return;
    }
    let value = past_blank(text, equals + 1);
    let is_program =
        text[value..text.len().min(value + 80)].iter().any(|byte| matches!(byte, b'(' | b'`' | b'=' | b'.' | b'&'));
    let name = text.get(value..).map_or(0, |text| text.iter().take(20).take_while(|byte| is_word(**byte)).count());
    let sink = name > 0 && words::triggers(&text[value..value + name]) & mark::SCRIPT != 0;
    let points = match (seen.tag, is_program) {
        (true, _) => 10,
        // `onerror=alert;throw 1`
        (false, _) if sink => 10,
        (false, true) if matches!(before, Some(b'"' | b'\'' | b'/')) => 10,
        (false, true) => 7,
        (false, false) if matches!(text.get(value), Some(b'"' | b'\'')) => 5,
        (false, false) => 3,
    };
    let quoted_before = text[..start].iter().rev().take(40).any(|byte| matches!(byte, b'"' | b'\''));
    seen.add(points + i32::from(quoted_before && !seen.tag) * 3, "xss-handler", start);
}
