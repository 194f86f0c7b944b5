//! The fields of a form with files (RFC 7578). What a file holds is the application's business, what it is called is not.
//!
//! Read as axum's own reader does: what is a file for one reader and a text for another is looked at. So is a field without the name
//! of a file, whatever type it says it is.

use std::{borrow::Cow, ops::ControlFlow};

use super::{Field, Location, charset, json, leaves::See};

/// The line between parts: of the characters that every reader takes for themselves, and at most 70 (RFC 2046, 5.1.1).
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let parameters = parameters(content_type.split_once(';')?.1);
    let boundary = parameters.into_iter().find(|parameter| parameter.key.eq_ignore_ascii_case("boundary"))?.value;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    ((1..=70).contains(&boundary.len()) && boundary.bytes().all(is_plain)).then(|| boundary.into_owned())
}

/// Shows names, file names, and the values of what is no file; whether there was any part.
pub(super) fn values(body: &[u8], boundary: &str, see: &mut See<'_>) -> ControlFlow<(), bool> {
    let line = format!("\r\n--{boundary}").into_bytes();
    // What stands before the first line belongs to nobody.
    let Some(mut at) = find(body, &line[2..]) else { return ControlFlow::Continue(false) };
    at += line.len() - 2;
    while !body[at..].starts_with(b"--") {
        let padding = body[at..].iter().take_while(|byte| b" \t".contains(byte)).count();
        let rest = &body[at + padding..];
        let rest = rest.strip_prefix(b"\r\n").unwrap_or(rest);
        // An empty value has no line end of its own before the line, so that the line behind it is none.
        let (head, behind) = match find(rest, b"\r\n\r\n") {
            Some(end) => (&rest[..end], &rest[end + 4..]),
            None => (rest, &[][..]),
        };
        let end = find(behind, &line);
        part(head, &behind[..end.unwrap_or(behind.len())], see)?;
        let Some(end) = end else { break };
        at = body.len() - behind.len() + end + line.len();
    }
    ControlFlow::Continue(true)
}

fn part(head: &[u8], body: &[u8], see: &mut See<'_>) -> ControlFlow<()> {
    let location = Location::Multipart;
    let Some(Head { name, file_names, content_type, is_file }) = Head::of(head) else {
        // Nobody knows who reads what in it.
        see(Field { location, name: "" }, head)?;
        return charset::readings(body, Some(charset::ANY), &mut |text| see(Field { location, name: "" }, text));
    };
    see(Field { location, name: "" }, name.as_bytes())?;
    let field = Field { location, name: &name };
    file_names.iter().try_for_each(|file_name| see(field, file_name.as_bytes()))?;
    if is_file || json::is_json(content_type.unwrap_or_default()) && json::walk(body, location, &name, see)? {
        return ControlFlow::Continue(());
    }
    let charset = content_type.and_then(|content_type| content_type.split_once(';'));
    let charset = charset.and_then(|(_, rest)| value_of(rest, "charset"));
    charset::readings(body, charset.as_deref(), &mut |text| see(field, text))
}

/// What every reader reads in the lines before a part's value.
struct Head<'a> {
    name: Cow<'a, str>,
    file_names: Vec<Cow<'a, str>>,
    content_type: Option<&'a str>,
    is_file: bool,
}

impl<'a> Head<'a> {
    /// `None` where readers differ: two lines of one name, parameters in another order than clients write, a quote that does not end.
    fn of(head: &'a [u8]) -> Option<Self> {
        let head = std::str::from_utf8(head).ok()?;
        let (mut disposition, mut content_type) = (None, None);
        for line in head.split("\r\n") {
            let (name, value) = line.split_once(':')?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
                return None;
            }
            let known = match () {
                () if name.eq_ignore_ascii_case("content-disposition") => &mut disposition,
                () if name.eq_ignore_ascii_case("content-type") => &mut content_type,
                () => continue,
            };
            if value.contains(['\r', '\n']) || known.replace(value.trim()).is_some() {
                return None;
            }
        }
        let parameters = parameters(disposition?.strip_prefix("form-data")?.trim_start().strip_prefix(';')?);
        let keys: Vec<_> = parameters.iter().map(|parameter| parameter.key).collect();
        let is_file = match keys[..] {
            ["name"] | ["name", "filename*"] => false,
            ["name", "filename"] | ["name", "filename", "filename*"] => true,
            _ => return None,
        };
        // axum's reader looks for the word wherever it stands.
        if !parameters.iter().all(|parameter| parameter.is_whole) || parameters[0].value.contains("filename") {
            return None;
        }
        let mut values = parameters.into_iter().map(|parameter| parameter.value);
        Some(Self { name: values.next()?, file_names: values.collect(), content_type, is_file })
    }
}

/// A parameter of a header.
struct Parameter<'a> {
    key: &'a str,
    /// Without its quotes.
    value: Cow<'a, str>,
    /// Whether its quotes end.
    is_whole: bool,
}

fn value_of<'a>(text: &'a str, key: &str) -> Option<Cow<'a, str>> {
    parameters(text).into_iter().find(|parameter| parameter.key.eq_ignore_ascii_case(key)).map(|found| found.value)
}

fn parameters(mut rest: &str) -> Vec<Parameter<'_>> {
    let mut parameters = Vec::new();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after, is_whole) = value(after.trim_start());
        parameters.push(Parameter { key: key.trim(), value, is_whole });
        let Some((_, after)) = after.split_once(';') else { break };
        rest = after;
    }
    parameters
}

/// A token, or a text between quotes; what stands behind it; and whether the quotes end.
fn value(text: &str) -> (Cow<'_, str>, &str, bool) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim().into(), &text[end..], true);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value.into(), &quoted[at + 1..], true),
            // A browser escapes by percent signs; a backslash before anything but a quote is a path's of Windows.
            '\\' if quoted[at + 1..].starts_with('"') => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value.into(), "", false)
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
        let body = "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\ntwo --b--\r\n\
            --b \t\r\ncontent-disposition: form-data; name=\"f\"; filename=\"..\\x\\\"y.png\"; filename*=UTF-8''z\r\n\
            Content-Type: text/plain\r\n\r\nthe file\r\n\
            --b\r\nContent-Disposition: form-data; name=j\r\nContent-Type: application/json\r\n\r\n{\"k\":\"v\"}\r\n\
            --b\r\nContent-Disposition: form-data; name=x\r\nContent-Type: image/png\r\n\r\npng\r\n--b--\r\nepilogue";
        let expected =
            ["=a", "a=one\r\ntwo --b--", "=f", "f=..\\x\"y.png", "f=UTF-8''z", "=j", "j=k", "j.k=v", "=x", "x=png"];
        assert_eq!(seen(body), expected);
    }

    #[test]
    fn what_is_cut_or_broken_is_shown_as_far_as_it_goes() {
        for (body, expected) in [
            ("", &[][..]),
            ("no line at all", &[]),
            ("--b", &["=", "="]),
            ("--b\r\nContent-Disposition: form-data; name=\"a", &["=Content-Disposition: form-data; name=\"a", "="]),
            ("--b\r\nContent-Disposition: form-data; name=a\r\n\r\ncut", &["=a", "a=cut"]),
            ("--b\r\n\r\nnameless\r\n--b--", &["=\r\nnameless\r\n--b--", "="]),
        ] {
            assert_eq!(seen(body), expected, "{body:?}");
        }
    }

    #[test]
    fn what_is_a_file_for_one_reader_only_is_shown() {
        for head in [
            "Content-Disposition: form-data; name=a; filename=f\r\nContent-Disposition: form-data; name=a",
            "Content-Disposition: form-data; name=a; FileName=f",
            "Content-Disposition: form-data; name=a; filename*=UTF-8''f",
            "Content-Disposition: form-data; filename=f; name=a",
            "Content-Disposition: form-data; name=\"a filename b\"; filename=f",
            "Content-Disposition: form-data; name=a; filename=\"f",
            "Content-Disposition: form-data; name=a; filename=\u{fffd}\u{1b}\r\nX",
            "Content-Disposition: form-data; name=a\n\nContent-Disposition: form-data; name=a; filename=f",
            "X: y\r\n\r\nContent-Disposition: form-data; name=a; filename=f",
            "Content-Disposition: form-data; name=a\r\n\r\n--b\r\nContent-Disposition: form-data; name=a; filename=f",
            "Content-Disposition: form-data; NAME=allowed; name=a",
            "Content-Disposition: form-data; x=\"; name=a;\"; name=allowed",
        ] {
            let shown = seen(&format!("--b\r\n{head}\r\n\r\nvalue\r\n--b--"));
            let is_shown = |shown: &&String| shown.contains("value") && !shown.starts_with("allowed");
            assert!(shown.iter().any(|shown| is_shown(&shown)), "{head}: {shown:?}");
        }
    }

    #[test]
    fn the_line_between_parts_is_what_the_header_says() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("multipart/form-data; charset=utf-8; BOUNDARY=\"a=b\"", Some("a=b")),
            ("multipart/form-data; boundary=\"a\\\"b\"", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary", None),
            ("multipart/form-data", None),
        ] {
            assert_eq!(boundary(content_type).as_deref(), expected, "{content_type}");
        }
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "a".repeat(71))), None);
    }
}
