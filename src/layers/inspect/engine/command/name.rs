//! A command's name without what a shell takes away, and what follows it.

use crate::inspect::engine::{
    gate::is_word,
    words::{self, mark},
};

/// The name at a place where a command may stand, without the quotes and backslashes that a shell takes away.
pub(super) struct Name {
    letters: [u8; 32],
    length: usize,
    pub(super) end: usize,
    pub(super) tricks: u8,
    /// With an empty expansion or a backslash: no apostrophe of English.
    pub(super) expands: bool,
    /// Where it is looked for: `/bin/`.
    pub(super) path: bool,
}

impl Name {
    pub(super) fn letters(&self) -> &[u8] {
        &self.letters[..self.length]
    }

    /// Reads the name that begins here.
    pub(super) fn at(text: &[u8], start: usize) -> Name {
        let mut name = Name { letters: [0; 32], length: 0, end: start, tricks: 0, expands: false, path: false };
        let mut last_trick = start;
        while let Some(&byte) = text.get(name.end) {
            match byte {
                b'/' => {
                    name.path |= name.length > 0 || name.end == start;
                    name.length = 0;
                }
                // `id\n`
                b'\\'
                    if matches!(text.get(name.end + 1), Some(b'n' | b'r'))
                        && !text.get(name.end + 2).is_some_and(|next| is_word(*next)) =>
                {
                    break;
                }
                b'\'' | b'"' | b'\\' | b'^'
                    if name.length > 0
                        && text
                            .get(name.end + 1)
                            .is_some_and(|next| is_word(*next) || matches!(next, b'\'' | b'"')) =>
                {
                    name.tricks += 1;
                    name.expands |= byte == b'\\';
                    last_trick = name.end;
                    if name.tricks > 12 {
                        break;
                    }
                }
                b'$' if name.length > 0
                    && text.get(name.end + 1).is_some_and(|next| matches!(next, b'@' | b'*' | b'!' | b'1'..=b'9')) =>
                {
                    name.tricks += 1;
                    name.expands = true;
                    name.end += 1;
                }
                _ if is_word(byte) || name.length > 0 && matches!(byte, b'-' | b'.') => {
                    if name.length == name.letters.len() {
                        break;
                    }
                    name.letters[name.length] = byte;
                    name.length += 1;
                }
                _ => break,
            }
            name.end += 1;
        }
        // A closing quote is no trick.
        if name.tricks == 1 && last_trick + 1 == name.end {
            name.tricks = 0;
        }
        if name.length > 4 && name.letters[..name.length].ends_with(b".exe") {
            name.length -= 4;
        }
        name
    }
}

/// With what the names of PowerShell's commands begin; the documentation calls them approved.
const VERBS: [&[u8]; 42] = [
    b"add",
    b"clear",
    b"compare",
    b"complete",
    b"compress",
    b"connect",
    b"convert",
    b"convertfrom",
    b"convertto",
    b"copy",
    b"debug",
    b"disable",
    b"enable",
    b"enter",
    b"exit",
    b"expand",
    b"export",
    b"foreach",
    b"format",
    b"get",
    b"import",
    b"install",
    b"invoke",
    b"measure",
    b"move",
    b"new",
    b"out",
    b"read",
    b"register",
    b"remove",
    b"rename",
    b"resolve",
    b"restart",
    b"restore",
    b"select",
    b"send",
    b"set",
    b"start",
    b"stop",
    b"test",
    b"where",
    b"write",
];

/// `Get-ChildItem`: a verb, and a noun with a capital.
pub(super) fn is_cmdlet(name: &[u8]) -> bool {
    let Some(hyphen) = name.iter().position(|byte| *byte == b'-') else { return false };
    let (verb, noun) = (&name[..hyphen], &name[hyphen + 1..]);
    noun.len() > 3
        && verb.first().is_some_and(u8::is_ascii_uppercase)
        && noun[0].is_ascii_uppercase()
        && noun.iter().all(u8::is_ascii_alphanumeric)
        && VERBS.iter().any(|known| verb.eq_ignore_ascii_case(known))
}

/// What follows a command's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum After {
    /// The command is over.
    End,
    Flag,
    /// A path, an address, a variable, a redirection.
    Place,
    /// Anything else that is no word: a quote, a file's name, another command.
    Other,
    /// The name of another command.
    Command,
    Number,
    Word,
    /// Something no command has: `=`, `:`, `.`
    Nothing,
}

impl After {
    /// What stands behind a name that ends here.
    pub(in super::super) fn of(text: &[u8], end: usize) -> After {
        let mut at = end;
        let mut blank = false;
        while text.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'+')) {
            blank = true;
            at += 1;
        }
        match text.get(at) {
            None | Some(b';' | b'|' | b'&' | b'\n' | b'\r' | b'`' | b')' | b'}') => After::End,
            Some(b'\'' | b'"' | b'#') if !blank => After::End,
            // A comment, not a number: `; id #`.
            Some(b'#') if text.get(at + 1).is_none_or(|next| matches!(next, b' ' | b'\'' | b'"')) => After::End,
            Some(b'\\') if !blank && matches!(text.get(at + 1), Some(b'n' | b'r' | b'`')) => After::End,
            Some(b'<' | b'>') => After::Place,
            Some(b'$') if text.get(at + 1).is_some_and(|next| is_word(*next) || matches!(next, b'{' | b'(' | b'@')) => {
                After::Place
            }
            Some(b'-')
                if blank
                    && text[at..].iter().take(3).find(|byte| **byte != b'-').is_some_and(u8::is_ascii_alphanumeric) =>
            {
                After::Flag
            }
            // `find / -name x`
            Some(b'/') if blank && matches!(text.get(at + 1..).unwrap_or_default(), [] | [b' ', b'-', ..]) => {
                After::Place
            }
            Some(b'/') if blank && text.get(at + 1).is_some_and(|next| !next.is_ascii_whitespace()) => After::Place,
            Some(b'~' | b'\\' | b'%') if blank => After::Place,
            Some(b'/' | b'\'' | b'"' | b'*' | b'{' | b'[' | b'@' | b'?') if blank => After::Other,
            Some(b'.') if blank && matches!(text.get(at + 1), Some(b'/' | b'.' | b' ') | None) => After::Place,
            Some(digit) if blank && digit.is_ascii_digit() => {
                // An address is no number.
                let dots = text[at..].iter().take(16).take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
                if dots.filter(|byte| **byte == b'.').count() == 3 { After::Other } else { After::Number }
            }
            Some(letter) if blank && letter.is_ascii_alphabetic() => {
                let length =
                    text[at..].iter().take(40).take_while(|byte| !matches!(byte, b' ' | b'\n' | b';' | b'|')).count();
                let word = &text[at..at + length];
                let pair = |pairs: fn(u8, u8) -> bool| word.windows(2).any(|pair| pairs(pair[0], pair[1]));
                if pair(|first, second| first == b':' && matches!(second, b'/' | b'\\' | b'"')) {
                    After::Place
                } else if pair(|first, second| first == b'.' && second.is_ascii_alphabetic())
                    || word[..word.len() - 1].contains(&b'/')
                    || word.contains(&b'=')
                {
                    After::Other
                } else if words::triggers(word) & mark::COMMAND != 0 {
                    After::Command
                } else {
                    After::Word
                }
            }
            Some(_) => After::Nothing,
        }
    }
}
