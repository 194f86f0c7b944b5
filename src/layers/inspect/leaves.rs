//! The values of a request, taken out of what they are sent in, decoded once as their transport says.

use std::{borrow::Cow, ops::ControlFlow};

use http::{HeaderMap, HeaderName, Uri, header};
use percent_encoding::percent_decode;

use super::{Field, Location};

/// Who looks at values, one at a time, until it has seen enough.
pub(super) type See<'a> = dyn FnMut(Field<'_>, &[u8]) -> ControlFlow<()> + 'a;

/// The path as one value, and where it is more than names, its segments: each may be a parameter.
pub(super) fn path(uri: &Uri, see: &mut See<'_>) -> ControlFlow<()> {
    let field = Field { location: Location::Path, name: "" };
    let path = uri.path().as_bytes();
    see(field, &decoded(path))?;
    let is_odd = |byte: &u8| !(byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte));
    if !path.iter().any(is_odd) {
        return ControlFlow::Continue(());
    }
    let mut segments = path.split(|byte| *byte == b'/').filter(|segment| segment.iter().any(is_odd));
    segments.try_for_each(|segment| see(field, &decoded(segment)))
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
        assert_eq!(seen(|see| path(&"/a%20b/c+d?e".parse().unwrap(), see)), ["=/a b/c+d", "=a b", "=c+d"]);
        assert_eq!(seen(|see| path(&"/a-b/c_1.d~/".parse().unwrap(), see)), ["=/a-b/c_1.d~/"]);
    }

    #[test]
    fn every_cookie_of_every_line_is_shown() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; b = \"2\";c".parse().unwrap());
        headers.append(header::COOKIE, "d=%27".parse().unwrap());
        assert_eq!(seen(|see| cookies(&headers, see)), ["=a", "a=1", "=b ", "b = \"2\"", "=c", "=d", "d=%27"]);
    }
}
