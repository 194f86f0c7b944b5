//! What a program's name is worth, by what stands before and behind it.

use super::name::After;
use crate::inspect::engine::gate::is_word;

/// What stands before a command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Start,
    /// `;` `|` `&` or a new line; at the very beginning of the value, where nothing is there to be separated.
    Separator {
        leads: bool,
        line: bool,
    },
    Substitution,
    Backtick,
}

/// How a name stands behind its separator: people separate the words of a list too.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "signs that are independent of each other")]
pub(super) struct Stands {
    /// No blank is between them.
    pub(super) tight: bool,
    /// Before the separator is no word that a list could begin with: a number, a letter, a file's name, a bracket, a quote that is
    /// left open.
    alone: bool,
    /// `&&`, `||`
    doubled: bool,
    /// `this & that`
    joined: bool,
    /// The value ends with a separator.
    closed: bool,
}

/// How far back is looked for what a separator follows.
const BEFORE: usize = 32;

impl Stands {
    /// The same of a name that is no program's: what stands before it says nothing then.
    pub(super) fn alike(text: &[u8], from: usize, start: usize) -> Self {
        let closed = matches!(text.last(), Some(b';' | b'|' | b'&'));
        Self { tight: start == from, alone: false, doubled: false, joined: false, closed }
    }

    /// Of a name that begins at `start`, behind a separator that ends at `from`.
    pub(super) fn of(text: &[u8], from: usize, start: usize) -> Self {
        let is_separator = |byte: &u8| matches!(byte, b';' | b'|' | b'&' | b'\n' | b'\r');
        let separators = text[..from].iter().rev().take(4).take_while(|byte| is_separator(byte)).count();
        let before = &text[..from - separators];
        let before = &before[before.len().saturating_sub(BEFORE)..];
        let tight = start == from;
        let last = before.last().copied().unwrap_or(b' ');
        let closing = before.trim_ascii_end().last().copied().unwrap_or(b' ');
        let word = before.iter().rev().take_while(|byte| is_word(**byte) || **byte >= 0x80 || **byte == b'.');
        let (letters, dots, length) = word.fold((0, 0, 0), |(letters, dots, length), byte| {
            let dot = *byte == b'.';
            (letters + usize::from(!byte.is_ascii_digit() && !dot), dots + usize::from(dot), length + 1)
        });
        let open = matches!(closing, b'\'' | b'"') && before.split(|byte| *byte == closing).count() % 2 == 0;
        let alone = if tight {
            last != b' '
                && (letters == 0 || length == 1 || dots > 0 && last != b'.')
                && (open || !matches!(last, b'\'' | b'"'))
        } else {
            open && !matches!(text.get(start - 1), Some(b'\'' | b'"')) || !before.iter().any(u8::is_ascii_alphabetic)
        };
        let joined = separators == 1 && text[from - 1] == b'&' && last == b' ' && !tight;
        Self { tight, alone, doubled: separators == 2, joined, closed: text.last().is_some_and(is_separator) }
    }
}

/// Points of a program that nobody names by accident.
#[expect(clippy::match_same_arms, reason = "a table, place by place")]
pub(super) fn of_known(place: Place, after: After, hyphened: bool) -> i32 {
    match (place, after) {
        (Place::Substitution | Place::Separator { leads: true, line: false }, _) => 10,
        (Place::Backtick, After::Word) => 8,
        (Place::Backtick, _) => 10,
        (Place::Start, After::Flag | After::Place) => {
            if hyphened {
                10
            } else {
                9
            }
        }
        (Place::Start, After::Other) => 9,
        (Place::Start, After::Number | After::Command) => 6,
        (Place::Start, _) => {
            if hyphened {
                6
            } else {
                4
            }
        }
        (Place::Separator { line: true, leads }, After::Flag | After::Place) => {
            if leads {
                10
            } else {
                7
            }
        }
        (Place::Separator { line: true, leads }, After::End) => {
            if leads {
                10
            } else {
                5
            }
        }
        (Place::Separator { line: true, .. }, After::Other) => 7,
        (Place::Separator { line: true, .. }, _) => 0,
        (Place::Separator { .. }, After::Word) => {
            if hyphened {
                10
            } else {
                7
            }
        }
        (Place::Separator { .. }, _) => 10,
    }
}

/// Points of a program whose name is a noun as well: a language, a product, a field of a form. It may stand in any list.
#[expect(clippy::match_same_arms, reason = "a table, place by place")]
pub(super) fn of_doubtful(place: Place, after: After, stands: Stands) -> i32 {
    match (place, after) {
        (Place::Start, After::Number | After::Command) => 3,
        (Place::Start, After::Word | After::End) => 2,
        (Place::Start, After::Other) => 6,
        (Place::Separator { leads: true, line: true }, After::End) => 8,
        (Place::Separator { line: true, .. }, After::End) => 2,
        (Place::Separator { line: true, .. }, After::Other) => 0,
        (Place::Separator { leads: false, line: false }, After::End) => of_listed(stands, 3),
        (Place::Separator { leads: false, line: false }, After::Word) => 3,
        (Place::Separator { leads: false, line: false }, After::Number | After::Other | After::Command) => {
            if stands.alone { 10 } else { 6 }
        }
        _ => of_known(place, after, false),
    }
}

/// What runs, or looks for, the command behind it.
const RUNNERS: [&[u8]; 8] = [b"builtin", b"command", b"eval", b"exec", b"time", b"timeout", b"whereis", b"which"];

/// Points of a program that is an English word too.
#[expect(clippy::match_same_arms, reason = "a table, place by place")]
pub(super) fn of_ambiguous(place: Place, after: After, name: &[u8], stands: Stands) -> i32 {
    let waits = waits(name);
    match (place, after) {
        (Place::Substitution, _) => 10,
        (Place::Separator { leads: true, line: false }, After::Word) => 9,
        (Place::Separator { leads: true, .. }, _) => 10,
        (Place::Backtick, _) => 8,
        (Place::Start, After::Flag | After::Place) => 9,
        (Place::Start, After::Number) if waits => 8,
        // `time id`, not `install python`
        (Place::Start, After::Command) if RUNNERS.contains(&name) => 8,
        (Place::Start, After::Command) => 3,
        (Place::Start, After::Number) => 3,
        (Place::Start, After::Other) => 5,
        (Place::Start | Place::Separator { line: true, .. }, _) => 0,
        // `x|echo word`; `type|size of a thing`
        (Place::Separator { .. }, After::Word) => match stands {
            Stands { tight: true, alone: true, .. } => 8,
            Stands { tight: true, .. } | Stands { doubled: true, .. } => 4,
            _ => 2,
        },
        (Place::Separator { .. }, After::Number) if waits && (stands.tight || stands.alone) => 10,
        // `kill bill; vol 1`
        (Place::Separator { .. }, After::Number) if !stands.alone => 4,
        (Place::Separator { .. }, After::Number | After::Other | After::Command) => {
            if stands.alone {
                8
            } else {
                6
            }
        }
        (Place::Separator { .. }, After::End) => of_listed(stands, 2),
        // `; cat /etc/passwd`: no list goes on with a path.
        (Place::Separator { line: false, .. }, After::Place) => 10,
        (Place::Separator { .. }, _) => {
            if stands.tight || stands.alone {
                10
            } else {
                8
            }
        }
    }
}

/// Whether a program waits for a number of seconds, after which the value ends or another command begins.
pub(super) fn is_wait(name: &[u8], after: &[u8]) -> bool {
    let rest = after.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = rest[digits..].trim_ascii_start().first();
    waits(name) && digits > 0 && matches!(end, None | Some(b';' | b'|' | b'&' | b'#' | b'\'' | b'"' | b')'))
}

fn waits(name: &[u8]) -> bool {
    matches!(name, b"sleep" | b"timeout")
}

/// A name and nothing behind it: `x;id`, and `city; state; zip`.
fn of_listed(stands: Stands, in_a_list: i32) -> i32 {
    match stands {
        Stands { alone: true, .. } => 10,
        Stands { doubled: true, .. } => 8,
        Stands { tight: true, .. } => 7,
        Stands { joined: true, .. } => 2,
        _ => in_a_list,
    }
}

/// Points of any other name.
#[expect(clippy::match_same_arms, reason = "a table, place by place")]
pub(super) fn of_unknown(place: Place, after: After, stands: Stands, is_all: bool, name: &[u8]) -> i32 {
    match (place, after) {
        (Place::Substitution, After::End) => 6,
        (Place::Substitution, _) => 4,
        (Place::Backtick, _) => 2,
        // Nobody begins a text with `; word --flag`.
        (Place::Separator { leads: true, line: false }, After::Flag) => 10,
        (Place::Separator { leads: true, line: false }, After::Place) => 8,
        // `;word`, and that is all.
        (Place::Separator { leads: true, line: false }, After::End)
            if stands.tight && is_all && name.len() > 2 && name[0].is_ascii_lowercase() =>
        {
            9
        }
        (Place::Separator { leads: true, .. }, After::End) => 5,
        // `|word word&`: separators at both ends.
        (Place::Separator { leads: true, line: false }, After::Word) if stands.tight => {
            if stands.closed {
                9
            } else {
                4
            }
        }
        // `;word wget`
        (Place::Separator { leads: true, line: false }, After::Command) => 8,
        (Place::Separator { leads: true, line: false }, After::Other | After::Number) if stands.tight => 5,
        // `x;word -f`
        (Place::Separator { leads: false, line: false }, After::Flag) if stands.tight => 5,
        _ => 0,
    }
}

/// Words of the shell's own language, and variables: behind a separator that the value begins with they are no sentence.
pub(super) fn is_syntax(text: &[u8]) -> bool {
    let starts = |word: &str| text.starts_with(word.as_bytes());
    let ends = || text.iter().take(80).any(|byte| matches!(byte, b';' | b']' | b'(' | b'&'));
    matches!(text, [b'$', letter, ..] if letter.is_ascii_alphabetic() || matches!(letter, b'{' | b'('))
        || ["while ", "until ", "for ", "if ", "case ", "[ ", "[[ ", "! ", "select "].iter().any(|word| starts(word))
            && ends()
        || matches!(text, [b'.', b' ', next, ..] if !next.is_ascii_whitespace())
}

/// Variables that every shell sets, as its manual lists them; in capitals, as a shell wants them.
const VARIABLES: [&[u8]; 24] = [
    b"BASH",
    b"BASHPID",
    b"BASH_ENV",
    b"CDPATH",
    b"DIRSTACK",
    b"EUID",
    b"HISTFILE",
    b"HOME",
    b"HOSTNAME",
    b"HOSTTYPE",
    b"LD_PRELOAD",
    b"LOGNAME",
    b"MACHTYPE",
    b"OLDPWD",
    b"OSTYPE",
    b"PATH",
    b"PPID",
    b"PS1",
    b"PWD",
    b"RANDOM",
    b"SHELL",
    b"SHLVL",
    b"UID",
    b"USER",
];

/// Points of such a variable behind a `$`.
pub(super) fn of_variable(text: &[u8]) -> Option<i32> {
    let braced = text.first() == Some(&b'{');
    let text = &text[usize::from(braced)..];
    let name = &text[..text.iter().take(12).take_while(|byte| is_word(**byte)).count()];
    let is_shouted = name.len() > 2 && name[0].is_ascii_uppercase();
    (is_shouted && VARIABLES.contains(&name)).then_some(if braced { 3 } else { 4 })
}

/// `name=`, among the next words.
pub(super) fn assigns(text: &[u8]) -> bool {
    text.iter()
        .take(40)
        .take_while(|byte| !matches!(byte, b';' | b'\n'))
        .zip(text.iter().skip(1))
        .any(|(name, sign)| *sign == b'=' && is_word(*name))
}

/// Variables side by side: `$a$b`.
pub(super) fn is_chain(text: &[u8]) -> bool {
    let name = text.iter().take(12).take_while(|byte| is_word(**byte)).count();
    name > 0
        && matches!(text.get(name..), Some([b'$', next, ..]) if is_word(*next) || *next == b'{')
        && text[0].is_ascii_alphabetic()
}
