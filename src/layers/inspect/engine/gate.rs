//! What a value is made of: one look at each byte and at each word, which sends most values home.

use super::words;

/// Kinds of bytes, OR-ed over a value.
pub(super) mod has {
    pub(in super::super) const LETTER: u32 = 1;
    pub(in super::super) const DIGIT: u32 = 1 << 1;
    /// `'` `"` `` ` ``
    pub(in super::super) const QUOTE: u32 = 1 << 2;
    pub(in super::super) const LESS: u32 = 1 << 3;
    pub(in super::super) const GREATER: u32 = 1 << 4;
    pub(in super::super) const EQUALS: u32 = 1 << 5;
    pub(in super::super) const PARENTHESIS: u32 = 1 << 6;
    pub(in super::super) const SEMICOLON: u32 = 1 << 7;
    pub(in super::super) const PIPE: u32 = 1 << 8;
    pub(in super::super) const AMPERSAND: u32 = 1 << 9;
    pub(in super::super) const DOLLAR: u32 = 1 << 10;
    pub(in super::super) const PERCENT: u32 = 1 << 11;
    pub(in super::super) const BACKSLASH: u32 = 1 << 12;
    pub(in super::super) const SLASH: u32 = 1 << 13;
    pub(in super::super) const DOT: u32 = 1 << 14;
    pub(in super::super) const HASH: u32 = 1 << 15;
    pub(in super::super) const DASH: u32 = 1 << 16;
    pub(in super::super) const BRACE: u32 = 1 << 17;
    pub(in super::super) const BRACKET: u32 = 1 << 18;
    pub(in super::super) const AT: u32 = 1 << 19;
    pub(in super::super) const STAR: u32 = 1 << 20;
    pub(in super::super) const COLON: u32 = 1 << 21;
    pub(in super::super) const NEWLINE: u32 = 1 << 22;
    /// What no text holds: NUL and its neighbours.
    pub(in super::super) const CONTROL: u32 = 1 << 23;
    /// Begins an overlong or full-width form, or is no UTF-8 at all.
    pub(in super::super) const ODD: u32 = 1 << 24;
    pub(in super::super) const OPERATOR: u32 = 1 << 25;
    pub(in super::super) const QUESTION: u32 = 1 << 26;
    pub(in super::super) const BACKTICK: u32 = 1 << 27;
}

static KINDS: [u32; 256] = kinds();

const fn kinds() -> [u32; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    loop {
        kinds[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => has::LETTER,
            b'0'..=b'9' => has::DIGIT,
            b'\'' | b'"' => has::QUOTE,
            b'`' => has::QUOTE | has::BACKTICK,
            b'<' => has::LESS,
            b'>' => has::GREATER,
            b'=' => has::EQUALS,
            b'(' | b')' => has::PARENTHESIS,
            b';' => has::SEMICOLON,
            b'|' => has::PIPE,
            b'&' => has::AMPERSAND,
            b'$' => has::DOLLAR,
            b'%' => has::PERCENT,
            b'\\' => has::BACKSLASH,
            b'/' => has::SLASH,
            b'.' => has::DOT,
            b'#' => has::HASH,
            b'-' => has::DASH,
            b'{' | b'}' => has::BRACE,
            b'[' | b']' => has::BRACKET,
            b'@' => has::AT,
            b'*' => has::STAR,
            b':' => has::COLON,
            b'\n' | b'\r' => has::NEWLINE,
            b'+' | b'^' | b'~' | b'!' => has::OPERATOR,
            b'?' => has::QUESTION,
            b'\t' | b' ' | b',' => 0,
            0..=0x1F | 0x7F => has::CONTROL,
            0xC0 | 0xC1 | 0xE0 | 0xEF | 0xF0 | 0xF5..=0xFF => has::ODD,
            0x80..=0xFF => 0,
        };
        if byte == u8::MAX {
            return kinds;
        }
        byte += 1;
    }
}

#[inline]
pub(super) fn kind(byte: u8) -> u32 {
    KINDS[usize::from(byte)]
}

/// Whether a byte may stand inside a word.
#[inline]
pub(super) fn is_word(byte: u8) -> bool {
    kind(byte) & (has::LETTER | has::DIGIT) != 0
}

/// What a value is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Made {
    /// Of [`has`].
    pub(super) bytes: u32,
    /// Of [`words::mark`].
    pub(super) words: u16,
}

impl Made {
    /// Looks at each byte once, and at each word.
    pub(super) fn of(value: &[u8]) -> Self {
        let mut made = Self { bytes: 0, words: 0 };
        let mut at = 0;
        while let Some(&byte) = value.get(at) {
            let kind = kind(byte);
            made.bytes |= kind;
            let start = at;
            at += 1;
            if kind & has::LETTER != 0 {
                while value.get(at).is_some_and(|byte| is_word(*byte)) {
                    at += 1;
                }
                made.words |= words::marks(&value[start..at]);
            }
        }
        made
    }

    pub(super) fn has(self, bytes: u32) -> bool {
        self.bytes & bytes != 0
    }

    pub(super) fn names(self, words: u16) -> bool {
        self.words & words != 0
    }
}
