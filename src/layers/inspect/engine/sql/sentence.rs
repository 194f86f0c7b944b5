//! Tokens in a row, and what they make: operands, neighbours, prose.

use super::token::{Kind, Token};
use crate::inspect::engine::words::Sql;

pub(super) struct Sentence<'a> {
    pub(super) text: &'a [u8],
    pub(super) tokens: &'a [Token],
    /// The quotes inside which the first token is the value's own start.
    pub(super) quote: Option<u8>,
    /// Whether the value begins here, and ends.
    pub(super) first: bool,
    pub(super) last: bool,
}

/// A row of more tokens than this is nothing that anybody skips.
const ROW: usize = 24;

/// What an operand is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    /// Known without a database.
    Constant,
    /// A known function with its parenthesis.
    Function,
    /// A name, or a call of one.
    Name,
    /// A `select` in parentheses.
    Query,
}

impl Sentence<'_> {
    pub(super) fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    pub(super) fn sql(&self, at: usize) -> Sql {
        self.tokens.get(at).map_or(Sql::None, |token| token.sql)
    }

    pub(super) fn bytes(&self, at: usize) -> &[u8] {
        self.tokens
            .get(at)
            .and_then(|token| self.text.get(token.start as usize..token.end as usize))
            .unwrap_or_default()
    }

    pub(super) fn is(&self, at: usize, word: &str) -> bool {
        self.bytes(at).eq_ignore_ascii_case(word.as_bytes())
    }

    pub(super) fn start(&self, at: usize) -> usize {
        self.tokens.get(at).map_or(0, |token| token.start as usize)
    }

    pub(super) fn before(&self, at: usize) -> Option<Kind> {
        at.checked_sub(1).and_then(|before| self.kind(before))
    }

    pub(super) fn sql_before(&self, at: usize) -> Sql {
        at.checked_sub(1).map_or(Sql::None, |before| self.sql(before))
    }

    pub(super) fn is_logic(&self, at: usize) -> bool {
        self.kind(at) == Some(Kind::Logic) || self.sql(at) == Sql::Logic
    }

    pub(super) fn is_comparison(&self, at: usize) -> bool {
        self.kind(at) == Some(Kind::Compare) || self.sql(at) == Sql::Compare
    }

    pub(super) fn is_comment(&self, at: usize) -> bool {
        matches!(self.kind(at), Some(Kind::LineComment | Kind::BlockComment | Kind::OddComment))
    }

    /// The value is over here, for a database.
    pub(super) fn is_end(&self, at: usize) -> bool {
        at >= self.tokens.len() && self.last || self.is_comment(at) || matches!(self.kind(at), Some(Kind::Semicolon))
    }

    /// A known function and its parenthesis.
    pub(super) fn is_call(&self, at: usize) -> bool {
        self.kind(at) == Some(Kind::Word) && self.kind(at + 1) == Some(Kind::Open) && !matches!(self.sql(at), Sql::None)
    }

    /// Past comments, `all`, parentheses and the `+` that stands for a space.
    pub(super) fn past(&self, mut at: usize, also: impl Fn(usize) -> bool) -> usize {
        let last = at + ROW;
        while at < last && (self.is_comment(at) || also(at)) {
            at += 1;
        }
        at
    }

    /// The operand that begins here, and where it ends.
    pub(super) fn operand(&self, at: usize) -> Option<(Operand, usize)> {
        let is_before_operand = |at: usize| {
            self.kind(at) == Some(Kind::Arithmetic) && !matches!(self.bytes(at), b"/" | b"%" | b"&" | b"|")
                || matches!(self.sql(at), Sql::Unary | Sql::Not)
                || self.sql(at) == Sql::All && self.kind(at + 1) == Some(Kind::Open)
        };
        let mut at = self.past(at, is_before_operand);
        let (mut operand, mut end) = match self.kind(at)? {
            Kind::Number | Kind::String | Kind::OpenString => (Operand::Constant, at + 1),
            Kind::Variable => (Operand::Function, at + 1),
            // One that nobody closes is the statement's own.
            Kind::Open if self.closes(at) => self.parenthesis(at),
            Kind::Open => return self.operand_within(at),
            Kind::Word => match self.sql(at) {
                Sql::Literal => (Operand::Constant, at + 1),
                sql if self.kind(at + 1) == Some(Kind::Open) => {
                    let end = self.parenthesis(at + 1).1;
                    (if sql == Sql::None { Operand::Name } else { Operand::Function }, end)
                }
                Sql::Case => (Operand::Query, at + 1),
                Sql::None
                | Sql::Function
                | Sql::Type
                | Sql::Object
                | Sql::Catalogue
                | Sql::Weapon
                | Sql::Delay
                | Sql::Other => {
                    while self.kind(at + 1) == Some(Kind::Dot) && self.kind(at + 2) == Some(Kind::Word) {
                        at += 2;
                    }
                    (Operand::Name, at + 1)
                }
                _ => return None,
            },
            _ => return None,
        };
        // `'a' 'b'` is one string.
        while self.kind(end - 1) == Some(Kind::String)
            && matches!(self.kind(end), Some(Kind::String | Kind::OpenString))
        {
            end += 1;
        }
        // `::json`
        while self.bytes(end) == b":" && self.bytes(end + 1) == b":" && self.kind(end + 2) == Some(Kind::Word) {
            end += 3;
        }
        // Constants that are added up are one.
        for _ in 0..8 {
            if self.kind(end) != Some(Kind::Arithmetic) {
                break;
            }
            let next = self.past(end + 1, is_before_operand);
            match self.kind(next) {
                Some(Kind::Number | Kind::String | Kind::OpenString | Kind::Variable) => end = next + 1,
                Some(Kind::Open) => end = self.parenthesis(next).1,
                Some(Kind::Word) => {
                    operand = if operand == Operand::Constant && self.sql(next) != Sql::Literal {
                        Operand::Name
                    } else {
                        operand
                    };
                    end = if self.kind(next + 1) == Some(Kind::Open) { self.parenthesis(next + 1).1 } else { next + 1 };
                }
                _ => break,
            }
        }
        Some((operand, end))
    }

    fn closes(&self, open: usize) -> bool {
        let end = self.parenthesis(open).1;
        self.kind(end - 1) == Some(Kind::Close)
    }

    fn operand_within(&self, open: usize) -> Option<(Operand, usize)> {
        let inside = self.past(open, |at| self.kind(at) == Some(Kind::Open));
        match self.kind(inside)? {
            Kind::Number | Kind::String | Kind::OpenString => Some((Operand::Constant, inside + 1)),
            Kind::Variable => Some((Operand::Function, inside + 1)),
            Kind::Word if self.sql(inside) == Sql::Select => Some((Operand::Query, inside + 1)),
            Kind::Word => Some((Operand::Name, inside + 1)),
            _ => None,
        }
    }

    /// Past the parenthesis that opens here: at most so many tokens, for the sake of time.
    fn parenthesis(&self, open: usize) -> (Operand, usize) {
        let (mut depth, mut holds) = (0_usize, Operand::Constant);
        for at in open..self.tokens.len().min(open + 24) {
            match self.tokens[at].kind {
                Kind::Open => depth += 1,
                Kind::Close => {
                    depth -= 1;
                    if depth == 0 {
                        return (holds, at + 1);
                    }
                }
                Kind::Variable => holds = Operand::Function,
                // `(3=3)`: true or false, and computed.
                Kind::Compare if holds == Operand::Constant => holds = Operand::Function,
                Kind::Word => match self.tokens[at].sql {
                    Sql::Select => holds = Operand::Query,
                    Sql::None | Sql::Object if holds == Operand::Constant => holds = Operand::Name,
                    Sql::Function | Sql::Weapon if holds == Operand::Constant => holds = Operand::Function,
                    _ => {}
                },
                _ => {}
            }
        }
        (holds, self.tokens.len().min(open + 24))
    }

    /// How much of it reads like a sentence of English: names side by side, and words that hold sentences together.
    pub(super) fn prose(&self) -> i32 {
        let (mut prose, mut name_before) = (0, false);
        for (at, token) in self.tokens.iter().enumerate() {
            let name = token.kind == Kind::Word
                && token.sql == Sql::None
                && self.kind(at + 1) != Some(Kind::Open)
                && self.text[token.start as usize] != b'`';
            prose += i32::from(name && name_before);
            prose += i32::from(name && token.prose);
            name_before = name;
        }
        prose
    }
}
