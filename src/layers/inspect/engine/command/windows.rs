//! Batch files: `for`, `if`, variables between percent signs, keys of the registry.

use super::Look;
use crate::inspect::engine::gate::is_word;

/// What only a batch file asks with `if`.
const QUESTIONS: [&str; 7] = ["exist", "defined", "errorlevel", "cmdextversion", "/i", "not", "["];
/// What it compares with.
const COMPARISONS: [&str; 6] = ["equ", "neq", "lss", "leq", "gtr", "geq"];
/// Variables that any machine has.
const VARIABLES: [&str; 8] =
    ["%systemroot%", "%windir%", "%comspec%", "%appdata%", "%temp%", "%programfiles", "%userprofile%", "%errorlevel%"];

pub(super) fn batch(look: &mut Look<'_>) {
    let text = look.text;
    let mut at = 0;
    while at < text.len() {
        let start = at;
        if text[at] == b'%' {
            if VARIABLES.iter().any(|name| look.starts_with(at, name)) {
                look.add(6, "command-variable", at);
            }
            at += 1;
            continue;
        }
        if !is_word(text[at]) {
            at += 1;
            continue;
        }
        while text.get(at).is_some_and(|byte| is_word(*byte)) {
            at += 1;
        }
        let next = past_blank(text, at);
        match text[start..at].len() {
            2 if look.starts_with(start, "if") && next > at => question(look, start, next),
            3 if look.starts_with(start, "for") && next > at => repetition(look, start, next),
            2 | 7 if look.starts_with(start, "sh") || look.starts_with(start, "bash") => {}
            4 if look.starts_with(start, "hklm")
                || look.starts_with(start, "hkcu")
                || look.starts_with(start, "hkey") =>
            {
                look.add(if text.get(at) == Some(&b'\\') { 7 } else { 0 }, "command-registry", start);
            }
            3 if look.starts_with(start, "cmd") && text.get(next) == Some(&b'/') => look.add(7, "command-shell", start),
            3 if look.starts_with(start, "set") && (look.starts_with(next, "/a") || look.starts_with(next, "/p")) => {
                look.add(8, "command-shell", start);
            }
            _ => {}
        }
        let shell = ["sh ", "bash ", "busybox "].iter().any(|shell| look.starts_with(start, shell));
        if shell && (look.starts_with(next, "-c") || look.starts_with(next, "-i")) {
            look.add(7, "command-shell", start);
        }
        if look.starts_with(start, "hkey_") {
            look.add(7, "command-registry", start);
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
    let begins = start == 0
        || matches!(text[start - 1], b'&' | b'|' | b'(' | b'\n' | b' ')
            && text[..start].iter().all(|byte| !is_word(*byte));
    if !begins {
        return;
    }
    let mut points = 0;
    for _ in 0..3 {
        let Some(question) = QUESTIONS.iter().find(|question| look.starts_with(at, question)) else {
            break;
        };
        points += if *question == "not" { 3 } else { 7 };
        at = past_blank(text, at + question.len());
    }
    let ahead = &text[at.min(text.len())..text.len().min(at + 80)];
    if ahead.windows(2).any(|pair| pair == b"==") && ahead.iter().any(|byte| matches!(byte, b'%' | b'"')) {
        points += 8;
    } else if ahead.windows(2).any(|pair| pair == b"==") && points > 0 {
        points += 4;
    }
    if ahead
        .split(|byte| !is_word(*byte))
        .any(|word| COMPARISONS.iter().any(|other| word.eq_ignore_ascii_case(other.as_bytes())))
    {
        points += 8;
    }
    if points > 0 {
        look.add(points + i32::from(ahead.contains(&b'%')) * 2, "command-batch", start);
    }
}

/// `for /f %%a in (`
fn repetition(look: &mut Look<'_>, start: usize, at: usize) {
    let ahead = &look.text[at..look.text.len().min(at + 80)];
    let flagged = matches!(ahead, [b'/', b'f' | b'F' | b'l' | b'L' | b'r' | b'R' | b'd' | b'D', b' ', ..]);
    let variable = ahead.windows(2).any(|pair| pair[0] == b'%' && (pair[1] == b'%' || pair[1].is_ascii_alphabetic()));
    let within = ahead.windows(3).any(|three| three.eq_ignore_ascii_case(b"in "));
    if variable && within && ahead.contains(&b'(') || flagged && within {
        look.add(10, "command-batch", start);
    }
}
