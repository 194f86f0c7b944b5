//! What an answer says about the quotas: structured fields of the draft, and the older headers.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use smallvec::SmallVec;

use super::{
    Quota,
    digits::{self, header_value},
    limit::{NEVER, Standing},
};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Which headers tell of the quotas, and whom.
///
/// The default is [`legacy`](Self::legacy), for all: the draft is no standard yet, and clients that read a `RateLimit` field
/// after an earlier draft make nothing of this one, nor of the `X-RateLimit-*` beside it. `Retry-After` stands on every
/// refusal, whatever is chosen here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers {
    draft: Option<Draft>,
    legacy: bool,
    anonymous: bool,
}

/// A version of draft-ietf-httpapi-ratelimit-headers. It is no standard yet, and versions differ in meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Draft {
    /// Of May 2026: `RateLimit-Policy: "api";q=100;w=60` and `RateLimit: "api";r=50;t=30`. `t` is the time in which no
    /// more than `r` can be used.
    V11,
}

impl Headers {
    /// `RateLimit-Policy` and `RateLimit` after this draft, and `X-RateLimit-Limit`, `-Remaining`, `-Reset`.
    #[must_use]
    pub const fn all() -> Self {
        Self { draft: Some(Draft::V11), legacy: true, anonymous: true }
    }

    /// Only `RateLimit-Policy` and `RateLimit`.
    #[must_use]
    pub const fn draft(draft: Draft) -> Self {
        Self { draft: Some(draft), legacy: false, anonymous: true }
    }

    /// Only `X-RateLimit-Limit`, `-Remaining` and `-Reset`, the last in seconds from now.
    #[must_use]
    pub const fn legacy() -> Self {
        Self { draft: None, legacy: true, anonymous: true }
    }

    /// None.
    #[must_use]
    pub const fn none() -> Self {
        Self { draft: None, legacy: false, anonymous: false }
    }

    /// Only for callers with a principal.
    #[must_use]
    pub const fn only_for_principals(self) -> Self {
        Self { anonymous: false, ..self }
    }

    /// Whether what is told is only what the tightest policy says.
    pub(super) const fn are_legacy(self) -> bool {
        self.legacy && self.draft.is_none()
    }

    /// Whether anything is told to a caller that is known, or not.
    pub(super) const fn tells(self, is_known: bool) -> bool {
        (self.draft.is_some() || self.legacy) && (is_known || self.anonymous)
    }
}

impl Default for Headers {
    fn default() -> Self {
        Self::legacy()
    }
}

/// Up: RFC 9110, 10.2.3 has no fractions, and a client that comes early is refused again.
pub(super) const fn seconds(ticks: u64) -> u64 {
    ticks.div_ceil(1_000_000_000)
}

/// What one policy has to say: its part of `RateLimit-Policy` is made once, when the policy is.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) advertisement: HeaderValue,
    /// The name as a structured field's string, quotes included.
    pub(super) name: Box<[u8]>,
}

impl Said {
    pub(super) fn new(name: &str, quota: Quota) -> Option<Self> {
        let (name, limit) = (sf_string(name)?, quota.capacity());
        let text = match quota.refills_in().as_nanos() {
            0 => format!("{name};q={limit};qu=\"concurrent-requests\""),
            nanos => format!("{name};q={limit};w={}", nanos.div_ceil(1_000_000_000)),
        };
        Some(Self { advertisement: HeaderValue::try_from(text).ok()?, name: name.into_bytes().into() })
    }
}

/// RFC 9651, 3.3.3: printable ASCII, with `"` and `\` escaped.
fn sf_string(text: &str) -> Option<String> {
    text.bytes()
        .all(|byte| (0x20..0x7f).contains(&byte))
        .then(|| format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")))
}

impl Headers {
    /// Writes what each policy says, the one with the least left also in the headers that have room for one. No `t` is
    /// longer than `Retry-After`, which must not be earlier than the end of any of them.
    pub(super) fn write<'a>(
        self,
        headers: &mut HeaderMap,
        policies: impl Iterator<Item = (&'a Said, Standing)> + Clone,
        retry_after: Option<u64>,
    ) {
        // Nothing inside has answered a request that was refused.
        if retry_after.is_none() && has_spoken(headers) {
            return;
        }
        let tightest = self.legacy.then(|| Tightest::of(policies.clone().map(|(_, standing)| standing))).flatten();
        if self.draft.is_some() {
            let mut states = SmallVec::new();
            for (said, standing) in policies {
                headers.append(POLICY, said.advertisement.clone());
                if !states.is_empty() {
                    states.extend_from_slice(b", ");
                }
                states.extend_from_slice(&said.name);
                states.extend_from_slice(b";r=");
                digits::push(&mut states, standing.left.into());
                states.extend_from_slice(b";t=");
                digits::push(&mut states, window(standing).min(retry_after.unwrap_or(u64::MAX)));
            }
            let states = HeaderValue::from_maybe_shared(Bytes::copy_from_slice(&states));
            headers.insert(STATE, states.unwrap_or(HeaderValue::from_static("")));
        }
        if let Some(tightest) = tightest {
            tightest.insert(headers);
        }
    }
}

/// An inner limit knows more.
fn has_spoken(headers: &HeaderMap) -> bool {
    headers.contains_key(STATE) || headers.contains_key(LIMIT)
}

/// What the older headers say, which have room for one policy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tightest {
    limit: u32,
    left: u32,
    reset: u64,
}

impl Tightest {
    pub(super) fn of(standings: impl Iterator<Item = Standing>) -> Option<Self> {
        let tightest = standings.min_by_key(|standing| standing.left)?;
        Some(Self { limit: tightest.limit, left: tightest.left, reset: seconds(tightest.rest) })
    }

    pub(super) fn write(self, headers: &mut HeaderMap) {
        if !has_spoken(headers) {
            self.insert(headers);
        }
    }

    fn insert(self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, header_value(self.limit.into()));
        headers.insert(REMAINING, header_value(self.left.into()));
        headers.insert(RESET, header_value(self.reset));
    }
}

/// The draft's `t`: with nothing left, how long that stays so; else the time in which no more than `left` can be used.
const fn window(standing: Standing) -> u64 {
    match standing {
        Standing { left: 0, wait: 0 | NEVER, next, .. } => at_least_one(seconds(next)),
        Standing { left: 0, wait, .. } => at_least_one(seconds(wait)),
        Standing { rest, .. } => seconds(rest),
    }
}

const fn at_least_one(seconds: u64) -> u64 {
    if seconds == 0 { 1 } else { seconds }
}

/// `Retry-After` for a wait, with up to `jitter` seconds more, so that those refused together do not come back together.
pub(super) fn retry_after(wait: u64, jitter: u64) -> Option<u64> {
    let extra = if jitter == 0 { 0 } else { rand::random_range(0..=jitter) };
    (wait != NEVER).then(|| at_least_one(seconds(wait)).saturating_add(extra))
}

pub(super) fn set_retry_after(headers: &mut HeaderMap, seconds: u64) {
    headers.insert(header::RETRY_AFTER, header_value(seconds));
}
