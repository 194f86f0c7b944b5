//! What a word is by what stands beside it.

use super::{has, is_word};
use crate::inspect::engine::{
    command::After,
    words::{self, Sql, mark},
};

pub(super) fn byte(value: &[u8], at: usize) -> u8 {
    value.get(at).copied().unwrap_or(0)
}

/// A row of more blanks than this is nothing that anybody skips.
const BLANKS: usize = 16;

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'+' | 0x09..=0x0D)
}

/// The next byte that is no blank.
#[inline]
pub(super) fn next_after_blank(value: &[u8], start: usize) -> u8 {
    let mut at = start;
    while let Some(&byte) = value.get(at) {
        if !is_blank(byte) {
            return byte;
        }
        at += 1;
        if at - start > BLANKS {
            break;
        }
    }
    0
}

/// Where the byte before is that is no blank.
#[inline]
fn before_blank(value: &[u8], end: usize) -> Option<usize> {
    if let [.., last] = value[..end]
        && !is_blank(last)
    {
        return Some(end - 1);
    }
    let blanks = value[..end].iter().rev().take(BLANKS).take_while(|byte| is_blank(**byte)).count();
    end.checked_sub(blanks + 1)
}

/// The byte before that is no blank.
pub(super) fn last_before_blank(value: &[u8], end: usize) -> u8 {
    before_blank(value, end).map_or(0, |at| value[at])
}

/// What a known word is by what stands beside it.
pub(super) fn neighbours(value: &[u8], start: usize, end: usize, marks: u16) -> u32 {
    let mut bytes = 0;
    if marks & !(mark::PROSE | mark::SQL) == 0 {
        return 0;
    }
    let next = next_after_blank(value, end);
    if marks & mark::CONNECTIVE != 0 {
        // `in 2003`, `from 9 to 5`: numbers follow these in any text.
        let counts =
            matches!(value[start] | 0x20, b'i' | b'f' | b'b') && end - start != 2 || value[start] | 0x20 == b'i';
        let operand = match next {
            b'0'..=b'9' => !counts && goes_on(value, end),
            b'@' | b'!' | b'~' | b'\\' | b'{' | b'#' => true,
            b'-' | b'.' | b'/' => byte(value, end) == next,
            // A value that goes on with somebody else's condition.
            // `having (`, `procedure analyse (`
            b'(' if end - start >= 6 => true,
            b'\'' | b'"' | b'(' => start <= 1,
            // `or true`, and nothing before it.
            b't' | b'T' | b'f' | b'F' => start <= 1 && is_before_literal(value, end),
            _ => false,
        };
        bytes |= if operand { has::SQL } else { 0 };
    }
    let last = last_before_blank(value, start);
    if marks & mark::CONNECTIVE != 0 && matches!(last, b'\'' | b'"' | b')') && ends_operand(value, start) {
        bytes |= has::SQL;
    }
    if marks & mark::FUNCTION != 0 && next == b'(' && is_asked(value, start, end) {
        bytes |= has::SQL;
    }
    if marks & (mark::VERB | mark::IMPERATIVE) != 0 && matches!(last, 0 | b';' | b'\'' | b'"' | b')' | b'/') {
        let begins = marks & mark::VERB != 0 || is_followed_by_sql(value, end);
        bytes |= if begins { has::SQL } else { 0 };
    }
    let handed =
        |before: usize| matches!(value[before], b'(' | b':' | b'=' | b',') && matches!(next, b',' | b'}' | b';');
    if marks & mark::SCRIPT != 0 && start.checked_sub(1).is_some_and(handed) {
        bytes |= has::MARKUP;
    }
    if marks & mark::SCRIPT != 0 && is_scripted(value, start, end, next) {
        bytes |= has::MARKUP;
    }
    let named = !matches!(byte(value, end), b'=' | b':');
    if marks & (mark::COMMAND | mark::AMBIGUOUS) != 0 && named && is_separated(value, start, marks) {
        bytes |= has::CODE;
    }
    // A line that can be a command alone.
    if marks & mark::AMBIGUOUS != 0
        && matches!(start.checked_sub(1).map(|before| value[before]), Some(b'\n' | b'\r'))
        && matches!(next, 0 | b'-' | b'/' | b'$' | b'~')
    {
        bytes |= has::CODE;
    }
    if marks & mark::PATH != 0 && is_segment(value, start, end) {
        bytes |= has::SEGMENT;
    }
    if marks & mark::BATCH != 0 {
        let before = start.checked_sub(1).map_or(0, |before| value[before]);
        // `/dev/tcp/`: a directory of that name is no sign.
        let speaks = if value[start..end].eq_ignore_ascii_case(b"dev") {
            before == b'/'
                && value[end..]
                    .get(..4)
                    .is_some_and(|next| next.eq_ignore_ascii_case(b"/tcp") || next.eq_ignore_ascii_case(b"/udp"))
        } else {
            matches!(before, b'/' | b'%') || matches!(next, b'-' | b'/' | b'\\')
        };
        bytes |= if speaks { has::CODE } else { 0 };
    }
    // `__class__`; `freemarker.`
    let is_object = value[start] == b'_' || byte(value, end) == b'.' && end - start == 10;
    if marks & mark::CODE != 0 && (matches!(next, b'(' | b'[' | b'\'' | b'"') || is_object) {
        bytes |= has::CODE;
    }
    bytes
}

/// Whether a value may begin with a command that ends here: what follows is no prose, and no name of a member.
pub(super) fn may_lead(value: &[u8], end: usize) -> bool {
    matches!(byte(value, end), b'-' | b'.' | b'\\' | b'\'' | b'"' | b'^' | b'$' | b'/')
        || matches!(value[end..], [b' ', b'+', ..])
        || !matches!(After::of(value, end), After::Nothing | After::Word)
}

/// Whether an operand of SQL may end before here: a number, a string, a parenthesis around one.
pub(super) fn ends_operand(value: &[u8], at: usize) -> bool {
    let Some(last) = before_blank(value, at) else { return false };
    match value[last] {
        b'0'..=b'9' | b'\'' | b'"' => true,
        b')' => before_blank(value, last)
            .is_none_or(|inner| matches!(value[inner], b'0'..=b'9' | b'\'' | b'"' | b')' | b'*')),
        _ => false,
    }
}

/// Whether the word that comes next is an operand by itself.
fn is_before_literal(value: &[u8], end: usize) -> bool {
    let rest = value[end..].trim_ascii_start();
    let length = rest.iter().take(32).take_while(|byte| is_word(**byte)).count();
    words::sql(&rest[..length]) == Sql::Literal
}

/// Whether what follows a verb is SQL: a word of it among the next, a parenthesis or a comment before it, or no word at
/// all; or something is set.
fn is_followed_by_sql(value: &[u8], end: usize) -> bool {
    let filler = |byte: &u8| is_blank(*byte) || matches!(byte, b'(' | b'/' | b'*');
    let mut rest = &value[end..];
    for word in 0..3 {
        rest = &rest[rest.iter().take(BLANKS).take_while(|byte| filler(byte)).count()..];
        let length = rest.iter().take(32).take_while(|byte| is_word(**byte)).count();
        match rest.first() {
            Some(first) if first.is_ascii_alphabetic() => {
                if words::sql(&rest[..length]) != Sql::None {
                    return true;
                }
                rest = &rest[length..];
            }
            other => return word == 0 || other == Some(&b'='),
        }
    }
    false
}

/// Whether a known function is called as an attack does: as the first of a value or the last, on another one's answer, or to ask
/// who and what the database is.
fn is_asked(value: &[u8], start: usize, end: usize) -> bool {
    let inside =
        value[end..].iter().take(BLANKS).position(|byte| *byte == b'(').map_or(value.len(), |open| end + open + 1);
    let length = value[inside..].iter().take(32).take_while(|byte| is_word(**byte)).count();
    let asks = ["char", "chr", "version", "user", "database"];
    start <= 2
        || value.len() <= inside + 1
        || asks.iter().any(|name| value[start..end].eq_ignore_ascii_case(name.as_bytes()))
        || matches!(last_before_blank(value, start), b'\'' | b'"' | b'=' | b'|' | b'&' | b'+' | b'-' | b'*' | b'/')
        || words::sql(&value[inside..inside + length]) != Sql::None
}

/// Whether the number that comes next is an operand: English goes on with a word, or with the end of a sentence.
fn goes_on(value: &[u8], end: usize) -> bool {
    let start = value[end..].iter().take_while(|byte| is_blank(**byte)).count();
    let rest = &value[end + start..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let blanks = rest[digits..].iter().take(BLANKS).take_while(|byte| is_blank(**byte)).count();
    let after = &rest[digits + blanks..];
    match after {
        [b'.', next, ..] => next.is_ascii_digit(),
        [b'.' | b',' | b':' | b'?', ..] => false,
        [letter, ..] if letter.is_ascii_alphabetic() => {
            let length = after.iter().take(32).take_while(|byte| is_word(**byte)).count();
            digits == 0 || blanks == 0 || words::sql(&after[..length]) != Sql::None
        }
        _ => true,
    }
}

/// Whether a script's word is used as one: called, asked for a member, assigned to, the beginning of an address.
fn is_scripted(value: &[u8], start: usize, end: usize, next: u8) -> bool {
    let is = |word: &str| value[start..end].eq_ignore_ascii_case(word.as_bytes());
    match next {
        b'(' | b'[' | b'=' | b'`' => true,
        b'.' => byte(value, end + 1).is_ascii_alphabetic(),
        b':' => is("mocha") || is("xlink") || is("data") && !byte(value, end + 1).is_ascii_digit(),
        b'/' | b'>' | b'<' | b')' | b'"' | b'\'' | b'}' => is("script") || is("alert") || is("confirm") || is("prompt"),
        _ => false,
    }
}

/// Whether a command's name stands where a command may: behind what separates commands, or what substitutes their output.
fn is_separated(value: &[u8], start: usize, marks: u16) -> bool {
    let mut at = start;
    let mut line = false;
    while at > 0 && start - at <= BLANKS && is_blank(value[at - 1]) {
        at -= 1;
        line |= value[at] == b'\n' || value[at] == b'\r';
    }
    match value[..at] {
        // A span of code within a sentence.
        [ref before @ .., b' ', b'`'] => {
            !before.last().is_some_and(|byte| is_word(*byte) || matches!(byte, b',' | b':'))
        }
        [.., b';' | b'|' | b'&' | b'{' | b'@' | b'`']
        | [.., b'{', b',']
        | [.., b'$' | b'<' | b'>' | b'%' | b'x', b'(']
        | [b'('] => true,
        _ => line && marks & mark::COMMAND != 0,
    }
}

/// Whether a word is a part of a path or of a file's name.
fn is_segment(value: &[u8], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).map_or(0, |before| value[before]);
    let (next, second) = (byte(value, end), byte(value, end + 1));
    matches!(before, b'/' | b'\\' | b'.' | b'{' | b':')
        || matches!(next, b'/' | b'\\')
        || matches!(next, b'.' | b'-' | b'%') && is_word(second)
}
