//! What speaks for an attack in a row of tokens, in points, and what prose takes off.

use super::{
    expression::{break_out, comparison, condition, whole},
    query::{select, stacked, statement, union},
    sentence::{Operand, Sentence},
    token::Kind,
};
use crate::inspect::engine::{
    verdict::{Finding, Location, Signs},
    words::Sql,
};

/// What no prose explains, and what it may.
#[derive(Default)]
pub(super) struct Case {
    pub(super) strong: Signs,
    pub(super) weak: Signs,
    catalogue: i32,
    folded: i32,
    characters: i32,
    nested: i32,
}

pub(super) fn judge(said: &Sentence<'_>, location: Location) -> Finding {
    let mut case = Case::default();
    if said.quote.is_some() {
        break_out(said, &mut case);
    } else if said.first {
        whole(said, &mut case);
    }
    for (at, token) in said.tokens.iter().enumerate() {
        match token.kind {
            Kind::Word => word(said, at, &mut case),
            Kind::Logic => condition(said, at, &mut case),
            Kind::Compare => comparison(said, at, &mut case),
            Kind::Semicolon => stacked(said, at, &mut case),
            // `'..'::json`
            Kind::String
                if said.bytes(at + 1) == b":"
                    && said.bytes(at + 2) == b":"
                    && said.kind(at + 3) == Some(Kind::Word) =>
            {
                case.weak.add(if said.sql(at + 3) == Sql::Type { 6 } else { 4 }, "sql-cast", said.start(at));
            }
            // `(..)::int`: no other language casts so, to a type of SQL's.
            Kind::Close
                if said.bytes(at + 1) == b":" && said.bytes(at + 2) == b":" && said.sql(at + 3) == Sql::Type =>
            {
                case.strong.add(8, "sql-cast", said.start(at));
            }
            // `1.e(`, which MySQL reads as a number and nothing.
            Kind::Number
                if said.bytes(at).ends_with(b".")
                    && said.is(at + 1, "e")
                    && matches!(said.kind(at + 2), Some(Kind::Open | Kind::Dot)) =>
            {
                case.strong.add(9, "sql-number", said.start(at));
            }
            Kind::LineComment | Kind::BlockComment | Kind::OddComment => comment(said, at, &mut case),
            Kind::Variable if said.bytes(at).starts_with(b"@@") && said.bytes(at).len() > 4 => {
                case.weak.add(4, "sql-variable", said.start(at));
            }
            _ => {}
        }
    }
    if case.strong.sum() + case.weak.sum() == 0 {
        return Finding::default();
    }
    let prose = said.prose();
    let in_prose = matches!(location, Location::Path | Location::Query).then_some(1).unwrap_or(2);
    let strong = case.strong.sum() - (prose * in_prose).min(case.strong.sum() / 2);
    let weak = (case.weak.sum() - prose * in_prose).max(0);
    let mut all = case.strong;
    if case.weak.sum() > case.strong.sum() {
        all = case.weak;
    }
    all.less(all.sum() - strong - weak)
}

fn word(said: &Sentence<'_>, at: usize, case: &mut Case) {
    let here = said.start(at);
    match said.sql(at) {
        Sql::Union => union(said, at, case),
        Sql::Logic => condition(said, at, case),
        Sql::Compare if said.is(at, "match") && said.is(at + 2, "against") => case.strong.add(8, "sql-condition", here),
        Sql::Compare => comparison(said, at, case),
        Sql::Weapon => weapon(said, at, case),
        Sql::Catalogue if case.catalogue < 8 => {
            case.catalogue += 4;
            case.weak.add(4, "sql-catalogue", here);
        }
        // `1) from users where name='x')`
        Sql::From if said.sql(at + 2) == Sql::Where && is_operand_end(said, at) && at > 0 => {
            case.weak.add(
                if said.operand(at + 3).is_some_and(|(_, end)| said.is_comparison(end)) { 8 } else { 4 },
                "sql-from",
                here,
            );
        }
        // `1234 as "name" from`
        Sql::As if said.sql(at + 2) == Sql::From && is_operand_end(said, at) => case.weak.add(6, "sql-from", here),
        Sql::Wait => {
            let next = said.past(at + 1, |at| said.bytes(at) == b"+");
            let timed = matches!(said.sql(next), Sql::Delay) || said.is(next, "time");
            let next = said.past(next + 1, |at| said.bytes(at) == b"+");
            if timed && matches!(said.kind(next), Some(Kind::String | Kind::OpenString | Kind::Variable | Kind::Number))
            {
                case.strong.add(10, "sql-wait", here);
            }
        }
        Sql::Order if said.sql(said.past(at + 1, |at| said.bytes(at) == b"+")) == Sql::By => {
            let by = said.past(at + 1, |at| said.bytes(at) == b"+");
            let key = said.past(by + 1, |at| said.kind(at) == Some(Kind::Open));
            let counted =
                matches!(said.kind(key), Some(Kind::Number)) || said.is_call(key) || said.sql(key) == Sql::Select;
            if counted && is_operand_end(said, at) {
                case.strong.add(
                    if said.is_end(key + 1) || said.kind(key + 1) == Some(Kind::Comma) { 9 } else { 8 },
                    "sql-order",
                    here,
                );
            } else if is_operand_end(said, at) && said.quote.is_some() {
                case.weak.add(4, "sql-order", here);
            }
        }
        Sql::Select if at == 0 && said.first && said.last && said.tokens.len() <= 3 => {
            case.weak.add(4, "sql-select", here);
            select(said, at, case);
        }
        Sql::Select => select(said, at, case),
        Sql::Having => {
            if let Some((operand, end)) = said.operand(at + 1) {
                let judged =
                    said.is_comparison(end) || operand == Operand::Constant || said.kind(at + 1) == Some(Kind::Open);
                if judged && operand != Operand::Name {
                    case.strong.add(9, "sql-having", here);
                }
            }
        }
        Sql::Procedure if said.is(at, "procedure") && said.is(at + 1, "analyse") => {
            case.strong.add(10, "sql-procedure", here);
        }
        Sql::Into if said.is(at + 1, "outfile") || said.is(at + 1, "dumpfile") => case.strong.add(10, "sql-file", here),
        Sql::Case if said.is(at, "case") => {
            let then = said.tokens[at..].iter().take(32).filter(|token| token.sql == Sql::Case).count();
            let nested = matches!(said.before(at), Some(Kind::Open | Kind::Compare | Kind::Logic | Kind::Comma));
            if then >= 3 && nested || then >= 4 {
                case.strong.add(5, "sql-case", here);
            }
            if then >= 4 && at == 0 && said.first {
                case.weak.add(4, "sql-case", here);
            }
        }
        Sql::Function | Sql::Object | Sql::Literal if said.kind(at + 1) == Some(Kind::Open) => function(said, at, case),
        Sql::Limit if said.kind(at + 1) == Some(Kind::Number) && is_operand_end(said, at) => {
            case.weak.add(2, "sql-limit", here);
        }
        Sql::Verb if said.first && said.quote.is_none() && (at == 0 || at == 1 && said.bytes(0) == b"/") => {
            let points = statement(said, at);
            case.weak.add(points, "sql-statement", here);
        }
        _ => {}
    }
}

/// Whether an operand could end before here: `1 union`, `') or`.
pub(super) fn is_operand_end(said: &Sentence<'_>, at: usize) -> bool {
    let mut at = at;
    // A few comments hide an operand; a row of them is nothing.
    for _ in 0..4 {
        at -= usize::from(at > 0 && said.is_comment(at - 1));
    }
    at == 0
        || matches!(said.before(at), Some(Kind::Number | Kind::String | Kind::Close | Kind::Variable))
        || said.sql_before(at) == Sql::Literal
}

fn weapon(said: &Sentence<'_>, at: usize, case: &mut Case) {
    let here = said.start(at);
    let called =
        said.kind(at + 1) == Some(Kind::Open) || said.is_comment(at + 1) && said.kind(at + 2) == Some(Kind::Open);
    let package = said.kind(at + 1) == Some(Kind::Dot);
    let common = said.is(at, "sleep");
    // `sleep (8h)`
    let lasts = common
        && said.start(at + 1) > said.start(at) + said.bytes(at).len()
        && said.kind(at + 2) == Some(Kind::Number)
        && said.kind(at + 3) == Some(Kind::Word)
        && said.sql(at + 3) == Sql::None;
    let called = called && !lasts;
    if called || package {
        case.strong.add(if common { 6 } else { 8 }, "sql-function", here);
        let grips = at == 0
            || matches!(
                said.before(at),
                Some(
                    Kind::Logic
                        | Kind::Compare
                        | Kind::Open
                        | Kind::Comma
                        | Kind::Semicolon
                        | Kind::Arithmetic
                        | Kind::String
                        | Kind::Number
                )
            )
            || matches!(said.sql_before(at), Sql::Logic | Sql::Select | Sql::All | Sql::Verb | Sql::From);
        if grips {
            case.strong.add(3, "sql-function", here);
        }
    } else if said.bytes(at).get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"xp_")) {
        case.strong.add(7, "sql-function", here);
    }
}

/// Functions that say nothing alone: spelled out characters, lengths, conversions.
fn function(said: &Sentence<'_>, at: usize, case: &mut Case) {
    let here = said.start(at);
    let spelled = (said.is(at, "char") || said.is(at, "chr"))
        && said.kind(at + 2) == Some(Kind::Number)
        && said.kind(at + 3) == Some(Kind::Close);
    if spelled && case.characters < 9 {
        case.characters += 3;
        case.strong.add(3, "sql-characters", here);
    } else if said.last && at + 2 == said.tokens.len() && at > 0 {
        case.weak.add(4, "sql-function", here);
    } else if said.is_call(at + 2) && said.kind(at + 2) == Some(Kind::Word) && case.nested < 8 {
        case.nested += 4;
        let computed = matches!(said.before(at), Some(Kind::Arithmetic | Kind::Compare | Kind::Logic));
        case.weak.add(if computed { 8 } else { 4 }, "sql-function", here);
    } else if at == 0 && said.first && said.quote.is_none() {
        let cut = said.last && said.tokens.len() == 2;
        case.weak.add(if cut { 6 } else { 2 }, "sql-function", here);
    }
    let asks = ["version", "user", "database", "current_user", "session_user", "system_user", "user_name", "db_name"];
    let asks = asks.iter().any(|name| said.is(at, name));
    if asks && said.kind(at + 2) == Some(Kind::Close) {
        case.weak.add(3, "sql-function", here);
    }
}

fn comment(said: &Sentence<'_>, at: usize, case: &mut Case) {
    let here = said.start(at);
    let last = at + 1 == said.tokens.len() && said.last;
    let before_operand = at > 0 && is_operand_end(said, at) && at == at.min(said.tokens.len());
    match said.kind(at) {
        Some(Kind::LineComment) if last => {
            let short = said.bytes(at).len() <= 24;
            let is_hash = said.bytes(at).starts_with(b"#");
            if before_operand && short {
                case.weak.add(if is_hash { 2 } else { 4 }, "sql-comment", here);
            } else if at > 0 && said.bytes(at).len() <= 4 && said.before(at) == Some(Kind::Word) {
                case.weak.add(if is_hash { 1 } else { 2 }, "sql-comment", here);
            }
        }
        Some(Kind::OddComment) if at > 0 => case.weak.add(if before_operand { 6 } else { 3 }, "sql-comment", here),
        Some(Kind::BlockComment) if at > 0 && case.folded < 6 => {
            let glued = said.start(at).checked_sub(1).is_some_and(|before| said.text[before].is_ascii_alphabetic())
                && said
                    .tokens
                    .get(at)
                    .and_then(|token| said.text.get(token.end as usize))
                    .is_some_and(u8::is_ascii_alphabetic);
            if glued && said.sql(at + 1) == Sql::None {
                case.folded += 5;
                case.weak.add(5, "sql-comment", here);
            }
            let between = said.kind(at + 1) == Some(Kind::Word)
                && (said.sql(at + 1) != Sql::None || said.sql_before(at) != Sql::None);
            if between {
                case.folded += 3;
                case.weak.add(3, "sql-comment", here);
            }
        }
        _ => {}
    }
}
