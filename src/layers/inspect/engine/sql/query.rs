//! Statements, and queries within them.

use super::{
    phrase::{Case, is_operand_end},
    sentence::Sentence,
    token::Kind,
};
use crate::inspect::engine::words::Sql;

pub(super) fn union(said: &Sentence<'_>, at: usize, case: &mut Case) {
    let here = said.start(at);
    let filler = |at: usize| said.sql(at) == Sql::All || matches!(said.kind(at), Some(Kind::Open | Kind::Arithmetic));
    let select = said.past(at + 1, filler);
    if said.sql(select) == Sql::Select || said.is(select, "values") && said.kind(select + 1) == Some(Kind::Open) {
        let item = said.past(select + 1, filler);
        let listed = match said.kind(item) {
            Some(Kind::Word) => {
                said.sql(item) == Sql::Literal
                    || said.is_call(item)
                    || said.sql(item) == Sql::Case
                    || said.sql(item) == Sql::Catalogue
                    || matches!(
                        said.kind(item + 1),
                        Some(
                            Kind::Comma
                                | Kind::Dot
                                | Kind::LineComment
                                | Kind::OddComment
                                | Kind::Open
                                | Kind::Logic
                                | Kind::Arithmetic
                        )
                    )
                    || said.sql(item + 1) == Sql::From
                    || said.sql(item) == Sql::Function && said.is_end(item + 1)
            }
            Some(Kind::Number | Kind::String | Kind::OpenString | Kind::Variable | Kind::Arithmetic) => true,
            Some(_) | None => false,
        };
        let punctuated = said.is_comment(at + 1) || said.is_comment(select + 1);
        let points = if listed || punctuated {
            12
        } else if item >= said.tokens.len() {
            10
        } else {
            5
        };
        if listed { &mut case.strong } else { &mut case.weak }.add(points, "sql-union", here);
    } else if is_operand_end(said, at)
        && (said.is_end(select)
            || said.sql(select) == Sql::Verb
            || said.is_comment(at + 1)
            || said.kind(at + 1) == Some(Kind::Open))
        && at > 0
    {
        case.weak.add(9, "sql-union", here);
    }
}

pub(super) fn select(said: &Sentence<'_>, at: usize, case: &mut Case) {
    let here = said.start(at);
    let item = said.past(at + 1, |at| said.sql(at) == Sql::All || said.kind(at) == Some(Kind::Open));
    let begins = match said.kind(item) {
        Some(Kind::Number | Kind::String | Kind::OpenString | Kind::Variable | Kind::Arithmetic) => true,
        Some(Kind::Word) => {
            said.is_call(item)
                || matches!(said.sql(item), Sql::Literal | Sql::Case | Sql::Select | Sql::Unary)
                || matches!(
                    said.kind(item + 1),
                    Some(
                        Kind::Comma
                            | Kind::Dot
                            | Kind::Close
                            | Kind::Open
                            | Kind::Compare
                            | Kind::Arithmetic
                            | Kind::LineComment
                    )
                )
                || said.sql(item + 1) == Sql::From
        }
        _ => false,
    };
    if !begins {
        return;
    }
    let nested = said.before(at) == Some(Kind::Open);
    case.weak.add(3, "sql-select", here);
    if nested {
        case.strong.add(5, "sql-subquery", here);
    }
    let from = said.tokens[at..].iter().take(48).position(|token| token.sql == Sql::From).map(|from| at + from);
    if let Some(from) = from
        .filter(|from| matches!(said.kind(from + 1), Some(Kind::Word | Kind::Open | Kind::String | Kind::OpenString)))
    {
        case.weak.add(4, "sql-select", here);
        let after = from + 2;
        if nested
            || said.is_end(after)
            || matches!(said.sql(after), Sql::Where | Sql::Limit | Sql::Order | Sql::As | Sql::Join)
            || matches!(said.kind(after), Some(Kind::Close | Kind::Dot | Kind::Comma))
        {
            case.weak.add(3, "sql-select", here);
        }
    }
    if at == 0 && said.first || matches!(said.before(at), Some(Kind::Semicolon)) {
        case.weak.add(3 + i32::from(said.is_call(item)), "sql-select", here);
    }
}

/// A second statement, behind the first of a row of semicolons.
pub(super) fn stacked(said: &Sentence<'_>, at: usize, case: &mut Case) {
    if said.before(at) == Some(Kind::Semicolon) {
        return;
    }
    let verb = said.past(at + 1, |at| said.kind(at) == Some(Kind::Semicolon));
    let points = statement(said, verb);
    if points > 0 {
        // `1; alter ..`, `'; grant ..`: a value that ends at once. No prose follows that.
        let at_once = at == 1 && said.first && matches!(said.kind(0), Some(Kind::Number | Kind::String));
        case.strong.add(points + 2 + i32::from(at_once) * 4, "sql-stacked", said.start(verb));
    }
}

/// Whether a statement begins here: the points of its grammar.
pub(super) fn statement(said: &Sentence<'_>, at: usize) -> i32 {
    let next = said.past(at + 1, |_| false);
    let verb = said.bytes(at);
    let is = |word: &str| verb.eq_ignore_ascii_case(word.as_bytes());
    let fits = match said.sql(at) {
        Sql::Select => {
            matches!(
                said.kind(next),
                Some(Kind::Number | Kind::String | Kind::OpenString | Kind::Variable | Kind::Arithmetic | Kind::Open)
            ) || said.is_call(next)
                || said.sql(next) == Sql::Case
                || said.sql(next) == Sql::All
                || said.kind(next + 1) == Some(Kind::Comma)
                || said.sql(next + 1) == Sql::From
                || said.quote.is_some() && said.kind(next) == Some(Kind::Word) && said.is_end(next + 1)
        }
        Sql::Wait => true,
        Sql::Verb if is("insert") || is("replace") || is("merge") => said.sql(next) == Sql::Into,
        Sql::Verb if is("update") => said.kind(next) == Some(Kind::Word) && said.is(next + 1, "set"),
        Sql::Verb if is("delete") => said.sql(next) == Sql::From || said.sql(next + 1) == Sql::From,
        Sql::Verb if is("drop") || is("alter") || is("create") || is("truncate") => {
            said.sql(next) == Sql::Object && said.kind(next + 1) == Some(Kind::Word)
                || said.sql(next) == Sql::Procedure
                || said.is(next, "or")
                || said.is(next, "login")
        }
        Sql::Verb if is("exec") || is("execute") => {
            matches!(said.kind(next), Some(Kind::Open | Kind::Variable | Kind::String | Kind::OpenString))
                || said.sql(next) == Sql::Weapon
                || matches!(said.kind(next + 1), Some(Kind::Dot | Kind::Variable))
                || said.sql(next) == Sql::Other
                || said.sql(next) == Sql::Verb
        }
        Sql::Verb if is("declare") => said.kind(next) == Some(Kind::Variable) || said.kind(next) == Some(Kind::Word),
        Sql::Verb if is("if") || is("while") => {
            said.kind(next) == Some(Kind::Open) || said.is_comparison(next + 1) || said.sql(next) == Sql::Verb
        }
        Sql::Verb if is("shutdown") || is("commit") || is("rollback") || is("reconfigure") => {
            said.is_end(next) || said.is(next, "with")
        }
        Sql::Verb if is("call") => {
            said.is_call(next) || said.kind(next + 1) == Some(Kind::Open) || said.kind(next + 1) == Some(Kind::Dot)
        }
        Sql::Verb if is("load") => said.is(next, "data") || said.is(next, "xml"),
        Sql::Verb if is("do") => said.kind(next) == Some(Kind::Open),
        Sql::Verb if is("begin") => said.kind(next) == Some(Kind::Word),
        Sql::Verb if is("set") => {
            let scoped = said.is(next, "global") || said.is(next, "session") || said.is(next, "local");
            said.kind(next) == Some(Kind::Variable)
                || scoped && said.kind(next + 1) == Some(Kind::Word) && said.is_comparison(next + 2)
        }
        Sql::Verb if is("grant") || is("revoke") => {
            said.sql(next) == Sql::All
                || said.kind(next + 1) == Some(Kind::Comma)
                || said.is(next + 1, "on")
                || said.is(next + 1, "to")
        }
        Sql::Verb if is("print") => matches!(said.kind(next), Some(Kind::String | Kind::Variable)),
        Sql::Verb if is("copy") && said.sql(next + 1) == Sql::From => {
            matches!(said.kind(next + 2), Some(Kind::String | Kind::OpenString)) || said.is(next + 2, "program")
        }
        Sql::Verb if is("backup") || is("copy") || is("attach") => {
            said.sql(next) == Sql::Object || said.kind(next + 1) == Some(Kind::Open)
        }
        Sql::Weapon | Sql::Function => said.kind(next) == Some(Kind::Open) && said.sql(at) == Sql::Weapon,
        _ => false,
    };
    let rare = is("exec")
        || is("execute")
        || is("declare")
        || is("backup")
        || is("waitfor")
        || is("load")
        || is("do")
        || is("copy");
    match (fits, rare) {
        (true, true) => 10,
        (true, false) => 8,
        (false, _) => 0,
    }
}
