//! Code for an interpreter on the server: PHP, templates, expression languages, and their ways to a shell.

use memchr::memchr_iter;

use super::Look;
use crate::inspect::engine::{
    PLENTY,
    gate::{Made, has, is_word},
    verdict::Location,
    words::{Key, mark},
};

pub(super) fn code(look: &mut Look<'_>, made: Made, location: Location) {
    if made.has(has::CODE) && made.names(mark::CODE) {
        calls(look);
    }
    if made.has(has::CODE) && made.has(has::BRACE) {
        templates(look, matches!(location, Location::Path | Location::Query));
    }
    if made.has(has::CODE) && made.has(has::LESS) && made.has(has::QUESTION | has::PERCENT | has::DOT) {
        tags(look);
    }
}

fn calls(look: &mut Look<'_>) {
    let text = look.text;
    let (mut at, mut inner) = (0, 0);
    while at < text.len() && look.signs.sum() <= PLENTY {
        if !is_word(text[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while text.get(at).is_some_and(|byte| is_word(*byte)) {
            at += 1;
        }
        let word = &text[start..at];
        if Key::within(text, start, at).triggers(word) & mark::CODE == 0 {
            continue;
        }
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if word.starts_with(b"__") {
            inner += 5;
            if inner <= 10 {
                look.add(5, "code-object", start);
            }
            continue;
        }
        if word.starts_with(b"_") {
            if text.get(at) == Some(&b'[') && start > 0 && text[start - 1] == b'$' {
                look.add(8, "code-object", start);
            }
            continue;
        }
        let mut next = at;
        while text.get(next) == Some(&b' ') {
            next += 1;
        }
        if is("subprocess")
            && ["call(", "run(", "popen(", "check_output(", "getoutput("]
                .iter()
                .any(|call| look.starts_with(at + 1, call))
        {
            look.add(9, "code-call", start);
            continue;
        }
        let called = text.get(next) == Some(&b'(');
        let literal = matches!(text.get(next + 1), Some(b'\'' | b'"' | b'$' | b'`' | b'\\' | b'[' | b'%'));
        let bare = matches!(text.get(next), Some(b'\'' | b'"')) && next > at;
        let leads = start <= 2
            || matches!(text[start - 1], b'@' | b';' | b'{' | b'.' | b'[' | b'|' | b'&')
            || text[..start].ends_with(b"; ")
            || text[..start].ends_with(b"& ")
            || text[..start].ends_with(b"| ");
        if !called && !bare {
            continue;
        }
        let points = if is("shell_exec")
            || is("passthru")
            || is("proc_open")
            || is("pcntl_exec")
            || is("phpinfo")
            || is("popen")
            || is("getruntime")
            || is("create_function")
        {
            8
        } else if is("system") || is("exec") || is("eval") || is("assert") || is("execsync") {
            match (literal || bare, leads) {
                (true, true) => 10,
                (true, false) => 6,
                (false, true) => 3,
                (false, false) => 1,
            }
        } else if is("file_get_contents")
            || is("readfile")
            || is("base64_decode")
            || is("call_user_func")
            || is("print_r")
            || is("preg_replace")
        {
            4
        } else if is("processbuilder") {
            8
        } else if word.len() > 4 && !matches!(word[0] | 0x20, b'i' | b'r') || word.contains(&b'_') {
            // A function of a library, called with something of the client's own.
            let whole = text.ends_with(b")") || text.ends_with(b");");
            match (literal && leads, whole) {
                (true, true) => 9,
                (true, false) => 5,
                _ => 1,
            }
        } else {
            1
        };
        look.add(points + i32::from(leads && points >= 8) * 2, "code-call", start);
    }
}

/// `{{7*7}}`, `#{..}`, `${..}` with a program inside.
fn templates(look: &mut Look<'_>, in_address: bool) {
    let text = look.text;
    for brace in memchr_iter(b'{', text) {
        let before = brace.checked_sub(1).filter(|at| matches!(text[*at], b'#' | b'$' | b'*' | b'@' | b'~' | b'%'));
        let at = match (before, text.get(brace + 1)) {
            (Some(before), _) => before,
            (None, Some(b'{' | b'%')) => brace,
            (None, _) => continue,
        };
        let pair = &text[at..at + 2];
        let inside = &text[at + 2..text.len().min(at + 120)];
        let inside = &inside[..inside.iter().position(|byte| *byte == b'}').unwrap_or(inside.len())];
        let inside = inside.strip_prefix(b"{").unwrap_or(inside);
        let sum = is_sum(inside);
        let deep = inside.windows(2).any(|pair| pair == b"__") || inside.contains(&b'[') && inside.contains(&b'(');
        let calls = inside.contains(&b'(') && inside.iter().any(|byte| matches!(byte, b'\'' | b'"'));
        if sum {
            look.add(10, "code-template", at);
        } else if deep {
            look.add(9, "code-template", at);
        } else if pair == b"${" && inside.starts_with(b"@") {
            look.add(10, "code-template", at);
        } else if pair == b"%{" && (inside.contains(&b'(') || inside.starts_with(b"#")) {
            // OGNL
            look.add(10, "code-template", at);
        } else if pair == b"{{" && calls {
            look.add(9, "code-template", at);
        } else if pair == b"${" && inside.contains(&b'(') {
            look.add(if at > 0 && text[at - 1] == b'{' { 9 } else { 4 }, "code-template", at);
        } else if calls || pair == b"{{" {
            look.add(if in_address { 8 } else { 3 }, "code-template", at);
        }
        break;
    }
}

/// `<?php`, `<%=`
fn tags(look: &mut Look<'_>) {
    for at in memchr_iter(b'<', look.text) {
        if look.starts_with(at, "<?php") || look.starts_with(at, "<?=") {
            // Who begins with it sends a script.
            look.add(if at <= 2 { 9 } else { 8 }, "code-tag", at);
            return;
        } else if look.starts_with(at, "<%") {
            let inside = &look.text[at + 2..look.text.len().min(at + 40)];
            let inside = inside.strip_prefix(b"=").unwrap_or(inside);
            let end = inside.iter().position(|byte| *byte == b'%').unwrap_or(inside.len());
            look.add(if is_sum(&inside[..end]) { 9 } else { 5 }, "code-tag", at);
            return;
        } else if look.starts_with(at, "<!--#") {
            look.add(10, "code-include", at);
            return;
        }
    }
}

/// `7*7`, which somebody wants to see as 49.
fn is_sum(inside: &[u8]) -> bool {
    let is_sign = |byte: &u8| matches!(byte, b'*' | b'+' | b'-' | b'/');
    inside.iter().any(is_sign)
        && inside.iter().any(u8::is_ascii_digit)
        && inside
            .iter()
            .all(|byte| is_sign(byte) || byte.is_ascii_digit() || matches!(byte, b' ' | b'\'' | b'"' | b'(' | b')'))
}
