//! Takes secrets out of a text before it is kept or sent anywhere: one redactor for problem bodies, logs, reports and statistics.
//!
//! What is taken for a secret: the value of a name that says so (`password=..`, `"token": ".."`, `api_key: ..`, `Authorization: ..`), what
//! follows `Bearer` or `Basic`, the user in a URL, and a JSON web token. It is defence in depth: the best secret in an error
//! is one that was never put there, or one that came as a [`Redacted`].

use std::{borrow::Cow, fmt, sync::LazyLock};

use regex::{Captures, Regex};

/// What stands in a secret's place.
const REDACTED: &str = "[redacted]";

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
const BETWEEN: &str = r#"(?:(?:\\*["']|%2[27])\s*(?:=>|[=:,]|%3[DdAa])|\s*(?:=>|[=:]|%3[DdAa]))\s*"#;
/// The same in what a client is told, where `password: too short` is a sentence.
const BETWEEN_STRICT: &str = r#"(?:(?:\\*["']|%2[27])\s*(?:=>|[=:,]|%3[DdAa])\s*|\s*(?:=>|=|%3[DdAa])\s*|:)"#;

static SECRETS: LazyLock<Vec<Regex>> = LazyLock::new(|| patterns(BETWEEN));
static SECRETS_FOR_CLIENTS: LazyLock<Vec<Regex>> = LazyLock::new(|| patterns(BETWEEN_STRICT));

/// Each keeps its first group, and loses the rest.
fn patterns(between: &str) -> Vec<Regex> {
    let words = NAMES.join("|").replace('_', "[_-]?");
    let name = format!("[A-Za-z0-9_.-]*(?:{words})[A-Za-z0-9_-]*");
    let patterns = [
        // postgres://user:password@host, with an `@` or a `/` in the password. No look-ahead: the last `@` goes too.
        r"(://)(?:[^/\s]+|[^\s/@:]+:[^\s@0-9/][^\s@]*)@".to_owned(),
        // The whole of a header: Cookie: a=b; c=d, Authorization: Token abc
        r#"(?i)(cookie\\*["']?\s*[:=]\s*\\*["']?)[^\s=;,"'\\]+=[^\r\n"'\\]*"#.to_owned(),
        r#"(?i)(authorization\\*["']?\s*[:=]\s*\\*["']?)[A-Za-z][A-Za-z0-9_-]*[ \t]+[^\s"',;)}\\]+"#.to_owned(),
        // A field of a form with files, and an element.
        format!(r#"(?i)(name\\*=\\*"?{name}"?[^\n]*(?:\n[^\r\n]+)*\r?\n\r?\n)[^\r\n]+"#),
        format!(r"(?i)(<{name}(?:\s[^<>]*)?>)[^<]+"),
        // password=abc, "client_secret": "abc", api-key: abc, token: Some("abc"), {"password": ["abc"]}
        format!(
            r#"(?i)({name}{between})(?:b?\\+"[^"\\]*(?:\\+")?|b?"(?:[^"\\]|\\.)*"?|'[^']*'?|[A-Za-z_:]*[\[({{][^\])}}]*[\])}}]*|[^\s"'&,;)}}\[\]<]+)"#
        ),
        // Bearer abc, Basic abc: after the names, which know their schemes
        r"(?i)(\b(?:bearer|basic)(?:\s|%20|\+)+)[A-Za-z0-9._~+/=-]{8,}".to_owned(),
        // A JSON web token, wherever it stands.
        r"()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*".to_owned(),
    ];
    patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
}

/// A text that is cut is read this much further, so that a secret at the cut is seen whole.
const MARGIN: usize = 2048;

/// The beginning of the text, without its secrets; and whether that was all of it.
pub(crate) fn redacted_head(text: &str, longest: usize) -> (Cow<'_, str>, bool) {
    if text.len() <= longest {
        return (redacted(text), true);
    }
    let read = head(text, longest + MARGIN);
    let less = redacted(read);
    // What is at the end of what was read, may be the first half of a secret.
    let room = if read.len() < text.len() { less.len().saturating_sub(MARGIN) } else { less.len() };
    (head(&less, room.min(longest)).to_owned().into(), false)
}

/// As much of a text as has room, in whole characters.
pub(crate) fn head(text: &str, room: usize) -> &str {
    let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
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
    secrets.iter().fold(Cow::Borrowed(text), |text, secret| {
        let kept = |found: &Captures<'_>| {
            let (whole, before) = (&found[0], &found[1]);
            if is_sentence(before, &whole[before.len()..]) { whole.to_owned() } else { format!("{before}{REDACTED}") }
        };
        match secret.replace_all(&text, kept) {
            Cow::Borrowed(_) => text,
            Cow::Owned(less) => Cow::Owned(less),
        }
    })
}

/// `cannot refresh token: connection refused`: a word in small letters is no token, though it may be a password.
fn is_sentence(before: &str, value: &str) -> bool {
    let word = before.trim_end_matches(' ').strip_suffix(':').filter(|word| word.len() + 1 < before.len());
    let is_password = |word: &str| {
        let word = word.to_ascii_lowercase();
        ["pass", "pwd", "secret", "\"", "'"].iter().any(|part| word.contains(part))
    };
    word.is_some_and(|word| !is_password(word)) && value.bytes().all(|byte| byte.is_ascii_lowercase())
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
/// Either it has the name of a secret in it, or what is rare in other texts. What is not ASCII beside one is left to the patterns, and
/// so are the two letters beyond ASCII that are an `s` and a `k` to them.
fn is_suspect(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut anchors = bytes.iter().enumerate().filter(|(_, byte)| ANCHORS[usize::from(**byte)]);
    names_secret(bytes)
        || anchors.any(|(at, byte)| match byte {
            b':' => bytes[at + 1..].starts_with(b"//") && bytes[at..].contains(&b'@'),
            b'b' | b'B' => begins(&bytes[at..], "bearer") || begins(&bytes[at..], "basic"),
            b'J' => bytes[..at].ends_with(b"ey"),
            0xbf => bytes[..at].ends_with(b"\xc5"),
            0xaa => bytes[..at].ends_with(b"\xe2\x84"),
            _ => false,
        })
}

/// The rare byte of each pattern without a name, and the last of the two letters beyond ASCII.
const ANCHORS: [bool; 256] = {
    let (anchors, mut is_anchor, mut at) = (*b":bBJ\xbf\xaa", [false; 256], 0);
    while at < anchors.len() {
        is_anchor[anchors[at] as usize] = true;
        at += 1;
    }
    is_anchor
};

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
        assert_eq!(SECRETS.len(), 8, "every pattern compiles");
        for (text, expected) in [
            ("postgres://admin:hunter2@db:5432/shop: no route", "postgres://[redacted]db:5432/shop: no route"),
            ("Authorization: Bearer abcdef", "Authorization: [redacted]"),
            ("authorization=Basic YWRhOnB3", "authorization=[redacted]"),
            ("got Bearer abc.def-12 from", "got Bearer [redacted] from"),
            ("GET /a?token=abc&page=2", "GET /a?token=[redacted]&page=2"),
            (r#"{"password":"hun\"ter2","user":"ada"}"#, r#"{"password":[redacted],"user":"ada"}"#),
            (r#"body: "{\"password\":\"hunter2\",\"a\":1}""#, r#"body: "{\"password\":[redacted],\"a\":1}""#),
            ("client_secret: 'a b c', x", "client_secret: [redacted], x"),
            ("X-Api-Key: k1, more", "X-Api-Key: [redacted], more"),
            ("cookie: session=abc; other=def", "cookie: [redacted]"),
            ("Cookie: theme=dark; session=abc\nHost: a", "Cookie: [redacted]\nHost: a"),
            ("Authorization: Token abc", "Authorization: [redacted]"),
            (r#"Login { user: "ada", password: Some("abc") }"#, r#"Login { user: "ada", password: [redacted] }"#),
            (
                r#"Object {"password": String("abc"), "a": Number(1)}"#,
                r#"Object {"password": [redacted], "a": Number(1)}"#,
            ),
            (r#"{"password":["abc","def"],"a":1}"#, r#"{"password":[redacted],"a":1}"#),
            (r#"{"password":{"value":"abc"}}"#, r#"{"password":[redacted]"#),
            (r#"{\\\"password\\\":\\\"abc\\\"}"#, r#"{\\\"password\\\":[redacted]}"#),
            (r#"Tok { token: Tok("abc"), b: b"x" }"#, r#"Tok { token: [redacted], b: b"x" }"#),
            (r#"password: b"abc", c"#, "password: [redacted], c"),
            (r#"[("token", "abc"), ("page", "2")]"#, r#"[("token", [redacted]), ("page", "2")]"#),
            ("at /a?q=1&token%3Dabc", "at /a?q=1&token%3D[redacted]"),
            ("%7B%22password%22%3A%22abc%22%7D", "%7B%22password%22%3A[redacted]"),
            ("password => abc", "password => [redacted]"),
            ("<login><password>abc</password></login>", "<login><password>[redacted]</password></login>"),
            (
                "Content-Disposition: form-data; name=\"password\"\r\n\r\nabc\r\n--b",
                "Content-Disposition: form-data; name=\"password\"\r\n\r\n[redacted]\r\n--b",
            ),
            ("postgres://u:p@q@host/db", "postgres://[redacted]host/db"),
            ("postgres://u:a/b@host/db", "postgres://[redacted]host/db"),
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
            "cannot refresh token: connection refused",
            "bad cookie: invalid utf-8",
            "http://host:3000/@scope/package",
        ] {
            assert_eq!(redacted(text), text);
        }
    }

    #[test]
    fn a_client_is_told_no_secret_and_every_sentence() {
        assert_eq!(SECRETS_FOR_CLIENTS.len(), 8, "every pattern compiles");
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
            ("Authorization: Bearer abcdefghi", "Authorization: [redacted]"),
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
                "password|PWD|to\u{212a}en|<|>|\\(|name=|\n|%3D|,|\u{17f}ecret|ba\u{17f}ic|api-key|[=: ]|\\\\|[\"']|\u{a0}|\u{b}|bearer|Basic|[a-z]{8}|://|@|/|eyJ|\\.|\u{e9}",
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
