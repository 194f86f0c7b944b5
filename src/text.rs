//! Text written without `fmt`, where it is written often.

use std::io::Write as _;

/// Appends a string of JSON. Most need no escape, and are copied whole.
pub(crate) fn push_json(text: &mut Vec<u8>, value: &str) {
    text.push(b'"');
    if is_plain(value.as_bytes()) {
        text.extend_from_slice(value.as_bytes());
    } else {
        push_escaped(text, value, |char| matches!(char, '"' | '\\') || is_hidden(char));
    }
    text.push(b'"');
}

/// Appends what somebody reads in a terminal: nothing in it moves the cursor, begins a line or turns the writing around.
#[cfg(feature = "logs")]
pub(crate) fn push_visible(text: &mut Vec<u8>, value: &str) {
    if is_plain(value.as_bytes()) {
        text.extend_from_slice(value.as_bytes());
    } else {
        push_escaped(text, value, is_hidden);
    }
}

/// Whether a character is not seen but does something: controls, C1 among them, which terminals obey as they do ANSI's; line
/// ends that only some readers know; marks that turn the direction of what follows.
const fn is_hidden(char: char) -> bool {
    matches!(
        char,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

fn push_escaped(text: &mut Vec<u8>, value: &str, is_escaped: impl Fn(char) -> bool) {
    let mut rest = value;
    while let Some(at) = rest.find(&is_escaped) {
        let (plain, special) = rest.split_at(at);
        text.extend_from_slice(plain.as_bytes());
        let mut chars = special.chars();
        match chars.next() {
            Some('\n') => text.extend_from_slice(br"\n"),
            Some('\r') => text.extend_from_slice(br"\r"),
            Some('\t') => text.extend_from_slice(br"\t"),
            Some(char @ ('"' | '\\')) => text.extend_from_slice(&[b'\\', char as u8]),
            // All that are hidden have four digits.
            Some(char) => drop(write!(text, "\\u{:04x}", u32::from(char))),
            None => {}
        }
        rest = chars.as_str();
    }
    text.extend_from_slice(rest.as_bytes());
}

/// Whether all is ASCII that is seen, without quotes and backslashes.
fn is_plain(bytes: &[u8]) -> bool {
    !any(bytes, |word| less(word, 0x20) | has(word, b'"') | has(word, b'\\') | has(word, 0x7f) | word)
}

/// Whether `found` sets the high bit of any byte. Eight at a time: strings are checked more often than anything else is done to
/// them. What is missing of the last eight is filled up with `a`, which must not be found.
pub(crate) fn any(bytes: &[u8], found: impl Fn(u64) -> u64) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [b'a'; 8];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().chain([&last]).fold(0, |all, word| all | found(u64::from_le_bytes(*word))) & (ONES << 7) != 0
}

const ONES: u64 = u64::MAX / 255;

/// The high bit of each byte that is less than `n`, which is at most 0x80; bytes from 0x80 on are none.
pub(crate) const fn less(word: u64, n: u64) -> u64 {
    word.wrapping_sub(ONES * n) & !word
}

/// The high bit of each byte that is this one.
pub(crate) const fn has(word: u64, byte: u8) -> u64 {
    less(word ^ (ONES * byte as u64), 1)
}

/// Hands over a number's digits.
pub(crate) fn written<T>(number: u64, take: impl FnOnce(&[u8]) -> T) -> T {
    let (mut text, mut start, mut rest) = ([0; 20], 20, number);
    loop {
        start -= 1;
        text[start] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            return take(&text[start..]);
        }
    }
}

/// Appends a number.
pub(crate) fn push_number(text: &mut Vec<u8>, number: u64) {
    written(number, |digits| text.extend_from_slice(digits));
}

/// Appends thousandths as a decimal fraction: 1234 as `1.234`.
pub(crate) fn push_thousandths(text: &mut Vec<u8>, number: u64) {
    push_number(text, number / 1000);
    // The leading 1 keeps the zeros after the point.
    written(1000 + number % 1000, |digits| {
        text.push(b'.');
        text.extend_from_slice(&digits[1..]);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &str) -> String {
        let mut text = Vec::new();
        push_json(&mut text, value);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_string_is_escaped_wherever_it_needs_it() {
        for length in 0..20 {
            for place in 0..length {
                for byte in 0..=127_u8 {
                    let mut value = vec![b'a'; length];
                    value[place] = byte;
                    let value = String::from_utf8(value).unwrap();
                    let text = json(&value);
                    assert_eq!(serde_json::from_str::<String>(&text).unwrap(), value);
                    assert!(!text.chars().any(is_hidden), "{text:?}");
                    assert_eq!(text.len() == length + 2, (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\');
                }
            }
        }
        assert_eq!(json("h\u{e9}llo w\u{f6}rld \u{1f600}"), "\"h\u{e9}llo w\u{f6}rld \u{1f600}\"");
    }

    #[test]
    fn what_is_not_seen_is_written_out_and_what_is_seen_stays() {
        for code in 0..=0x10_ffff_u32 {
            let Some(char) = char::from_u32(code) else { continue };
            let text = json(&format!("a{char}b"));
            let is_seen = text == format!("\"a{char}b\"");
            let unseen = char.is_control()
                || matches!(code, 0x2028 | 0x2029 | 0x61c | 0x200e | 0x200f | 0x202a..=0x202e | 0x2066..=0x2069);
            assert_eq!(is_seen, !unseen && char != '"' && char != '\\', "{code:x}: {text}");
            assert!(is_seen || serde_json::from_str::<String>(&text).unwrap() == format!("a{char}b"));
        }
    }

    #[test]
    fn a_number_reads_as_it_is_formatted() {
        for number in [0, 1, 9, 10, 99, 100, 999, 1000, 1001, 12_034_056, u64::MAX] {
            let (mut whole, mut fraction) = (Vec::new(), Vec::new());
            push_number(&mut whole, number);
            push_thousandths(&mut fraction, number);
            assert_eq!(String::from_utf8(whole).unwrap(), number.to_string());
            assert_eq!(String::from_utf8(fraction).unwrap(), format!("{}.{:03}", number / 1000, number % 1000));
        }
    }
}
