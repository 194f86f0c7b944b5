//! A look at a value, beside a crate that reads SQL and HTML, a tokenizer that judges nothing, and the regexes of a tutorial.
//!
//! `INSPECT_INPUTS` names a directory of JSON lines (`class`, `payload`); without it the values are a few of our own.

use std::{env, fs, hint::black_box};

use cpu_time::ProcessTime;
use palisade::inspect::{Inspector, Location, Sensitivity};
use regex::bytes::RegexSet;
use serde_json::Value;

const ROUNDS: usize = 7;

type Look<'a> = &'a dyn Fn(&[u8]) -> bool;

fn main() {
    let (benign, attacks) = inputs();
    let by_default = Inspector::new();
    let strict = Inspector::all(Sensitivity::Strict);
    let tutorial = tutorial();
    let contenders: [(&str, Look<'_>); 5] = [
        ("palisade, default", &|value| by_default.inspect(value, Location::Form).is_some()),
        ("palisade, strict", &|value| strict.inspect(value, Location::Form).is_some()),
        ("tokenizer alone", &|value| tokens(value) > usize::MAX / 2),
        ("tutorial's regexes", &|value| tutorial.is_match(value)),
        ("libinjectionrs", &|value| {
            libinjectionrs::detect_sqli(value).is_injection() || libinjectionrs::detect_xss(value).is_injection()
        }),
    ];
    println!("{} benign values, {} attacks; processor time, the best of {ROUNDS}", benign.len(), attacks.len());
    println!("{:<20} {:>12} {:>8} {:>12} {:>10}", "", "ns / 100 B", "MB/s", "ns / attack", "x palisade");
    let mut first = None;
    for (name, look) in contenders {
        let (on_benign, bytes) = time(&benign, look);
        let (on_attacks, _) = time(&attacks, look);
        let per_hundred = on_benign * 100.0 / bytes;
        let ratio = per_hundred / *first.get_or_insert(per_hundred);
        let (speed, per_attack) = (bytes * 1e3 / on_benign, on_attacks / count(attacks.len()));
        println!("{name:<20} {per_hundred:>12.0} {speed:>8.0} {per_attack:>12.0} {ratio:>10.1}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn count(number: usize) -> f64 {
    number as f64
}

/// Nanoseconds of a look at each, and the bytes looked at.
fn time(values: &[Vec<u8>], look: Look<'_>) -> (f64, f64) {
    let round = |_| {
        let start = ProcessTime::now();
        for value in values {
            black_box(look(black_box(value)));
        }
        start.elapsed().as_secs_f64() * 1e9
    };
    let best = (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min);
    (best, count(values.iter().map(Vec::len).sum()))
}

/// Benign values, and attacks as long as people write them.
fn inputs() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let Ok(directory) = env::var("INSPECT_INPUTS") else {
        println!("INSPECT_INPUTS is not set: a few values of our own");
        let benign =
            ["It's a quarter past nine; shall we go?", "Anna Schmidt", "https://example.com/a/b?c=d&e=f", "42"];
        let attacks = ["1' or '1'='1", "<img src=x onerror=alert(1)>", "../../../etc/passwd", "; cat /etc/hosts"];
        let own = |values: [&str; 4]| values.repeat(1000).into_iter().map(|value| value.as_bytes().to_vec()).collect();
        return (own(benign), own(attacks));
    };
    let (mut benign, mut attacks) = (Vec::new(), Vec::new());
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "jsonl")) {
        for line in fs::read_to_string(file).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let value = line["payload"].as_str().unwrap_or_default().as_bytes().to_vec();
            if line["class"] == "benign" {
                benign.push(value);
            } else if value.len() < 4096 {
                attacks.push(value);
            }
        }
    }
    (benign, attacks)
}

/// What comes up first when one looks for it.
fn tutorial() -> RegexSet {
    RegexSet::new([
        r"(?i)(union\s+select|select\s+.+\s+from|insert\s+into|update\s+.+\s+set|delete\s+from|drop\s+table)",
        r#"(?i)('|")\s*(or|and)\s*('|"|\d)"#,
        r"(?i)(--|#|/\*)\s*$",
        r"(?i)<\s*script|javascript:|on\w+\s*=",
        r"\.\./|\.\.\\",
        r"(;|\||&&)\s*(cat|ls|rm|wget|curl|nc|bash|sh|id|whoami)\b",
    ])
    .unwrap()
}

/// Words, numbers, strings and signs, counted: the least that reading SQL costs.
fn tokens(value: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    let run = |at: usize, is: fn(&u8) -> bool| value[at..].iter().take_while(|byte| is(byte)).count();
    while let Some(&byte) = value.get(at) {
        at += match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => run(at, |byte| byte.is_ascii_alphanumeric() || *byte == b'_'),
            b'0'..=b'9' => run(at, u8::is_ascii_digit),
            b' ' | b'\t' | b'\n' | b'\r' => run(at, u8::is_ascii_whitespace),
            b'\'' | b'"' => 2 + value[at + 1..].iter().take_while(|other| **other != byte).count(),
            _ => 1,
        };
        count += 1;
    }
    count
}
