//! Command injection: what a shell, or an interpreter on the server, would run of the value.

mod code;
mod shell;
mod windows;

use super::{
    gate::{Made, has, is_word},
    verdict::{Finding, Location, Signs},
    words::{self, mark},
};

/// Whether it is worth a look.
pub(super) fn may_be(made: Made) -> bool {
    made.has(has::SEMICOLON | has::PIPE | has::AMPERSAND | has::DOLLAR | has::BACKTICK | has::NEWLINE | has::PERCENT)
        && made.has(has::LETTER)
        || made.names(mark::COMMAND | mark::AMBIGUOUS | mark::CODE)
        || made.has(has::BRACE)
        || made.has(has::SLASH) && made.has(has::QUESTION | has::BRACKET | has::BACKSLASH)
        || made.has(has::LESS) && made.has(has::QUESTION | has::PARENTHESIS)
}

/// What the detectors of this class share.
struct Look<'a> {
    text: &'a [u8],
    signs: Signs,
    /// Words that hold sentences together.
    prose: i32,
    /// Rows of a Markdown table: its bars separate no commands.
    table: bool,
}

impl Look<'_> {
    fn add(&mut self, points: i32, rule: &'static str, at: usize) {
        self.signs.add(points, rule, at);
    }

    fn starts_with(&self, at: usize, what: &str) -> bool {
        self.text.get(at..at + what.len()).is_some_and(|text| text.eq_ignore_ascii_case(what.as_bytes()))
    }
}

pub(super) fn score(text: &[u8], made: Made, location: Location) -> Finding {
    let bars = text.split(|byte| *byte == b'|').take(4).count() - 1;
    let table = bars >= 3 && made.has(has::NEWLINE) && text.windows(3).any(|three| three == b"---" || three == b"--|");
    let mut look = Look { text, signs: Signs::default(), prose: 0, table };
    shell::commands(&mut look);
    code::code(&mut look, made);
    if made.has(has::PERCENT | has::PARENTHESIS | has::EQUALS | has::BACKSLASH | has::SLASH) {
        windows::batch(&mut look);
    }
    if look.signs.sum() > 0 {
        look.prose = prose(text);
    }
    let _ = location;
    let against = if look.prose > 1 { (look.prose * 2).min(look.signs.sum() / 2 + 2) } else { 0 };
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
