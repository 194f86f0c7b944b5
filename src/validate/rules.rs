//! Rules for [`garde`]'s `custom`, for what services are attacked with.
//!
//! Each takes a text and says what is wrong with it, never what it was. They are for data that a client chose and that goes
//! on as a name, a path or a text; a query still has its parameters bound, and a page its text escaped.

mod invisible;
mod password;

use garde::{Error, Result};

use self::{invisible::is_invisible, password::Effort};
use crate::inspect::{Class, Inspector, Location, Sensitivity};

/// One name of a file, wherever it is written.
///
/// No separator, no control or invisible character (such as joiners and marks of direction), nothing that Windows takes for a device or a
/// stream, none of `< > : " | ? *`, no dot at its start, no dot at its end, no blank at either, at most 255 bytes.
///
/// # Errors
/// Which of these it breaks.
pub fn safe_file_name<T: AsRef<str>, C>(name: &T, _: &C) -> Result {
    broken(file_name_fault(name.as_ref()))
}

/// A path that stays below where it begins: [safe names](safe_file_name) between single slashes, none at the start or the end, at most 4096 bytes.
///
/// # Errors
/// Which of these it breaks.
pub fn safe_relative_path<T: AsRef<str>, C>(path: &T, _: &C) -> Result {
    let path = path.as_ref();
    let fault =
        if path.len() > 4096 { Some("is longer than 4096 bytes") } else { path.split('/').find_map(file_name_fault) };
    broken(fault)
}

/// A password that is not guessed among the first: so many characters, without those that a pattern adds.
///
/// A piece that came before does not count for its length (`hunterhunter` is as long as `hunter`). Half of it must be to find: a character
/// that repeats the one before it or stands beside it (`aaa`, `1234`, `qwerty`, `1qaz2wsx`) is not, nor is a word that passwords are
/// made of (`password`, `letmein`) more than one. There are no demands of digits and capitals, as
/// NIST SP 800-63B-4 (3.1.1.2) has it; it advises 15 characters where a password is all that is asked for, and at least 8 where it is not. More
/// than 1024 bytes is no password.
pub fn password<T: AsRef<str>, C>(shortest: usize) -> impl Fn(&T, &C) -> Result {
    move |password, _| {
        let password = password.as_ref();
        if password.len() > 1024 {
            return Err(Error::new("is longer than 1024 bytes"));
        }
        if password.chars().count() < shortest {
            return Err(Error::new(format_args!("is shorter than {shortest} characters")));
        }
        let Effort { length, to_find } = Effort::of(password);
        broken((length < shortest || to_find < shortest.div_ceil(2)).then_some("is easily guessed"))
    }
}

/// Plain text: nothing that a browser could take for the beginning of a tag or a comment, and no entity.
///
/// An entity without its `;` is one where it stands for a sign of markup (`&lt`). `1 < 2`, `<3` and `?a=1&copy=2` pass; `&copy;` and `&#60`
/// do not.
///
/// # Errors
/// That it has markup in it.
pub fn no_markup<T: AsRef<str>, C>(text: &T, _: &C) -> Result {
    // What browsers read without its end (HTML, 13.5) and what makes markup.
    const SIGNS: [&[u8]; 8] = [b"lt", b"LT", b"gt", b"GT", b"amp", b"AMP", b"quot", b"QUOT"];
    let bytes = text.as_ref().as_bytes();
    let begins = |place: usize| match (bytes[place], bytes.get(place + 1)) {
        (b'<', Some(next)) => next.is_ascii_alphabetic() || b"/!?".contains(next),
        (b'&', Some(b'#')) => true,
        (b'&', Some(_)) => {
            let behind = &bytes[place + 1..];
            let name = behind.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            name > 0 && behind.get(name) == Some(&b';') || SIGNS.iter().any(|sign| behind.starts_with(sign))
        }
        _ => false,
    };
    broken((0..bytes.len()).any(begins).then_some("has markup in it"))
}

/// Plain text: nothing that looks like a piece of SQL.
///
/// `O'Brien` and `SELECT a colour` pass. The defence against injection is that queries
/// have their parameters bound; this is for values that should never look like that.
///
/// # Errors
/// That it looks like SQL.
pub fn no_sql<T: AsRef<str>, C>(text: &T, _: &C) -> Result {
    const SQL: Inspector = Inspector::all(Sensitivity::Off).class(Class::SqlInjection, Sensitivity::Default);
    let found = SQL.inspect(text.as_ref().as_bytes(), Location::Json);
    broken(found.map(|_| "looks like SQL"))
}

fn broken(fault: Option<&str>) -> Result {
    fault.map_or(Ok(()), |fault| Err(Error::new(fault)))
}

fn file_name_fault(name: &str) -> Option<&'static str> {
    // What Windows opens a device for, whatever stands behind the first dot.
    const DEVICES: [&str; 7] = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = ["com", "lpt"].iter().any(|device| {
        stem.strip_prefix(device).is_some_and(|rest| rest.chars().count() == 1 && rest.contains(is_device_digit))
    });
    if name.is_empty() {
        Some("has a name that is empty")
    } else if name.len() > 255 {
        Some("has a name longer than 255 bytes")
    } else if name.starts_with('.') {
        Some("has a name that starts with a dot")
    } else if name.ends_with('.') || name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) {
        Some("has a name that ends with a dot, or begins or ends with a space")
    } else if name.contains(['/', '\\', '<', '>', ':', '"', '|', '?', '*']) {
        Some(r#"has a name with one of / \ < > : " | ? *"#)
    } else if name.contains(is_invisible) {
        Some("has a name with a character that cannot be seen")
    } else if numbered || DEVICES.contains(&&*stem) {
        Some("has the name of a device")
    } else {
        None
    }
}

fn is_device_digit(digit: char) -> bool {
    digit.is_ascii_digit() || "\u{b9}\u{b2}\u{b3}".contains(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(rule: impl Fn(&String, &()) -> Result, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(rule(&(*text).to_owned(), &()).is_ok(), "{text:?}");
        }
        for text in bad {
            let Err(error) = rule(&(*text).to_owned(), &()) else { panic!("{text:?} passed") };
            assert!(text.len() < 4 || !error.message().contains(text), "the value is not told: {error}");
        }
    }

    #[test]
    fn a_safe_file_name_is_one_name_everywhere() {
        let long = "a".repeat(256);
        passes(
            safe_file_name,
            &[
                "a",
                "report.pdf",
                "Ren\u{e9}e & Co (2).tar.gz",
                "\u{5199}\u{771f}.jpg",
                "console.log",
                "com",
                "com10",
                "a..b",
                "shot 9.41.00\u{202f}AM.png",
                "clock.txt",
                "-rf",
            ],
            &[
                "",
                ".",
                "..",
                ".htaccess",
                "a/b",
                "..\\b",
                "C:",
                "a:stream",
                "nul",
                "CON.txt",
                "lpt1",
                "COM\u{b9}.x",
                "aux .txt",
                "clock$",
                "CLOCK$.log",
                "a.",
                "a ",
                " a",
                "a\0.png",
                "a\nb",
                "a\u{202e}gpj.exe",
                "\u{feff}a",
                "a\u{61c}.txt",
                "invoice\u{ad}.pdf",
                "a\u{180e}b",
                "a\u{3164}",
                "a\u{e0041}",
                "a\u{a0}",
                "\u{3000}a",
                "a?",
                "a*",
                "<a>",
                "\"a\"",
                "a|b",
                &long,
            ],
        );
    }

    #[test]
    fn a_safe_path_stays_below_where_it_begins() {
        let long = "a/".repeat(2048) + "a";
        passes(
            safe_relative_path,
            &["a", "a/b/c.txt", "2026/11/report (1).pdf"],
            &[
                "",
                "/",
                "/etc/passwd",
                "a//b",
                "a/",
                "a/../b",
                "../a",
                "./a",
                "a/./b",
                "a\\b",
                "C:/a",
                "~/.ssh",
                "a/nul",
                &long,
            ],
        );
    }

    #[test]
    fn a_password_is_not_one_of_the_first_to_be_guessed() {
        passes(
            password(12),
            &[
                "correct horse battery staple",
                "v8$kQz!m2Lpw",
                "Tr0ub4dor&3xyW",
                "the cat and the dog and the bird",
                "no way, no way at all",
                "\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}-\u{43d}\u{430}\u{434}\u{435}\u{436}\u{43d}\u{44b}\u{439}",
            ],
            &[
                "brief",
                "aaaaaaaaaaaaaaaa",
                "123456789012",
                "Password1234",
                "qwertyuiop123",
                "abcdefghijkl",
                "PasswordPassword",
                "letmeinletmein1",
                "1qaz2wsx3edc4rfv",
                "!QAZ2wsx#EDC4rfv",
                "zaq12wsxcde3",
                "hunterhunter",
                "Hunter-hunter",
                "bananabananabanana",
                "hello1hello2hello3",
                "x7$kQ2x7$kQ2",
            ],
        );
        let long = "correct horse ".repeat(80);
        passes(password(12), &[], &[&long, &"ab".repeat(512)]);
        passes(password(8), &["jL4#pdQ9"], &["1qaz2wsx", "qazwsxedc", "passpass"]);
    }

    #[test]
    fn text_that_looks_like_sql_is_told_from_text_that_does_not() {
        passes(
            no_sql,
            &[
                "",
                "O'Brien",
                "SELECT a colour",
                "drop me a line at the table",
                "<script>alert(1)</script>",
                "Union Square",
            ],
            &["1' OR '1'='1", "'; DROP TABLE users; --", "1 UNION SELECT password FROM users"],
        );
    }

    #[test]
    fn text_without_markup_may_have_signs_in_it() {
        passes(
            no_markup,
            &[
                "",
                "1 < 2 && 3 > 2",
                "<3",
                "a & b; c",
                "AT&T",
                "R&D and more;",
                "x <- y",
                "O'Brien",
                "&",
                "<",
                "?a=1&copy=2",
                "&l",
            ],
            &[
                "<b>",
                "</b",
                "<!-- -->",
                "<?xml",
                "&lt;",
                "&#60;",
                "&#x3c",
                "a<script",
                "&nbsp;",
                "&ltd",
                "&lt",
                "a&LTscript",
                "&ampl",
                "&quot",
            ],
        );
    }
}
