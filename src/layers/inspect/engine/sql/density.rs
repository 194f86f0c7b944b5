//! How much of a value is SQL at all: what no sign names may still be no prose.
//!
//! **The rule.** Each token speaks for SQL or against it, by what prose has few or many of; the sum is the strict sensitivity's
//! business alone.

use super::{sentence::Sentence, token::Kind};
use crate::inspect::engine::{
    verdict::{Finding, Location},
    words::Sql,
};

/// From this sum on, as much speaks for SQL as against it and a little more: names weigh most against.
const ENOUGH: i32 = 1;
/// What strict refuses, and default never does, whatever the place.
const POINTS: u16 = 4;
/// The sum at which a weaker sign is believed by default.
const PLENTY: i32 = 10;

/// Points of a strict finding, and whether it is so dense that little else has to speak for it.
pub(super) fn density(said: &Sentence<'_>, location: Location) -> (Finding, bool) {
    let mut sum = 0;
    let (mut opened, mut names) = (0, 0);
    for (at, token) in said.tokens.iter().enumerate() {
        let calls = said.kind(at + 1) == Some(Kind::Open);
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
                Sql::Function | Sql::Object if calls => 3,
                // A call of what SQL does not know: any language's.
                Sql::None if calls => -1,
                // Most of what prose is made of.
                Sql::None | Sql::Function | Sql::Object => {
                    names += 1;
                    -5
                }
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
    let found = Finding { score: POINTS, rule: "sql-density", offset: said.start(0) };
    let enough = sum + location.prior() >= ENOUGH && said.tokens.len() > 1;
    (if enough { found } else { Finding::default() }, sum >= PLENTY && names * 6 < said.tokens.len())
}
