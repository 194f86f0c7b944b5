//! Which of the two text formats a scraper asks for.

use http::{HeaderMap, HeaderValue, header};

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// The Prometheus text format 0.0.4, which everything that scrapes can read.
    Text,
    /// `OpenMetrics` 1.0, which also carries exemplars.
    OpenMetrics,
}

impl Format {
    /// The media type, as it stands in `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What `Accept` asks for (RFC 9110, section 12.5.1): the higher `q`, and `OpenMetrics` where both have the same. Text where
    /// neither is asked for: a scrape is never refused over its format.
    #[must_use]
    pub fn negotiated(headers: &HeaderMap) -> Self {
        let ranges = || headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok()).flat_map(entries);
        let quality = |wanted: fn(&Range) -> Option<u8>| {
            // The most specific range that fits decides; of two as specific, the kinder.
            let fits = ranges().filter_map(|range| Some((wanted(&range)?, range.quality)));
            fits.max().map_or(0, |(_, quality)| quality)
        };
        let open_metrics = quality(|range| range.open_metrics());
        if open_metrics > 0 && open_metrics >= quality(|range| range.text()) { Self::OpenMetrics } else { Self::Text }
    }

    /// The answer's `Content-Type`: who asks by the rules for escaped names is told that none had to be.
    pub(super) fn answered(self, headers: &HeaderMap) -> HeaderValue {
        let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let escaping = self == Self::OpenMetrics
            && lines.flat_map(entries).any(|range| range.open_metrics().is_some() && range.escaping);
        HeaderValue::from_static(if escaping {
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
        } else {
            self.content_type()
        })
    }
}

/// One entry of `Accept`.
struct Range<'a> {
    media: &'a str,
    version: Option<&'a str>,
    escaping: bool,
    /// In thousandths.
    quality: u16,
}

fn entries(line: &str) -> impl Iterator<Item = Range<'_>> {
    line.split(',').map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let mut range = Range { media: parts.next().unwrap_or(""), version: None, escaping: false, quality: 1000 };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => range.quality = thousandths(value),
                "version" => range.version = Some(value),
                "escaping" => range.escaping = true,
                _ => {}
            }
        }
        range
    })
}

/// A quality; what is none is 0, so that it chooses nothing.
fn thousandths(text: &str) -> u16 {
    let quality = text.parse::<f32>().ok().filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    let thousandths = (quality * 1000.0).round() as u16;
    thousandths
}

impl Range<'_> {
    /// How specifically it means this format, if it does. Of `text/*` and `*/*` neither means a format few can read.
    fn open_metrics(&self) -> Option<u8> {
        let is = self.media.eq_ignore_ascii_case("application/openmetrics-text");
        match self.version {
            None if is => Some(2),
            Some("1.0.0") if is => Some(3),
            _ => None,
        }
    }

    fn text(&self) -> Option<u8> {
        match (self.media.to_ascii_lowercase().as_str(), self.version) {
            ("*/*", _) => Some(0),
            ("text/*", _) => Some(1),
            ("text/plain", None) => Some(2),
            ("text/plain", Some("0.0.4")) => Some(3),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_what_the_scraper_asks_for() {
        use Format::{OpenMetrics, Text};
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let text_first = "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.5";
        for (accept, format) in [
            (prometheus_2, OpenMetrics),
            (prometheus_3, OpenMetrics),
            (text_first, Text),
            ("", Text),
            ("*/*", Text),
            ("text/plain", Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Text),
            ("application/json", Text),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=1.0.0", OpenMetrics),
            ("application/openmetrics-text; version=\"1.0.0\"", OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Text),
            ("application/openmetrics-text;version=2.0.0", Text),
            ("application/openmetrics-text;q=0", Text),
            ("application/openmetrics-text;q=0.4, */*;q=0.4", OpenMetrics),
            ("application/openmetrics-text;q=0.4, text/plain;q=0.401", Text),
            ("application/openmetrics-text;version=1.0.0;q=0, application/openmetrics-text", Text),
            ("application/openmetrics-text;q=2", Text),
            ("application/openmetrics-text;q=x, text/plain;q=0.1", Text),
            (",;=,;;,", Text),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_str(accept).unwrap())]);
            assert_eq!(Format::negotiated(&headers), format, "{accept}");
        }
        assert_eq!(Format::negotiated(&HeaderMap::new()), Text);
    }

    #[test]
    fn the_answer_names_its_escaping_to_those_who_asked_for_one() {
        for (accept, escaping) in [
            ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8", true),
            ("application/openmetrics-text;version=1.0.0", false),
            ("text/plain;version=1.0.0;escaping=allow-utf-8,text/plain", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            let answered = Format::negotiated(&headers).answered(&headers);
            assert_eq!(answered.to_str().unwrap().ends_with("; escaping=underscores"), escaping, "{accept}");
        }
    }
}
