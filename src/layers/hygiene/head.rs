//! What is wrong with a request's method and headers.

use http::{HeaderMap, HeaderName, Method, Version, header, request::Parts};

use super::Fault;

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
    let headers = &head.headers;
    if target > limits.target_bytes {
        Some(Fault::TargetTooLong)
    } else if headers.len() > limits.header_lines {
        Some(Fault::TooManyHeaders)
    } else if is_repeated(headers, &header::HOST) {
        Some(Fault::TwoHosts)
    } else if tells_length_twice(headers) {
        Some(Fault::TwoLengths)
    } else {
        lines_fault(headers, limits)
    }
}

fn is_repeated(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().nth(1).is_some()
}

fn tells_length_twice(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_LENGTH)
        && (is_repeated(headers, &header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING))
}

fn lines_fault(headers: &HeaderMap, limits: &Limits) -> Option<Fault> {
    let mut bytes = 0;
    for (name, value) in headers {
        // As HTTP/1.1 writes them: a colon, a space, a line end.
        bytes += name.as_str().len() + value.len() + 4;
        if !name.as_str().bytes().all(is_usual_in_a_name) {
            return Some(Fault::HeaderName);
        }
    }
    (bytes > limits.header_bytes).then_some(Fault::HeadersTooLong)
}

/// What registered names are made of, and those of gRPC. They are in lower case by now.
const fn is_usual_in_a_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
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
