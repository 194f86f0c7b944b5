//! What injects into a query without being SQL to read: text in hexadecimal, and the filters of a directory.

use memchr::{memchr_iter, memchr2_iter};

use crate::inspect::engine::{
    gate::{Made, has},
    verdict::Finding,
};

/// Digits that nobody needs for a number, an address or a hash that happens to be text.
const DIGITS: usize = 24;

/// `0x` and text: letters of one byte or two.
pub(super) fn hexadecimal(text: &[u8], made: Made) -> Finding {
    if !made.has(has::HEX) {
        return Finding::default();
    }
    let starts = text.windows(2).enumerate().filter(|(_, pair)| matches!(pair, [b'0', b'x' | b'X']));
    for (at, _) in starts.take(8) {
        let digits = &text[at + 2..];
        let length = digits.iter().take(400).take_while(|byte| byte.is_ascii_hexdigit()).count();
        if length < DIGITS {
            continue;
        }
        let (pairs, _) = digits[..length].as_chunks::<2>();
        let is_text =
            |pair: &[u8; 2]| matches!(pair[0], b'2'..=b'7') || pair == b"00" || pair == b"0a" || pair == b"0A";
        if pairs.iter().all(is_text) {
            return Finding { score: 9, rule: "sql-hexadecimal", offset: at };
        }
    }
    Finding::default()
}

/// The operators of `MongoDB`'s queries that compare or compute.
const OPERATORS: [&[u8]; 22] = [
    b"eq",
    b"ne",
    b"gt",
    b"gte",
    b"lt",
    b"lte",
    b"in",
    b"nin",
    b"and",
    b"or",
    b"not",
    b"nor",
    b"exists",
    b"type",
    b"mod",
    b"regex",
    b"where",
    b"all",
    b"elemmatch",
    b"size",
    b"expr",
    b"function",
];

/// An operator where a key stands: `"$ne":`, `[$gt]`, `{$where:`.
pub(super) fn document(text: &[u8], made: Made) -> Finding {
    if !made.has(has::DOLLAR) {
        return Finding::default();
    }
    for at in memchr_iter(b'$', text).take(16) {
        let name = &text[at + 1..text.len().min(at + 12)];
        let name = &name[..name.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(name.len())];
        let opens = at.checked_sub(1).is_some_and(|before| matches!(text[before], b'"' | b'\'' | b'[' | b'{'));
        let closes = matches!(text.get(at + 1 + name.len()), Some(b'"' | b'\'' | b']' | b':'));
        if opens && closes && OPERATORS.iter().any(|operator| name.eq_ignore_ascii_case(operator)) {
            return Finding { score: 6, rule: "sql-operator", offset: at };
        }
    }
    Finding::default()
}

/// LDAP: a filter that closes one and opens another (RFC 4515).
pub(super) fn filter(text: &[u8], made: Made) -> Finding {
    if !made.has(has::PARENTHESIS) || !made.has(has::PIPE | has::AMPERSAND | has::SIGN) {
        return Finding::default();
    }
    let opens = |at: &usize| match text[at.saturating_sub(1)..] {
        [b'*', b')', b'(', ..] | [_, b'(', b'|' | b'&' | b'!', b'(', ..] | [_, b')', b'(', b'|' | b'&', ..] => true,
        _ => *at == 0 && matches!(text, [b'(', b'|' | b'&' | b'!', b'(', ..] | [b')', b'(', b'|' | b'&', ..]),
    };
    let found = memchr2_iter(b'(', b')', text).find(opens).filter(|_| text.contains(&b'=') || text.contains(&b'*'));
    found.map_or(Finding::default(), |offset| Finding { score: 9, rule: "ldap-filter", offset })
}
