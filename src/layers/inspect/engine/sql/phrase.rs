//! What speaks for an attack in a row of tokens, in points, and what prose takes off.

use super::{
    sentence::{Operand, Sentence},
    token::Kind,
};
use crate::inspect::engine::{
    verdict::{Finding, Location, Signs},
    words::Sql,
};

/// What no prose explains, and what it may.
#[derive(Default)]
struct Case {
    strong: Signs,
    weak: Signs,
    catalogue: i32,
    folded: i32,
    characters: i32,
}

pub(super) fn judge(said: &Sentence<'_>, location: Location) -> Finding {
    let mut case = Case::default();
    if said.quoted {
        break_out(said, &mut case);
    } else if said.first {
        whole(said, &mut case);
    }
    for at in 0..said.tokens.len() {
        match said.kind(at) {
            Some(Kind::Word) => word(said, at, &mut case),
            Some(Kind::Logic) => condition(said, at, &mut case),
            Some(Kind::Compare) => comparison(said, at, &mut case),
            Some(Kind::Semicolon) => stacked(said, at, &mut case),
            Some(Kind::LineComment | Kind::BlockComment | Kind::OddComment) => comment(said, at, &mut case),
            Some(Kind::Variable) if said.bytes(at).starts_with(b"@@") => {
                case.weak.add(4, "sql-variable", said.start(at));
            }
            _ => {}
        }
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
        Sql::Select => select(said, at, case),
        Sql::Logic => condition(said, at, case),
        Sql::Compare => comparison(said, at, case),
        Sql::Weapon => weapon(said, at, case),
        Sql::Catalogue if case.catalogue < 8 => {
            case.catalogue += 4;
            case.weak.add(4, "sql-catalogue", here);
        }
        Sql::Wait => {
            let next = said.past(at + 1, |_| false);
            let timed = matches!(said.sql(next), Sql::Delay) || said.is(next, "time");
            let next = said.past(next + 1, |_| false);
            if timed && matches!(said.kind(next), Some(Kind::String | Kind::OpenString | Kind::Variable | Kind::Number))
            {
                case.strong.add(10, "sql-wait", here);
            }
        }
        Sql::Order if said.sql(said.past(at + 1, |_| false)) == Sql::By => {
            let by = said.past(at + 1, |_| false);
            let key = said.past(by + 1, |at| said.kind(at) == Some(Kind::Open));
            let counted =
                matches!(said.kind(key), Some(Kind::Number)) || said.is_call(key) || said.sql(key) == Sql::Select;
            if counted && is_operand_end(said, at) {
                case.strong.add(
                    if said.is_end(key + 1) || said.kind(key + 1) == Some(Kind::Comma) { 9 } else { 6 },
                    "sql-order",
                    here,
                );
            } else if is_operand_end(said, at) && said.quoted {
                case.weak.add(4, "sql-order", here);
            }
        }
        Sql::Having => {
            if let Some((operand, end)) = said.operand(at + 1) {
                let judged =
                    said.is_comparison(end) || operand == Operand::Constant || said.kind(at + 1) == Some(Kind::Open);
                if judged && operand != Operand::Name {
                    case.strong.add(8, "sql-having", here);
                }
            }
        }
        Sql::Procedure if said.is(at, "procedure") && said.is(at + 1, "analyse") => {
            case.strong.add(10, "sql-procedure", here);
        }
        Sql::Into if said.is(at + 1, "outfile") || said.is(at + 1, "dumpfile") => case.strong.add(10, "sql-file", here),
        Sql::Case if said.is(at, "case") => {
            let when = said.tokens[at..]
                .iter()
                .take(6)
                .position(|token| token.sql == Sql::Case && token.start as usize != here);
            if when.is_some() && matches!(said.before(at), Some(Kind::Open | Kind::Compare | Kind::Logic)) {
                case.strong.add(5, "sql-case", here);
            }
        }
        Sql::Function if said.kind(at + 1) == Some(Kind::Open) => function(said, at, case),
        Sql::Limit if said.kind(at + 1) == Some(Kind::Number) && is_operand_end(said, at) => {
            case.weak.add(2, "sql-limit", here);
        }
        Sql::Verb if at == 0 && said.first && !said.quoted => {
            let points = statement(said, at);
            case.weak.add(points, "sql-statement", here);
        }
        _ => {}
    }
}

/// Whether an operand could end before here: `1 union`, `') or`.
fn is_operand_end(said: &Sentence<'_>, at: usize) -> bool {
    let mut at = at;
    while at > 0 && said.is_comment(at - 1) {
        at -= 1;
    }
    at == 0
        || matches!(said.before(at), Some(Kind::Number | Kind::String | Kind::Close | Kind::Variable))
        || said.sql_before(at) == Sql::Literal
}

fn union(said: &Sentence<'_>, at: usize, case: &mut Case) {
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
            }
            Some(Kind::Number | Kind::String | Kind::OpenString | Kind::Variable | Kind::Arithmetic) => true,
            Some(_) | None => false,
        };
        let punctuated = said.is_comment(at + 1) || said.is_comment(select + 1);
        let points = if listed || punctuated {
            12
        } else if item >= said.tokens.len() {
            8
        } else {
            5
        };
        if listed { &mut case.strong } else { &mut case.weak }.add(points, "sql-union", here);
    } else if is_operand_end(said, at)
        && (said.is_end(select) || said.is_comment(at + 1) || said.kind(at + 1) == Some(Kind::Open))
        && at > 0
    {
        case.weak.add(7, "sql-union", here);
    }
}

fn select(said: &Sentence<'_>, at: usize, case: &mut Case) {
    let here = said.start(at);
    let item = said.past(at + 1, |at| said.sql(at) == Sql::All || said.kind(at) == Some(Kind::Open));
    let begins = match said.kind(item) {
        Some(Kind::Number | Kind::String | Kind::OpenString | Kind::Variable | Kind::Arithmetic) => true,
        Some(Kind::Word) => {
            said.is_call(item)
                || matches!(said.sql(item), Sql::Literal | Sql::Case | Sql::Select | Sql::Unary)
                || matches!(
                    said.kind(item + 1),
                    Some(Kind::Comma | Kind::Dot | Kind::Close | Kind::Open | Kind::Compare | Kind::LineComment)
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
        case.weak.add(2, "sql-select", here);
    }
}

/// `or 1=1`, `and sleep(5)`, `|| 'a`.
fn condition(said: &Sentence<'_>, at: usize, case: &mut Case) {
    let here = said.start(at);
    let Some((left, end)) = said.operand(at + 1) else {
        return;
    };
    let bound = i32::from(is_operand_end(said, at));
    if said.is_comparison(end) {
        let mut right_at = end;
        while said.is_comparison(right_at) || said.sql(right_at) == Sql::Not {
            right_at += 1;
        }
        let Some((right, end)) = said.operand(right_at) else {
            case.weak.add(2 + bound, "sql-condition", here);
            return;
        };
        let closed = i32::from(said.is_end(end) || said.is_logic(end) || said.kind(end) == Some(Kind::Close)) + bound;
        match (left, right) {
            (Operand::Constant, Operand::Constant) => case.strong.add(8 + closed, "sql-tautology", here),
            (Operand::Query, _) | (_, Operand::Query) => case.strong.add(8 + closed, "sql-subquery", here),
            (Operand::Function, Operand::Constant | Operand::Function) | (Operand::Constant, Operand::Function) => {
                case.strong.add(7 + closed, "sql-condition", here);
            }
            _ => case.weak.add(3 + 2 * closed, "sql-condition", here),
        }
        return;
    }
    let over = said.is_end(end) || said.is_logic(end) || said.kind(end) == Some(Kind::Close);
    match left {
        Operand::Constant if over && bound == 1 => case.weak.add(8, "sql-tautology", here),
        Operand::Constant if over => case.weak.add(4, "sql-tautology", here),
        Operand::Function if bound == 1 || over => case.weak.add(6, "sql-condition", here),
        Operand::Query => case.strong.add(6 + bound, "sql-subquery", here),
        _ => case.weak.add(bound, "sql-condition", here),
    }
}

/// A comparison in letters with constants at both sides; `= (select`.
fn comparison(said: &Sentence<'_>, at: usize, case: &mut Case) {
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

fn weapon(said: &Sentence<'_>, at: usize, case: &mut Case) {
    let here = said.start(at);
    let called =
        said.kind(at + 1) == Some(Kind::Open) || said.is_comment(at + 1) && said.kind(at + 2) == Some(Kind::Open);
    let package = said.kind(at + 1) == Some(Kind::Dot);
    let common = said.is(at, "sleep");
    if called || package {
        case.strong.add(if common { 5 } else { 8 }, "sql-function", here);
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
    } else if at == 0 && said.first && !said.quoted {
        case.weak.add(2, "sql-function", here);
    }
    let asks = said.is(at, "version") || said.is(at, "user") || said.is(at, "database");
    if asks && said.kind(at + 2) == Some(Kind::Close) {
        case.weak.add(3, "sql-function", here);
    }
}

/// A second statement.
fn stacked(said: &Sentence<'_>, at: usize, case: &mut Case) {
    let verb = said.past(at + 1, |at| said.kind(at) == Some(Kind::Semicolon));
    let points = statement(said, verb);
    if points > 0 {
        case.strong.add(points + 2, "sql-stacked", said.start(verb));
    }
}

/// Whether a statement begins here: the points of its grammar.
fn statement(said: &Sentence<'_>, at: usize) -> i32 {
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
        }
        Sql::Wait => true,
        Sql::Verb if is("insert") || is("replace") || is("merge") => said.sql(next) == Sql::Into,
        Sql::Verb if is("update") => said.kind(next) == Some(Kind::Word) && said.is(next + 1, "set"),
        Sql::Verb if is("delete") => said.sql(next) == Sql::From,
        Sql::Verb if is("drop") || is("alter") || is("create") || is("truncate") => {
            said.sql(next) == Sql::Object && said.kind(next + 1) == Some(Kind::Word)
                || said.sql(next) == Sql::Procedure
                || said.is(next, "or")
                || said.is(next, "login")
        }
        Sql::Verb if is("exec") || is("execute") => {
            matches!(said.kind(next), Some(Kind::Open | Kind::Variable | Kind::String | Kind::OpenString))
                || said.sql(next) == Sql::Weapon
                || said.kind(next + 1) == Some(Kind::Dot)
                || said.sql(next) == Sql::Other
                || said.sql(next) == Sql::Verb
        }
        Sql::Verb if is("declare") => said.kind(next) == Some(Kind::Variable) || said.kind(next) == Some(Kind::Word),
        Sql::Verb if is("if") || is("while") => said.kind(next) == Some(Kind::Open) || said.sql(next) == Sql::Verb,
        Sql::Verb if is("shutdown") || is("commit") || is("rollback") || is("reconfigure") => {
            said.is_end(next) || said.is(next, "with")
        }
        Sql::Verb if is("call") => {
            said.is_call(next) || said.kind(next + 1) == Some(Kind::Open) || said.kind(next + 1) == Some(Kind::Dot)
        }
        Sql::Verb if is("begin") => said.kind(next) == Some(Kind::Word),
        Sql::Verb if is("set") => said.kind(next) == Some(Kind::Variable),
        Sql::Verb if is("grant") || is("revoke") => {
            said.sql(next) == Sql::All
                || said.kind(next + 1) == Some(Kind::Comma)
                || said.is(next + 1, "on")
                || said.is(next + 1, "to")
        }
        Sql::Verb if is("print") => matches!(said.kind(next), Some(Kind::String | Kind::Variable)),
        Sql::Verb if is("backup") || is("copy") || is("attach") => {
            said.sql(next) == Sql::Object || said.kind(next + 1) == Some(Kind::Open)
        }
        Sql::Weapon | Sql::Function => said.kind(next) == Some(Kind::Open) && said.sql(at) == Sql::Weapon,
        _ => false,
    };
    if fits { 7 } else { 0 }
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

/// A value that leaves its quotes and goes on as SQL.
fn break_out(said: &Sentence<'_>, case: &mut Case) {
    let at = said.past(1, |at| said.kind(at) == Some(Kind::Close));
    let closes = i32::from(at > 1);
    let here = said.start(at);
    let len = said.tokens.len();
    match said.kind(at) {
        Some(Kind::Semicolon) => case.weak.add(2 + closes, "sql-break-out", here),
        _ if said.is_comment(1) && said.is_end(2) => {
            case.weak.add(if said.bytes(1).starts_with(b"#") { 5 } else { 8 }, "sql-break-out", here);
        }
        _ if closes == 1 && said.is_comment(at - 1) && said.is_end(at) => case.weak.add(9, "sql-break-out", here),
        Some(Kind::Compare | Kind::Logic | Kind::Arithmetic) => {
            case.weak.add(1 + closes, "sql-break-out", here);
            if let Some((operand, end)) = said.operand(at + 1) {
                let dangling = said.tokens.last().is_some_and(|token| token.kind == Kind::OpenString);
                if end == len && dangling && said.last {
                    case.weak.add(if operand == Operand::Constant { 7 } else { 8 }, "sql-expression", here);
                } else if operand != Operand::Constant && operand != Operand::Name {
                    case.weak.add(4, "sql-expression", here);
                }
            }
        }
        Some(Kind::Word) => match said.sql(at) {
            Sql::Logic
            | Sql::Compare
            | Sql::Union
            | Sql::Having
            | Sql::Procedure
            | Sql::Order
            | Sql::Limit
            | Sql::Not => {
                case.weak.add(1 + closes * 2, "sql-break-out", here);
                let operand = said.past(at + 1, |at| said.is_comparison(at) || matches!(said.sql(at), Sql::Not));
                if let Some((_, end)) = said.operand(operand) {
                    let dangling = said.kind(len - 1) == Some(Kind::OpenString);
                    if end == len && said.last && (dangling || said.is_end(end)) {
                        case.weak.add(6, "sql-expression", here);
                    }
                }
            }
            Sql::As | Sql::Where | Sql::Into | Sql::Wait if closes == 1 => case.weak.add(4, "sql-break-out", here),
            _ => {}
        },
        _ => {}
    }
}

/// A value that is an expression from its first byte to its last, and no word of it is English.
fn whole(said: &Sentence<'_>, case: &mut Case) {
    if !said.last || said.tokens.len() < 2 {
        return;
    }
    let names = said.tokens.iter().filter(|token| token.kind == Kind::Word && token.sql == Sql::None).count();
    let others = said.tokens.iter().filter(|token| token.kind == Kind::Other).count();
    let last = said.tokens.len() - 1;
    if names + others == 0 && last > 0 {
        if said.is_comment(last) && said.kind(last - 1) != Some(Kind::Word) && said.bytes(last).len() < 24 {
            let dashed = said.bytes(last).starts_with(b"--") || said.bytes(last).starts_with(b"/*");
            case.weak.add(if dashed { 6 } else { 3 }, "sql-expression", said.start(last));
        }
        let calls = (0..=last).filter(|at| said.is_call(*at)).count();
        if calls > 0 {
            case.weak.add(i32::try_from(calls).unwrap_or(9).min(3) * 3, "sql-expression", 0);
        }
    }
}
