//! Command injection: what a shell, or an interpreter on the server, would run of the value.

mod code;
mod name;
mod points;
mod shell;
mod windows;

use memchr::{memchr, memchr_iter, memchr3_iter};

pub(super) use self::name::After;
use super::{
    gate::{Made, has, is_word},
    verdict::{Finding, Location, Signs},
    words::{self, mark},
};

/// Whether it is worth a look.
pub(super) fn may_be(made: Made, text: &[u8]) -> bool {
    let batch =
        windows::may_begin(text) && (made.has(has::COMPARES | has::PERCENT | has::SLASH) || windows::asks(text));
    if batch || !made.has(SIGNS) {
        return batch;
    }
    let separated = made.has(has::SEMICOLON | has::PIPE | has::AMPERSAND);
    made.has(has::DOLLAR | has::CODE | has::HOLES)
        || separated && (made.has(has::BACKSLASH | has::SINGLE | has::DOUBLE) && is_torn(text) || ends(text))
        || made.has(has::BACKSLASH) && (made.names(mark::COMMAND) || is_line(text))
        || separated && made.has(has::PERCENT) && is_repeated(text)
        || begins(text)
}

/// Without one of these no shell is asked for anything, but by a batch file.
const SIGNS: u32 = has::DOLLAR
    | has::CODE
    | has::HOLES
    | has::SEMICOLON
    | has::PIPE
    | has::AMPERSAND
    | has::NEWLINE
    | has::BACKSLASH
    | has::BACKTICK
    | has::PARENTHESIS
    | has::DOT
    | has::LESS;

/// Whether something stands at the beginning that separates commands, or a batch file's sentence does.
fn begins(text: &[u8]) -> bool {
    match text {
        [b' ' | b'"' | b'\'' | b'+' | b'\t', next, ..] => matches!(next, b';' | b'|' | b'&' | b'\n' | b'`' | b')'),
        [b';' | b'|' | b'&' | b'\n' | b'\r' | b'\\', ..] | [b'(', b')', ..] | [b'>', b'/', ..] => true,
        // A span of code at the beginning of a sentence.
        [b'`', rest @ ..] => {
            let after = memchr(b'`', rest).and_then(|close| rest.get(close + 1));
            !matches!(after, Some(b' ' | b',' | b'.' | b':'))
        }
        [b'-', b'-', ..] => is_argument(text),
        // `f(){ .. }`
        [_, b'(', b')', ..] | [_, _, b'(', b')', ..] => text.iter().take(6).any(|byte| *byte == b'{'),
        _ => false,
    }
}

/// Whether quotes or backslashes stand where they tear a command's name, which hides it from the gate.
fn is_torn(text: &[u8]) -> bool {
    memchr3_iter(b'\'', b'"', b'\\', text).any(|at| {
        let before = at.checked_sub(1).map_or(b';', |before| text[before]);
        let torn = is_word(before) || matches!(before, b';' | b'|' | b'&' | b'\'' | b'"' | b'\\' | b'(');
        torn && text.get(at + 1).is_some_and(|next| is_word(*next) || matches!(next, b'\'' | b'"' | b'\\'))
    })
}

/// Whether a batch file's sentence begins behind what separates commands: `& for %x in (`.
fn is_repeated(text: &[u8]) -> bool {
    memchr3_iter(b';', b'|', b'&', text).any(|at| windows::may_begin(text[at + 1..].trim_ascii_start()))
}

/// Whether a line ends that somebody spelled out: `\n`.
fn is_line(text: &[u8]) -> bool {
    memchr_iter(b'\\', text).any(|at| matches!(text.get(at + 1), Some(b'n' | b'r')))
}

/// Whether what separates commands is the last of it; the end of an entity is none.
fn ends(text: &[u8]) -> bool {
    match text {
        [.., b'|' | b'&'] => true,
        [before @ .., b';'] => !before.iter().rev().take(10).any(|byte| *byte == b'&'),
        _ => false,
    }
}

/// `--name=value`: where a program takes the value, an option of its own.
fn is_argument(text: &[u8]) -> bool {
    let name = text.iter().skip(2).take(32).take_while(|byte| byte.is_ascii_lowercase() || **byte == b'-').count();
    name > 1 && text[2] != b'-' && text.get(2 + name) == Some(&b'=')
}

/// What the detectors of this class share.
struct Look<'a> {
    text: &'a [u8],
    signs: Signs,
    /// Points of what no prose explains.
    certain: i32,
    /// Words that hold sentences together.
    prose: i32,
    /// Rows of a Markdown table: its bars separate no commands.
    table: bool,
    /// Points of names that may be the words of a list.
    listed: i32,
    /// It stands in an address, where nobody breaks a line.
    address: bool,
    /// There are names with holes in it.
    holes: bool,
}

impl Look<'_> {
    fn add(&mut self, points: i32, rule: &'static str, at: usize) {
        self.signs.add(points, rule, at);
    }

    fn add_certain(&mut self, points: i32, rule: &'static str, at: usize) {
        self.certain += points;
        self.add(points, rule, at);
    }

    fn starts_with(&self, at: usize, what: &str) -> bool {
        self.text.get(at..at + what.len()).is_some_and(|text| text.eq_ignore_ascii_case(what.as_bytes()))
    }
}

pub(super) fn score(text: &[u8], made: Made, location: Location) -> Finding {
    let bars = if made.has(has::PIPE) { text.split(|byte| *byte == b'|').take(4).count() - 1 } else { 0 };
    let table = bars >= 3 && made.has(has::NEWLINE) && text.windows(3).any(|three| three == b"---" || three == b"--|")
        || bars >= 3 && text.starts_with(b"| ") && text.trim_ascii_end().ends_with(b" |");
    let mut look = Look {
        text,
        signs: Signs::default(),
        certain: 0,
        prose: 0,
        listed: 0,
        address: matches!(location, Location::Path | Location::Query),
        table,
        holes: made.has(has::HOLES | has::BRACKET),
    };
    shell::commands(&mut look);
    code::code(&mut look, made, location);
    if made.names(mark::BATCH) && made.has(has::CODE) {
        windows::batch(&mut look);
    }
    windows::sentence(&mut look, 0);
    // In an address nothing is separated at the edge.
    if look.address
        && look.signs.sum() < 3
        && text.len() > 1
        && (ends(text) || matches!(text[0], b';' | b'|' | b'&' | b'`'))
    {
        look.add(3, "command-separator", 0);
    }
    if text.starts_with(b"--") && is_argument(text) {
        look.add(5, "command-argument", 0);
    }
    if look.signs.sum() > 0 {
        look.prose = prose(text);
    }
    let against = if look.prose > 1 {
        (look.prose * 2).min(look.signs.sum() / 2 + 2).min(look.signs.sum() - look.certain)
    } else {
        0
    };
    look.signs.less(against)
}

fn prose(text: &[u8]) -> i32 {
    let words = text.split(|byte| !is_word(*byte));
    let prose = words
        .filter(|word| words::marks(word) & (mark::PROSE | mark::COMMAND | mark::AMBIGUOUS) == mark::PROSE)
        .take(16)
        .count();
    i32::try_from(prose).unwrap_or(16)
}
