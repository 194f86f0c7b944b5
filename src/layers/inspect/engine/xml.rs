//! The leaves of an XML document: what a parser behind us would hand out as values.

use std::ops::ControlFlow;

use super::escapes::unescape;

/// Whether a value is a document and not text with a tag in it.
pub(super) fn is_document(value: &[u8]) -> bool {
    value.trim_ascii_start().starts_with(b"<?xml")
}

/// Longer ones are no attribute's values, and shorter ones no attacks.
const LEAF: std::ops::RangeInclusive<usize> = 2..=16 * 1024;

/// Hands out attributes' values and texts, with their entities read.
pub(super) fn leaves(document: &[u8], mut visit: impl FnMut(&[u8])) {
    let mut decoded = Vec::new();
    // The declaration says nothing.
    let start = document.windows(2).position(|pair| pair == b"?>").map_or(0, |end| end + 2);
    let mut leaf = |text: &[u8]| {
        if LEAF.contains(&text.len()) && text.iter().any(|byte| !byte.is_ascii_whitespace()) {
            let escaped = text.contains(&b'&') && unescape(text, &mut decoded);
            visit(if escaped { &decoded } else { text });
        }
    };
    let mut rest = &document[start.min(document.len())..];
    while let ControlFlow::Continue(after) = next(rest, &mut leaf) {
        rest = after;
    }
}

/// The text up to the next tag, the values inside it, and what follows it.
fn next<'a>(rest: &'a [u8], leaf: &mut impl FnMut(&[u8])) -> ControlFlow<(), &'a [u8]> {
    let Some(open) = rest.iter().position(|byte| *byte == b'<') else {
        leaf(rest);
        return ControlFlow::Break(());
    };
    leaf(&rest[..open]);
    let mut at = open + 1;
    while let Some(&byte) = rest.get(at) {
        at += 1;
        match byte {
            b'>' => return ControlFlow::Continue(&rest[at..]),
            b'"' | b'\'' => {
                let length = rest[at..].iter().position(|other| *other == byte).unwrap_or(rest.len() - at);
                leaf(&rest[at..at + length]);
                at = rest.len().min(at + length + 1);
            }
            _ => {}
        }
    }
    ControlFlow::Break(())
}
