//! What Sentry is told of a request, made of its facts by the thread that sends it.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use ::sentry::{
    Breadcrumb, Envelope, Level,
    protocol::{
        ClientSdkInfo, Context, Event, Exception, Map, Mechanism, Request, SpanStatus, TraceContext, Transaction, User,
    },
};

use http::header;

use super::super::{Ended, Failure};
use crate::{Decision, End, Facts, redact::redacted};

/// Longer texts are cut: a value, a tag.
const LONGEST: usize = 4096;
const LONGEST_TAG: usize = 200;

/// What is the same for all.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    pub(super) environment: Option<Cow<'static, str>>,
    pub(super) release: Option<Cow<'static, str>>,
    pub(super) server_name: Option<Cow<'static, str>>,
}

/// What is taken along from where the request is served: its facts, and what they do not hold.
#[derive(Debug)]
pub(super) struct Captured {
    facts: Facts,
    at: SystemTime,
    told: Told,
}

#[derive(Debug)]
pub(super) enum Told {
    Failure {
        status: u16,
        reason: &'static str,
        /// `panic`, the error's type, or the reason.
        kind: &'static str,
        /// Redacted already.
        cause: String,
        level: Level,
        is_panic: bool,
        breadcrumbs: Vec<Breadcrumb>,
    },
    Request {
        status: u16,
        ended: SpanStatus,
        duration: Duration,
    },
}

impl Told {
    pub(super) fn failure(failure: &Failure<'_>, breadcrumbs: Vec<Breadcrumb>) -> Self {
        let is_panic = failure.is_panic();
        let level = match (is_panic, failure.is_operational()) {
            (true, _) => Level::Fatal,
            (false, true) => Level::Warning,
            (false, false) => Level::Error,
        };
        let reason = failure.reason();
        let kind = if is_panic { "panic" } else { failure.error_type().unwrap_or(reason) };
        Self::Failure {
            status: failure.status(),
            reason,
            kind,
            cause: cut(failure.cause(), LONGEST),
            level,
            is_panic,
            breadcrumbs,
        }
    }

    pub(super) fn request(request: &Ended<'_>) -> Self {
        let status = request.status();
        let ended = match request.end() {
            End::Complete => span_status(status),
            End::Aborted => SpanStatus::Cancelled,
            End::Failed(_) | End::Panicked(_) => SpanStatus::InternalError,
        };
        Self::Request { status, ended, duration: request.facts().elapsed() }
    }
}

impl Captured {
    pub(super) fn new(facts: &Facts, told: Told) -> Self {
        Self { facts: facts.clone(), at: SystemTime::now(), told }
    }

    pub(super) const fn is_failure(&self) -> bool {
        matches!(self.told, Told::Failure { .. })
    }

    pub(super) fn envelope(self, labels: &Labels) -> Envelope {
        let Self { facts, at, told } = self;
        let Labels { environment, release, server_name } = labels.clone();
        let name = format!("{} {}", facts.method(), facts.route());
        let (name, sdk, user, request) =
            (Some(clean(&name, LONGEST)), Some(Cow::Owned(sdk())), user(&facts), Some(request(&facts)));
        match told {
            Told::Failure { status, reason, kind, cause, level, is_panic, breadcrumbs } => Event {
                level,
                fingerprint: vec![clean(facts.route(), LONGEST).into(), kind.into()].into(),
                transaction: name,
                logger: Some("palisade".to_owned()),
                timestamp: at,
                exception: vec![exception(kind, cause, is_panic)].into(),
                breadcrumbs: all_breadcrumbs(&facts, at, breadcrumbs).into(),
                tags: tags(&facts, status, Some(reason)),
                contexts: contexts(&facts, status, None),
                user,
                request,
                environment,
                release,
                server_name,
                sdk,
                platform: "native".into(),
                ..Event::default()
            }
            .into(),
            Told::Request { status, ended, duration } => Transaction {
                name,
                timestamp: Some(at),
                start_timestamp: at.checked_sub(duration).unwrap_or(at),
                tags: tags(&facts, status, None),
                contexts: contexts(&facts, status, Some(ended)),
                user,
                request,
                environment,
                release,
                server_name,
                sdk,
                platform: "native".into(),
                ..Transaction::default()
            }
            .into(),
        }
    }
}

fn sdk() -> ClientSdkInfo {
    ClientSdkInfo {
        name: "palisade".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        integrations: Vec::new(),
        packages: Vec::new(),
    }
}

fn exception(kind: &str, cause: String, is_panic: bool) -> Exception {
    let mechanism = Mechanism { ty: "palisade".to_owned(), handled: Some(!is_panic), ..Mechanism::default() };
    // `shop::Wrapped<io::Error>` is `Wrapped<io::Error>` of `shop`.
    let path = kind.find('<').map_or(kind, |generics| &kind[..generics]);
    let (module, ty) = path.rfind("::").map_or((None, kind), |end| (Some(kind[..end].to_owned()), &kind[end + 2..]));
    Exception { ty: ty.to_owned(), module, value: Some(cause), mechanism: Some(mechanism), ..Exception::default() }
}

fn user(facts: &Facts) -> Option<User> {
    facts.principal().map(|principal| User { id: Some(clean(principal.id(), LONGEST_TAG)), ..User::default() })
}

fn tags(facts: &Facts, status: u16, reason: Option<&str>) -> Map<String, String> {
    let tier = facts.tier().or_else(|| facts.principal()?.tier_name());
    let tags = [
        ("request_id", facts.request_id().map(|id| clean(id.as_str(), LONGEST_TAG))),
        ("trace_id", facts.trace().map(|trace| trace.trace_id().to_string())),
        ("route", Some(clean(facts.route(), LONGEST_TAG))),
        ("tier", tier.map(|tier| clean(tier, LONGEST_TAG))),
        // A body that broke has no status any more.
        ("status", (status != 0).then(|| status.to_string())),
        ("reason", reason.map(str::to_owned)),
    ];
    tags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn contexts(facts: &Facts, status: u16, ended: Option<SpanStatus>) -> Map<String, Context> {
    let Some(place) = facts.trace() else {
        // A transaction is none without.
        let alone = ended.map(|status| TraceContext {
            status: Some(status),
            op: Some(OPERATION.to_owned()),
            ..TraceContext::default()
        });
        return alone.map(|trace| ("trace".to_owned(), trace.into())).into_iter().collect();
    };
    let trace = TraceContext {
        trace_id: place.trace_id().to_string().parse().unwrap_or_default(),
        span_id: place.span_id().to_string().parse().unwrap_or_default(),
        parent_span_id: place.parent_id().and_then(|parent| parent.to_string().parse().ok()),
        op: Some(OPERATION.to_owned()),
        status: ended.or(Some(span_status(status))),
        origin: Some("auto.http.palisade".to_owned()),
        ..TraceContext::default()
    };
    Map::from([("trace".to_owned(), trace.into())])
}

/// What Sentry calls a request that a server answers.
const OPERATION: &str = "http.server";

const fn span_status(status: u16) -> SpanStatus {
    match status {
        100..400 => SpanStatus::Ok,
        401 => SpanStatus::Unauthenticated,
        403 => SpanStatus::PermissionDenied,
        404 => SpanStatus::NotFound,
        409 => SpanStatus::AlreadyExists,
        429 => SpanStatus::ResourceExhausted,
        499 => SpanStatus::Cancelled,
        400..500 => SpanStatus::InvalidArgument,
        501 => SpanStatus::Unimplemented,
        503 => SpanStatus::Unavailable,
        504 => SpanStatus::DeadlineExceeded,
        0 | 500..600 => SpanStatus::InternalError,
        _ => SpanStatus::UnknownError,
    }
}

fn request(facts: &Facts) -> Request {
    let headers: Map<_, _> = facts
        .kept_headers()
        .map(|(name, value)| {
            let text = String::from_utf8_lossy(value.as_bytes());
            let text = if name == header::HOST { without_user(&text) } else { &text };
            (name.to_string(), clean(text, LONGEST))
        })
        .collect();
    let host = facts.forwarded_host().or_else(|| facts.uri().authority());
    let host = host.map(|host| clean(without_user(host.as_str()), LONGEST)).or_else(|| headers.get("host").cloned());
    let scheme =
        facts.client().and_then(|client| client.scheme()).or_else(|| facts.uri().scheme_str()).unwrap_or("http");
    let url = host.and_then(|host| format!("{scheme}://{host}{}", clean(facts.path(), LONGEST)).parse().ok());
    Request { url, method: Some(clean(facts.method().as_str(), LONGEST_TAG)), headers, ..Request::default() }
}

/// A host without whoever stands before its `@`.
fn without_user(host: &str) -> &str {
    host.rsplit('@').next().unwrap_or_default()
}

/// What guards held against it, then what the application has left.
fn all_breadcrumbs(facts: &Facts, at: SystemTime, left: Vec<Breadcrumb>) -> Vec<Breadcrumb> {
    let decisions = facts.decisions();
    let own = decisions.iter().map(|decision| breadcrumb(decision, at));
    own.chain(left.into_iter().map(cleaned)).collect()
}

fn breadcrumb(decision: &Decision, at: SystemTime) -> Breadcrumb {
    let message = format!("{} by {}: {}", decision.outcome(), decision.policy(), decision.reason());
    Breadcrumb {
        timestamp: at,
        category: Some(format!("palisade.{}", decision.guard())),
        message: Some(clean(&message, LONGEST)),
        ..Breadcrumb::default()
    }
}

fn cleaned(mut breadcrumb: Breadcrumb) -> Breadcrumb {
    breadcrumb.message = breadcrumb.message.map(|message| clean(&message, LONGEST));
    // Names and values, as one text: that is how the redactor knows them.
    let data = std::mem::take(&mut breadcrumb.data);
    if !data.is_empty() {
        let text = clean(&serde_json::to_string(&data).unwrap_or_default(), LONGEST);
        breadcrumb.data.insert("data".to_owned(), text.into());
    }
    breadcrumb
}

/// Redacted, then cut: half a secret might not be seen.
fn clean(text: &str, longest: usize) -> String {
    cut(&redacted(text), longest)
}

fn cut(text: &str, longest: usize) -> String {
    let end = (0..=longest.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}
