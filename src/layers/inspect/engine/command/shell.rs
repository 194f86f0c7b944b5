//! Separators and the commands behind them, substitutions, and the tricks that hide both.

use super::Look;
use crate::inspect::engine::{
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

/// What follows a command's name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// The command is over.
    End,
    /// A flag, a path, an address, a quote, a variable.
    Argument,
    Number,
    Word,
    /// Something no command has: `=`, `:`, `.`
    Nothing,
}

pub(super) fn commands(look: &mut Look<'_>) {
    let text = look.text;
    let start =
        text.iter().position(|byte| !matches!(byte, b' ' | b'"' | b'\'' | b'\t' | b'(' | b'+')).unwrap_or(text.len());
    command(look, start, Place::Start);
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let leads = at <= start;
        let line = Place::Separator { leads, line: true };
        match byte {
            b';' | b'|' | b'&' => {
                let mut next = at + 1;
                while text.get(next).is_some_and(|byte| matches!(byte, b';' | b'|' | b'&')) {
                    next += 1;
                }
                let entity = byte == b';' && is_entity_end(text, at);
                if !(entity || look.table && byte == b'|') {
                    command(look, next, Place::Separator { leads, line: false });
                }
                at = next;
                continue;
            }
            b'\n' | b'\r' => command(look, at + 1, line),
            b'\\' if matches!(text.get(at + 1), Some(b'n' | b'r')) => command(look, at + 2, line),
            b'$' => dollar(look, at),
            b'`' if text.get(at + 1) != Some(&b'`') => backtick(look, at),
            b'<' | b'>' => redirection(look, at),
            b'(' if look.starts_with(at, "() {") || look.starts_with(at, "(){") => look.add(10, "command-function", at),
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

/// The name at a place where a command may stand, without the quotes and backslashes that a shell takes away.
struct Name {
    letters: [u8; 32],
    length: usize,
    end: usize,
    tricks: u8,
    /// Where it is looked for: `/bin/`.
    path: bool,
}

fn name(text: &[u8], start: usize) -> Name {
    let mut name = Name { letters: [0; 32], length: 0, end: start, tricks: 0, path: false };
    let mut last_trick = start;
    while let Some(&byte) = text.get(name.end) {
        match byte {
            b'/' => {
                name.path |= name.length > 0 || name.end == start;
                name.length = 0;
            }
            b'\'' | b'"' | b'\\' | b'^'
                if name.length > 0
                    && text.get(name.end + 1).is_some_and(|next| is_word(*next) || matches!(next, b'\'' | b'"')) =>
            {
                name.tricks += 1;
                last_trick = name.end;
                if name.tricks > 12 {
                    break;
                }
            }
            b'$' if name.length > 0
                && text.get(name.end + 1).is_some_and(|next| matches!(next, b'@' | b'*' | b'!' | b'1'..=b'9')) =>
            {
                name.tricks += 1;
                name.end += 1;
            }
            _ if is_word(byte) || name.length > 0 && matches!(byte, b'-' | b'.' | b'+') => {
                if name.length == name.letters.len() {
                    break;
                }
                name.letters[name.length] = byte;
                name.length += 1;
            }
            _ => break,
        }
        name.end += 1;
    }
    // A closing quote is no trick.
    if name.tricks == 1 && last_trick + 1 == name.end {
        name.tricks = 0;
    }
    if name.length > 4 && name.letters[..name.length].ends_with(b".exe") {
        name.length -= 4;
    }
    name
}

fn after(text: &[u8], end: usize) -> After {
    let mut at = end;
    let mut blank = false;
    while text.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'+')) {
        blank = true;
        at += 1;
    }
    match text.get(at) {
        None | Some(b';' | b'|' | b'&' | b'\n' | b'\r' | b'`' | b')' | b'}') => After::End,
        Some(b'\'' | b'"' | b'#') if !blank => After::End,
        Some(b'\\') if !blank && matches!(text.get(at + 1), Some(b'n' | b'r')) => After::End,
        Some(b'<' | b'>' | b'$') => After::Argument,
        Some(b'-') if blank && text.get(at + 1).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'-') => {
            After::Argument
        }
        Some(b'/' | b'\'' | b'"' | b'%' | b'~' | b'*' | b'\\' | b'{' | b'[' | b'@' | b'?') if blank => After::Argument,
        Some(b'.') if blank && matches!(text.get(at + 1), Some(b'/' | b'.' | b' ') | None) => After::Argument,
        Some(digit) if blank && digit.is_ascii_digit() => After::Number,
        Some(letter) if blank && letter.is_ascii_alphabetic() => {
            let word = text[at..].iter().take(40).take_while(|byte| !matches!(byte, b' ' | b'\n')).count();
            let word = &text[at..at + word];
            let addressed = word.windows(2).any(|pair| matches!(pair, b":/" | b":\\"))
                || word.windows(2).any(|pair| pair[0] == b'.' && pair[1].is_ascii_alphabetic())
                || word[..word.len() - 1].contains(&b'/')
                || word.contains(&b'=');
            if addressed { After::Argument } else { After::Word }
        }
        Some(_) => After::Nothing,
    }
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
    let name = name(text, start);
    if name.length == 0 {
        return;
    }
    let letters = &name.letters[..name.length];
    let marks = words::marks(letters);
    let (known, ambiguous) = (marks & mark::COMMAND != 0, marks & mark::AMBIGUOUS != 0);
    let after = after(text, name.end);
    if name.path {
        let binary = text[start..name.end].windows(4).any(|four| four == b"bin/") || known;
        if binary && (known || ambiguous || after == After::Argument) {
            look.add(if place == Place::Start { 8 } else { 10 }, "command-path", start);
        }
        return;
    }
    if name.tricks > 0 && (known || ambiguous) && place != Place::Start {
        look.add(10, "command-quoting", start);
        return;
    }
    let points = match (place, after) {
        (_, After::Nothing) => 0,
        (Place::Substitution, _)
        | (Place::Separator { leads: true, .. }, After::End | After::Argument | After::Number)
            if known || ambiguous =>
        {
            10
        }
        (Place::Substitution, After::End) => 6,
        (Place::Substitution, _) => 4,
        (Place::Backtick, After::End | After::Argument) if known => 10,
        (Place::Backtick, _) if known || ambiguous => 8,
        (Place::Backtick, _) => 2,
        (Place::Start, After::Argument) if known => 9,
        (Place::Start, After::Argument) if ambiguous => 6,
        (Place::Start, After::Number) if known || ambiguous => 5,
        (Place::Start, After::Word | After::End) if known => 3,
        (Place::Separator { line: true, .. }, After::Argument) if known => 7,
        (Place::Separator { line: true, .. }, After::End) if known => 5,
        (Place::Start | Place::Separator { line: true, .. }, _) => 0,
        (Place::Separator { .. }, After::End | After::Argument | After::Number) if known => 10,
        (Place::Separator { .. }, After::Word) if known => 7,
        (Place::Separator { .. }, After::End | After::Argument) if ambiguous => 8,
        (Place::Separator { .. }, After::Number) if ambiguous => 7,
        (Place::Separator { leads: true, .. }, After::Word) if ambiguous => 6,
        (Place::Separator { .. }, After::Word) if ambiguous => 2,
        (Place::Separator { leads: true, .. }, After::Argument) => 7,
        (Place::Separator { leads: true, .. }, After::End) => 5,
        (Place::Separator { .. }, _) => 0,
    };
    if points > 0 {
        look.add(points, "command", start);
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
        let nested = look.text[at + 2..].iter().take(40).position(|byte| matches!(byte, b'$' | b'#' | b'{'));
        look.add(
            if jndi {
                10
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

/// A span of code in a sentence is no attack.
fn backtick(look: &mut Look<'_>, at: usize) {
    let before = &look.text[..at];
    let opens = before.iter().filter(|byte| **byte == b'`').take(64).count() % 2 == 0;
    if !opens {
        return;
    }
    let in_prose = before.iter().rev().take(24).filter(|byte| byte.is_ascii_alphabetic()).count() >= 2
        && before.contains(&b' ')
        || look.text[at + 1..]
            .iter()
            .position(|byte| *byte == b'`')
            .is_some_and(|end| look.text.get(at + end + 2) == Some(&b' '));
    if !in_prose {
        command(look, at + 1, Place::Backtick);
    }
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
    let name = name(look.text, at + 1);
    let marks = words::marks(&name.letters[..name.length]);
    if look.text.get(name.end) == Some(&b',') && (marks & (mark::COMMAND | mark::AMBIGUOUS) != 0 || name.path) {
        look.add(10, "command-braces", at);
    }
}

/// `/dev/tcp/`, `/bin/sh` wherever they are, and names with holes: `/e?c/p?ss*`.
fn path(look: &mut Look<'_>, at: usize) {
    if look.starts_with(at, "/dev/tcp/") || look.starts_with(at, "/dev/udp/") {
        look.add(10, "command-path", at);
    } else if look.starts_with(at, "/bin/sh") || look.starts_with(at, "/bin/bash") || look.starts_with(at, "/bin/cat") {
        look.add(6, "command-path", at);
    }
    let segment = look.text[at + 1..]
        .iter()
        .take(24)
        .take_while(|byte| is_word(**byte) || matches!(byte, b'?' | b'[' | b']' | b'*'))
        .count();
    let segment = &look.text[at + 1..at + 1 + segment];
    let holes = segment.iter().filter(|byte| matches!(byte, b'?' | b'[')).count();
    let closed = matches!(look.text.get(at + 1 + segment.len()), Some(b'/' | b' ') | None);
    if holes > 0
        && segment.len() <= 12
        && (holes > 1 || closed && !segment.ends_with(b"?"))
        && segment.iter().any(u8::is_ascii_alphabetic)
    {
        look.add(6, "command-holes", at);
    }
}
