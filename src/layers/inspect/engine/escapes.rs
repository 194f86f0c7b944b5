//! The escapes of pages and scripts: entities, `\xHH`, `\uHHHH`, `\u{H}`. One pass: a browser reads them once.

use memchr::memchr2;

use super::canonical::hex;

/// Decodes into `out`, which is cleared; says whether there was anything to decode.
pub(super) fn unescape(value: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let (mut kept, mut at) = (0, 0);
    while let Some(found) = memchr2(b'&', b'\\', &value[at..]) {
        at += found + 1;
        let escape = if value[at - 1] == b'&' { entity(&value[at..]) } else { backslash(&value[at..]) };
        if let Some((length, code)) = escape {
            out.extend_from_slice(&value[kept..at - 1]);
            push(code, out);
            at += length;
            kept = at;
        }
    }
    out.extend_from_slice(&value[kept..]);
    kept > 0
}

fn push(code: u32, out: &mut Vec<u8>) {
    match u8::try_from(code) {
        Ok(0) => {}
        // `\xE2\x80\x89` is three bytes, not three characters.
        Ok(byte) => out.push(byte),
        Err(_) => {
            let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// After a `&`: how many bytes the rest of the entity has, and what it stands for.
fn entity(after: &[u8]) -> Option<(usize, u32)> {
    match after {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16).map(|(length, code)| (length + 2, code)),
        [b'#', digits @ ..] => number(digits, 10).map(|(length, code)| (length + 1, code)),
        _ => named(after),
    }
}

/// Leading zeros are free, the semicolon is too.
fn number(digits: &[u8], base: u32) -> Option<(usize, u32)> {
    let (mut length, mut code) = (0, 0_u32);
    while let Some(digit) = digits.get(length).and_then(|digit| char::from(*digit).to_digit(base)) {
        code = code.saturating_mul(base).saturating_add(digit);
        length += 1;
    }
    let closed = usize::from(digits.get(length) == Some(&b';'));
    (length > 0).then_some((length + closed, code))
}

/// Those that make syntax. Browsers want the semicolon of all but the oldest.
const NAMED: [(&[u8], u8); 29] = [
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"quot", b'"'),
    (b"amp", b'&'),
    (b"apos;", b'\''),
    (b"colon;", b':'),
    (b"lpar;", b'('),
    (b"rpar;", b')'),
    (b"Tab;", b'\t'),
    (b"NewLine;", b'\n'),
    (b"period;", b'.'),
    (b"sol;", b'/'),
    (b"bsol;", b'\\'),
    (b"semi;", b';'),
    (b"equals;", b'='),
    (b"comma;", b','),
    (b"excl;", b'!'),
    (b"lbrace;", b'{'),
    (b"lcub;", b'{'),
    (b"rcub;", b'}'),
    (b"rbrace;", b'}'),
    (b"lbrack;", b'['),
    (b"lsqb;", b'['),
    (b"rsqb;", b']'),
    (b"rbrack;", b']'),
    (b"grave;", b'`'),
    (b"dollar;", b'$'),
    (b"num;", b'#'),
    (b"plus;", b'+'),
];

fn named(after: &[u8]) -> Option<(usize, u32)> {
    let first = after.first().filter(|first| first.is_ascii_alphabetic())?.to_ascii_lowercase();
    let is = |name: &[u8]| after.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let (name, byte) = NAMED.iter().find(|(name, _)| name[0].to_ascii_lowercase() == first && is(name))?;
    let closed = usize::from(!name.ends_with(b";") && after.get(name.len()) == Some(&b';'));
    // `&amp=`, `&lt2=` are names in a query more often than entities.
    let open_name = closed == 0
        && !name.ends_with(b";")
        && after.get(name.len()).is_some_and(|next| *next == b'=' || next.is_ascii_alphanumeric());
    (!open_name).then_some((name.len() + closed, u32::from(*byte)))
}

/// After a backslash, of scripts.
fn backslash(after: &[u8]) -> Option<(usize, u32)> {
    match *after {
        [b'x' | b'X', high, low, ..] => Some((3, u32::from(hex(high)? << 4 | hex(low)?))),
        [high @ (b'0' | b'1'), middle @ b'0'..=b'7', low @ b'0'..=b'7', ..] => {
            Some((3, u32::from(high - b'0') << 6 | u32::from(middle - b'0') << 3 | u32::from(low - b'0')))
        }
        [b'u' | b'U', b'{', ref digits @ ..] => {
            let (length, code) = number(digits, 16)?;
            (digits.get(length) == Some(&b'}')).then_some((length + 3, code))
        }
        [b'u' | b'U', a, b, c, d, ..] => {
            let code = [a, b, c, d].iter().try_fold(0, |code, digit| Some(code << 4 | u32::from(hex(*digit)?)))?;
            Some((5, code))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_reads_is_read() {
        let table = [
            ("&lt;b&gt;", "<b>"),
            ("&#60;&#x3c;&#0000060", "<<<"),
            ("java&Tab;script&colon;a&lpar;1&rpar;", "java\tscript:a(1)"),
            (r"\x3c\u003C\u{3c}", "<<<"),
            ("R&D; a && b; &ltd=1&amp=2", "R&D; a && b; &ltd=1&amp=2"),
            (r"C:\users\xavier\u12", r"C:\users\xavier\u12"),
        ];
        for (escaped, plain) in table {
            let mut out = Vec::new();
            unescape(escaped.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), plain, "{escaped}");
        }
    }
}
