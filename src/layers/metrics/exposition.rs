//! Numbers as text, in the two formats that scrapers read.

use std::fmt::{self, Display, Write as _};

use super::{accept::Format, exemplars::Exemplars, instruments::Cells};

/// A scrape's answer in the making. Families are written one after the other, each with all of its samples.
#[derive(Debug)]
pub(crate) struct Exposition {
    text: String,
    format: Format,
}

/// What a family's numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Counter,
    Gauge,
    Histogram,
}

impl Exposition {
    pub(super) const fn new(format: Format) -> Self {
        Self { text: String::new(), format }
    }

    /// Opens a family. `OpenMetrics` names a family of counters without the `_total` that its samples have.
    pub(crate) fn family(&mut self, name: &str, kind: Type, help: &str) {
        let name = match self.format {
            Format::OpenMetrics if kind == Type::Counter => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        let kind = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        let quote = if self.format == Format::OpenMetrics { "\\\"" } else { "\"" };
        let help = help.replace('\\', r"\\").replace('\n', r"\n").replace('"', quote);
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    /// One number. The labels are as [`labels`] writes them.
    pub(crate) fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{labels}}} {value}"));
        }
    }

    pub(super) fn float(&mut self, name: &str, labels: &str, value: f64) {
        self.sample(name, labels, Number(value));
    }

    pub(super) fn histogram(&mut self, name: &str, labels: &str, cells: &Cells, exemplars: Option<&Exemplars>) {
        let exemplars = exemplars.filter(|_| self.format == Format::OpenMetrics);
        let comma = if labels.is_empty() { "" } else { "," };
        let mut count = 0;
        for (place, held) in cells.counts().enumerate() {
            count += held;
            let _ = write!(self.text, "{name}_bucket{{{labels}{comma}le=\"");
            let _ = match (cells.bounds().get(place), self.format) {
                (None, _) => self.text.write_str("+Inf"),
                // Canonical there: a float is seen to be one.
                (Some(bound), Format::OpenMetrics) => write!(self.text, "{bound:?}"),
                (Some(bound), Format::Text) => write!(self.text, "{bound}"),
            };
            let _ = write!(self.text, "\"}} {count}");
            if let Some(exemplar) = exemplars.and_then(|all| all.of(place)) {
                let _ = write!(self.text, " # {exemplar}");
            }
            self.text.push('\n');
        }
        let suffixed = |suffix| [name, suffix].concat();
        self.float(&suffixed("_sum"), labels, cells.sum());
        self.sample(&suffixed("_count"), labels, count);
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn line(&mut self, line: fmt::Arguments) {
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }
}

/// A float as both formats write it.
struct Number(f64);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            value => write!(f, "{value}"),
        }
    }
}

/// Labels as they stand between the braces.
pub(crate) fn labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{name}=\"{}\"", escape(value));
    }
    text
}

fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::{super::buckets::Buckets, *};

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        assert_eq!(labels([("a", "a\"b\\c\nd"), ("b", "")]), r#"a="a\"b\\c\nd",b="""#);
    }

    #[test]
    fn both_formats_are_as_their_specifications_write_them() {
        let cells = Cells::new(&Buckets::new([0.5, 10.0]));
        for value in [0.5, 3.0, 11.5] {
            cells.observe(value);
        }
        for (format, expected) in [
            (
                Format::Text,
                "# HELP a_total Say \"a\\\\b\\nc\".\n# TYPE a_total counter\na_total{x=\"1\"} 3\n\
                 # HELP h H.\n# TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"10\"} 2\nh_bucket{le=\"+Inf\"} 3\n\
                 h_sum 15\nh_count 3\n# HELP g G.\n# TYPE g gauge\ng +Inf\ng NaN\ng 0.25\n",
            ),
            (
                Format::OpenMetrics,
                "# HELP a Say \\\"a\\\\b\\nc\\\".\n# TYPE a counter\na_total{x=\"1\"} 3\n\
                 # HELP h H.\n# TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"10.0\"} 2\nh_bucket{le=\"+Inf\"} 3\n\
                 h_sum 15\nh_count 3\n# HELP g G.\n# TYPE g gauge\ng +Inf\ng NaN\ng 0.25\n# EOF\n",
            ),
        ] {
            let mut out = Exposition::new(format);
            out.family("a_total", Type::Counter, "Say \"a\\b\nc\".");
            out.sample("a_total", "x=\"1\"", 3);
            out.family("h", Type::Histogram, "H.");
            out.histogram("h", "", &cells, None);
            out.family("g", Type::Gauge, "G.");
            for value in [f64::INFINITY, f64::NAN, 0.25] {
                out.float("g", "", value);
            }
            assert_eq!(out.finish(), expected);
        }
    }
}
