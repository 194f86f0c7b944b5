//! Batch files: `for`, `if`, variables between percent signs, keys of the registry.

use super::Look;
use crate::inspect::engine::{
    gate::is_word,
    words::{Key, mark},
};

/// What only a batch file asks with `if`.
const QUESTIONS: [&str; 7] = ["exist ", "defined ", "errorlevel ", "cmdextversion ", "/i ", "not ", "[ "];
/// What it compares with.
const COMPARISONS: [&str; 6] = ["equ", "neq", "lss", "leq", "gtr", "geq"];
/// Variables that any machine has.
const VARIABLES: [&str; 8] =
    ["%systemroot%", "%windir%", "%comspec%", "%appdata%", "%temp%", "%programfiles", "%userprofile%", "%errorlevel%"];

/// Whether a batch file's sentence may begin here: it needs no punctuation.
pub(super) fn may_begin(text: &[u8]) -> bool {
    matches!(
        text,
        [b'i' | b'I', b'f' | b'F', b' ' | b'\t' | b'(', ..] | [b'f' | b'F', b'o' | b'O', b'r' | b'R', b' ' | b'\t', ..]
    )
}

/// Whether a batch file's question is among the first words.
pub(super) fn asks(text: &[u8]) -> bool {
    const WORDS: [&str; 5] = ["exist", "defined", "errorlevel", "cmdextversion", "not"];
    let mut words = text[..text.len().min(80)].split(|byte| !is_word(*byte)).filter(|word| word.len() > 2);
    words.any(|word| WORDS.iter().chain(&COMPARISONS).any(|other| word.eq_ignore_ascii_case(other.as_bytes())))
}

/// At the beginning of the value, or behind what separates commands.
pub(super) fn sentence(look: &mut Look<'_>, at: usize) {
    let start = past_blank(look.text, at);
    let Some(text) = look.text.get(start..) else { return };
    if may_begin(text) {
        let length = if look.starts_with(start, "if") { 2 } else { 3 };
        let next = past_blank(look.text, start + length);
        if length == 2 { question(look, start, next) } else { repetition(look, start, next) }
    }
}

/// Variables, keys of the registry and shells by name, anywhere.
pub(super) fn batch(look: &mut Look<'_>) {
    let text = look.text;
    let mut at = 0;
    while at < text.len() {
        let start = at;
        if text[at] == b'%' && VARIABLES.iter().any(|name| look.starts_with(at, name)) {
            // `%windir%\x`, and nothing before it.
            let leads = at == 0 && text[1..].iter().skip_while(|byte| is_word(**byte)).nth(1) == Some(&b'\\');
            look.add(if leads { 9 } else { 6 }, "command-variable", at);
        }
        if !is_word(text[at]) {
            at += 1;
            continue;
        }
        while text.get(at).is_some_and(|byte| is_word(*byte)) {
            at += 1;
        }
        if Key::within(text, start, at).triggers(&text[start..at]) & mark::BATCH == 0 {
            continue;
        }
        let next = past_blank(text, at);
        let is = |name: &str| text[start..at].eq_ignore_ascii_case(name.as_bytes());
        if text.get(at) == Some(&b'\\') && (is("hklm") || is("hkcu") || look.starts_with(start, "hkey_")) {
            look.add(7, "command-registry", start);
        } else if is("cmd") && text.get(next) == Some(&b'/') {
            look.add(7, "command-shell", start);
        } else if (is("sh") || is("bash") || is("busybox"))
            && (look.starts_with(next, "-c") || look.starts_with(next, "-i"))
        {
            look.add(9, "command-shell", start);
        }
    }
}

fn past_blank(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'+')) {
        at += 1;
    }
    at
}

fn question(look: &mut Look<'_>, start: usize, mut at: usize) {
    let text = look.text;
    let mut points = 0;
    for _ in 0..3 {
        let Some(question) = QUESTIONS.iter().find(|question| look.starts_with(at, question)) else {
            break;
        };
        // `If not now, when?`
        points += if *question == "not " { 2 } else { 8 };
        at = past_blank(text, at + question.len());
    }
    let ahead = &text[at.min(text.len())..text.len().min(at + 80)];
    // What is separated is another sentence.
    let ends = |byte: &u8| matches!(byte, b';' | b'|' | b'&' | b'\n');
    let ahead = &ahead[..ahead.iter().position(ends).unwrap_or(ahead.len())];
    if ahead.windows(2).any(|pair| pair == b"==") && ahead.iter().any(|byte| matches!(byte, b'%' | b'"')) {
        points += 8;
    } else if ahead.windows(2).any(|pair| pair == b"==") {
        points += if points >= 8 { 4 } else { 8 };
    }
    if ahead
        .split(|byte| !is_word(*byte))
        .any(|word| COMPARISONS.iter().any(|other| word.eq_ignore_ascii_case(other.as_bytes())))
    {
        points += 8;
    }
    if points > 0 {
        // A variable's, and none of `100% sure`.
        let variable = ahead.windows(2).any(|pair| pair[0] == b'%' && pair[1] > b' ');
        let points = points + i32::from(variable) * 2;
        look.add_certain(points, "command-batch", start);
    }
}

/// `for /f %%a in (`
fn repetition(look: &mut Look<'_>, start: usize, at: usize) {
    let ahead = &look.text[at..look.text.len().min(at + 80)];
    let flagged = matches!(ahead, [b'/', b'f' | b'F' | b'l' | b'L' | b'r' | b'R' | b'd' | b'D', b' ', ..]);
    let variable = || ahead.contains(&b'(') && ahead.windows(2).any(|pair| pair[0] == b'%' && pair[1] > b' ');
    let within = || ahead.windows(3).any(|three| three.eq_ignore_ascii_case(b"in "));
    if (flagged || variable()) && within() {
        look.add_certain(10, "command-batch", start);
    }
}
