//! Text written without `fmt`, where it is written often.

/// Appends a string of JSON. Most need no escape, and are copied whole.
pub(crate) fn push_json(text: &mut Vec<u8>, value: &str) {
    if needs_escape(value.as_bytes()) {
        serde_json::to_writer(text, value).unwrap_or_default();
    } else {
        text.push(b'"');
        text.extend_from_slice(value.as_bytes());
        text.push(b'"');
    }
}

/// Whether a byte is a control character, a quote or a backslash.
fn needs_escape(bytes: &[u8]) -> bool {
    any(bytes, |word| less(word, 0x20) | has(word, b'"') | has(word, b'\\'))
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

    #[test]
    fn a_string_is_escaped_as_serde_does_wherever_it_needs_it() {
        for length in 0..20 {
            for place in 0..length {
                for byte in 0..=127_u8 {
                    let mut value = vec![b'a'; length];
                    value[place] = byte;
                    let value = String::from_utf8(value).unwrap();
                    let mut text = Vec::new();
                    push_json(&mut text, &value);
                    assert_eq!(String::from_utf8(text).unwrap(), serde_json::to_string(&value).unwrap());
                }
            }
        }
        let mut text = Vec::new();
        push_json(&mut text, "h\u{e9}llo w\u{f6}rld \u{1f600}");
        assert_eq!(String::from_utf8(text).unwrap(), "\"h\u{e9}llo w\u{f6}rld \u{1f600}\"");
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
