//! What the metrics of requests are called.

use super::exposition::labels;

/// Under which names and labels requests are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Names {
    /// `http_requests_total`, `http_request_duration_seconds` by `method`, `route` and `status`;
    /// `http_requests_in_flight`.
    #[default]
    Prometheus,
    /// The stable names of OpenTelemetry's semantic conventions for HTTP servers, as they are written for Prometheus:
    /// `http_server_request_duration_seconds` by `http_request_method`, `http_route`, `http_response_status_code`,
    /// `url_scheme` and, for a 5xx, `error_type`; `http_server_active_requests` by `http_request_method` and `url_scheme`.
    /// The number of requests is the histogram's `_count`.
    OpenTelemetry,
}

impl Names {
    /// Whether HTTP and HTTPS are series of their own.
    pub(super) fn tell_scheme(self) -> bool {
        self == Self::OpenTelemetry
    }

    pub(super) fn duration(self) -> &'static str {
        match self {
            Self::Prometheus => "http_request_duration_seconds",
            Self::OpenTelemetry => "http_server_request_duration_seconds",
        }
    }

    pub(super) fn route(self) -> &'static str {
        match self {
            Self::Prometheus => "route",
            Self::OpenTelemetry => "http_route",
        }
    }

    pub(super) fn in_flight(self) -> &'static str {
        match self {
            Self::Prometheus => "http_requests_in_flight",
            Self::OpenTelemetry => "http_server_active_requests",
        }
    }

    pub(super) fn labels(self, method: &str, route: &str, status: &str, scheme: &str) -> String {
        match self {
            Self::Prometheus => labels([("method", method), ("route", route), ("status", status)]),
            Self::OpenTelemetry => {
                // A request without a route has no such attribute, and one without an error no type of it.
                let route = (route != "unmatched").then_some(("http_route", route));
                let error = status.starts_with('5').then_some(("error_type", status));
                let method = [("http_request_method", method)];
                let rest = [("http_response_status_code", status), ("url_scheme", scheme)];
                labels(method.into_iter().chain(route).chain(rest).chain(error))
            }
        }
    }

    pub(super) fn in_flight_labels(self, method: &str, scheme: &str) -> String {
        match self {
            Self::Prometheus => String::new(),
            Self::OpenTelemetry => labels([("http_request_method", method), ("url_scheme", scheme)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_are_those_of_the_conventions() {
        for (names, route, status, expected) in [
            (Names::Prometheus, "/a", "200", r#"method="GET",route="/a",status="200""#),
            (Names::Prometheus, "unmatched", "404", r#"method="GET",route="unmatched",status="404""#),
            (
                Names::OpenTelemetry,
                "/a",
                "200",
                r#"http_request_method="GET",http_route="/a",http_response_status_code="200",url_scheme="https""#,
            ),
            (
                Names::OpenTelemetry,
                "unmatched",
                "503",
                r#"http_request_method="GET",http_response_status_code="503",url_scheme="https",error_type="503""#,
            ),
        ] {
            assert_eq!(names.labels("GET", route, status, "https"), expected);
        }
    }
}
