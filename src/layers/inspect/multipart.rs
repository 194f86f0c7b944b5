//! The fields of a form with files (RFC 7578). What a file holds is the application's business, what it is called is not.

use std::{borrow::Cow, ops::ControlFlow};

use super::{
    Field, Location, json,
    leaves::{Content, See},
};

/// The line between parts (RFC 2046, 5.1.1: at most 70 characters).
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let boundary = parameter(content_type, "boundary")?;
    (1..=70).contains(&boundary.len()).then(|| boundary.into_owned())
}

/// Shows names, file names, and the values of what is no file.
pub(super) fn values(body: &[u8], boundary: &str, see: &mut See<'_>) -> ControlFlow<()> {
    let line = format!("--{boundary}").into_bytes();
    let mut rest = body;
    let mut is_first = true;
    while !rest.is_empty() {
        let (part, after) = match find(rest, &line) {
            Some(at) => (&rest[..at], &rest[at + line.len()..]),
            None => (rest, &rest[rest.len()..]),
        };
        // What stands before the first line belongs to nobody.
        if !std::mem::take(&mut is_first) {
            self::part(part, see)?;
        }
        if after.starts_with(b"--") {
            break;
        }
        rest = after;
    }
    ControlFlow::Continue(())
}

fn part(part: &[u8], see: &mut See<'_>) -> ControlFlow<()> {
    let (head, body) = match find(part, b"\r\n\r\n") {
        Some(at) => (&part[..at], &part[at + 4..]),
        None => (part, &[][..]),
    };
    let body = body.strip_suffix(b"\r\n").unwrap_or(body);
    let head = String::from_utf8_lossy(head);
    let line = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let disposition = line("content-disposition").unwrap_or_default();
    let name = parameter(disposition, "name").unwrap_or_default();
    let location = Location::Multipart;
    see(Field { location, name: "" }, name.as_bytes())?;
    let field = Field { location, name: &name };
    let mut is_file = false;
    for parameter_name in ["filename", "filename*"] {
        if let Some(file_name) = parameter(disposition, parameter_name) {
            is_file = true;
            see(field, file_name.as_bytes())?;
        }
    }
    match line("content-type").map(Content::of_type) {
        _ if is_file => ControlFlow::Continue(()),
        Some(Some(Content::Json)) if json::walk(body, location, see)? => ControlFlow::Continue(()),
        None | Some(Some(_)) => see(field, body),
        Some(None) => ControlFlow::Continue(()),
    }
}

/// A parameter of a header, without its quotes.
fn parameter<'a>(header: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = value(after.trim_start());
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after.split_once(';')?.1;
    }
}

/// A token, or a text between quotes, and what stands behind it.
fn value(text: &str) -> (Cow<'_, str>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim().into(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value.into(), &quoted[at + 1..]),
            // A browser escapes by percent signs; a backslash before anything but a quote is a path's of Windows.
            '\\' if quoted[at + 1..].starts_with('"') => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value.into(), "")
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(body: &str) -> Vec<String> {
        let mut seen = Vec::new();
        let _ = values(body.as_bytes(), "b", &mut |field: Field<'_>, value: &[u8]| {
            seen.push(format!("{}={}", field.name(), String::from_utf8_lossy(value)));
            ControlFlow::Continue(())
        });
        seen
    }

    #[test]
    fn fields_and_the_names_of_files_are_shown_and_files_are_not() {
        let body = "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\ntwo\r\n\
            --b\r\ncontent-disposition: form-data; name=\"f\"; filename=\"..\\x\\\"y.png\"; filename*=UTF-8''z\r\n\
            Content-Type: text/plain\r\n\r\nthe file\r\n\
            --b\r\nContent-Disposition: form-data; name=j\r\nContent-Type: application/json\r\n\r\n{\"k\":\"v\"}\r\n\
            --b\r\nContent-Disposition: form-data; name=x\r\nContent-Type: image/png\r\n\r\npng\r\n--b--\r\nepilogue";
        let expected = ["=a", "a=one\r\ntwo", "=f", "f=..\\x\"y.png", "f=UTF-8''z", "=j", "=k", "k=v", "=x"];
        assert_eq!(seen(body), expected);
    }

    #[test]
    fn what_is_cut_or_broken_is_shown_as_far_as_it_goes() {
        for (body, expected) in [
            ("", &[][..]),
            ("no line at all", &[]),
            ("--b", &[]),
            ("--b\r\nContent-Disposition: form-data; name=\"a", &["=a", "a="]),
            ("--b\r\nContent-Disposition: form-data; name=a\r\n\r\ncut", &["=a", "a=cut"]),
            ("--b\r\n\r\nnameless\r\n--b--", &["=", "=nameless"]),
        ] {
            assert_eq!(seen(body), expected, "{body:?}");
        }
    }

    #[test]
    fn the_line_between_parts_is_what_the_header_says() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("multipart/form-data; charset=utf-8; BOUNDARY=\"a;b\"", Some("a;b")),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary", None),
            ("multipart/form-data", None),
        ] {
            assert_eq!(boundary(content_type).as_deref(), expected, "{content_type}");
        }
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "a".repeat(71))), None);
    }
}
