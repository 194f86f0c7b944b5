//! The values of a request, taken out of what they are sent in, decoded once as their transport says.

use std::{borrow::Cow, ops::ControlFlow};

use http::{HeaderMap, HeaderName, Uri, header};
use percent_encoding::percent_decode;

use super::{Field, Location, json, multipart};

/// Who looks at values, one at a time, until it has seen enough.
pub(super) type See<'a> = dyn FnMut(Field<'_>, &[u8]) -> ControlFlow<()> + 'a;

/// The path as one value: what a segment is, another may tell.
pub(super) fn path(uri: &Uri, see: &mut See<'_>) -> ControlFlow<()> {
    see(Field { location: Location::Path, name: "" }, &decoded(uri.path().as_bytes()))
}

/// Names and values of a query or a form.
pub(super) fn pairs(text: &[u8], location: Location, see: &mut See<'_>) -> ControlFlow<()> {
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let name = decoded_pair(&pair[..end]);
        see(Field { location, name: "" }, &name)?;
        if let Some(value) = pair.get(end + 1..) {
            see(Field { location, name: &String::from_utf8_lossy(&name) }, &decoded_pair(value))?;
        }
    }
    ControlFlow::Continue(())
}

pub(super) fn cookies(headers: &HeaderMap, see: &mut See<'_>) -> ControlFlow<()> {
    let lines = headers.get_all(header::COOKIE).iter();
    for pair in lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')) {
        let pair = pair.trim_ascii();
        let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let name = String::from_utf8_lossy(&pair[..end]);
        see(Field { location: Location::Cookie, name: "" }, name.as_bytes())?;
        if let Some(value) = pair.get(end + 1..) {
            see(Field { location: Location::Cookie, name: &name }, value)?;
        }
    }
    ControlFlow::Continue(())
}

pub(super) fn header(headers: &HeaderMap, name: &HeaderName, see: &mut See<'_>) -> ControlFlow<()> {
    let field = Field { location: Location::Header, name: name.as_str() };
    headers.get_all(name).iter().try_for_each(|line| see(field, line.as_bytes()))
}

/// What a body says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Json,
    JsonLines,
    Form,
    /// With the line between its parts.
    Multipart(String),
    Text,
}

impl Content {
    /// `None` is a body that nothing is known about: an image, an archive, a protocol of its own; or one that is compressed.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        if headers.contains_key(header::CONTENT_ENCODING) {
            return None;
        }
        // A handler that reads text does not ask what it is.
        let Some(content_type) = headers.get(header::CONTENT_TYPE) else { return Some(Self::Text) };
        Self::of_type(content_type.to_str().ok()?)
    }

    pub(super) fn of_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" | "text/json" => Some(Self::Json),
            "application/x-ndjson" | "application/jsonl" | "application/json-seq" => Some(Self::JsonLines),
            "application/x-www-form-urlencoded" => Some(Self::Form),
            "multipart/form-data" => multipart::boundary(content_type).map(Self::Multipart),
            essence if essence.ends_with("+json") => Some(Self::Json),
            // Markup is what they are made of.
            "text/html" | "text/xml" => None,
            essence => essence.starts_with("text/").then_some(Self::Text),
        }
    }

    /// Shows the values in a body. What cannot be read as what it says it is, is looked at as a text: another reader might read on.
    pub(super) fn values(&self, body: &[u8], see: &mut See<'_>) -> ControlFlow<()> {
        match self {
            Self::Json => json_or_text(body, see),
            Self::JsonLines => {
                let mut lines =
                    body.split(|byte| matches!(byte, b'\n' | 0x1e)).filter(|line| !line.trim_ascii().is_empty());
                lines.try_for_each(|line| json_or_text(line, see))
            }
            Self::Form => pairs(body, Location::Form, see),
            Self::Multipart(boundary) => multipart::values(body, boundary, see),
            Self::Text => text(body, see),
        }
    }
}

fn json_or_text(body: &[u8], see: &mut See<'_>) -> ControlFlow<()> {
    if json::walk(body, Location::Json, see)? {
        return ControlFlow::Continue(());
    }
    // Another reader's strings.
    body.split(|byte| *byte == b'"').try_for_each(|piece| see(Field { location: Location::Json, name: "" }, piece))?;
    text(body, see)
}

fn text(body: &[u8], see: &mut See<'_>) -> ControlFlow<()> {
    see(Field { location: Location::Text, name: "" }, body)
}

fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    percent_decode(text).into()
}

/// A plus is a space (WHATWG URL, 5.1).
fn decoded_pair(text: &[u8]) -> Cow<'_, [u8]> {
    if text.contains(&b'+') {
        let spaced: Vec<_> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        return Cow::Owned(percent_decode(&spaced).collect());
    }
    decoded(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(show: impl FnOnce(&mut See<'_>) -> ControlFlow<()>) -> Vec<String> {
        let mut seen = Vec::new();
        let _ = show(&mut |field: Field<'_>, value: &[u8]| {
            seen.push(format!("{}={}", field.name(), String::from_utf8_lossy(value)));
            ControlFlow::Continue(())
        });
        seen
    }

    #[test]
    fn names_and_values_are_decoded_once() {
        let query = b"a=1&b%20c=x+y%2B%2527&=z&flag&&d=e=f";
        let expected = ["=a", "a=1", "=b c", "b c=x y+%27", "=", "=z", "=flag", "=d", "d=e=f"];
        assert_eq!(seen(|see| pairs(query, Location::Query, see)), expected);
        assert_eq!(seen(|see| path(&"/a%20b/c+d?e".parse().unwrap(), see)), ["=/a b/c+d"]);
    }

    #[test]
    fn every_cookie_of_every_line_is_shown() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; b = \"2\";c".parse().unwrap());
        headers.append(header::COOKIE, "d=%27".parse().unwrap());
        assert_eq!(seen(|see| cookies(&headers, see)), ["=a", "a=1", "=b ", "b = \"2\"", "=c", "=d", "d=%27"]);
    }

    #[test]
    fn a_body_is_read_as_what_it_says_it_is() {
        let of = |name, value: &str| Content::of(&HeaderMap::from_iter([(name, value.parse().unwrap())]));
        for (content_type, content) in [
            ("application/json; charset=utf-8", Some(Content::Json)),
            ("Application/Problem+JSON", Some(Content::Json)),
            ("application/x-ndjson", Some(Content::JsonLines)),
            ("application/x-www-form-urlencoded", Some(Content::Form)),
            ("multipart/form-data; boundary=\"a b\"", Some(Content::Multipart("a b".to_owned()))),
            ("multipart/form-data", None),
            ("text/plain", Some(Content::Text)),
            ("text/html", None),
            ("image/png", None),
            ("application/octet-stream", None),
            ("\u{e9}", None),
        ] {
            assert_eq!(of(header::CONTENT_TYPE, content_type), content, "{content_type}");
        }
        assert_eq!(of(header::CONTENT_ENCODING, "gzip"), None);
        assert_eq!(Content::of(&HeaderMap::new()), Some(Content::Text));
    }

    #[test]
    fn what_is_not_what_it_says_is_a_text() {
        let show = |content: Content, body: &'static [u8]| seen(move |see| content.values(body, see));
        let cut = ["=a", "a=b", "={", "=a", "=:", "=b", "=} or 1=1", "={\"a\":\"b\"} or 1=1"];
        assert_eq!(show(Content::Json, b"{\"a\":\"b\"} or 1=1"), cut);
        assert_eq!(show(Content::JsonLines, b"\"a\"\n\n{\n\"c\""), ["=a", "={", "={", "=c"]);
        assert_eq!(show(Content::Json, b"\xff"), ["=\u{fffd}", "=\u{fffd}"]);
        assert_eq!(show(Content::Text, b"a\nb"), ["=a\nb"]);
        assert_eq!(show(Content::Form, b"a=%ff"), ["=a", "a=\u{fffd}"]);
    }
}
