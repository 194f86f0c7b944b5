//! `traceparent`, without HTTP in it.

use std::{
    fmt,
    num::{NonZeroU64, NonZeroU128},
};

use bytes::Bytes;
use http::HeaderValue;
use rand::RngExt as _;

/// The trace's id: 16 bytes, never all zero. Displayed as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

/// A span's id: 8 bytes, never all zero. Displayed as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

/// Where a request stands in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: TraceId,
    span_id: SpanId,
    parent_id: Option<SpanId>,
    flags: u8,
}

const SAMPLED: u8 = 0x01;
const RANDOM: u8 = 0x02;

impl TraceContext {
    /// The first span of a new trace.
    pub(super) fn root(sampled: bool) -> Self {
        let mut random = rand::rng();
        // Zero is drawn once in longer than there will be computers.
        let trace_id = TraceId(NonZeroU128::new(random.random()).unwrap_or(NonZeroU128::MIN));
        let flags = RANDOM | if sampled { SAMPLED } else { 0 };
        Self { trace_id, span_id: SpanId::random(), parent_id: None, flags }
    }

    /// A new span within this one.
    pub(super) fn child(self) -> Self {
        Self { span_id: SpanId::random(), parent_id: Some(self.span_id), ..self }
    }

    /// Reads a `traceparent`; `None` for one that is not valid.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let (head, rest) = text.split_at_checked(55)?;
        let version = hex(&head[..2])?;
        let ends = if version == 0 { rest.is_empty() } else { rest.first().is_none_or(|byte| *byte == b'-') };
        let dashes = [2, 35, 52].iter().all(|place| head[*place] == b'-');
        if version == 0xff || !ends || !dashes {
            return None;
        }
        let trace_id = TraceId(NonZeroU128::new(hex(&head[3..35])?)?);
        let span_id = SpanId(NonZeroU64::new(u64::try_from(hex(&head[36..52])?).ok()?)?);
        // Of a later version no more is known than these; of this one, no more than these is set.
        let flags = u8::try_from(hex(&head[53..])?).ok()? & (SAMPLED | RANDOM);
        Some(Self { trace_id, span_id, parent_id: None, flags })
    }

    /// As a `traceparent` that names this span.
    pub(super) fn header(self) -> HeaderValue {
        let text = Bytes::from(self.to_string());
        HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static(""))
    }

    /// The whole trace's id.
    pub const fn trace_id(self) -> TraceId {
        self.trace_id
    }

    /// The id of what this service does for the request.
    pub const fn span_id(self) -> SpanId {
        self.span_id
    }

    /// The span of the caller; `None` in a trace that began here.
    pub const fn parent_id(self) -> Option<SpanId> {
        self.parent_id
    }

    /// Whether the caller, or this service for a new trace, says that the trace is recorded.
    pub const fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl TraceId {
    /// The 56 bits that are random where level 2 of the standard is kept: all who sample by them sample the same traces.
    #[cfg(feature = "sentry")]
    pub(crate) fn randomness(self) -> u64 {
        u64::try_from(self.0.get() & ((1 << 56) - 1)).unwrap_or_default()
    }
}

impl SpanId {
    fn random() -> Self {
        Self(NonZeroU64::new(rand::rng().random()).unwrap_or(NonZeroU64::MIN))
    }
}

/// Lower-case digits, and nothing else.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

impl fmt::Display for TraceContext {
    /// A `traceparent` of version 00 that names this span.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn what_is_valid_is_read() {
        for (text, flags) in [
            (format!("00-{TRACE}-{SPAN}-00"), 0),
            (format!("00-{TRACE}-{SPAN}-01"), 1),
            (format!("00-{TRACE}-{SPAN}-03"), 3),
            (format!("00-{TRACE}-{SPAN}-ff"), 3),
            (format!("cc-{TRACE}-{SPAN}-01"), 1),
            (format!("cc-{TRACE}-{SPAN}-01-"), 1),
            (format!("cc-{TRACE}-{SPAN}-01-more.of it"), 1),
            (format!(" \t00-{TRACE}-{SPAN}-01\t "), 1),
        ] {
            let context = TraceContext::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((context.trace_id().to_string(), context.span_id().to_string()), (TRACE.into(), SPAN.into()));
            assert_eq!(context.flags, flags, "{text}");
        }
    }

    #[test]
    fn what_is_not_valid_is_not_read() {
        let zeros = "0".repeat(32);
        for text in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-001"),
            format!("00-{TRACE}-{SPAN}-01."),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-0."),
            format!("00-{TRACE}-{SPAN}-.0"),
            format!("00-{TRACE}-{SPAN}-0A"),
            format!("cc-{TRACE}-{SPAN}-01.more"),
            format!("cc-{TRACE}-{SPAN}-011"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("FF-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("000-{TRACE}-{SPAN}-01"),
            format!("0000-{TRACE}-{SPAN}-01"),
            format!(".0-{TRACE}-{SPAN}-01"),
            format!("0.-{TRACE}-{SPAN}-01"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-.{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{}.-{SPAN}-01", &TRACE[1..]),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{TRACE}-.{}-01", &SPAN[1..]),
            format!("00-{TRACE}-{}.-01", &SPAN[1..]),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("00-{TRACE}-{SPAN}0-01"),
            format!("00-{TRACE}-{}-01", &SPAN[1..]),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}_{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}_01"),
            format!("00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01"),
        ] {
            assert_eq!(TraceContext::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_child_is_in_the_same_trace_and_knows_its_parent() {
        let root = TraceContext::root(true);
        let child = root.child();
        assert_eq!((child.trace_id(), child.parent_id()), (root.trace_id(), Some(root.span_id())));
        assert_ne!(child.span_id(), root.span_id());
        assert_ne!(TraceContext::root(true).trace_id(), root.trace_id());
        assert_eq!((root.flags, TraceContext::root(false).flags), (3, 2));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(trace in 1_u128.., span in 1_u64.., flags in 0_u8..4) {
            let (trace_id, span_id) = (NonZeroU128::new(trace).map(TraceId), NonZeroU64::new(span).map(SpanId));
            let context = TraceContext { trace_id: trace_id.unwrap(), span_id: span_id.unwrap(), parent_id: None, flags };
            prop_assert_eq!(TraceContext::parse(context.to_string().as_bytes()), Some(context));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = TraceContext::parse(&bytes);
        }

        #[test]
        fn one_byte_changed_is_never_read_as_the_same(place in 0_usize..55, byte in any::<u8>()) {
            let original = format!("00-{TRACE}-{SPAN}-01").into_bytes();
            let mut changed = original.clone();
            changed[place] = byte;
            // Later versions read alike, and so do flags that nobody has defined yet.
            prop_assume!(place > 1 && place < 53 && changed != original);
            prop_assert_ne!(TraceContext::parse(&changed), TraceContext::parse(&original));
        }
    }
}
