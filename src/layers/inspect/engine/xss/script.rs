//! Scripts: addresses that are programs, calls, objects, and programs made of brackets.

use super::{Seen, past_blank, starts_with};
use crate::inspect::engine::{
    gate::is_word,
    words::{Key, mark},
};

/// At a `:`: the letters before it, with all that browsers leave out of a scheme.
pub(super) fn scheme(text: &[u8], colon: usize, seen: &mut Seen) {
    let mut letters = [0; 12];
    let (mut count, mut start) = (0, colon);
    for (at, byte) in text[..colon].iter().enumerate().rev().take(60) {
        if byte.is_ascii_alphabetic() {
            if count == letters.len() {
                break;
            }
            letters[count] = byte.to_ascii_lowercase();
            count += 1;
            start = at;
        } else if matches!(*byte, b' '..0x7F) {
            break;
        }
    }
    let letters = &letters[..count];
    let is = |name: &str| letters.len() >= name.len() && name.bytes().rev().eq(letters[..name.len()].iter().copied());
    let after = past_blank(text, colon + 1);
    if is("javascript") || is("vbscript") || is("livescript") || is("mocha") {
        let ahead = &text[after..text.len().min(after + 160)];
        let is_program = ahead.iter().any(|byte| matches!(byte, b'(' | b'=' | b'`' | b'[' | b'{' | b'\\'))
            || ahead.starts_with(b"/*")
            || ahead.starts_with(b"//");
        let spaced = text.get(colon + 1) == Some(&b' ');
        // Blanks inside a scheme are there to hide it.
        let torn = count < colon - start;
        let points = match (is_program || torn, spaced && !seen.tag) {
            (true, false) => 11,
            (false, false) if seen.tag => 9,
            (true, true) => 6,
            (false, false) => 8,
            (false, true) => 1,
        };
        seen.add(points, "xss-scheme", start);
    } else if is("data")
        && (starts_with(text, after, "text/html")
            || starts_with(text, after, "image/svg")
            || starts_with(text, after, "application/x")
            || starts_with(text, after, "text/xml")
            || starts_with(text, after, ",")
            || starts_with(text, after, "text/javascript")
            || starts_with(text, after, ";base64"))
    {
        seen.add(10, "xss-scheme", start);
    } else if (is("behavior") || is("binding")) && starts_with(text, after, "url") {
        seen.add(10, "xss-style", start);
    }
}

/// At a word: what it is to a script.
pub(super) fn word(text: &[u8], start: usize, end: usize, seen: &mut Seen) {
    let next = past_blank(text, end);
    let goes_on = text.get(next).is_some_and(|next| next.is_ascii_alphanumeric());
    // Among other words a word of scripts is one like others.
    if goes_on && !text[..start].ends_with(b".")
        || Key::within(text, start, end).triggers(&text[start..end]) & mark::SCRIPT == 0
    {
        return;
    }
    let is = |name: &str| text[start..end].eq_ignore_ascii_case(name.as_bytes());
    let calls = matches!(text.get(next), Some(b'(' | b'`'));
    let member = text.get(end) == Some(&b'.');
    let assigned = text.get(next) == Some(&b'=') && text.get(next + 1) != Some(&b'=');
    // `<` and `>` that lost their upper bit.
    if is("script") && start > 0 && text[start - 1] >= 0x80 && text.get(end).is_some_and(|byte| *byte >= 0x80) {
        seen.add(6, "xss-script", start);
    } else if is("script") && text.get(end) == Some(&b'>') && start > 0 && !matches!(text[start - 1], b'<' | b'/') {
        seen.add(3, "xss-script", start);
    }
    let whole = text[..start]
        .strip_suffix(b"document.")
        .is_some_and(|before| !before.last().is_some_and(|byte| is_word(*byte)));
    if is("cookie") && start > 0 && text[start - 1] == b'.' && !whole {
        seen.script(4, "xss-script-object", start);
    }
    if is("expression") && calls {
        if seen.tag || text[..start].iter().rev().take(60).any(|byte| *byte == b':') {
            seen.add(8, "xss-style", start);
        }
    } else if is("document")
        && matches!(text.get(next), Some(b'['))
        && matches!(text.get(next + 1), Some(b'"' | b'\'' | b'`'))
    {
        seen.script(8, "xss-script-object", start);
    } else if is("document") && member {
        let named = [
            "cookie",
            "write",
            "domain",
            "location",
            "body",
            "getelement",
            "create",
            "documentelement",
            "url",
            "referrer",
            "queryselector",
            "title",
            "forms",
            "import",
        ];
        // Handed on: no prose writes `+document.cookie`.
        let operand = start > 0 && matches!(text[start - 1], b'+' | b':' | b'(' | b'=' | b'?' | b'&' | b',');
        if named.iter().any(|name| starts_with(text, end + 1, name)) {
            seen.script(
                if operand && starts_with(text, end + 1, "cookie") { 9 } else { 5 },
                "xss-script-object",
                start,
            );
        }
    } else if is("alert") || is("confirm") || is("prompt") || is("msgbox") || is("globaleval") {
        dialog(text, start, end, seen);
    } else if (is("eval")
        || is("settimeout")
        || is("setinterval")
        || is("execscript")
        || is("atob")
        || is("unescape")
        || is("writeln")
        || is("btoa")
        || is("decodeuricomponent"))
        && calls
    {
        seen.script(if start == 0 && text.len() < 40 { 6 } else { 4 }, "xss-script-call", start);
        break_out(text, start, seen);
    } else if is("fromcharcode") {
        seen.script(5, "xss-script-call", start);
    } else if (is("innerhtml") || is("outerhtml") || is("srcdoc") || is("insertadjacenthtml")) && (assigned || calls) {
        seen.script(5, "xss-script-object", start);
    } else if (is("window") || is("location") || is("localstorage") || is("sessionstorage"))
        && (assigned || member || text.get(next) == Some(&b'['))
    {
        seen.script(if assigned { 4 } else { 3 }, "xss-script-object", start);
        break_out(text, start, seen);
    } else if is("formaction") && assigned {
        seen.add(4, "xss-attribute", start);
    } else if is("xlink") && starts_with(text, end, ":href") {
        seen.add(6, "xss-attribute", start);
    } else if is("constructor") && (calls || member)
        || (is("xmlhttprequest") || is("activexobject")) && (calls || member || seen.tag)
    {
        seen.script(4, "xss-script-object", start);
    }
}

/// What a proof of concept calls.
fn dialog(text: &[u8], start: usize, end: usize, seen: &mut Seen) {
    let next = past_blank(text, end);
    let calls = matches!(text.get(next), Some(b'(' | b'`')) || starts_with(text, end, "?.(");
    let borrowed = starts_with(text, end, ".call")
        || starts_with(text, end, ".apply")
        || starts_with(text, end, "\"]")
        || starts_with(text, end, "']");
    let before = text[..start].trim_ascii_end().last();
    let handed = matches!((before, text.get(next)), (Some(b'('), Some(b')')) | (Some(b'{'), Some(b'}')))
        || start > 0
            && matches!(text[start - 1], b'(' | b':' | b'=' | b',')
            && matches!(text.get(end), Some(b',' | b'}' | b';'))
            && text.get(end + 1) != Some(&b' ');
    if !calls && !borrowed && !handed && text.get(next) != Some(&b'/') {
        return;
    }
    // `top.alert(1)`
    let named = |byte: &u8| is_word(*byte) || matches!(byte, b'.' | b'[' | b']');
    let whole = text.len() < 40 && text[..start].iter().all(named);
    let valued = start > 0 && matches!(text[start - 1], b'"' | b'\'' | b'=');
    let points = if calls {
        6 + i32::from(whole || valued) * 2
    } else if borrowed || handed {
        9
    } else {
        5
    };
    seen.script(points, "xss-script-call", start);
    if seen.tag {
        seen.script(4, "xss-script-call", start);
    }
    break_out(text, start, seen);
}

/// `';call(`, `"-call(`: a call where a string of the page's own script ends.
fn break_out(text: &[u8], start: usize, seen: &mut Seen) {
    let near = start.saturating_sub(64);
    let joins = |byte: &u8| !is_word(*byte) && !matches!(byte, b' ' | b'.' | b'(' | b'[');
    let Some(before) = text[near..start].iter().rposition(joins).map(|before| near + before) else {
        return seen.script(if start == 0 { 2 } else { 0 }, "xss-script-call", start);
    };
    if matches!(text[before], b';' | b'-' | b'+' | b'*' | b'/' | b'|' | b'&' | b'^' | b'%' | b'}' | b')' | b'>') {
        let quoted = text[..before].iter().rev().take(8).any(|byte| matches!(byte, b'\'' | b'"' | b'`'));
        let commented = text[start..].windows(2).take(200).any(|pair| pair == b"//" || pair == b"/*");
        if quoted || commented {
            seen.script(if quoted { 5 } else { 4 }, "xss-break-out", before);
        }
    }
}

/// `{{` with a program inside.
pub(super) fn template(text: &[u8], at: usize, seen: &mut Seen) {
    let ahead = &text[at..text.len().min(at + 200)];
    // Up to the next one, which is looked at on its own.
    let ahead = &ahead[..ahead.windows(2).skip(2).position(|pair| pair == b"{{").map_or(ahead.len(), |next| next + 2)];
    let holds = |what: &[u8]| ahead.windows(what.len()).any(|window| window.eq_ignore_ascii_case(what));
    if holds(b"constructor") || holds(b"$on") || holds(b"alert(") || holds(b"_c.") || holds(b"$eval") {
        seen.script(8, "xss-template", at);
    }
}

/// A program that is written in brackets and signs.
pub(super) fn symbols_only(text: &[u8], seen: &mut Seen) {
    let (mut run, mut longest, mut end) = (0, 0, 0);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'[' | b']' | b'(' | b')' | b'!' | b'+' | b'{' | b'}' | b'~' => run += 1,
            b' ' | b'\n' => {}
            _ => run = 0,
        }
        if run > longest {
            (longest, end) = (run, at);
        }
    }
    if longest >= 24 {
        seen.add(10, "xss-symbols", end.saturating_sub(longest));
    }
}
