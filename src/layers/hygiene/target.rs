//! What is wrong with a request's target.

use std::borrow::Cow;

use http::Uri;
use percent_encoding::percent_decode;

use super::Fault;

/// What is wrong with it, if anything.
pub(super) fn fault(uri: &Uri, encoded_slash: bool) -> Option<Fault> {
    let path = uri.path();
    let is_odd = path.contains('%')
        || path.contains('\\')
        || path.contains("/.")
        || path.bytes().any(|byte| byte.is_ascii_control());
    if is_odd { path_fault(path, encoded_slash) } else { None }
}

fn path_fault(path: &str, encoded_slash: bool) -> Option<Fault> {
    if has_broken_escape(path) {
        return Some(Fault::BrokenEscape);
    }
    if !encoded_slash && has_encoded_slash(path) {
        return Some(Fault::EncodedSlash);
    }
    let once = decode(path.as_bytes());
    let twice = decode(&once);
    if decode(&twice) != twice {
        return Some(Fault::ManyTimes);
    }
    plain_fault(&once).or_else(|| plain_fault(&twice))
}

fn plain_fault(path: &[u8]) -> Option<Fault> {
    if path.contains(&0) {
        Some(Fault::Nul)
    } else if path.iter().any(u8::is_ascii_control) {
        Some(Fault::Control)
    } else if path.contains(&b'\\') {
        Some(Fault::Backslash)
    } else if path.split(|byte| *byte == b'/').any(is_dot_segment) {
        Some(Fault::DotSegment)
    } else if std::str::from_utf8(path).is_err() {
        Some(Fault::NotUtf8)
    } else {
        None
    }
}

/// `.` and `..`, also with the `;parameter` that some servers cut off before they resolve the path.
fn is_dot_segment(segment: &[u8]) -> bool {
    let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
    name == b"." || name == b".."
}

fn has_broken_escape(path: &str) -> bool {
    let mut rest = path.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => rest = &rest[at + 3..],
            _ => return true,
        }
    }
    false
}

fn has_encoded_slash(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    lower.contains("%2f") || lower.contains("%252f")
}

fn decode(bytes: &[u8]) -> Cow<'_, [u8]> {
    percent_decode(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_read_differently_is_a_fault() {
        for (target, fault) in [
            ("/", None),
            ("/items/42?q=a%20b%0Ac&d=%25", None),
            ("/.well-known/security.txt", None),
            ("/a..b/...", None),
            ("/caf%C3%A9", None),
            ("/100%25", None),
            ("/%00", Some(Fault::Nul)),
            ("/a%2500b", Some(Fault::Nul)),
            ("/?q=%00%0d%2f..%2f%5c%252e%zz", None),
            ("/a%0d%0aSet-Cookie:x", Some(Fault::Control)),
            ("/%7f", Some(Fault::Control)),
            ("/a/../b", Some(Fault::DotSegment)),
            ("/a/%2e%2e/b", Some(Fault::DotSegment)),
            ("/a/.%2E/b", Some(Fault::DotSegment)),
            ("/a/%252e%252e/b", Some(Fault::DotSegment)),
            ("/a/..;x=1/b", Some(Fault::DotSegment)),
            ("/a/.", Some(Fault::DotSegment)),
            ("/a%2fb", Some(Fault::EncodedSlash)),
            ("/a%252Fb", Some(Fault::EncodedSlash)),
            ("/a%5cb", Some(Fault::Backslash)),
            ("/a%255Cb", Some(Fault::Backslash)),
            ("/%zz", Some(Fault::BrokenEscape)),
            ("/%", Some(Fault::BrokenEscape)),
            ("/%2", Some(Fault::BrokenEscape)),
            ("/%c0%ae%c0%ae/x", Some(Fault::NotUtf8)),
            ("/%e0%80%ae/x", Some(Fault::NotUtf8)),
            ("/%25252e%25252e/x", Some(Fault::ManyTimes)),
        ] {
            assert_eq!(super::fault(&target.parse().unwrap(), false), fault, "{target}");
        }
    }

    #[test]
    fn an_encoded_slash_can_be_allowed_and_what_it_hides_cannot() {
        assert_eq!(super::fault(&"/repos/a%2Fb".parse().unwrap(), true), None);
        assert_eq!(super::fault(&"/repos/..%2Fb".parse().unwrap(), true), Some(Fault::DotSegment));
    }
}
