//! A value as the last decoder on its way would read it, in one pass.
//!
//! **The normal form.** No `%HH` and no `%uHHHH`, no overlong UTF-8, no full-width ASCII, no NUL (a vertical tab stands for it). Each byte is appended to what is
//! decoded already, and where that makes an escape at the end, the escape is replaced and looked at again: nested encodings
//! fall together like a row of dominoes, each step shortens the text, and the whole is linear however deep they go.

/// What decoding found; honest clients send none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "signs that are independent of each other")]
pub(super) struct Signals {
    /// An escape that came in the usual one, which a server had decoded already.
    pub(super) percent: bool,
    /// An escape that made another escape's `%`.
    pub(super) nested: bool,
    /// `%uHHHH`, overlong or full-width forms of ASCII.
    pub(super) disguised: bool,
    pub(super) nul: bool,
}

/// Decodes into `out`, which is cleared.
pub(super) fn canonical(value: &[u8], out: &mut Vec<u8>) -> Signals {
    out.clear();
    let mut signals = Signals::default();
    let mut rest = value;
    // Only what begins an escape, and what follows it, has to be looked at.
    while let Some(lead) = rest.iter().position(|byte| is_lead(*byte)) {
        out.extend_from_slice(&rest[..lead]);
        rest = &rest[lead..];
        while out.iter().rev().take(LONGEST).chain(rest.first()).any(|byte| is_lead(*byte)) {
            let Some((byte, after)) = rest.split_first() else { return signals };
            push(*byte, out, &mut signals);
            rest = after;
        }
    }
    out.extend_from_slice(rest);
    signals
}

/// What begins an escape, or is one.
fn is_lead(byte: u8) -> bool {
    matches!(byte, 0 | b'%' | 0xC0..)
}

/// The bytes of the longest escape, less the last.
const LONGEST: usize = 5;

fn push(byte: u8, out: &mut Vec<u8>, signals: &mut Signals) {
    let mut next = Some(byte);
    while let Some(byte) = next.take() {
        // Where a database or a browser sees anything in it, it sees a blank.
        signals.nul |= byte == 0;
        out.push(if byte == 0 { 0x0B } else { byte });
        let Some((length, decoded)) = escape_at_end(out, signals) else { return };
        out.truncate(out.len() - length);
        match decoded {
            Decoded::Byte(byte) => {
                signals.nested |= byte == b'%';
                next = Some(byte);
            }
            Decoded::Wide(wide) => {
                let mut utf8 = [0; 4];
                let character = char::from_u32(wide).unwrap_or(char::REPLACEMENT_CHARACTER);
                // No byte of it is ASCII, so none begins or ends an escape but a full-width form, which is folded already.
                out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
            }
        }
    }
}

enum Decoded {
    Byte(u8),
    Wide(u32),
}

/// The escape that the last byte has just completed, and its length.
fn escape_at_end(out: &[u8], signals: &mut Signals) -> Option<(usize, Decoded)> {
    match *out {
        [.., b'%', high, low] if low.is_ascii_hexdigit() => {
            let byte = hex(high)? << 4 | hex(low)?;
            signals.percent = true;
            Some((3, Decoded::Byte(byte)))
        }
        [.., b'%', b'u' | b'U', a, b, c, d] if d.is_ascii_hexdigit() => {
            let wide = [a, b, c, d].iter().try_fold(0, |wide, digit| Some(wide << 4 | u32::from(hex(*digit)?)))?;
            signals.disguised = true;
            Some((6, narrow(wide).map_or(Decoded::Wide(wide), Decoded::Byte)))
        }
        // Two bytes for what needs one; some decoders never look at the second's upper bits.
        [.., lead @ (0xC0 | 0xC1), next @ (0x80..=0xBF | b'.' | b'/' | b'\\' | 0x1C)] => {
            signals.disguised = true;
            // A decoder that is content with any second byte leaves an ASCII one as it is.
            let plain = matches!(next, b'.' | b'/' | b'\\');
            Some((2, Decoded::Byte(if plain { next } else { (lead & 1) << 6 | next & 0x3F })))
        }
        [.., 0xE0, middle @ 0x80..=0x81, last @ 0x80..=0xBF]
        | [.., 0xF0, 0x80, middle @ 0x80..=0x81, last @ 0x80..=0xBF]
        | [.., 0xF8, 0x80, 0x80, middle @ 0x80..=0x81, last @ 0x80..=0xBF]
        | [.., 0xFC, 0x80, 0x80, 0x80, middle @ 0x80..=0x81, last @ 0x80..=0xBF] => {
            signals.disguised = true;
            let length = match out[..out.len() - 2].iter().rev().position(|byte| *byte >= 0xE0) {
                Some(before) => before + 3,
                None => return None,
            };
            Some((length, Decoded::Byte((middle & 1) << 6 | last & 0x3F)))
        }
        // U+FF01 to U+FF5E.
        [.., 0xEF, middle @ (0xBC | 0xBD), last @ 0x80..=0xBF] => {
            let wide = 0xF000 | u32::from(middle & 0x3F) << 6 | u32::from(last & 0x3F);
            let byte = narrow(wide)?;
            signals.disguised |= byte.is_ascii_alphanumeric()
                || matches!(byte, b'<' | b'>' | b'\'' | b'"' | b'.' | b'/' | b'\\' | b'=' | b';' | b'|');
            Some((3, Decoded::Byte(byte)))
        }
        _ => None,
    }
}

/// The ASCII that a wide character stands for somewhere: itself, its full-width form, and what passes for a slash.
fn narrow(wide: u32) -> Option<u8> {
    let narrow = match wide {
        0..=0x7F => wide,
        0xFF01..=0xFF5E => wide - 0xFEE0,
        0x2215 | 0x2044 | 0xEFC8 | 0xF025 => u32::from(b'/'),
        0x2216 => u32::from(b'\\'),
        _ => return None,
    };
    u8::try_from(narrow).ok()
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    fn decoded(value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        canonical(value, &mut out);
        out
    }

    #[test]
    fn every_disguise_of_a_slash_is_a_slash() {
        let forms: [&[u8]; 12] = [
            b"/",
            b"%2f",
            b"%252F",
            b"%2525252f",
            b"%%32f",
            b"%u002f",
            b"%uff0f",
            b"%c0%af",
            b"\xC0\xAF",
            b"\xE0\x80\xAF",
            b"%f0%80%80%af",
            "\u{FF0F}".as_bytes(),
        ];
        for form in forms {
            assert_eq!(decoded(form), b"/", "{form:?}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in ["100 %", "%zz", "50%-60%", "äöü", "дом", "%", "%4", "%u12", "漢字、"] {
            assert_eq!(decoded(text.as_bytes()), text.as_bytes(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn canonicalising_twice_changes_nothing(value in vec(prop_oneof![
            any::<u8>(), select(b"%%%uU0123cCfFaAeE2580\0".to_vec()), select(vec![0xC0, 0xC1, 0xE0, 0xEF, 0xBC, 0x80, 0xAF, 0xF0, 0xF8, 0xFC]),
        ], 0..80)) {
            let once = decoded(&value);
            prop_assert!(once.len() <= value.len());
            prop_assert_eq!(&decoded(&once), &once);
        }
    }
}
