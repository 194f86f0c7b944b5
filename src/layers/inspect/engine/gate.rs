//! What a value is made of: one look at each byte and at each word, which sends most values home.

mod near;
mod pairs;
mod spots;

use self::{
    near::{byte, may_lead, neighbours, next_after_blank},
    pairs::{may_pair, pair},
    spots::{BLOCK, Spots},
};
use super::words::{Key, hint, mark};

/// Kinds of bytes, OR-ed over a value, and pairs of them.
pub(super) mod has {
    /// A letter, a digit or an underscore.
    pub(in super::super) const WORD: u32 = 1;
    /// Its neighbours say what it is.
    pub(in super::super) const PAIRED: u32 = 1 << 1;
    /// `'`
    pub(in super::super) const SINGLE: u32 = 1 << 2;
    /// `"`
    pub(in super::super) const DOUBLE: u32 = 1 << 3;
    /// `<` `>`
    pub(in super::super) const LESS: u32 = 1 << 4;
    /// `=`, and `<` or `>` where it compares.
    pub(in super::super) const COMPARES: u32 = 1 << 5;
    pub(in super::super) const PARENTHESIS: u32 = 1 << 6;
    pub(in super::super) const SEMICOLON: u32 = 1 << 7;
    pub(in super::super) const PIPE: u32 = 1 << 8;
    pub(in super::super) const AMPERSAND: u32 = 1 << 9;
    pub(in super::super) const DOLLAR: u32 = 1 << 10;
    pub(in super::super) const PERCENT: u32 = 1 << 11;
    pub(in super::super) const BACKSLASH: u32 = 1 << 12;
    pub(in super::super) const SLASH: u32 = 1 << 13;
    /// `.` `-`
    pub(in super::super) const DOT: u32 = 1 << 14;
    pub(in super::super) const BRACE: u32 = 1 << 16;
    pub(in super::super) const BRACKET: u32 = 1 << 17;
    pub(in super::super) const NEWLINE: u32 = 1 << 20;
    /// Anything else that is no blank and no letter.
    pub(in super::super) const OTHER: u32 = 1 << 18;
    /// A word of paths, within one.
    pub(in super::super) const SEGMENT: u32 = 1 << 19;
    /// A bracket with another sign in it, which programs without letters begin with.
    pub(in super::super) const SYMBOLS: u32 = 1 << 21;
    pub(in super::super) const QUESTION: u32 = 1 << 22;
    pub(in super::super) const BACKTICK: u32 = 1 << 23;
    /// `<` `>` `@` `*` `#` `+` `!` `~` `^`
    pub(in super::super) const SIGN: u32 = 1 << 24;
    /// `..`
    pub(in super::super) const DOTS: u32 = 1 << 25;
    /// `0x`
    pub(in super::super) const HEX: u32 = 1 << 26;
    /// Where a statement's quotes may end and SQL begin: a quote and an operator, a comment behind an operand, a known function's
    /// call, a connective before an operand.
    pub(in super::super) const SQL: u32 = 1 << 27;
    /// A tag, a handler, a scheme, a script's call.
    pub(in super::super) const MARKUP: u32 = 1 << 28;
    /// A call of what runs code.
    pub(in super::super) const CODE: u32 = 1 << 29;
    /// An escape that a decoder reads: `%HH`, `%uHHHH`, overlong or full-width UTF-8, NUL.
    pub(in super::super) const ENCODED: u32 = 1 << 31;
    /// A name with holes: `c?t`, `/e[t]c`.
    pub(in super::super) const HOLES: u32 = 1 << 30;
}

static KINDS: [u32; 256] = kinds();

const fn kinds() -> [u32; 256] {
    use has::PAIRED;
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    loop {
        kinds[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'0'..=b'9' => has::WORD,
            b'\'' => has::SINGLE | PAIRED,
            b'"' => has::DOUBLE | PAIRED,
            b'`' => has::BACKTICK | PAIRED,
            b'<' | b'>' => has::SIGN | has::LESS | PAIRED,
            b'!' | b'~' | b'^' => has::SIGN,
            b'*' | b'#' | b'+' | b'@' => has::SIGN | PAIRED,
            b'=' => has::COMPARES,
            b'(' | b')' => has::PARENTHESIS | PAIRED,
            b';' => has::SEMICOLON,
            b'|' => has::PIPE,
            b'&' => has::AMPERSAND,
            b'$' => has::DOLLAR,
            b'%' => has::PERCENT | PAIRED,
            b'\\' => has::BACKSLASH,
            b'/' => has::SLASH,
            b'.' | b'-' => has::DOT | PAIRED,
            b'{' => has::BRACE | PAIRED,
            b'}' => has::BRACE,
            b'[' => has::BRACKET | PAIRED,
            b']' => has::BRACKET,
            b'\n' | b'\r' => has::NEWLINE,
            b'?' => has::QUESTION | PAIRED,
            0 => has::OTHER | has::ENCODED,
            1..=0x1F | 0x7F => has::OTHER,
            // What begins an overlong or full-width form, or is no UTF-8 at all.
            b':' | 0xC0 | 0xC1 | 0xE0 | 0xEF | 0xF0 | 0xF5..=0xFF => has::OTHER | PAIRED,
            b' ' | b',' | 0x80..=0xFF => 0,
        };
        if byte == u8::MAX {
            return kinds;
        }
        byte += 1;
    }
}

/// Whether a byte may stand inside a word.
#[inline]
pub(super) fn is_word(byte: u8) -> bool {
    KINDS[usize::from(byte)] & has::WORD != 0
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
    /// Looks at each byte once, and at each word. Most words cost a look at one byte of a table.
    pub(super) fn of(value: &[u8]) -> Self {
        let mut made = Self { bytes: 0, words: 0 };
        let (mut at, mut before) = (0, Before { sign: true, ..Before::default() });
        while at < value.len() {
            let spots = Spots::of(&value[at..value.len().min(at + BLOCK)]);
            // A word that the block's end cuts is the next block's first, unless it is as long as a block.
            let cut = if value.len() - at > BLOCK { spots.words.leading_ones() % 64 } else { 0 };
            made.words_of(value, at, spots, cut, &mut before);
            let mut signs = spots.signs;
            while signs != 0 {
                let at = at + signs.trailing_zeros() as usize;
                signs &= signs - 1;
                let kind = KINDS[usize::from(value[at])];
                // Only the first backtick breaks out: the others are of spans of code.
                let is_span = kind & made.bytes & has::BACKTICK != 0;
                made.bytes |= kind;
                if may_pair(value[at], byte(value, at + 1)) && !is_span {
                    made.bytes |= pair(value, at);
                }
            }
            at += BLOCK - cut as usize;
        }
        // Words that a comparison makes a condition, wherever they stand.
        if before.seen & hint::CONNECTIVE != 0 && made.has(has::COMPARES) {
            made.words |= mark::CONNECTIVE;
        }
        made
    }

    /// The words of a block. Most stand among other words and mean nothing there.
    #[inline]
    fn words_of(&mut self, value: &[u8], block: usize, spots: Spots, cut: u32, before: &mut Before) {
        let signs = spots.beside(before.sign, cut);
        let words = spots.words & u64::MAX >> cut;
        let (mut begins, mut ends) = (words & !(words << 1), words & !(words >> 1));
        if before.within && begins & 1 != 0 {
            begins &= begins - 1;
            ends &= ends - 1;
        }
        before.within = cut == 0 && words >> (BLOCK - 1) != 0;
        before.sign = signs.next;
        let (mut last, mut seen) = (before.word, 0);
        while begins != 0 {
            let start = block + begins.trailing_zeros() as usize;
            let end = block + ends.trailing_zeros() as usize + 1;
            let beside = signs.begins & begins & begins.wrapping_neg() | signs.ends & ends & ends.wrapping_neg();
            begins &= begins - 1;
            ends &= ends - 1;
            let key = Key::within(value, start, end);
            let hints = key.hints();
            seen |= hints;
            // Bits, not branches: what a word is cannot be foreseen.
            let (beside, is_number) = (u8::from(beside != 0), u8::from(key.is_number()));
            let is_handler = u8::from(key.begins(*b"on"));
            if hints & (hint::ALONE | (beside * hint::BESIDE)) | beside & is_handler | is_number != 0 {
                // A number stands beside the word before it.
                if is_number != 0 && last.2 & hint::BESIDE != 0 {
                    self.word(value, last.0, last.1);
                }
                self.word(value, start, end);
            }
            last = (start, end, hints);
        }
        before.word = last;
        before.seen |= seen;
    }

    /// A word, less the digits before it.
    fn word(&mut self, value: &[u8], start: usize, end: usize) {
        let Some(digits) = value[start..end].iter().position(|byte| !byte.is_ascii_digit()) else { return };
        let (start, end) = if digits == 0 { (start, end) } else { self.number(value, start, end, digits) };
        let word = &value[start..end];
        let marks = Key::within(value, start, end).triggers(word);
        self.words |= marks;
        if marks & !mark::PROSE != 0 {
            self.bytes |= neighbours(value, start, end, marks);
        }
        // The first word may be a command with nothing before it.
        if start <= 2 && marks & (mark::COMMAND | mark::AMBIGUOUS) != 0 && may_lead(value, end) {
            self.bytes |= has::CODE;
        }
        if matches!(word, [b'o' | b'O', b'n' | b'N', _, _, _, ..]) && next_after_blank(value, end) == b'=' {
            self.bytes |= has::MARKUP;
        }
    }

    /// What stands behind digits: `0x41`, `1or1`, `3com`.
    fn number(&mut self, value: &[u8], start: usize, end: usize, digits: usize) -> (usize, usize) {
        if matches!(value[start..end], [b'0', b'x' | b'X', ..]) {
            self.bytes |= has::HEX;
        }
        let start = start + digits;
        let letters = value[start..end].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let cut = start + letters < end && value[end - 1].is_ascii_digit();
        (start, if cut { start + letters } else { end })
    }

    pub(super) fn has(self, bytes: u32) -> bool {
        self.bytes & bytes != 0
    }

    pub(super) fn names(self, words: u16) -> bool {
        self.words & words != 0
    }
}

/// What is known before a block begins.
#[derive(Default)]
struct Before {
    /// Where the last word is and what it may be; what all words may be together.
    word: (usize, usize, u8),
    seen: u8,
    /// Whether a sign stands before what comes, or nothing.
    sign: bool,
    /// Whether what comes goes on with a word that is longer than a block.
    within: bool,
}
