//! SQL injection: what the value would be inside a statement, in each of the quotes it may stand in.

mod density;
mod expression;
mod other;
mod phrase;
mod query;
mod sentence;
mod token;

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
        || made.has(has::SQL | has::HEX)
        || made.names(mark::CONNECTIVE) && made.has(has::COMPARES)
        || made.has(has::DOLLAR) && made.has(has::BRACE | has::BRACKET)
}

/// The worst of the contexts.
pub(super) fn score(text: &[u8], made: Made, location: Location, tokens: &mut Vec<Token>) -> Finding {
    let mut worst = in_context(text, Context::Bare, location, tokens)
        .or(other::hexadecimal(text, made))
        .or(other::filter(text, made))
        .or(other::document(text, made));
    for (quote, kind) in [(b'\'', has::SINGLE), (b'"', has::DOUBLE), (b'`', has::BACKTICK)] {
        if made.has(kind) && breaks_out(text, made, quote) {
            worst = worst.or(in_context(text, Context::Quoted(quote), location, tokens));
        }
    }
    worst
}

/// Whether anything that SQL knows follows the first quote.
fn breaks_out(text: &[u8], made: Made, quote: u8) -> bool {
    let Some(at) = token::first_quote(text, quote) else { return false };
    let after = text[at + 1..].trim_ascii_start();
    match after.first() {
        Some(_) if made.names(mark::SQL) => true,
        None | Some(b'.' | b'?' | b':' | b'[' | b']' | b'{' | b'}' | b'$' | b'\\') => false,
        Some(b',') => {
            // `', admin=1`: the next column of an update.
            let next = after[1..].trim_ascii_start();
            let name = next.iter().take(64).take_while(|byte| is_word(**byte)).count();
            let assigned = next[name..].trim_ascii_start().first() == Some(&b'=');
            after.len() > 1 && matches!(after[1], b'(' | b'n' | b'N' | b'@') || name > 0 && assigned
        }
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
        worst = worst.or(density::weigh(&sentence, location, phrase::judge(&sentence, location)));
        if last || i32::from(worst.score) > PLENTY {
            return worst;
        }
        said.drain(..LENGTH - SHARED);
        first = false;
    }
}
