//! How many of a password's characters somebody who guesses has to find.

/// What people make passwords of, most of all; a public list begins with these whichever it is.
const WORDS: [&str; 14] = [
    "password", "passwort", "passw0rd", "p@ssword", "letmein", "welcome", "iloveyou", "admin", "login", "monkey",
    "dragon", "master", "secret", "princess",
];

/// The rows of a keyboard and its columns, both ways aslant.
const LINES: [&str; 20] = [
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz",
    "2wsx",
    "3edc",
    "4rfv",
    "5tgb",
    "6yhn",
    "7ujm",
    "8ik",
    "9ol",
    "4esz",
    "5rdx",
    "6tfc",
    "7ygv",
    "8uhb",
    "9ijn",
    "0okm",
];

/// What stands on a digit's key.
const SHIFTED: &str = "!@#$%^&*()";

/// A piece as long as this that came before is known to who found it.
const REPEATED: usize = 4;

/// A length, and how many of it must be found; less where it repeats itself, goes on from key to key or is a word that everybody takes.
pub(super) struct Effort {
    /// Without what came before.
    pub(super) length: usize,
    pub(super) to_find: usize,
}

impl Effort {
    pub(super) fn of(password: &str) -> Self {
        let characters: Vec<char> = password.to_lowercase().chars().collect();
        let once: String = without_repeats(&characters);
        let mut rest = once.clone();
        for word in WORDS {
            rest = rest.replace(word, "\u{1}");
        }
        let mut before = None;
        let mut to_find = 0;
        for character in rest.chars().map(unshifted) {
            to_find += usize::from(!before.is_some_and(|before| goes_on(before, character)));
            before = Some(character);
        }
        Self { length: once.chars().count(), to_find }
    }
}

/// Each piece once.
fn without_repeats(characters: &[char]) -> String {
    let mut once = String::new();
    let mut at = 0;
    while at < characters.len() {
        let rest = &characters[at..];
        let same = |from: usize| rest.iter().zip(&characters[from..]).take_while(|(one, other)| one == other).count();
        let known = (0..at).map(same).max().unwrap_or(0);
        if known >= REPEATED {
            at += known;
        } else {
            once.push(characters[at]);
            at += 1;
        }
    }
    once
}

fn goes_on(before: char, next: char) -> bool {
    let neighbours = |line: &&str| match (line.find(before), line.find(next)) {
        (Some(before), Some(next)) => before.abs_diff(next) <= 1,
        _ => false,
    };
    u32::from(before).abs_diff(u32::from(next)) <= 1 || LINES.iter().any(neighbours)
}

fn unshifted(character: char) -> char {
    SHIFTED.find(character).and_then(|at| "1234567890".chars().nth(at)).unwrap_or(character)
}
