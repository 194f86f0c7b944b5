//! What is wrong with a request's method and headers.

use http::{HeaderMap, Method, Version, header, request::Parts};

use super::Fault;
use crate::text::{any, has, less};

/// How much a head may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) target_bytes: usize,
    pub(super) header_lines: usize,
    pub(super) header_bytes: usize,
}

impl Limits {
    pub(super) const fn new() -> Self {
        Self { target_bytes: 8 * 1024, header_lines: 100, header_bytes: 32 * 1024 }
    }
}

/// Whether a service without wishes of its own serves the method.
pub(super) fn is_usual(head: &Parts) -> bool {
    match head.method {
        Method::GET | Method::POST | Method::HEAD | Method::OPTIONS | Method::PUT | Method::PATCH | Method::DELETE => {
            true
        }
        // Over HTTP/1.1 it asks for a tunnel.
        Method::CONNECT => head.version >= Version::HTTP_2,
        _ => false,
    }
}

/// What is wrong with it, if anything.
pub(super) fn fault(head: &Parts, limits: &Limits) -> Option<Fault> {
    let target = head.uri.path().len() + head.uri.query().map_or(0, |query| query.len() + 1);
    if target > limits.target_bytes {
        Some(Fault::TargetTooLong)
    } else if head.headers.len() > limits.header_lines {
        Some(Fault::TooManyHeaders)
    } else {
        lines_fault(&head.headers, limits)
    }
}

fn lines_fault(headers: &HeaderMap, limits: &Limits) -> Option<Fault> {
    // One walk is cheaper than a look for each.
    let (mut bytes, mut hosts, mut lengths, mut codings) = (0, 0, 0, 0);
    let mut is_unusual = false;
    for (name, value) in headers {
        hosts += usize::from(name == header::HOST);
        lengths += usize::from(name == header::CONTENT_LENGTH);
        codings += usize::from(name == header::TRANSFER_ENCODING);
        let name = name.as_str().as_bytes();
        // As HTTP/1.1 writes them: a colon, a space, a line end.
        bytes += name.len() + value.len() + 4;
        is_unusual |= any(name, unusual);
    }
    if bytes > limits.header_bytes {
        Some(Fault::HeadersTooLong)
    } else if is_unusual {
        Some(Fault::HeaderName)
    } else if hosts > 1 {
        Some(Fault::TwoHosts)
    } else if lengths > 1 || lengths + codings > lengths.max(codings) {
        Some(Fault::TwoLengths)
    } else {
        None
    }
}

/// Of the characters that may stand in a name, which is in lower case by now, those that stand in nobody's. Registered names have
/// letters, digits and `-`; gRPC's `_` and `.` too.
const fn unusual(word: u64) -> u64 {
    less(word, b'-' as u64) | has(word, b'^') | has(word, b'`') | has(word, b'|') | has(word, b'~')
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
        let request = Request::builder().method(method).uri(target);
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .body(())
            .unwrap()
            .into_parts()
            .0
    }

    #[test]
    fn what_a_length_is_told_by_is_told_once() {
        let one = ("content-length", "1");
        for (headers, expected) in [
            (&[one][..], None),
            (&[one, one], Some(Fault::TwoLengths)),
            (&[one, ("transfer-encoding", "chunked")], Some(Fault::TwoLengths)),
            (&[("transfer-encoding", "chunked")], None),
            (&[("host", "a"), ("host", "a")], Some(Fault::TwoHosts)),
            (&[("x_under", "a"), ("x-dash-1", "b")], None),
            (&[("x!y", "a")], Some(Fault::HeaderName)),
            (&[("grpc.x-bin", "a")], None),
            (&[("$x", "a")], Some(Fault::HeaderName)),
        ] {
            assert_eq!(fault(&head("GET", "/", headers), &Limits::new()), expected, "{headers:?}");
        }
    }

    #[test]
    fn what_is_too_much_is_so_from_one_byte_more_on() {
        let limits = Limits { target_bytes: 10, header_lines: 2, header_bytes: 20 };
        for (target, headers, expected) in [
            ("/234?67890", &[][..], None),
            ("/234?678901", &[], Some(Fault::TargetTooLong)),
            ("/", &[("a", "1"), ("b", "2")], None),
            ("/", &[("a", "1"), ("b", "2"), ("b", "3")], Some(Fault::TooManyHeaders)),
            ("/", &[("a", "123456789012345")], None),
            ("/", &[("a", "1234567890123456")], Some(Fault::HeadersTooLong)),
        ] {
            assert_eq!(fault(&head("GET", target, headers), &limits), expected, "{target} {headers:?}");
        }
        let mut many = head("GET", "/", &[]);
        for _ in 0..101 {
            many.headers.append("a", HeaderValue::from_static("1"));
        }
        assert_eq!(fault(&many, &Limits::new()), Some(Fault::TooManyHeaders));
    }

    #[test]
    fn a_tunnel_is_asked_for_in_vain_and_a_websocket_is_not() {
        for (method, version, usual) in [
            ("GET", Version::HTTP_11, true),
            ("DELETE", Version::HTTP_2, true),
            ("CONNECT", Version::HTTP_11, false),
            ("CONNECT", Version::HTTP_2, true),
            ("TRACE", Version::HTTP_11, false),
            ("PROPFIND", Version::HTTP_11, false),
            ("get", Version::HTTP_11, false),
        ] {
            let mut head = head(method, "/", &[]);
            head.version = version;
            assert_eq!(is_usual(&head), usual, "{method} {version:?}");
        }
    }
}
