//! What is known of a request when it has ended.

use std::{borrow::Cow, net::IpAddr, time::Duration};

use http::{HeaderValue, Version};

use super::Pending;
use crate::{End, Facts, Mode, redact::redacted};

/// What is counted where the client left before it had an answer: nginx's 499.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// A request that has ended.
#[derive(Debug)]
pub struct Record<'a> {
    pending: &'a Pending,
    end: End<'a>,
    duration: Duration,
    is_slow: bool,
}

impl<'a> Record<'a> {
    pub(super) fn new(pending: &'a Pending, end: End<'a>, slow: Duration) -> Self {
        let duration = pending.facts.elapsed();
        // Without an answer, all of it was the wait for one.
        let head_after = if pending.status == 0 { duration } else { pending.head_after };
        Self { pending, end, duration, is_slow: head_after >= slow }
    }

    /// What is known about the request.
    pub const fn facts(&self) -> &'a Facts {
        &self.pending.facts
    }

    /// The route's template, or `unmatched`.
    pub fn route(&self) -> &'a str {
        self.facts().route()
    }

    /// The answer's status; 499 where the client left before there was one, 500 where there was none for another reason.
    pub const fn status(&self) -> u16 {
        match (self.pending.status, self.end) {
            (0, End::Aborted) => CLIENT_CLOSED_REQUEST,
            (0, _) => 500,
            (status, _) => status,
        }
    }

    /// `complete`, `aborted`, `failed` or `panicked`: how the answer's body ended.
    pub const fn outcome(&self) -> &'static str {
        match self.end {
            End::Complete => "complete",
            End::Aborted => "aborted",
            End::Failed(_) => "failed",
            End::Panicked(_) => "panicked",
        }
    }

    /// From the first guard to the end of the body.
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// From the first guard to the head of the answer; zero where there was none.
    pub const fn head_after(&self) -> Duration {
        self.pending.head_after
    }

    /// Whether the head of the answer took longer than it may.
    pub const fn is_slow(&self) -> bool {
        self.is_slow
    }

    /// Bytes of the answer's body that were handed to the connection.
    pub fn bytes(&self) -> u64 {
        self.facts().sent()
    }

    /// The slug of the refusal that was the answer, if it was one.
    pub const fn reason(&self) -> Option<&'static str> {
        self.pending.reason
    }

    /// Whether no rule may leave it out.
    pub(super) const fn is_kept(&self) -> bool {
        self.is_slow || self.status() >= 500 || matches!(self.end, End::Failed(_) | End::Panicked(_))
    }

    /// Guard and policy that refused it.
    pub(super) fn refused_by(&self) -> Option<String> {
        let mut by = None;
        self.facts().each_decision(|decision| {
            if decision.mode() == Mode::Enforce && by.is_none() {
                by = Some(format!("{}/{}", decision.guard(), decision.policy()));
            }
        });
        by
    }

    pub(super) fn client(&self) -> Option<IpAddr> {
        self.facts().address()
    }

    pub(super) fn user(&self) -> Option<&'a str> {
        self.facts().principal().map(|principal| principal.id())
    }

    /// Without what reads like a secret: some put one into a path.
    pub(super) fn path(&self) -> Cow<'a, str> {
        redacted(self.facts().path())
    }

    pub(super) fn user_agent(&self) -> Option<Cow<'a, str>> {
        self.pending.user_agent.as_ref().map(text)
    }

    /// Without its query, which may hold somebody's token, and without a user.
    pub(super) fn referer(&self) -> Option<Cow<'a, str>> {
        self.pending.referer.as_ref().map(text).map(public_part).map(without_secrets)
    }

    pub(super) const fn version(&self) -> &'static str {
        match self.pending.version {
            Version::HTTP_09 => "HTTP/0.9",
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2.0",
            Version::HTTP_3 => "HTTP/3.0",
            _ => "HTTP/1.1",
        }
    }
}

fn without_secrets(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => redacted(text),
        Cow::Owned(text) => redacted(&text).into_owned().into(),
    }
}

/// Of a URL what is no secret: without user, query and fragment.
fn public_part(url: Cow<'_, str>) -> Cow<'_, str> {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let authority = url.find("://").map_or(0, |scheme| scheme + 3);
    let authority_end =
        url[..end].get(authority..).and_then(|rest| rest.find('/')).map_or(end, |slash| authority + slash);
    match url.get(authority..authority_end).and_then(|host| host.rfind('@')) {
        Some(at) => format!("{}{}", &url[..authority], &url[authority + at + 1..end]).into(),
        None if end < url.len() => url[..end].to_owned().into(),
        None => url,
    }
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    // Nearly always it is ASCII, which this sees faster.
    value.to_str().map_or_else(|_| String::from_utf8_lossy(value.as_bytes()), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_referer_what_may_be_a_secret_is_left_out() {
        for (whole, public) in [
            ("https://a.example/b/c", "https://a.example/b/c"),
            ("https://a.example/b?token=1#x", "https://a.example/b"),
            ("https://a.example?token=1/@2", "https://a.example"),
            ("https://ada:pw@a.example/b@c?d", "https://a.example/b@c"),
            ("https://ada:p@w@a.example", "https://a.example"),
            ("ada:pw@a.example/b", "a.example/b"),
            ("/b/@c?d", "/b/@c"),
            ("?https://a", ""),
            ("#://@", ""),
            ("", ""),
        ] {
            assert_eq!(public_part(whole.into()), public, "{whole}");
        }
    }
}
