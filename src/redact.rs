//! Takes secrets out of a text before it is kept or sent anywhere: one redactor for problem bodies, logs, reports and statistics.
//!
//! What is taken for a secret: the value of a name that says so (`password=..`, `"token": ".."`, `api_key: ..`, `Authorization: ..`), what
//! follows `Bearer` or `Basic`, the user in a URL, and a JSON web token. It is defence in depth: the best secret in an error
//! is one that was never put there.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

/// What is left of a match: the first group, and a word in the secret's place.
const KEPT: &str = "${1}[redacted]";

/// What stands between a name and its value, anywhere.
const BETWEEN: &str = r#"\\?["']?\s*[=:]\s*"#;
/// The same in what a client is told, where `password: too short` is a sentence.
const BETWEEN_STRICT: &str = r#"(?:\\?["']\s*[=:]\s*|\s*=\s*|:)"#;

static SECRETS: LazyLock<Vec<Regex>> = LazyLock::new(|| patterns(BETWEEN));
static SECRETS_FOR_CLIENTS: LazyLock<Vec<Regex>> = LazyLock::new(|| patterns(BETWEEN_STRICT));

/// Each keeps its first group, and loses the rest.
fn patterns(between: &str) -> Vec<Regex> {
    let named = [
        r"(?i)([A-Za-z0-9_.-]*(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|authorization|cookie|",
        r"session[_-]?id|credential|private[_-]?key|access[_-]?key)[A-Za-z0-9_-]*",
        between,
        r"(?:(?:bearer|basic)\s+)?)",
        r#"(?:\\"[^"\\]*(?:\\")?|"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s"'&,;)}\[\]]+)"#,
    ];
    let patterns = [
        // postgres://user:password@host. No look-ahead: the `@` goes too.
        r"(://)[^/\s@]+@",
        // password=abc, "client_secret": "abc", api-key: abc; with a scheme before the value
        &named.concat(),
        // Bearer abc, Basic abc: after the names, which know their schemes
        r"(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}",
        // A JSON web token, wherever it stands.
        r"()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*",
    ];
    patterns.into_iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
}

/// The text without its secrets.
pub(crate) fn redacted(text: &str) -> Cow<'_, str> {
    replaced(text, &SECRETS)
}

/// A text for a client, without its secrets. What the program itself says has none.
pub(crate) fn told(text: Cow<'static, str>) -> Cow<'static, str> {
    match text {
        Cow::Borrowed(_) => text,
        Cow::Owned(text) => replaced(&text, &SECRETS_FOR_CLIENTS).into_owned().into(),
    }
}

fn replaced<'a>(text: &'a str, secrets: &[Regex]) -> Cow<'a, str> {
    secrets.iter().fold(Cow::Borrowed(text), |text, secret| match secret.replace_all(&text, KEPT) {
        Cow::Borrowed(_) => text,
        Cow::Owned(less) => Cow::Owned(less),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_reads_like_a_secret_is_taken_out() {
        assert_eq!(SECRETS.len(), 4, "every pattern compiles");
        for (text, expected) in [
            ("postgres://admin:hunter2@db:5432/shop: no route", "postgres://[redacted]db:5432/shop: no route"),
            ("Authorization: Bearer abcdef", "Authorization: Bearer [redacted]"),
            ("authorization=Basic YWRhOnB3", "authorization=Basic [redacted]"),
            ("got Bearer abc.def-12 from", "got Bearer [redacted] from"),
            ("GET /a?token=abc&page=2", "GET /a?token=[redacted]&page=2"),
            (r#"{"password":"hun\"ter2","user":"ada"}"#, r#"{"password":[redacted],"user":"ada"}"#),
            (r#"body: "{\"password\":\"hunter2\",\"a\":1}""#, r#"body: "{\"password\":[redacted],\"a\":1}""#),
            ("client_secret: 'a b c', x", "client_secret: [redacted], x"),
            ("X-Api-Key: k1, more", "X-Api-Key: [redacted], more"),
            ("cookie: session=abc; other=def", "cookie: [redacted]; other=def"),
            ("AWS_SECRET_ACCESS_KEY=abc/def+ghi", "AWS_SECRET_ACCESS_KEY=[redacted]"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig", "jwt [redacted]"),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }

    #[test]
    fn what_does_not_is_left_as_it_is() {
        for text in [
            "",
            "invalid digit found in string",
            "http://example.com/path?page=2",
            "the token is missing",
            "password too short",
            "unexpected token `}` in line 3",
            "basic auth is off",
        ] {
            assert_eq!(redacted(text), text);
        }
    }

    #[test]
    fn a_client_is_told_no_secret_and_every_sentence() {
        assert_eq!(SECRETS_FOR_CLIENTS.len(), 4, "every pattern compiles");
        for (text, expected) in [
            ("password: must have 8 characters", "password: must have 8 characters"),
            (
                "password: invalid type: integer, expected a string",
                "password: invalid type: integer, expected a string",
            ),
            ("no such token: try another", "no such token: try another"),
            ("got token=abc", "got token=[redacted]"),
            ("at token:abc", "at token:[redacted]"),
            (r#"in {"password": "abc"}"#, r#"in {"password": [redacted]}"#),
            ("postgres://a:b@c", "postgres://[redacted]c"),
            ("Authorization: Bearer abcdefghi", "Authorization: Bearer [redacted]"),
        ] {
            assert_eq!(told(text.to_owned().into()), expected);
        }
        assert_eq!(told("the word token=x of a programmer".into()), "the word token=x of a programmer");
    }

    proptest! {
        #[test]
        fn a_planted_secret_is_never_left(
            name in "(password|token|client_secret|api_key|X-Api-Key|authorization)",
            between in "(=|: |\": \"|:)",
            secret in "[A-Za-z0-9]{12,24}",
            before in "[ a-z{,&?]{0,8}",
        ) {
            let text = format!("{before} {name}{between}{secret} after");
            let less = redacted(&text);
            prop_assert!(!less.contains(&secret), "{} in {}", secret, less);
        }
    }
}
