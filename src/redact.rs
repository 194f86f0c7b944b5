//! Takes secrets out of a text before it is kept or sent anywhere: one redactor for problem bodies, logs, reports and statistics.
//!
//! What is taken for a secret: the value of a name that says so (`password=..`, `"token": ".."`, `api_key: ..`, `Authorization: ..`), what
//! follows `Bearer` or `Basic`, the user in a URL, and a JSON web token. It is defence in depth: the best secret in an error
//! is one that was never put there, or one that came as a [`Redacted`].

use std::{borrow::Cow, fmt, sync::LazyLock};

use regex::Regex;

/// What is left of a match: the first group, and a word in the secret's place.
const KEPT: &str = "${1}[redacted]";

/// What a name of a secret has in it, in small and in capitals. Where `_` stands, `-` or nothing may.
const NAMES: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "authorization",
    "cookie",
    "session_id",
    "credential",
    "private_key",
    "access_key",
];

/// What stands between a name and its value, anywhere.
const BETWEEN: &str = r#"\\?["']?\s*[=:]\s*"#;
/// The same in what a client is told, where `password: too short` is a sentence.
const BETWEEN_STRICT: &str = r#"(?:\\?["']\s*[=:]\s*|\s*=\s*|:)"#;

static SECRETS: LazyLock<Vec<Regex>> = LazyLock::new(|| patterns(BETWEEN));
static SECRETS_FOR_CLIENTS: LazyLock<Vec<Regex>> = LazyLock::new(|| patterns(BETWEEN_STRICT));

/// Each keeps its first group, and loses the rest.
fn patterns(between: &str) -> Vec<Regex> {
    let words = NAMES.join("|").replace('_', "[_-]?");
    let named = [
        r"(?i)([A-Za-z0-9_.-]*(?:",
        &words,
        r")[A-Za-z0-9_-]*",
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
    if !is_suspect(text) {
        return Cow::Borrowed(text);
    }
    secrets.iter().fold(Cow::Borrowed(text), |text, secret| match secret.replace_all(&text, KEPT) {
        Cow::Borrowed(_) => text,
        Cow::Owned(less) => Cow::Owned(less),
    })
}

/// Whether a name says that its value is a secret.
pub(crate) fn names_secret(name: &[u8]) -> bool {
    let starts = |pair: &[u8]| STARTS[usize::from(pair[0] & 31)] >> (pair[1] & 31) & 1 == 1;
    let mut pairs = name.windows(2).enumerate();
    pairs.any(|(at, pair)| starts(pair) && NAMES.iter().any(|word| begins(&name[at..], word)))
}

/// With which second letters the names go on, by their first: few pairs of letters are to be looked at twice. Of a letter its last
/// five bits, which a small one and a capital have in common.
const STARTS: [u32; 32] = {
    let (mut starts, mut at) = ([0; 32], 0);
    while at < NAMES.len() {
        let name = NAMES[at].as_bytes();
        starts[(name[0] & 31) as usize] |= 1 << (name[1] & 31);
        at += 1;
    }
    starts
};

fn begins(mut text: &[u8], word: &str) -> bool {
    word.bytes().all(|wanted| match (wanted, text) {
        (b'_', [b'_' | b'-', rest @ ..]) => {
            text = rest;
            true
        }
        (b'_', _) => true,
        (_, [byte, rest @ ..]) if byte.to_ascii_lowercase() == wanted => {
            text = rest;
            true
        }
        _ => false,
    })
}

/// Whether any pattern could match. Nearly no text has that in it, and to see so costs a hundredth of asking the patterns.
///
/// Each pattern has a byte that is rare elsewhere. What is not ASCII beside one is left to the patterns, and so are the two
/// letters beyond ASCII that are an `s` and a `k` to them.
fn is_suspect(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut anchors = bytes.iter().enumerate().filter(|(_, byte)| ANCHORS[usize::from(**byte)]);
    anchors.any(|(at, byte)| match byte {
        b'=' | b':' => names_value(&bytes[..at]) || holds_user(&bytes[at + 1..]),
        b'b' | b'B' => ["bearer", "basic"].iter().any(|scheme| {
            begins(&bytes[at..], scheme)
                && bytes
                    .get(at + scheme.len())
                    .is_some_and(|next| next.is_ascii_whitespace() || !next.is_ascii() || *next == 0x0b)
        }),
        b'J' => bytes[..at].ends_with(b"ey"),
        0xbf => bytes[..at].ends_with(b"\xc5"),
        0xaa => bytes[..at].ends_with(b"\xe2\x84"),
        _ => false,
    })
}

/// The rare byte of each pattern, and the last of the two letters beyond ASCII.
const ANCHORS: [bool; 256] = {
    let (anchors, mut is_anchor, mut at) = (*b"=:bBJ\xbf\xaa", [false; 256], 0);
    while at < anchors.len() {
        is_anchor[anchors[at] as usize] = true;
        at += 1;
    }
    is_anchor
};

/// Whether this text, which an `=` or a `:` follows, ends in the name of a secret.
fn names_value(before: &[u8]) -> bool {
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let end = before.iter().rposition(|byte| !is_space(byte)).map_or(0, |last| last + 1);
    let before = &before[..end];
    let before = before.strip_suffix(b"\"").or(before.strip_suffix(b"'")).unwrap_or(before);
    let before = before.strip_suffix(b"\\").unwrap_or(before);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let start = before.iter().rposition(|byte| !is_name(byte)).map_or(0, |last| last + 1);
    names_secret(&before[start..]) || before[..start].last().is_some_and(|byte| !byte.is_ascii())
}

/// Whether this text, which follows a `:`, goes on as a URL with a user.
fn holds_user(after: &[u8]) -> bool {
    let end = |byte: &u8| matches!(byte, b'/' | b'@') || byte.is_ascii_whitespace();
    after.strip_prefix(b"//").is_some_and(|rest| rest.iter().find(|byte| end(byte)) == Some(&b'@'))
}

/// A value that is never printed: its `Debug` and `Display` are `[redacted]`, whatever is in it.
///
/// ```
/// use palisade::Redacted;
/// #[derive(Debug)]
/// struct Login { user: String, password: Redacted<String> }
/// let login = Login { user: "ada".into(), password: "hunter2".to_owned().into() };
/// assert_eq!(format!("{login:?}"), r#"Login { user: "ada", password: [redacted] }"#);
/// assert_eq!(login.password.expose(), "hunter2");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Keeps it from being printed.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// What is in it, for the one place that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// What is in it, from now on like any other value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Redacted<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
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

    #[test]
    fn a_name_says_whether_its_value_is_a_secret() {
        for name in [
            "password",
            "db.password",
            "Authorization",
            "apiKey",
            "x-api-key",
            "API_KEY",
            "sessionId",
            "set-cookie",
            "AccessKey",
        ] {
            assert!(names_secret(name.as_bytes()), "{name}");
        }
        for name in ["", "user", "path", "session", "key", "author", "toke", "api", "passage"] {
            assert!(!names_secret(name.as_bytes()), "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_text_that_is_not_suspect_has_nothing_for_a_pattern(
            parts in proptest::collection::vec(
                "password|PWD|to\u{212a}en|\u{17f}ecret|ba\u{17f}ic|api-key|[=: ]|\\\\|[\"']|\u{a0}|\u{b}|bearer|Basic|[a-z]{8}|://|@|/|eyJ|\\.|\u{e9}",
                0..12,
            ),
        ) {
            let text = parts.concat();
            for secrets in [&SECRETS, &SECRETS_FOR_CLIENTS] {
                let found = secrets.iter().any(|secret| secret.is_match(&text));
                prop_assert!(!found || is_suspect(&text), "{:?}", text);
            }
        }

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
