//! What a value is made of: one look at each byte and at each word, which sends most values home.

use super::words::{self, mark};

/// Kinds of bytes, OR-ed over a value, and pairs of them.
pub(super) mod has {
    /// A letter, a digit or an underscore.
    pub(in super::super) const WORD: u32 = 1;
    /// Its neighbours say what it is.
    pub(in super::super) const PAIRED: u32 = 1 << 1;
    pub(in super::super) const DIGIT: u32 = 1 << 2;
    /// `'` `"` `` ` ``
    pub(in super::super) const QUOTE: u32 = 1 << 3;
    /// `<` `>`
    pub(in super::super) const LESS: u32 = 1 << 4;
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
    pub(in super::super) const DASH: u32 = 1 << 15;
    pub(in super::super) const BRACE: u32 = 1 << 16;
    pub(in super::super) const BRACKET: u32 = 1 << 17;
    pub(in super::super) const COLON: u32 = 1 << 18;
    pub(in super::super) const NEWLINE: u32 = 1 << 19;
    /// What no text holds: NUL and its neighbours.
    pub(in super::super) const CONTROL: u32 = 1 << 20;
    /// Begins an overlong or full-width form, or is no UTF-8 at all.
    pub(in super::super) const ODD: u32 = 1 << 21;
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
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => has::WORD,
            b'0'..=b'9' => has::WORD | has::DIGIT,
            b'\'' | b'"' => has::QUOTE | PAIRED,
            b'`' => has::QUOTE | has::BACKTICK | PAIRED,
            b'<' | b'>' => has::SIGN | has::LESS | PAIRED,
            b'!' | b'~' | b'^' => has::SIGN,
            b'*' | b'#' | b'+' | b'@' => has::SIGN | PAIRED,
            b'=' => has::EQUALS,
            b'(' | b')' => has::PARENTHESIS,
            b';' => has::SEMICOLON,
            b'|' => has::PIPE,
            b'&' => has::AMPERSAND,
            b'$' => has::DOLLAR,
            b'%' => has::PERCENT | PAIRED,
            b'\\' => has::BACKSLASH,
            b'/' => has::SLASH,
            b'.' => has::DOT | PAIRED,
            b'-' => has::DASH | PAIRED,
            b'{' => has::BRACE | PAIRED,
            b'}' => has::BRACE,
            b'[' => has::BRACKET | PAIRED,
            b']' => has::BRACKET,
            b':' => has::COLON | PAIRED,
            b'\n' | b'\r' => has::NEWLINE,
            b'?' => has::QUESTION | PAIRED,
            b'\t' | b' ' | b',' => 0,
            0 => has::CONTROL | has::ENCODED,
            1..=0x1F | 0x7F => has::CONTROL,
            0xC0 | 0xC1 | 0xE0 | 0xEF | 0xF0 | 0xF5..=0xFF => has::ODD | PAIRED,
            0x80..=0xFF => 0,
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
    /// Looks at each byte once, and at each word. Blocks of bytes become bits without a branch, so that what is common costs
    /// next to nothing: letters, blanks, commas, and the letters of other scripts.
    pub(super) fn of(value: &[u8]) -> Self {
        let mut made = Self { bytes: 0, words: 0 };
        // Words that begin before here are known.
        let mut known = 0;
        for (block, bytes) in value.chunks(64).enumerate() {
            let (words, others) = masks(bytes);
            let block = block * 64;
            let mut begins = words & !(words << 1);
            while begins != 0 {
                let bit = begins.trailing_zeros();
                begins &= begins - 1;
                let (start, length) = (block + bit as usize, (!(words >> bit)).trailing_zeros() as usize);
                if start >= known {
                    let end = start + length;
                    let end = if end < block + 64 { end } else { end_of_word(value, end) };
                    known = end;
                    made.word(value, start, end);
                }
            }
            let mut others = others;
            while others != 0 {
                let at = block + others.trailing_zeros() as usize;
                others &= others - 1;
                let kind = KINDS[usize::from(value[at])];
                made.bytes |= kind;
                if kind & has::PAIRED != 0 {
                    made.bytes |= pair(value, at);
                }
            }
        }
        made
    }

    /// A word, less the digits before it.
    #[inline]
    fn word(&mut self, value: &[u8], mut start: usize, mut end: usize) {
        if value[start].is_ascii_digit() {
            self.bytes |= has::DIGIT | if matches!(value[start..end], [b'0', b'x' | b'X', ..]) { has::HEX } else { 0 };
            while start < end && value[start].is_ascii_digit() {
                start += 1;
            }
            // `1or1`
            let letters = value[start..end].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            if start + letters < end && value[end - 1].is_ascii_digit() {
                end = start + letters;
            }
        }
        let word = &value[start..end];
        let marks = words::triggers(word);
        self.words |= marks;
        if marks & !mark::PROSE != 0 {
            self.bytes |= neighbours(value, start, end, marks);
        }
        // The first word may be a command with nothing before it.
        if start <= 2 && marks & (mark::COMMAND | mark::AMBIGUOUS) != 0 {
            self.bytes |= has::CODE;
        }
        if let [b'o' | b'O', b'n' | b'N', _, _, _, ..] = word {
            self.bytes |= if next_after_blank(value, end) == b'=' { has::MARKUP } else { 0 };
        }
    }

    pub(super) fn has(self, bytes: u32) -> bool {
        self.bytes & bytes != 0
    }

    pub(super) fn names(self, words: u16) -> bool {
        self.words & words != 0
    }
}

/// A bit for each byte of a word, and one for each byte that is neither that, nor a blank, nor a letter beyond ASCII. Arithmetic
/// on whole arrays, which compilers turn into a few wide instructions.
fn masks(bytes: &[u8]) -> (u64, u64) {
    let mut block = [b' '; 64];
    block[..bytes.len()].copy_from_slice(bytes);
    let (mut words, mut others) = ([0_u8; 64], [0_u8; 64]);
    for (byte, (word, other)) in block.iter().zip(words.iter_mut().zip(&mut others)) {
        let is_word = u8::from((byte | 0x20).wrapping_sub(b'a') < 26)
            | u8::from(byte.wrapping_sub(b'0') < 10)
            | u8::from(*byte == b'_');
        let is_quiet = u8::from(*byte == b' ')
            | u8::from(*byte == b',')
            | u8::from(byte.wrapping_sub(0x80) < 0x40)
            | u8::from(byte.wrapping_sub(0xC2) < 0x1E)
            | u8::from(byte.wrapping_sub(0xE1) < 0x0E);
        *word = is_word;
        *other = (is_word | is_quiet) ^ 1;
    }
    (bits(&words), bits(&others))
}

/// The lowest bits of the bytes, side by side.
fn bits(bytes: &[u8; 64]) -> u64 {
    let (eights, _) = bytes.as_chunks::<8>();
    eights.iter().enumerate().fold(0, |bits, (at, eight)| {
        bits | (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (at * 8)
    })
}

fn end_of_word(value: &[u8], mut at: usize) -> usize {
    while value.get(at).is_some_and(|byte| is_word(*byte)) {
        at += 1;
    }
    at.min(value.len())
}

fn byte(value: &[u8], at: usize) -> u8 {
    value.get(at).copied().unwrap_or(0)
}

/// A row of more blanks than this is nothing that anybody skips.
const BLANKS: usize = 16;

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'+' | 0x09..=0x0D)
}

/// The next byte that is no blank.
#[inline]
fn next_after_blank(value: &[u8], start: usize) -> u8 {
    let mut at = start;
    while let Some(&byte) = value.get(at) {
        if !is_blank(byte) {
            return byte;
        }
        at += 1;
        if at - start > BLANKS {
            break;
        }
    }
    0
}

/// The byte before that is no blank.
#[inline]
fn last_before_blank(value: &[u8], end: usize) -> u8 {
    let mut at = end;
    while let Some(&byte) = at.checked_sub(1).and_then(|before| value.get(before)) {
        if !is_blank(byte) {
            return byte;
        }
        at -= 1;
        if end - at > BLANKS {
            break;
        }
    }
    0
}

/// The two bytes behind the parenthesis that opens next.
fn after_open(value: &[u8], end: usize) -> (u8, u8) {
    let near = &value[end..value.len().min(end + 8)];
    near.iter().position(|byte| *byte == b'(').map_or((0, 0), |open| (byte(near, open + 1), byte(near, open + 2)))
}

/// What a known word is by what stands beside it.
fn neighbours(value: &[u8], start: usize, end: usize, marks: u16) -> u32 {
    let mut bytes = 0;
    if marks & !(mark::PROSE | mark::SQL | mark::PATH) == 0 {
        return 0;
    }
    let next = next_after_blank(value, end);
    if marks & mark::CONNECTIVE != 0 {
        // `in 2003`, `from 9 to 5`: numbers follow these in any text.
        let counts =
            matches!(value[start] | 0x20, b'i' | b'f' | b'b') && end - start != 2 || value[start] | 0x20 == b'i';
        let operand = match next {
            b'0'..=b'9' => !counts,
            b'@' | b'!' | b'~' | b'\\' | b'{' | b'#' => true,
            b'-' | b'.' | b'/' => byte(value, end) == next,
            // A value that goes on with somebody else's condition.
            b'\'' | b'"' => start <= 1,
            // `having (1 or ..`, but no `or (2)`.
            b'(' => {
                start <= 1
                    || matches!(after_open(value, end), (b'0'..=b'9', other) if !matches!(other, b')' | b'0'..=b'9'))
            }
            _ => false,
        };
        bytes |= if operand { has::SQL } else { 0 };
    }
    if marks & mark::CONNECTIVE != 0 && matches!(last_before_blank(value, start), b'\'' | b'"' | b')') {
        bytes |= has::SQL;
    }
    if marks & mark::FUNCTION != 0 && next == b'(' {
        bytes |= has::SQL;
    }
    if marks & mark::VERB != 0 && matches!(last_before_blank(value, start), 0 | b';' | b'\'' | b'"' | b')' | b'/') {
        bytes |= has::SQL;
    }
    let handed =
        |before: usize| matches!(value[before], b'(' | b':' | b'=' | b',') && matches!(next, b',' | b'}' | b';');
    if marks & mark::SCRIPT != 0 && start.checked_sub(1).is_some_and(handed) {
        bytes |= has::MARKUP;
    }
    if marks & mark::SCRIPT != 0
        && matches!(next, b'(' | b'.' | b'[' | b'=' | b':' | b'`' | b'/' | b'>' | b'<' | b')' | b'"' | b'\'' | b'}')
    {
        bytes |= has::MARKUP;
    }
    if marks & (mark::COMMAND | mark::AMBIGUOUS) != 0
        && matches!(last_before_blank(value, start), b';' | b'|' | b'&' | b'`' | b'(' | b'{' | b'@')
    {
        bytes |= has::CODE;
    }
    if marks & mark::BATCH != 0 {
        let before = start.checked_sub(1).map_or(0, |before| value[before]);
        let speaks = matches!(before, b'/' | b'%') || matches!(next, b'-' | b'/' | b'\\');
        bytes |= if speaks { has::CODE } else { 0 };
    }
    if marks & mark::CODE != 0 && (matches!(next, b'(' | b'[' | b'\'' | b'"') || value[start] == b'_') {
        bytes |= has::CODE;
    }
    bytes
}

/// What a byte is by what stands beside it.
fn pair(value: &[u8], at: usize) -> u32 {
    let next = byte(value, at + 1);
    match (value[at], next) {
        (b'%', b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b'u' | b'U' | b'%')
        | (0xC0 | 0xC1 | 0xF5..=0xFF, _)
        | (0xE0, 0x80..=0x9F | b'%')
        | (0xEF, 0xBC | 0xBD | b'%')
        | (0xF0, 0x80..=0x8F | b'%') => has::ENCODED,
        (b'.', b'.') => match byte(value, at + 2) {
            b'/' | b'\\' | b';' | b'0' | b'2' | b'5' | b'%' | b'{' => has::DOTS,
            0 if at == 0 || matches!(value[at - 1], b'/' | b'\\' | b'.') => has::DOTS,
            _ => 0,
        },
        (b'{', _) if at > 0 && matches!(value[at - 1], b'$' | b'#' | b'*' | b'@' | b'~') => has::CODE,
        (b'<', b'?' | b'%') => has::MARKUP | has::CODE,
        (b'<', b'!') if byte(value, at + 4) == b'#' => has::MARKUP | has::CODE,
        (b'<', b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'/') | (b'+', b'A') | (b'[', b']' | b'+' | b'!' | b'(' | b'[') => {
            has::MARKUP
        }
        (b'<' | b'>', b'(') | (b'<', b'<') | (b'{', b'{' | b'%') => has::CODE,
        (b'.', b'e' | b'E') if matches!(byte(value, at + 2), b'(' | b'.') => has::SQL,
        (b'?', b'|' | b'&') if matches!(last_before_blank(value, at), b'\'' | b'"') => has::SQL,
        (b'@', b'@') if byte(value, at + 2).is_ascii_alphabetic() => has::SQL,
        // `alert?.(`
        (b'?', b'.') if byte(value, at + 2) == b'(' => has::MARKUP,
        // A comment at the very end.
        (b'-', b'-') if at + 3 >= value.len() && at > 0 => has::SQL,
        (b'?', _) => {
            let before = |back: usize| at.checked_sub(back).map_or(0, |before| value[before]);
            if matches!(before(1), b'/' | b'?') || before(2) == b'?' { has::HOLES } else { 0 }
        }
        (b'[', b'a'..=b'z' | b'?' | b'/')
            if at > 0
                && (value[at - 1] == b'/' || value[at - 1].is_ascii_alphabetic())
                && matches!(byte(value, at + 2), b']' | b'/') =>
        {
            has::HOLES
        }
        // The end of an attribute and its tag; a member that is computed.
        (b'>', _) if at > 0 && matches!(value[at - 1], b'\'' | b'"') => has::MARKUP,
        (b'[', b'\'' | b'"' | b'`') if at > 0 && (is_word(value[at - 1]) || matches!(value[at - 1], b')' | b']')) => {
            has::MARKUP
        }
        // A cast.
        (b':', b':') if at > 0 && matches!(value[at - 1], b')' | b'\'' | b'"') => has::SQL,
        // A scheme that ends in a `t`: its beginning may be torn.
        (b':', _) if at > 0 && value[at - 1] | 0x20 == b't' => has::MARKUP,
        (b'*', b'/') | (b'-', b'-') | (b'#', _)
            if matches!(
                last_before_blank(value, at),
                0 | b'0'..=b'9' | b'\'' | b'"' | b')' | b'`' | b'-' | b'#' | b'*' | b'/'
            ) =>
        {
            has::SQL
        }
        (b'*', _) if at > 0 && value[at - 1] == b'/' => has::SQL,
        (b'\'' | b'"' | b'`', _) => match next_after_blank(value, at + 1) {
            b'=' | b'|' | b'*' | b'/' | b'%' | b'^' | b'&' | b'<' | b'!' | b'-' | b'~' | b'\'' | b'"' => has::SQL,
            // An attribute ends, or a comparison begins.
            b'>' if !matches!(byte(value, at + 2), 0 | b'a'..=b'z' | b'A'..=b'Z' | b'<' | b'\n') => has::SQL,
            b';' | b'#' | b'@' => has::SQL,
            _ if next == b'+' => has::SQL,
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
