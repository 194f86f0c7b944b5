//! SQL injection: what the value would be inside a statement, in each of the quotes it may stand in.

mod expression;
mod other;
mod phrase;
mod query;
mod sentence;
mod token;

use memchr::memchr2;

pub(super) use self::token::Token;
use self::{
    sentence::Sentence,
    token::{Context, Tokens},
};
use super::{
    PLENTY,
    gate::{Made, has, is_word},
    verdict::{Finding, Location},
    words::{self, Sql, mark},
};

/// Tokens that are judged together. What an attack says, it says within so many; and prose before it does not hide it.
const LENGTH: usize = 160;
/// Tokens that two sentences share.
const SHARED: usize = 48;

/// Whether it is worth a look.
pub(super) fn may_be(made: Made) -> bool {
    made.names(mark::SQL)
        || made.has(has::SQL | has::BREAK | has::HEX)
        || made.names(mark::CONNECTIVE) && made.has(has::COMPARES)
}

/// The worst of the contexts.
pub(super) fn score(text: &[u8], made: Made, location: Location, tokens: &mut Vec<Token>) -> Finding {
    let mut worst = other::hexadecimal(text, made).or(other::filter(text, made));
    let connected = made.names(mark::CONNECTIVE) && made.has(has::COMPARES);
    if connected || made.names(mark::SQL) || made.has(has::SQL | has::HEX) {
        worst = worst.or(in_context(text, Context::Bare, location, tokens));
    }
    for (quote, kind) in [(b'\'', has::SINGLE), (b'"', has::DOUBLE), (b'`', has::BACKTICK)] {
        if made.has(kind) && breaks_out(text, made, quote) {
            worst = worst.or(in_context(text, Context::Quoted(quote), location, tokens));
        }
    }
    worst
}

/// Whether anything that SQL knows follows the first quote.
fn breaks_out(text: &[u8], made: Made, quote: u8) -> bool {
    let mut at = 0;
    let after = loop {
        let Some(found) = memchr2(quote, b'\\', &text[at..]) else { return false };
        let rest = &text[at + found + 1..];
        if text[at + found] == quote {
            break rest.trim_ascii_start();
        }
        at = text.len().min(at + found + 2);
    };
    match after.first() {
        Some(_) if made.names(mark::SQL) => true,
        None | Some(b'.' | b'?' | b':' | b'[' | b']' | b'{' | b'}' | b'$' | b'\\') => false,
        Some(b',') => after.len() > 1 && matches!(after[1], b'(' | b'n' | b'N' | b'@'),
        Some(byte) if byte.is_ascii_alphabetic() => {
            let end = after.iter().position(|byte| !is_word(*byte)).unwrap_or(after.len());
            words::look_up(&after[..end])
                .is_some_and(|word| !matches!(word.sql, Sql::None | Sql::Function | Sql::Type | Sql::Object))
        }
        Some(byte) => *byte < 0x80,
    }
}

fn in_context(text: &[u8], context: Context, location: Location, said: &mut Vec<Token>) -> Finding {
    let mut tokens = Tokens::new(text, context);
    said.clear();
    let mut worst = Finding::default();
    let mut first = true;
    loop {
        while said.len() < LENGTH
            && let Some(token) = tokens.next()
        {
            said.push(token);
        }
        let last = said.len() < LENGTH;
        let quote = match context {
            Context::Quoted(quote) if first => Some(quote),
            _ => None,
        };
        let sentence = Sentence { text, tokens: said, quote, first, last };
        worst = worst.or(phrase::judge(&sentence, location));
        if last || i32::from(worst.score) > PLENTY {
            return worst;
        }
        said.drain(..LENGTH - SHARED);
        first = false;
    }
}
