//! How much of a value is SQL at all: what no sign names may still be no prose.
//!
//! **The rule.** Each token speaks for SQL or against it, by what prose has few or many of. A little more for than against is the
//! strict sensitivity's business alone: conditions of mathematics and of programs are as dense.

use super::{sentence::Sentence, token::Kind};
use crate::inspect::engine::{
    verdict::{Finding, Location},
    words::Sql,
};

/// From this sum on strict refuses it.
const ENOUGH: i32 = 1;
/// What strict refuses, and default never does, whatever the place.
const POINTS: u16 = 4;
/// Prose that nothing behind it makes up for.
const PROSE: i32 = -25;

/// What was found, with what speaks for it in all.
pub(super) fn weigh(said: &Sentence<'_>, location: Location, found: Finding) -> Finding {
    // What is longer than a sentence is weighed by its beginning, for the sake of time.
    if found.score >= POINTS || said.tokens.len() < 2 || !said.first {
        return found;
    }
    let enough = sum(said) + location.prior() >= ENOUGH;
    if enough { found.or(Finding { score: POINTS, rule: "sql-density", offset: said.start(0) }) } else { found }
}

/// What speaks for SQL less what speaks against it.
fn sum(said: &Sentence<'_>) -> i32 {
    let mut sum = 0;
    let mut opened = 0;
    for (at, token) in said.tokens.iter().enumerate() {
        if sum < PROSE {
            return sum;
        }
        let calls = || said.kind(at + 1) == Some(Kind::Open);
        sum += match token.kind {
            Kind::Word => match token.sql {
                // Begins or joins queries, or reaches for what an attack reaches for.
                Sql::Union
                | Sql::Select
                | Sql::Having
                | Sql::Wait
                | Sql::Procedure
                | Sql::Weapon
                | Sql::Catalogue
                | Sql::Delay
                | Sql::Into => 7,
                Sql::Logic => 4,
                Sql::Function | Sql::Object if calls() => 3,
                // A call of what SQL does not know: any language's.
                Sql::None if calls() => -1,
                // Most of what prose is made of.
                Sql::None | Sql::Function | Sql::Object => -5,
                Sql::Compare | Sql::Not | Sql::Verb | Sql::Literal => 1,
                Sql::Type => 0,
                _ => 2,
            },
            // A sentence behind a dash.
            Kind::LineComment | Kind::BlockComment | Kind::OddComment if token.end - token.start > 24 => -5,
            Kind::Compare | Kind::Logic | Kind::LineComment | Kind::BlockComment | Kind::OddComment => 3,
            Kind::Open => {
                opened += 1;
                2
            }
            Kind::Close => {
                opened -= 1;
                2
            }
            Kind::Comma | Kind::Semicolon => 2,
            Kind::OpenString | Kind::String | Kind::Number | Kind::Variable => 1,
            // Hyphens, and numbers with signs.
            Kind::Arithmetic => -1,
            // A word of another script is a name.
            Kind::Other if said.text[token.start as usize] >= 0x80 => -5,
            Kind::Dot | Kind::Other => -2,
        };
    }
    // A part of something, and the rest is elsewhere.
    sum += if opened == 0 { 0 } else { 2 } + i32::from(said.quote.is_some());
    // Two or three tokens are anything.
    sum -= if said.tokens.len() < 4 { 3 } else { 0 };
    sum
}
