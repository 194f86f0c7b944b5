//! Separators and the commands behind them, substitutions, and the tricks that hide both.

use memchr::memchr;

use super::{
    Look,
    name::{self, After, Name},
    points::{self, Place, Stands},
    windows,
};
use crate::inspect::engine::{
    PLENTY,
    gate::is_word,
    words::{self, mark},
};

/// Bytes that begin, end and hide no command.
static IDLE: [bool; 256] = {
    let mut idle = [true; 256];
    let mut other = b";|&\n\r\\()$`<>%{/".as_slice();
    while let [byte, rest @ ..] = other {
        idle[*byte as usize] = false;
        other = rest;
    }
    idle
};

pub(super) fn commands(look: &mut Look<'_>) {
    let text = look.text;
    let start =
        text.iter().position(|byte| !matches!(byte, b' ' | b'"' | b'\'' | b'\t' | b'(' | b'+')).unwrap_or(text.len());
    command(look, start, Place::Start);
    let first_blank = memchr(b' ', text).unwrap_or(text.len());
    let (line, first) = (!look.address, if text.starts_with(b"\r") { start.max(1) } else { start });
    let (mut at, mut ticks, mut depth) = (0, 0_usize, 0_usize);
    while let Some(idle) = text[at..].iter().position(|byte| !IDLE[usize::from(*byte)]) {
        at += idle;
        let byte = text[at];
        if look.signs.sum() > PLENTY {
            return;
        }
        let leads = at <= first;
        let line = Place::Separator { leads, line };
        match byte {
            b';' | b'|' | b'&' => {
                let mut next = at + 1;
                while text.get(next).is_some_and(|byte| matches!(byte, b';' | b'|' | b'&')) {
                    next += 1;
                }
                let entity = byte == b';' && is_entity_end(text, at);
                // `(Windows NT 5.1; U; nl)` is a list.
                let listed = depth > 0 && byte == b';' && text.get(next) == Some(&b' ');
                if !(entity || listed || look.table && byte == b'|') {
                    command(look, next, Place::Separator { leads, line: false });
                    windows::sentence(look, next);
                }
                at = next;
                continue;
            }
            b'\n' | b'\r' => command(look, at + 1, line),
            b'\\' if matches!(text.get(at + 1), Some(b'n' | b'r')) => command(look, at + 2, line),
            b'(' if at < 4 && (look.starts_with(at, "() {") || look.starts_with(at, "(){")) => {
                look.add_certain(10, "command-function", at);
            }
            b'(' if at == 0 || text[at - 1] == b' ' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'$' => dollar(look, at),
            b'`' => {
                let fence = text.get(at + 1) == Some(&b'`') || at > 0 && text[at - 1] == b'`';
                ticks += 1;
                if !fence && ticks % 2 == 1 {
                    backtick(look, at, first_blank < at);
                }
            }
            b'<' | b'>' if matches!(text.get(at + 1), Some(b'<' | b'(' | b'&' | b' ' | b'/')) => redirection(look, at),
            b'%' if look.starts_with(at, "%x(") => command(look, at + 3, Place::Substitution),
            b'{' => braces(look, at),
            b'/' => path(look, at),
            _ => {}
        }
        at += 1;
    }
}

/// `&amp;` ends in no separator.
fn is_entity_end(text: &[u8], at: usize) -> bool {
    let name =
        text[..at].iter().rev().take(8).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'#').count();
    name > 1 && at > name && text[at - name - 1] == b'&'
}

fn command(look: &mut Look<'_>, from: usize, place: Place) {
    let text = look.text;
    let mut start = from;
    while text.get(start).is_some_and(|byte| {
        matches!(byte, b' ' | b'\t' | b'+' | b'{' | b'(' | b'@')
            || matches!(byte, b'"' | b'\'') && place != Place::Start
    }) {
        start += 1;
    }
    if matches!(place, Place::Separator { leads: false, .. }) && is_other_word(text, start) {
        return;
    }
    let name = Name::at(text, start);
    let letters = name.letters();
    if let Place::Separator { leads: true, line: false } = place
        && points::is_syntax(&text[start..])
    {
        look.add_certain(8, "command", start);
    }
    if letters.is_empty() {
        return;
    }
    let marks = words::marks(letters);
    // `'curl' x`
    let quoted = start > 0
        && matches!(text[start - 1], b'\'' | b'"')
        && text.get(name.end) == Some(&text[start - 1])
        && (place != Place::Start || marks & (mark::COMMAND | mark::AMBIGUOUS) == mark::COMMAND);
    let after = After::of(text, name.end + usize::from(quoted));
    let leads = matches!(place, Place::Separator { leads: true, .. });
    // A shell knows no capitals; who leads with a separator may mean another shell.
    let shouted = letters.iter().any(u8::is_ascii_uppercase) && !leads && !matches!(after, After::Flag | After::Place);
    let (known, ambiguous) = (marks & mark::COMMAND != 0 && !shouted, marks & mark::AMBIGUOUS != 0 && !shouted);
    let cmdlet = !known && place != Place::Backtick && name::is_cmdlet(letters);
    let known = known || cmdlet;
    if name.path {
        let binary = text[start..name.end].windows(4).any(|four| four == b"bin/") || known && place != Place::Start;
        if binary && (known || ambiguous || matches!(after, After::Flag | After::Place | After::End)) {
            let flagged = matches!(after, After::Flag | After::Place);
            look.add(if place == Place::Start && !flagged { 8 } else { 10 }, "command-path", start);
        }
        return;
    }
    // At the start only a backslash or `$@` is no apostrophe.
    let tricked = name.tricks > 0 && (known || ambiguous);
    if tricked && (place != Place::Start || known && !ambiguous || name.expands) {
        look.add_certain(10, "command-quoting", start);
        return;
    }
    let stands = if known || ambiguous { Stands::of(text, from, start) } else { Stands::alike(text, from, start) };
    let points = match (known, ambiguous) {
        _ if after == After::Nothing => 0,
        // `id;`: over before the value is.
        _ if place == Place::Start && after == After::End && !text[name.end..].trim_ascii().is_empty() => {
            let goes_on = text[name.end..].iter().take(32).any(u8::is_ascii_alphabetic);
            match (known, ambiguous) {
                (true, false) => 9,
                // `id;name;mail`
                (_, true) => i32::from(!goes_on) * 6,
                _ => 0,
            }
        }
        // `; sleep 10`, and that is all.
        (_, true)
            if after == After::Number
                && matches!(place, Place::Separator { line: false, .. })
                && points::is_wait(letters, &text[name.end..]) =>
        {
            10
        }
        (true, false) => points::of_known(place, after, !cmdlet && letters.contains(&b'-')),
        (true, true) => points::of_doubtful(place, after, stands),
        (false, true) => points::of_ambiguous(place, after, letters, stands),
        _ => points::of_unknown(place, after, stands, text.len() - start == letters.len(), letters),
    };
    if points > 0 {
        // The words of a list say no more than one of them.
        let in_list = matches!(after, After::End | After::Number)
            && points < 8
            && matches!(place, Place::Separator { leads: false, .. });
        let counted = if in_list { look.listed } else { 0 };
        let certain =
            points >= 9 && (leads && !matches!(after, After::Word | After::End) || stands.tight && known && !ambiguous);
        if certain {
            look.add_certain(points, "command", start);
        } else if points > counted {
            look.add(points - counted, "command", start);
        }
        look.listed = look.listed.max(if in_list { points } else { 0 });
    }
    // `alias x=..` is said in a shell alone.
    if letters == b"alias" && points::assigns(&text[name.end..]) {
        look.add_certain(9, "command", start);
    }
}

/// Whether a word that is no command stands here, in one piece.
fn is_other_word(text: &[u8], start: usize) -> bool {
    let length = text[start..].iter().take(32).take_while(|byte| is_word(**byte)).count();
    let ends = text.get(start + length);
    let whole = !matches!(ends, Some(b'\'' | b'"' | b'\\' | b'^' | b'$' | b'-' | b'.' | b'/'));
    whole && words::triggers(&text[start..start + length]) & (mark::COMMAND | mark::AMBIGUOUS) == 0
}

fn dollar(look: &mut Look<'_>, at: usize) {
    let name = &look.text[at + 1..];
    if let Some(points) = points::of_variable(name) {
        look.add(points, "command-variable", at);
    } else if points::is_chain(name) {
        look.add(5, "command-variable", at);
    }
    let next = look.text.get(at + 1);
    if look.starts_with(at, "$ifs") || look.starts_with(at, "${ifs") {
        look.add_certain(10, "command-ifs", at);
    } else if let Some([b'(', b'(', b'0'..=b'9', ..]) = look.text.get(at + 1..) {
        look.add(9, "command-arithmetic", at);
    } else if next == Some(&b'(') {
        command(look, at + 2, Place::Substitution);
    } else if next == Some(&b'{') {
        let jndi = ["jndi", "lower:", "upper:", "env:", "::-", "sys:", "date:"]
            .iter()
            .any(|what| look.starts_with(at + 2, what));
        // `${name#..}`, `${name:1:2}`
        let end = look.text[at + 2..].iter().take(40).take_while(|byte| is_word(**byte)).count();
        // `c${x}at`: in the middle of a word.
        let glued = at > 0
            && look.text[at - 1].is_ascii_alphabetic()
            && look.text.get(at + 2 + end) == Some(&b'}')
            && look.text.get(at + 3 + end).is_some_and(u8::is_ascii_alphabetic);
        let expands = end > 0 && matches!(look.text.get(at + 2 + end), Some(b'#' | b'%' | b'/' | b':' | b'^' | b'['));
        let nested = look.text[at + 2..].iter().take(40).position(|byte| matches!(byte, b'$' | b'#' | b'{'));
        look.add(
            if jndi {
                10
            } else if expands {
                8
            } else if nested.is_some() || glued {
                6
            } else {
                2
            },
            "command-expression",
            at,
        );
    }
}

/// A span of code in a sentence is no attack; a value that is nothing but the span is.
fn backtick(look: &mut Look<'_>, at: usize, spaced: bool) {
    let text = look.text;
    let close = text[at + 1..].iter().position(|byte| *byte == b'`').map(|close| at + 1 + close);
    // `x=`id``, and a backtick that is escaped for another shell, are no spans.
    let glued = at > 0 && matches!(text[at - 1], b'\\' | b'=');
    let in_prose =
        !glued && spaced && text[..at].iter().rev().take(24).filter(|byte| byte.is_ascii_alphabetic()).count() >= 2
            || close.is_some_and(|close| text.get(close + 1) == Some(&b' '));
    if in_prose {
        return;
    }
    if at <= 2 && close.is_some_and(|close| close + 3 >= text.len()) {
        look.add(2, "command", at);
    }
    command(look, at + 1, Place::Backtick);
}

fn redirection(look: &mut Look<'_>, at: usize) {
    if look.starts_with(at, "<<<") {
        look.add(5, "command-redirection", at);
    } else if look.starts_with(at, "<(") || look.starts_with(at, ">(") {
        command(look, at + 2, Place::Substitution);
    } else if look.starts_with(at, ">&1") || look.starts_with(at, ">&2") {
        look.add(5, "command-redirection", at);
    } else {
        let file = at + 1 + usize::from(look.text.get(at + 1) == Some(&b' '));
        if DIRECTORIES.iter().any(|directory| look.starts_with(file, directory)) {
            look.add(if at == 0 { 8 } else { 5 }, "command-redirection", at);
        }
    }
}

/// Where what a command says is sent to.
const DIRECTORIES: [&str; 8] = ["/dev/", "/tmp", "/etc/", "/var/", "/usr/", "/home/", "/root/", "/opt/"];

/// `{cat,/etc/passwd}`
fn braces(look: &mut Look<'_>, at: usize) {
    if look.text.get(at + 1) == Some(&b'{') {
        return;
    }
    let comma = usize::from(look.text.get(at + 1) == Some(&b','));
    let name = Name::at(look.text, at + 1 + comma);
    let marks = words::marks(name.letters());
    let listed = look.text.get(name.end) == Some(&b',') && look.text.get(name.end + 1).is_none_or(|next| *next != b' ');
    if listed && (marks & (mark::COMMAND | mark::AMBIGUOUS) != 0 || name.path) {
        // `is_{file,dir}` is two names, `{sort,order}` two fields.
        let certain = marks & mark::AMBIGUOUS == 0 || !look.text.get(name.end + 1).is_some_and(u8::is_ascii_alphabetic);
        match at.checked_sub(1).map_or(b';', |before| look.text[before]) {
            _ if !certain => look.add(3, "command-braces", at),
            b';' | b'|' | b'&' | b'`' | b'(' | b'\n' | b'\'' | b'"' => look.add_certain(10, "command-braces", at),
            before if is_word(before) => look.add(3, "command-braces", at),
            _ => look.add(8, "command-braces", at),
        }
    }
}

/// `/dev/tcp/`, `/bin/sh` wherever they are, and names with holes: `/e?c/p?ss*`.
fn path(look: &mut Look<'_>, at: usize) {
    match look.text.get(at + 1) {
        Some(b'd') if look.starts_with(at, "/dev/tcp/") || look.starts_with(at, "/dev/udp/") => {
            look.add(10, "command-path", at);
        }
        Some(b'b') if ["/bin/sh", "/bin/bash", "/bin/cat"].iter().any(|shell| look.starts_with(at, shell)) => {
            look.add(6, "command-path", at);
        }
        _ => {}
    }
    if look.holes {
        holes(look, at);
    }
}

fn holes(look: &mut Look<'_>, at: usize) {
    let segment = &look.text[at + 1..look.text.len().min(at + 25)];
    let length = segment.iter().take_while(|byte| is_word(**byte) || matches!(byte, b'?' | b'[' | b']' | b'*')).count();
    let segment = &segment[..length];
    let holes = segment.iter().filter(|byte| matches!(byte, b'?' | b'[')).count();
    let closed = matches!(look.text.get(at + 1 + length), Some(b'/' | b' ') | None);
    if holes > 0
        && length <= 12
        && (holes > 1 || closed && segment[0] != b'?' && !segment.ends_with(b"?"))
        && (segment.iter().any(u8::is_ascii_alphabetic) || holes > 1 && look.text.get(at + 1 + length) == Some(&b'/'))
    {
        // Where a command may stand there is no other way to read it.
        let leads = at == 0 || matches!(look.text[at - 1], b';' | b'|' | b'&' | b'(' | b'`');
        look.add(if leads { 10 } else { 8 }, "command-holes", at);
    }
}
