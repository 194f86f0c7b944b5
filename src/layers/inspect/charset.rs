//! The ways in which a text may be read: axum's reader of forms with files obeys a byte order mark and the charset that a part names.

use std::ops::ControlFlow;

/// Where nobody knows which it is.
pub(super) const ANY: &str = "utf-16, iso-2022";

/// Shows a text as it came, and where it may be read in another way, as that.
///
/// All other charsets have ASCII's characters where ASCII has them.
pub(super) fn readings(
    text: &[u8],
    charset: Option<&str>,
    see: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    see(text)?;
    if text.is_empty() {
        return ControlFlow::Continue(());
    }
    let charset = charset.unwrap_or_default().to_ascii_lowercase();
    let is_wide = ["utf-16", "ucs-2", "unicode"].iter().any(|wide| charset.contains(wide));
    if text.starts_with(&[0xFF, 0xFE]) || text.starts_with(&[0xFE, 0xFF]) || is_wide && !charset.starts_with("utf-8") {
        see(wide(text, u16::from_le_bytes).as_bytes())?;
        see(wide(text, u16::from_be_bytes).as_bytes())?;
    }
    // Switches between alphabets, which leave no trace in what is read.
    if charset.contains("2022") { see(&without_switches(text)) } else { ControlFlow::Continue(()) }
}

fn wide(text: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (units, _) = text.as_chunks::<2>();
    char::decode_utf16(units.iter().copied().map(unit))
        .map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn without_switches(text: &[u8]) -> Vec<u8> {
    let mut left = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = if let (0x1B, [b'(' | b'$', _, behind @ ..]) = (byte, behind) {
            behind
        } else {
            left.push(*byte);
            behind
        };
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_in_every_way_in_which_it_may_be() {
        let bytes = |text: &str, of: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(of).collect::<Vec<_>>();
        let (little, big) = (bytes("a<b", u16::to_le_bytes), bytes("a<b", u16::to_be_bytes));
        let marked = [&[0xFF, 0xFE], &*little].concat();
        for (text, charset, is_found) in [
            (&b"a<b"[..], None, true),
            (&little, None, false),
            (&little, Some("UTF-16"), true),
            (&big, Some("utf-16be"), true),
            (&little, Some("unicode"), true),
            (&marked, None, true),
            (&marked, Some("utf-8"), true),
            (b"a\x1b(J<\x1b(Bb", Some("ISO-2022-JP"), true),
            (b"a\x1b(J<\x1b(Bb", None, false),
            (b"a\x1b", Some("iso-2022-jp"), false),
        ] {
            let mut found = false;
            let _ = readings(text, charset, &mut |read| {
                found |= read.windows(3).any(|read| read == b"a<b");
                ControlFlow::Continue(())
            });
            assert_eq!(found, is_found, "{text:?} {charset:?}");
        }
    }
}
