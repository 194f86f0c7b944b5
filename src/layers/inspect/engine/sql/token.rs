//! A lenient tokenizer of SQL, whatever the dialect: it reads what some database would read.

use memchr::{memchr, memchr2};

use crate::inspect::engine::words::{Key, Sql};

/// What a token is; words say more in their [`Sql`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inspect) enum Kind {
    Number,
    String,
    /// A string that nobody closes.
    OpenString,
    Word,
    Variable,
    Arithmetic,
    Compare,
    /// `&&`, `||`.
    Logic,
    Open,
    Close,
    Comma,
    Semicolon,
    Dot,
    LineComment,
    BlockComment,
    /// `/*` without its end, or with a condition: `/*!50000`.
    OddComment,
    Other,
}

#[derive(Debug, Clone, Copy)]
pub(in crate::inspect) struct Token {
    pub(super) kind: Kind,
    pub(super) sql: Sql,
    /// A word that holds sentences together.
    pub(super) prose: bool,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// Which quotes the value stands in when it arrives in its statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Bare,
    Quoted(u8),
}

pub(super) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    /// Inside the quotes of the statement.
    within: Option<u8>,
}

/// What a byte is to most tokens: one look instead of many comparisons.
static SORTS: [u8; 256] = {
    let mut sorts = [SIGN; 256];
    let mut byte = 0_u8;
    while byte < 0xFF {
        sorts[byte as usize] = match byte {
            b' ' | 0x09..=0x0D | 0xA0 => BLANK,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => LETTER,
            b'0'..=b'9' | b'$' => OF_NAME,
            _ => SIGN,
        };
        byte += 1;
    }
    sorts
};
const BLANK: u8 = 0;
const SIGN: u8 = 1;
const LETTER: u8 = 2;
/// No name's first.
const OF_NAME: u8 = 3;

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a [u8], context: Context) -> Self {
        let within = match context {
            Context::Bare => None,
            Context::Quoted(quote) => Some(quote),
        };
        Self { text, at: 0, within }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_while(&mut self, what: impl Fn(u8) -> bool) {
        self.at += self.text[self.at..].iter().take_while(|byte| what(**byte)).count();
    }

    /// Moves behind the quote that closes; a doubled or escaped one does not.
    fn string(&mut self, quote: u8) -> Kind {
        while let Some(found) = memchr2(quote, b'\\', self.text.get(self.at..).unwrap_or_default()) {
            self.at += found + 1;
            if self.text[self.at - 1] == b'\\' {
                self.at += usize::from(quote != b'`');
            } else if self.peek(0) == quote {
                self.at += 1;
            } else {
                return Kind::String;
            }
        }
        self.at = self.text.len();
        Kind::OpenString
    }

    /// The value's own start, up to the quote that breaks out. Doubled quotes break out here: `''` may be the end and a begin.
    fn before_break_out(&mut self, quote: u8) -> Kind {
        let end = first_quote(self.text, quote);
        self.at = end.map_or(self.text.len(), |end| end + 1);
        if end.is_some() { Kind::String } else { Kind::OpenString }
    }

    fn line_comment(&mut self) -> Kind {
        self.at = memchr(b'\n', &self.text[self.at..]).map_or(self.text.len(), |end| self.at + end);
        Kind::LineComment
    }

    fn block_comment(&mut self) -> Kind {
        self.at += 2;
        if self.peek(0) == b'!' {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
            return Kind::OddComment;
        }
        while let Some(star) = memchr(b'*', self.text.get(self.at..).unwrap_or_default()) {
            self.at += star + 1;
            if self.peek(0) == b'/' {
                self.at += 1;
                return Kind::BlockComment;
            }
        }
        self.at = self.text.len();
        Kind::OddComment
    }

    fn number(&mut self) -> Kind {
        if self.peek(0) == b'0' && self.peek(1) | 0x20 == b'x' && self.peek(2).is_ascii_hexdigit() {
            self.at += 2;
            self.skip_while(|byte| byte.is_ascii_hexdigit());
            return Kind::Number;
        }
        self.skip_while(|byte| byte.is_ascii_digit() || byte == b'.');
        if self.peek(0) | 0x20 == b'e'
            && (self.peek(1).is_ascii_digit() || matches!(self.peek(1), b'+' | b'-') && self.peek(2).is_ascii_digit())
        {
            self.at += 2;
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        Kind::Number
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    #[inline]
    fn next(&mut self) -> Option<Token> {
        let plain = |kind, start, end| Token { kind, sql: Sql::None, prose: false, start, end };
        if let Some(quote) = self.within.take() {
            let kind = self.before_break_out(quote);
            return Some(plain(kind, 0, position(self.at)));
        }
        self.skip_while(|byte| SORTS[usize::from(byte)] == BLANK);
        let start = self.at;
        let byte = *self.text.get(start)?;
        if SORTS[usize::from(byte)] == LETTER {
            // `1or1`
            let glued = start > 0 && self.text[start - 1].is_ascii_digit();
            if glued && byte != b'_' {
                self.skip_while(|byte| byte.is_ascii_alphabetic());
            } else {
                self.skip_while(|byte| SORTS[usize::from(byte)] >= LETTER);
            }
            let (sql, prose) = Key::within(self.text, start, self.at).sql(&self.text[start..self.at]);
            return Some(Token { kind: Kind::Word, sql, prose, start: position(start), end: position(self.at) });
        }
        let kind = match (byte, self.peek(1)) {
            (b'0'..=b'9', _) | (b'.', b'0'..=b'9') => self.number(),
            (b'\'' | b'"', next) if next == byte && self.peek(2) != byte => {
                self.at += 2;
                Kind::String
            }
            (b'\'' | b'"', _) => {
                self.at += 1;
                self.string(byte)
            }
            (b'`', _) => {
                self.at += 1;
                if self.string(byte) == Kind::String { Kind::Word } else { Kind::Other }
            }
            // A rule under a heading.
            (b'-', b'-')
                if self.peek(2) == b'-' && self.peek(3) == b'-' && (start == 0 || self.text[start - 1] == b'\n') =>
            {
                self.skip_while(|byte| byte == b'-');
                Kind::Other
            }
            (b'-', b'-') => self.line_comment(),
            // What a word processor makes of two dashes at a value's end.
            (0xE2, 0x80) if matches!(self.peek(2), 0x93 | 0x94) && self.text.len() - start <= 4 => self.line_comment(),
            // MySQL's null.
            (b'\\', b'N') => {
                self.at += 2;
                Kind::Number
            }
            (b'#', next) if next != b'>' => self.line_comment(),
            (b'/', b'*') => self.block_comment(),
            (b'*', b'/') => {
                self.at += 2;
                Kind::BlockComment
            }
            (b'&', b'&') | (b'|', b'|') => {
                self.at += 2;
                Kind::Logic
            }
            (b'<' | b'>' | b'=' | b'!' | b':' | b'~', b'=' | b'>') | (b'<', b'<') => {
                self.skip_while(|byte| matches!(byte, b'<' | b'>' | b'=' | b'!' | b':' | b'~'));
                Kind::Compare
            }
            // PostgreSQL's operators on documents.
            (b'@' | b'-' | b'#', b'>') | (b'<', b'@') | (b'?', b'|' | b'&') => {
                self.at += 1;
                self.skip_while(|byte| matches!(byte, b'<' | b'>' | b'@' | b'|' | b'&'));
                Kind::Compare
            }
            (b'=' | b'<' | b'>', _) => {
                self.at += 1;
                Kind::Compare
            }
            (b'@', _) => {
                self.skip_while(|byte| byte == b'@');
                self.skip_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$' | b'#'));
                if matches!(self.peek(0), b'`' | b'\'' | b'"') && self.at - start <= 2 {
                    let quote = self.peek(0);
                    self.at += 1;
                    self.string(quote);
                }
                Kind::Variable
            }
            _ => {
                self.at += 1;
                match byte {
                    b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'~' | b'&' | b'|' | b'!' => Kind::Arithmetic,
                    b'(' => Kind::Open,
                    b')' => Kind::Close,
                    b',' => Kind::Comma,
                    b';' => Kind::Semicolon,
                    b'.' => Kind::Dot,
                    _ => {
                        self.skip_while(|byte| byte >= 0x80);
                        Kind::Other
                    }
                }
            }
        };
        self.at = self.at.min(self.text.len());
        Some(plain(kind, position(start), position(self.at)))
    }
}

/// The quote that ends the statement's own: the first that no backslash escapes, or else the first, for what escapes quotes
/// with a backslash and forgets backslashes.
pub(super) fn first_quote(text: &[u8], quote: u8) -> Option<usize> {
    let (mut at, mut escaped) = (0, None);
    while let Some(found) = memchr2(quote, b'\\', &text[at..]) {
        at += found;
        if text[at] == quote {
            return Some(at);
        }
        if text.get(at + 1) == Some(&quote) {
            escaped = escaped.or(Some(at + 1));
        }
        at = text.len().min(at + 2);
    }
    escaped
}

/// Windows are far shorter than 4 GiB.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
