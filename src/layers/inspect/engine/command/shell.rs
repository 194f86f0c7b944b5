//! Separators and the commands behind them, substitutions, and the tricks that hide both.

use memchr::memchr;

use super::{
    Look,
    name::{After, Name},
    windows,
};
use crate::inspect::engine::{
    PLENTY,
    gate::is_word,
    words::{self, mark},
};

/// What stands before a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    /// `;` `|` `&` or a new line; at the very beginning of the value, where nothing is there to be separated.
    Separator {
        leads: bool,
        line: bool,
    },
    Substitution,
    Backtick,
}

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
    let (mut at, mut ticks, mut depth) = (0, 0_usize, 0_usize);
    while let Some(idle) = text[at..].iter().position(|byte| !IDLE[usize::from(*byte)]) {
        at += idle;
        let byte = text[at];
        if look.signs.sum() > PLENTY {
            return;
        }
        let leads = at <= start;
        let line = Place::Separator { leads, line: true };
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
    if letters.is_empty() {
        return;
    }
    let after = After::of(text, name.end);
    let marks = words::marks(letters);
    let leads = matches!(place, Place::Separator { leads: true, .. });
    // A shell knows no capitals; who leads with a separator may mean another shell.
    let shouted = letters.iter().any(u8::is_ascii_uppercase) && !leads && !matches!(after, After::Flag | After::Place);
    let (known, ambiguous) = (marks & mark::COMMAND != 0 && !shouted, marks & mark::AMBIGUOUS != 0 && !shouted);
    if name.path {
        let binary = text[start..name.end].windows(4).any(|four| four == b"bin/") || known && place != Place::Start;
        if binary && (known || ambiguous || matches!(after, After::Flag | After::Place | After::End)) {
            let flagged = matches!(after, After::Flag | After::Place);
            look.add(if place == Place::Start && !flagged { 8 } else { 10 }, "command-path", start);
        }
        return;
    }
    if name.tricks > 0 && (known || ambiguous) && place != Place::Start {
        look.add(10, "command-quoting", start);
        return;
    }
    let points = match (known, ambiguous) {
        _ if after == After::Nothing => 0,
        // `id;`: over before the value is.
        _ if place == Place::Start
            && after == After::End
            && matches!(text.get(name.end), Some(b';' | b'|' | b'&' | b'`')) =>
        {
            if known {
                9
            } else if ambiguous && !text[name.end..].iter().take(32).any(u8::is_ascii_alphabetic) {
                6
            } else {
                0
            }
        }
        (true, _) => of_known(place, after, letters.contains(&b'-')),
        // `more; less; none`
        (_, true) if after == After::End && start > from && is_list(text, from, place) => 3,
        (_, true) => of_ambiguous(place, after, letters),
        _ => match (place, after) {
            (Place::Substitution, After::End) => 6,
            (Place::Substitution, _) => 4,
            (Place::Backtick, _) => 2,
            // Nobody begins a text with `; word --flag`.
            (Place::Separator { leads: true, line: false }, After::Flag) => 10,
            (Place::Separator { leads: true, line: false }, After::Place) => 8,
            // `;word`, and that is all.
            (Place::Separator { leads: true, line: false }, After::End)
                if start == from
                    && text.len() - start == letters.len()
                    && letters.len() > 2
                    && letters[0].is_ascii_lowercase() =>
            {
                9
            }
            (Place::Separator { leads: true, .. }, After::End) => 5,
            // `|word word&`: separators at both ends.
            (Place::Separator { leads: true, line: false }, After::Word) if start == from => {
                if matches!(text.last(), Some(b'&' | b';' | b'|')) { 9 } else { 4 }
            }
            _ => 0,
        },
    };
    if points > 0 {
        look.add(points, "command", start);
    }
}

/// Whether a word that is no command stands here, in one piece.
fn is_other_word(text: &[u8], start: usize) -> bool {
    let length = text[start..].iter().take(32).take_while(|byte| is_word(**byte)).count();
    let ends = text.get(start + length);
    let whole = !matches!(ends, Some(b'\'' | b'"' | b'\\' | b'^' | b'$' | b'-' | b'.' | b'/'));
    whole && words::triggers(&text[start..start + length]) & (mark::COMMAND | mark::AMBIGUOUS) == 0
}

/// Words before a separator and a blank behind it: a list, if the words here are English.
fn is_list(text: &[u8], from: usize, place: Place) -> bool {
    matches!(place, Place::Separator { leads: false, line: false })
        && text[..from].iter().rev().take(32).any(u8::is_ascii_alphabetic)
}

/// Points of a program that nobody names by accident.
#[expect(clippy::match_same_arms, reason = "a table, place by place")]
fn of_known(place: Place, after: After, hyphened: bool) -> i32 {
    match (place, after) {
        (Place::Substitution | Place::Separator { leads: true, line: false }, _) => 10,
        (Place::Backtick, After::Word) => 8,
        (Place::Backtick, _) => 10,
        (Place::Start, After::Flag | After::Place) => {
            if hyphened {
                10
            } else {
                9
            }
        }
        (Place::Start, After::Number | After::Other | After::Command) => 6,
        (Place::Start, _) => 3,
        (Place::Separator { line: true, leads }, After::Flag | After::Place) => {
            if leads {
                10
            } else {
                7
            }
        }
        (Place::Separator { line: true, leads }, After::End) => {
            if leads {
                10
            } else {
                5
            }
        }
        (Place::Separator { line: true, .. }, _) => 0,
        (Place::Separator { .. }, After::Word) => {
            if hyphened {
                10
            } else {
                7
            }
        }
        (Place::Separator { .. }, _) => 10,
    }
}

/// Points of a program that is an English word too.
#[expect(clippy::match_same_arms, reason = "a table, place by place")]
fn of_ambiguous(place: Place, after: After, name: &[u8]) -> i32 {
    match (place, after) {
        (Place::Substitution, _) => 10,
        (Place::Separator { leads: true, line: false }, After::Word) => 9,
        (Place::Separator { leads: true, .. }, _) => 10,
        (Place::Backtick, _) => 8,
        (Place::Start, After::Flag | After::Place) => 9,
        (Place::Start, After::Number) if name == b"sleep" => 8,
        (Place::Start, After::Command) => 8,
        (Place::Start, After::Number | After::Other) => 5,
        (Place::Start | Place::Separator { line: true, .. }, _) => 0,
        (Place::Separator { .. }, After::Word) => 2,
        (Place::Separator { .. }, After::Number | After::Other | After::Command) => 7,
        (Place::Separator { .. }, _) => 8,
    }
}

fn dollar(look: &mut Look<'_>, at: usize) {
    let next = look.text.get(at + 1);
    if look.starts_with(at, "$ifs") || look.starts_with(at, "${ifs") {
        look.add(10, "command-ifs", at);
    } else if next == Some(&b'(') {
        command(look, at + 2, Place::Substitution);
    } else if next == Some(&b'{') {
        let jndi = ["jndi", "lower:", "upper:", "env:", "::-", "sys:", "date:"]
            .iter()
            .any(|what| look.starts_with(at + 2, what));
        // `${name#..}`, `${name:1:2}`
        let end = look.text[at + 2..].iter().take(40).take_while(|byte| is_word(**byte)).count();
        let expands = end > 0 && matches!(look.text.get(at + 2 + end), Some(b'#' | b'%' | b'/' | b':' | b'^' | b'['));
        let nested = look.text[at + 2..].iter().take(40).position(|byte| matches!(byte, b'$' | b'#' | b'{'));
        look.add(
            if jndi {
                10
            } else if expands {
                8
            } else if nested.is_some() {
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
    let in_prose = spaced && text[..at].iter().rev().take(24).filter(|byte| byte.is_ascii_alphabetic()).count() >= 2
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
    } else if look.starts_with(at, ">&1")
        || look.starts_with(at, ">&2")
        || look.starts_with(at, "> /dev/")
        || look.starts_with(at, ">/dev/")
        || look.starts_with(at, "> /tmp")
        || look.starts_with(at, ">/tmp")
    {
        look.add(5, "command-redirection", at);
    }
}

/// `{cat,/etc/passwd}`
fn braces(look: &mut Look<'_>, at: usize) {
    let comma = usize::from(look.text.get(at + 1) == Some(&b','));
    let name = Name::at(look.text, at + 1 + comma);
    let marks = words::marks(name.letters());
    if look.text.get(name.end) == Some(&b',') && (marks & (mark::COMMAND | mark::AMBIGUOUS) != 0 || name.path) {
        look.add(10, "command-braces", at);
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
        && segment.iter().any(u8::is_ascii_alphabetic)
    {
        look.add(8, "command-holes", at);
    }
}
