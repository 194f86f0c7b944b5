//! Conditions, and values that leave their quotes to become one.

use super::{
    phrase::{Case, is_operand_end},
    query::statement,
    sentence::{Operand, Sentence},
    token::{Kind, Token},
};
use crate::inspect::engine::words::Sql;

/// `or 1=1`, `and sleep(5)`, `|| 'a`.
pub(super) fn condition(said: &Sentence<'_>, at: usize, case: &mut Case) {
    let here = said.start(at);
    let Some((left, end)) = said.operand(at + 1) else {
        return;
    };
    // `x=1 or x=2`: a condition on both sides, and no value that goes on as one.
    let whole = at == 3 && said.first && said.is_comparison(1) && said.kind(0) == Some(Kind::Word);
    let bound = i32::from(is_operand_end(said, at) && !whole);
    let negated = usize::from(said.sql(end) == Sql::Not && said.is_comparison(end + 1));
    if said.is_comparison(end + negated) {
        let mut right_at = end + negated;
        while said.is_comparison(right_at) || said.sql(right_at) == Sql::Not {
            right_at += 1;
        }
        let Some((right, end)) = said.operand(right_at) else {
            case.weak.add(2 + bound, "sql-condition", here);
            return;
        };
        let closed = i32::from(said.is_end(end) || said.is_logic(end) || said.kind(end) == Some(Kind::Close)) + bound;
        match (left, right) {
            (Operand::Constant, Operand::Constant) => case.strong.add(9 + closed, "sql-tautology", here),
            (Operand::Query, _) | (_, Operand::Query) => case.strong.add(8 + closed, "sql-subquery", here),
            (Operand::Function, Operand::Constant | Operand::Function) | (Operand::Constant, Operand::Function) => {
                case.strong.add(8 + closed, "sql-condition", here);
            }
            // `or x=x`
            _ if end == right_at + 1 && said.bytes(right_at).eq_ignore_ascii_case(said.bytes(at + 1)) => {
                case.strong.add(8 + closed, "sql-tautology", here);
            }
            _ => case.weak.add(4 + 2 * closed, "sql-condition", here),
        }
        return;
    }
    if at == 0 && said.first && left == Operand::Constant {
        case.weak.add(4, "sql-condition", here);
    }
    let over = said.is_end(end) || said.is_logic(end) || said.kind(end) == Some(Kind::Close);
    match left {
        // `1=1 and 1`
        Operand::Constant if over && bound == 1 && at > 1 && said.is_comparison(at - 2) => {
            case.strong.add(9, "sql-tautology", here);
        }
        // `1950 or 1960` is English as well.
        Operand::Constant if over && bound == 1 && said.quote.is_none() && !said.is_comment(end) => {
            case.weak.add(6, "sql-tautology", here);
        }
        Operand::Constant if over && bound == 1 => case.weak.add(8, "sql-tautology", here),
        Operand::Constant if over => case.weak.add(4, "sql-tautology", here),
        Operand::Function if bound == 1 && over => case.weak.add(8, "sql-condition", here),
        Operand::Function if bound == 1 || over => case.weak.add(6, "sql-condition", here),
        Operand::Query => case.strong.add(6 + bound, "sql-subquery", here),
        _ => case.weak.add(bound, "sql-condition", here),
    }
}

/// A comparison in letters with constants at both sides; `= (select`.
pub(super) fn comparison(said: &Sentence<'_>, at: usize, case: &mut Case) {
    let here = said.start(at);
    let bound = is_operand_end(said, at) && at > 0;
    if said.kind(at) == Some(Kind::Word) {
        let rare = said.is(at, "rlike") || said.is(at, "regexp") || said.is(at, "sounds");
        if rare && bound && said.operand(at + 1).is_some() {
            case.weak.add(6, "sql-condition", here);
        } else if bound && matches!(said.kind(at + 1), Some(Kind::Open)) {
            case.weak.add(2, "sql-condition", here);
        }
    } else if said.kind(at + 1) == Some(Kind::Open) && said.sql(at + 2) == Sql::Select {
        case.strong.add(3, "sql-subquery", here);
    }
}

/// Whether the value goes on as operators and operands from here to its very end: a comment, or a string that the statement's own
/// quote closes. The kind of the last operand.
fn chain(said: &Sentence<'_>, mut at: usize) -> Option<Operand> {
    if said.quote == Some(b'`') {
        return None;
    }
    let mut last = None;
    for _ in 0..16 {
        let operator = at;
        while said.is_comparison(at)
            || said.is_logic(at)
            || said.sql(at) == Sql::Not
            || matches!(said.kind(at), Some(Kind::Arithmetic | Kind::BlockComment))
        {
            at += 1;
        }
        if at == operator {
            return None;
        }
        let (operand, end) = said.operand(at)?;
        last = Some(operand);
        // `"/files/*rest"`: a pattern, no comment.
        if said.kind(end) == Some(Kind::OddComment) && said.bytes(end).len() > 24 {
            return None;
        }
        if said.is_end(end)
            && (end < said.tokens.len() || said.kind(end - 1) == Some(Kind::OpenString) && !is_sentence(said, end - 1))
        {
            return last;
        }
        at = end;
    }
    last
}

/// `' Or' condition using a stored procedure`: what is left open is a sentence, not a string.
fn is_sentence(said: &Sentence<'_>, at: usize) -> bool {
    let text = said.bytes(at);
    let begins = text.get(1).is_some_and(|byte| matches!(byte, b' ' | b'+' | b'&' | b',' | b'.' | b'?' | b':' | b')'));
    // A string that the statement's own quote closes is one in the same quotes.
    begins && text.len() > 4 || text.first() != said.quote.as_ref()
}

/// A value that leaves its quotes and goes on as SQL.
pub(super) fn break_out(said: &Sentence<'_>, case: &mut Case) {
    let at = said.past(1, |at| said.kind(at) == Some(Kind::Close));
    let closes = i32::from(at > 1);
    let here = said.start(at);
    let bare_comment =
        |at: usize| said.is_comment(at) && said.bytes(at).len() <= if said.quote == Some(b'`') { 4 } else { 24 };
    match said.kind(at) {
        _ if bare_comment(1) && said.is_end(2) => {
            let loose = said.bytes(1).starts_with(b"#") && said.bytes(1).len() > 1;
            case.weak.add(if loose { 5 } else { 9 }, "sql-break-out", here);
        }
        _ if closes == 1 && bare_comment(at - 1) && said.is_end(at) => case.weak.add(9, "sql-break-out", here),
        // `'));--`: ended and the rest forgotten, as good as `'--`.
        Some(Kind::Semicolon) if bare_comment(at + 1) && said.is_end(at + 2) => {
            case.weak.add(9, "sql-break-out", here);
        }
        Some(Kind::Semicolon) => case.weak.add(2 + closes, "sql-break-out", here),
        // `', admin=1 where`, `',(select 1`: the next column, or the next row.
        Some(Kind::Comma) => {
            let assigned = said.kind(at + 1) == Some(Kind::Word) && said.bytes(at + 2) == b"=";
            let over = said.operand(at + 3).filter(|(_, end)| said.sql(*end) == Sql::Where || said.is_comment(*end));
            let row = closes == 1 && said.kind(at + 1) == Some(Kind::Open) && said.operand(at + 2).is_some();
            let ends = said.is_comment(said.tokens.len().saturating_sub(1));
            if assigned {
                case.weak.add(if over.is_some() { 9 } else { 4 }, "sql-break-out", here);
            } else if row {
                case.weak.add(if ends { 8 } else { 4 }, "sql-break-out", here);
            }
        }
        Some(Kind::Compare | Kind::Logic | Kind::Arithmetic) => {
            case.weak.add(1 + closes, "sql-break-out", here);
            match (chain(said, at), said.operand(at + 1)) {
                (Some(_), _) => case.weak.add(8, "sql-expression", here),
                (None, Some((Operand::Function | Operand::Query, _))) => case.weak.add(4, "sql-expression", here),
                _ => {}
            }
        }
        Some(Kind::Word) => match said.sql(at) {
            Sql::Logic | Sql::Compare | Sql::Not => {
                case.weak.add(1 + closes * 2, "sql-break-out", here);
                // `select 'and'`
                let is_quoted_word = said.tokens.len() == 3 && said.bytes(2).len() == 1;
                if !is_quoted_word && chain(said, at).is_some() {
                    case.weak.add(8, "sql-expression", here);
                }
            }
            Sql::Union | Sql::Having | Sql::Procedure | Sql::Order | Sql::Limit => {
                case.weak.add(1 + closes * 2, "sql-break-out", here);
            }
            Sql::As | Sql::Where | Sql::Into | Sql::Wait | Sql::From => case.weak.add(4, "sql-break-out", here),
            // `' collate nocase --`
            Sql::Other if (at + 1..at + 4).any(|at| said.is_comment(at) && said.bytes(at).len() <= 4) => {
                case.weak.add(6, "sql-break-out", here);
            }
            Sql::Verb | Sql::Select => case.weak.add(statement(said, at), "sql-statement", here),
            _ => {}
        },
        _ => {}
    }
}

/// A value that is an expression from its first byte to its last, and no word of it is English.
pub(super) fn whole(said: &Sentence<'_>, case: &mut Case) {
    if !said.last || said.tokens.len() < 2 {
        return;
    }
    let last = said.tokens.len() - 1;
    // `substr(a from 1 for 2)`
    let is_for = |token: &Token| token.end - token.start == 3 && said.text[token.start as usize] | 0x20 == b'f';
    let is_name = |token: &Token| token.kind == Kind::Word && token.sql == Sql::None && !is_for(token);
    if last > 0 && !said.tokens.iter().any(|token| token.kind == Kind::Other || is_name(token)) {
        if said.is_comment(last) && said.kind(last - 1) != Some(Kind::Word) && said.bytes(last).len() < 24 {
            let dashed = said.bytes(last).starts_with(b"--") || said.bytes(last).starts_with(b"/*");
            case.weak.add(if dashed { 6 } else { 3 }, "sql-expression", said.start(last));
        }
        let calls = (0..=last)
            .filter(|at| {
                said.is_call(*at)
                    && matches!(said.sql(*at), Sql::Function | Sql::Weapon | Sql::Type | Sql::Object | Sql::Literal)
            })
            .count();
        if calls > 0 {
            case.weak.add(i32::try_from(calls).unwrap_or(9).min(3) * 3, "sql-expression", 0);
        }
    }
}
