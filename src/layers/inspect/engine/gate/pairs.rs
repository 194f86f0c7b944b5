//! What a byte is by what stands beside it.

use super::{
    KINDS, has, is_word,
    near::{byte, ends_operand, is_blank, last_before_blank, next_after_blank},
};

/// A scheme that ends as `script` does. Browsers leave out what is no letter.
fn ends_script(before: &[u8]) -> bool {
    let mut letters = before.iter().rev().take(24).filter(|byte| !matches!(**byte, ..b' ' | 0x7F..));
    letters.next().is_some_and(|byte| byte | 0x20 == b't') && letters.next().is_some_and(|byte| byte | 0x20 == b'p')
}

/// Whether a comma, a name and `=` come next.
fn assigns(value: &[u8], start: usize) -> bool {
    let mut rest = value[start..].iter().take(64).skip_while(|byte| **byte == b',' || is_blank(**byte));
    let after = rest.find(|byte| !is_word(**byte) && !is_blank(**byte));
    after == Some(&b'=')
}

/// Pairs of bytes that may mean something: a bit for each byte that may follow, for each of the few that need one.
static PAIRS: [[u64; 4]; 256] = pairs();

const fn pairs() -> [[u64; 4]; 256] {
    let mut pairs = [[0; 4]; 256];
    let (mut first, mut next) = (0_u8, 0_u8);
    loop {
        if KINDS[first as usize] & has::PAIRED != 0 && could_pair(first, next) {
            pairs[first as usize][next as usize / 64] |= 1 << (next % 64);
        }
        if next < u8::MAX {
            next += 1;
        } else if first < u8::MAX {
            (first, next) = (first + 1, 0);
        } else {
            return pairs;
        }
    }
}

const fn could_pair(first: u8, next: u8) -> bool {
    match first {
        b'.' => matches!(next, b'.' | b'e' | b'E'),
        b'-' => next == b'-',
        b'(' => matches!(next, b'|' | b'&' | b'!'),
        b')' => next == b'(',
        b'+' => next == b'A',
        b'%' => next.is_ascii_hexdigit() || matches!(next, b'u' | b'U' | b'%' | b'x'),
        b'\'' | b'"' | b'`' => !(next == 0 || next.is_ascii_alphanumeric() || matches!(next, b'_' | b'.')),
        b'@' => next == b'@',
        _ => true,
    }
}

#[inline]
pub(super) fn may_pair(first: u8, next: u8) -> bool {
    PAIRS[usize::from(first)][usize::from(next) / 64] >> (next % 64) & 1 != 0
}

/// What a byte is by what stands beside it.
pub(super) fn pair(value: &[u8], at: usize) -> u32 {
    let next = byte(value, at + 1);
    match (value[at], next) {
        (b'%', b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b'u' | b'U' | b'%')
        | (0xC0 | 0xC1 | 0xF5..=0xFF, _)
        | (0xE0, 0x80..=0x9F | b'%')
        | (0xEF, 0xBC | 0xBD | b'%')
        | (0xF0, 0x80..=0x8F | b'%') => has::ENCODED,
        (b'.', b'.') => match byte(value, at + 2) {
            b'/' | b'\\' | b';' | b'0' | b'2' | b'5' | b'%' | b'{' | 0x0B => has::DOTS,
            0 if at == 0 || matches!(value[at - 1], b'/' | b'\\' | b'.') => has::DOTS,
            _ => 0,
        },
        (b'{', _) if at > 0 && matches!(value[at - 1], b'$' | b'#' | b'*' | b'@' | b'~' | b'%') => has::CODE,
        (b'<', b'?' | b'%') => has::MARKUP | has::CODE,
        (b'<', b'!') if byte(value, at + 4) == b'#' => has::MARKUP | has::CODE,
        (b'<', b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'/') | (b'+', b'A') => has::MARKUP,
        (b'[', b']' | b'+' | b'!' | b'(' | b'[') => has::MARKUP | has::SYMBOLS,
        (b'<' | b'>', b'0'..=b'9' | b'\'' | b'"' | b'=' | b'@' | b'>' | b' ')
            if at > 0 && !matches!(value[at - 1], b'-' | b'=' | b'\n') =>
        {
            has::COMPARES
        }
        (b'<' | b'>', b'(') | (b'<', b'<') | (b'{', b'{' | b'%') => has::CODE,
        // Ruby's `%x(ls)`.
        (b'%', b'x') if byte(value, at + 2) == b'(' => has::CODE,
        // `>/tmp/x`, but `<br>/`
        (b'>', b'&') if byte(value, at + 2).is_ascii_digit() => has::CODE,
        (b'>', b'/') if byte(value, at + 2).is_ascii_lowercase() => has::CODE,
        // A directory's filter: `(|(`, `)(&`
        (b'(', b'|' | b'&' | b'!') if byte(value, at + 2) == b'(' => has::SQL,
        (b')', b'(') if matches!(byte(value, at + 2), b'|' | b'&') || at > 0 && value[at - 1] == b'*' => has::SQL,
        (b'@', b'@') if byte(value, at + 2).is_ascii_alphabetic() => has::SQL,
        // `alert?.(`
        (b'?', b'.') if byte(value, at + 2) == b'(' => has::MARKUP,
        // The end of an attribute and its tag; a member that is computed.
        (b'>', _) if at > 0 && matches!(value[at - 1], b'\'' | b'"') => has::MARKUP,
        (b'[', b'\'' | b'"' | b'`') if at > 0 && (is_word(value[at - 1]) || matches!(value[at - 1], b')' | b']')) => {
            has::MARKUP
        }
        // `1.e(`, and no `i.e.`
        (b'.', b'e' | b'E')
            if matches!(byte(value, at + 2), b'(' | b'.') && at > 0 && value[at - 1].is_ascii_digit() =>
        {
            has::SQL
        }
        (b'?', _) => {
            let before = |back: usize| at.checked_sub(back).map_or(0, |before| value[before]);
            let rest =
                || value[at + 1..].iter().take(12).find(|byte| !is_word(**byte) && !matches!(byte, b'?' | b'[' | b'*'));
            let is_hole = match before(1) {
                b'?' => true,
                // `/?tc`, and no `/?query=`.
                b'/' => matches!(rest(), None | Some(b'/' | b' ')),
                _ => before(2) == b'?',
            };
            if is_hole { has::HOLES } else { 0 }
        }
        (b'[', b'a'..=b'z' | b'?' | b'/')
            if at > 0
                && (value[at - 1] == b'/' || value[at - 1].is_ascii_alphabetic())
                && matches!(byte(value, at + 2), b']' | b'/') =>
        {
            has::HOLES
        }
        // `/e*c`
        (b'*', b'a'..=b'z') if at > 1 && value[at - 1].is_ascii_alphabetic() && value[at - 2] == b'/' => has::HOLES,
        (b':', _) if ends_script(&value[..at]) => has::MARKUP,
        // `'..'::json`
        (b':', b':') if at > 0 && matches!(value[at - 1], b')' | b'\'' | b'"') => has::SQL,
        // No heading, and no colour.
        (b'#', _) if ends_operand(value, at) => has::SQL,
        (b'-', b'-') if ends_operand(value, at) || matches!(last_before_blank(value, at), b'*' | b'/' | b'#') => {
            has::SQL
        }
        // At the very end whatever stands before it is commented.
        (b'-', b'-') if value.len() - at <= 4 && at > 0 && value[at - 1] != b'-' => has::SQL,
        (b'*', b'/')
            if matches!(
                last_before_blank(value, at),
                0 | b'0'..=b'9' | b'\'' | b'"' | b')' | b'`' | b'-' | b'#' | b'*' | b'/'
            ) =>
        {
            has::SQL
        }
        (b'*', _) if at > 0 && value[at - 1] == b'/' => has::SQL,
        // A span of code begins.
        (b'`', _) if at == 0 || matches!(value[at - 1], b' ' | b'\n' | b'(' | b'*' | b'[') => 0,
        (b'\'' | b'"' | b'`', _) => match next_after_blank(value, at + 1) {
            b'=' | b'|' | b'*' | b'/' | b'%' | b'^' | b'&' | b'<' | b'!' | b'-' | b'~' | b'\'' | b'"' | b';' | b'#'
            | b'@' => has::SQL,
            // An attribute ends, or a comparison begins.
            b'>' if !matches!(byte(value, at + 2), 0 | b'a'..=b'z' | b'A'..=b'Z' | b'<' | b'\n') => has::SQL,
            _ if next == b'+' => has::SQL,
            // `5', role=2`: the next column of an update.
            b',' if assigns(value, at + 1) => has::SQL,
            // `x='`, `1' a`: not `14"` at the end.
            after => match at.checked_sub(1).map_or(0, |before| value[before]) {
                b'=' => has::SQL,
                b'0'..=b'9' if after.is_ascii_alphabetic() || matches!(after, b'(' | b')') => has::SQL,
                _ => 0,
            },
        },
        _ => 0,
    }
}
