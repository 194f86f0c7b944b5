//! What a body says it is, and the values that this makes of it.

use std::ops::ControlFlow;

use http::{HeaderMap, header};

use super::{
    Field, Location, json,
    leaves::{See, pairs},
    multipart,
};

/// What a body says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    shape: Shape,
    /// Whether it says that it is compressed. axum does not ask, so that it need not be true.
    is_coded: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Json,
    JsonLines,
    Form,
    /// With the line between its parts; without one that all read alike, it is a text.
    Multipart(Option<String>),
    Text,
}

impl Content {
    /// `None` is a body that nothing is known about: an image, an archive, a protocol of its own.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        // A handler that reads text does not ask what it is.
        let shape = match headers.get(header::CONTENT_TYPE) {
            Some(content_type) => Shape::of(content_type.to_str().ok()?)?,
            None => Shape::Text,
        };
        let is_coding = |line: &http::HeaderValue| !matches!(line.as_bytes().trim_ascii(), b"" | b"identity");
        Some(Self { shape, is_coded: headers.get_all(header::CONTENT_ENCODING).iter().any(is_coding) })
    }

    /// Whether nothing is known about this body after all: it says that it is compressed, and is no text.
    pub(super) fn is_hidden(&self, body: &[u8]) -> bool {
        self.is_coded && !is_utf8(body)
    }

    /// Shows the values in a body. What cannot be read as what it says it is, is looked at as a text: another reader might read on.
    pub(super) fn values(&self, body: &[u8], see: &mut See<'_>) -> ControlFlow<()> {
        let is_hidden = self.is_hidden(body);
        match &self.shape {
            Shape::Json => json(body, is_hidden, see),
            Shape::JsonLines => {
                let mut lines =
                    body.split(|byte| matches!(byte, b'\n' | 0x1e)).filter(|line| !line.trim_ascii().is_empty());
                lines.try_for_each(|line| json(line, is_hidden, see))
            }
            Shape::Form => pairs(body, Location::Form, see),
            Shape::Multipart(Some(boundary)) if multipart::values(body, boundary, see)? => ControlFlow::Continue(()),
            Shape::Multipart(_) | Shape::Text if is_hidden => ControlFlow::Continue(()),
            Shape::Multipart(_) | Shape::Text => text(body, see),
        }
    }
}

impl Shape {
    fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            essence if json::is_json(essence) => Some(Self::Json),
            "application/x-ndjson" | "application/jsonl" | "application/json-seq" => Some(Self::JsonLines),
            // axum does not ask how it goes on.
            essence if essence.starts_with("application/x-www-form-urlencoded") => Some(Self::Form),
            "multipart/form-data" => Some(Self::Multipart(multipart::boundary(content_type))),
            // Markup is what they are made of.
            "text/html" | "text/xml" => None,
            essence => (essence.is_empty() || essence.starts_with("text/")).then_some(Self::Text),
        }
    }
}

fn json(body: &[u8], is_hidden: bool, see: &mut See<'_>) -> ControlFlow<()> {
    if is_hidden {
        // Some readers do not look at the letters of what they leave out.
        return json::walk(String::from_utf8_lossy(body).as_bytes(), Location::Json, "", see).map_continue(drop);
    }
    if json::walk(body, Location::Json, "", see)? {
        return ControlFlow::Continue(());
    }
    // Another reader's strings.
    body.split(|byte| *byte == b'"').try_for_each(|piece| see(Field { location: Location::Json, name: "" }, piece))?;
    text(body, see)
}

fn text(body: &[u8], see: &mut See<'_>) -> ControlFlow<()> {
    see(Field { location: Location::Text, name: "" }, body)
}

/// A character that is cut off at the end is one.
fn is_utf8(body: &[u8]) -> bool {
    std::str::from_utf8(body).map_or_else(|error| error.error_len().is_none(), |_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(shape: Shape) -> Content {
        Content { shape, is_coded: false }
    }

    fn seen(content: &Content, body: &[u8]) -> Vec<String> {
        let mut seen = Vec::new();
        let _ = content.values(body, &mut |field: Field<'_>, value: &[u8]| {
            seen.push(format!("{}={}", field.name(), String::from_utf8_lossy(value)));
            ControlFlow::Continue(())
        });
        seen
    }

    #[test]
    fn a_body_is_read_as_what_it_says_it_is() {
        let of = |content_type: &str| {
            Content::of(&HeaderMap::from_iter([(header::CONTENT_TYPE, content_type.parse().unwrap())]))
        };
        for (content_type, shape) in [
            ("application/json; charset=utf-8", Some(Shape::Json)),
            ("Application/Problem+JSON", Some(Shape::Json)),
            ("application/x-ndjson", Some(Shape::JsonLines)),
            ("application/x-www-form-urlencoded", Some(Shape::Form)),
            ("application/x-www-form-urlencoded, text/plain", Some(Shape::Form)),
            ("multipart/form-data; boundary=\"a b\"", Some(Shape::Multipart(Some("a b".to_owned())))),
            ("multipart/form-data", Some(Shape::Multipart(None))),
            ("text/plain", Some(Shape::Text)),
            ("", Some(Shape::Text)),
            ("text/html", None),
            ("image/png", None),
            ("application/octet-stream", None),
            ("\u{e9}", None),
        ] {
            assert_eq!(of(content_type), shape.map(content), "{content_type}");
        }
        assert_eq!(Content::of(&HeaderMap::new()), Some(content(Shape::Text)));
    }

    #[test]
    fn what_is_not_what_it_says_is_a_text() {
        let show = |shape: Shape, body: &[u8]| seen(&content(shape), body);
        let broken = ["=a", "a=b", "={", "=a", "=:", "=b", "=} or 1=1", "={\"a\":\"b\"} or 1=1"];
        assert_eq!(show(Shape::Json, b"{\"a\":\"b\"} or 1=1"), broken);
        assert_eq!(show(Shape::JsonLines, b"\"a\"\n\n}\n\"c\""), ["=a", "=}", "=}", "=c"]);
        assert_eq!(show(Shape::Json, b"\xff"), ["=\u{fffd}", "=\u{fffd}"]);
        assert_eq!(show(Shape::Text, b"a\nb"), ["=a\nb"]);
        assert_eq!(show(Shape::Form, b"a=%ff"), ["=a", "a=\u{fffd}"]);
        assert_eq!(show(Shape::Multipart(Some("b".to_owned())), b"--c"), ["=--c"]);
        assert_eq!(show(Shape::Multipart(None), b"--c"), ["=--c"]);
    }

    #[test]
    fn what_only_says_that_it_is_compressed_is_looked_at() {
        let coded = |shape: Shape, body: &[u8]| seen(&Content { shape, is_coded: true }, body);
        assert_eq!(coded(Shape::Json, b"{\"a\":\"b\"}"), ["=a", "a=b"]);
        assert_eq!(coded(Shape::Json, b"{\"a\":\"\xff\"}"), ["=a", "a=\u{fffd}"]);
        assert_eq!(coded(Shape::Form, b"a=b&c=\xff"), ["=a", "a=b", "=c", "c=\u{fffd}"]);
        assert_eq!(coded(Shape::Text, b"a \xc3"), ["=a \u{fffd}"]);
        let parts = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\xff\r\n--b--";
        assert_eq!(coded(Shape::Multipart(Some("b".to_owned())), parts), ["=a", "a=\u{fffd}"]);
        for shape in [Shape::Json, Shape::JsonLines, Shape::Text, Shape::Multipart(None)] {
            assert_eq!(coded(shape, b"\x1f\x8b\x08\xff"), [""; 0]);
        }
        for (coding, is_coded) in [("gzip", true), ("identity", false), ("", false)] {
            let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, coding.parse().unwrap())]);
            assert_eq!(Content::of(&headers).unwrap().is_coded, is_coded, "{coding}");
        }
    }
}
