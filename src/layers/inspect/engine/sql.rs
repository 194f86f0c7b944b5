//! SQL injection: what the value would be inside a statement, in each of the quotes it may stand in.

mod phrase;
mod sentence;
mod token;

pub(super) use self::token::Token;
use self::{
    sentence::Sentence,
    token::{Context, Tokens},
};
use super::{
    gate::{Made, has},
    verdict::{Finding, Location},
    words::mark,
};

/// Tokens that are judged together. What an attack says, it says within so many; and prose before it does not hide it.
const LENGTH: usize = 160;
/// Tokens that two sentences share.
const SHARED: usize = 48;

/// Whether it is worth a look.
pub(super) fn may_be(made: Made) -> bool {
    let punctuated = made.has(
        has::QUOTE
            | has::EQUALS
            | has::PARENTHESIS
            | has::SEMICOLON
            | has::HASH
            | has::STAR
            | has::PIPE
            | has::AT
            | has::DIGIT
            | has::LESS
            | has::GREATER,
    );
    made.names(mark::SQL)
        || made.names(mark::CONNECTIVE) && punctuated
        || made.has(has::QUOTE)
            && made.has(
                has::EQUALS
                    | has::PIPE
                    | has::OPERATOR
                    | has::DASH
                    | has::STAR
                    | has::HASH
                    | has::PARENTHESIS
                    | has::SEMICOLON
                    | has::LESS
                    | has::GREATER
                    | has::AMPERSAND
                    | has::SLASH,
            )
        || made.has(has::DASH | has::HASH | has::STAR) && made.has(has::DIGIT | has::PARENTHESIS)
        || made.has(has::PARENTHESIS)
}

/// The worst of the contexts.
pub(super) fn score(text: &[u8], made: Made, location: Location, tokens: &mut Vec<Token>) -> Finding {
    let mut worst = in_context(text, Context::Bare, location, tokens);
    if made.has(has::QUOTE) {
        for quote in [b'\'', b'"', b'`'] {
            if text.contains(&quote) {
                worst = worst.or(in_context(text, Context::Quoted(quote), location, tokens));
            }
        }
    }
    worst
}

fn in_context(text: &[u8], context: Context, location: Location, said: &mut Vec<Token>) -> Finding {
    let mut tokens = Tokens::new(text, context);
    said.clear();
    let mut worst = Finding::default();
    let mut first = true;
    loop {
        said.extend(tokens.by_ref().take(LENGTH - said.len()));
        let last = said.len() < LENGTH;
        let sentence = Sentence { text, tokens: said, quoted: first && context != Context::Bare, first, last };
        worst = worst.or(phrase::judge(&sentence, location));
        if last {
            return worst;
        }
        said.drain(..LENGTH - SHARED);
        first = false;
    }
}
