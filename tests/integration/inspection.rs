//! What people write passes, what attacks is refused: inputs of our own, through the public face.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use allocation_counter::measure;
use palisade::inspect::{Class, Inspector, Location, Sensitivity};
use proptest::{collection::vec, prelude::*, sample::select};

use self::cases::{ATTACKS, PEOPLE};

mod cases;

#[test]
fn what_people_write_passes_by_default() {
    let inspector = Inspector::new();
    for text in PEOPLE {
        for location in [Location::Query, Location::Form, Location::Json, Location::Text] {
            let verdict = inspector.inspect(text.as_bytes(), location);
            assert!(verdict.is_none(), "{location:?} {text:?}: {verdict:?}");
        }
    }
}

#[test]
fn attacks_are_refused_and_named() {
    let inspector = Inspector::new();
    for (class, attacks) in ATTACKS {
        for attack in *attacks {
            let verdict = inspector.inspect(attack.as_bytes(), Location::Query);
            let verdict = verdict.unwrap_or_else(|| panic!("missed {attack:?}"));
            let scores = inspector.scores(attack.as_bytes(), Location::Query);
            assert!(scores.of(*class) >= Sensitivity::Default.threshold(), "{attack:?}: {class:?} {verdict:?}");
            assert!(verdict.offset() <= attack.len());
        }
    }
}

/// Rules are named where they are given: in the engine's sources, and in the table that users read.
#[test]
fn the_table_of_rules_has_every_rule_and_no_other() {
    fn sources(directory: &Path) -> String {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let texts = entries.map(|path| if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() });
        texts.collect()
    }
    let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/layers/inspect/engine");
    let table = fs::read_to_string(engine.join("verdict.rs")).unwrap();
    let told: BTreeSet<_> =
        table.lines().filter_map(|line| line.trim().strip_prefix("/// | `")?.split('`').next()).collect();
    let sources = sources(&engine);
    let is_rule = |text: &&str| {
        let family = text.split('-').next().unwrap_or_default();
        ["sql", "xss", "path", "command", "code", "ldap"].contains(&family)
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && (text.contains('-') || *text == "command")
            && !Class::ALL.iter().any(|class| class.name() == *text)
    };
    let named: BTreeSet<_> = sources.split('"').filter(is_rule).collect();
    assert_eq!(told, named);
    assert!(named.len() > 60, "{}", named.len());
}

#[test]
fn a_class_that_is_off_refuses_nothing() {
    for (class, attacks) in ATTACKS {
        let only = Class::ALL.into_iter().filter(|other| other != class);
        let blind = only.fold(Inspector::all(Sensitivity::Off), |inspector, _| inspector);
        assert!(attacks.iter().all(|attack| blind.inspect(attack.as_bytes(), Location::Query).is_none()));
        let seeing = blind.class(*class, Sensitivity::Default);
        let verdicts = attacks.iter().filter_map(|attack| seeing.inspect(attack.as_bytes(), Location::Query));
        assert!(verdicts.map(|verdict| verdict.class()).all(|named| named == *class));
    }
}

#[test]
fn strict_and_default_are_two_answers_to_one_look() {
    let scores = Inspector::new().scores(b"chapter 3 or 4", Location::Query);
    assert_eq!(scores.verdict(Sensitivity::Off), None);
    assert_eq!(scores.verdict(Sensitivity::Default), None);
    assert_eq!(
        scores.verdict(Sensitivity::Strict),
        Inspector::all(Sensitivity::Strict).inspect(b"chapter 3 or 4", Location::Query)
    );
}

/// An encoding is no way around, however deep.
#[test]
fn what_is_encoded_again_and_again_is_refused() {
    let inspector = Inspector::new();
    for attack in ["../../../../etc/passwd", "1' or '1'='1", "<script>alert(1)</script>"] {
        let mut encoded = attack.to_owned();
        for _ in 0..6 {
            encoded = encoded.bytes().flat_map(|byte| format!("%{byte:02x}").into_bytes()).map(char::from).collect();
            if encoded.len() > 50_000 {
                break;
            }
            assert!(inspector.inspect(encoded.as_bytes(), Location::Query).is_some(), "{attack}");
        }
    }
}

/// What is XML to one reader is text to another.
#[test]
fn a_declaration_of_xml_hides_nothing() {
    let inspector = Inspector::new();
    for attack in ["' or 1=1 -- ", "' union select 1,2,3 -- ", "; cat /etc/passwd", "'; drop table users -- "] {
        for before in ["<?xml", "<?xml ?>", "<?xml ?><a ", "<?xml ?><!-- ", "<?xml ?><a b=\"c\">", "<?xml ?></a"] {
            let value = format!("{before}{attack}");
            assert!(inspector.inspect(value.as_bytes(), Location::Form).is_some(), "{value:?}");
        }
    }
}

/// Neither before it nor behind it does length hide an attack.
#[test]
fn padding_hides_nothing() {
    let inspector = Inspector::new();
    for (_, attacks) in ATTACKS {
        for attack in attacks.iter().filter(|attack| attack.starts_with(['\'', '<', ';'])) {
            let padded = format!("{}{attack}", "a".repeat(200_000));
            assert!(inspector.inspect(padded.as_bytes(), Location::Query).is_some(), "{attack:?}");
        }
    }
}

#[test]
fn a_look_at_a_short_value_allocates_nothing() {
    let inspector = Inspector::new();
    let values =
        ["hello", "O'Brien", "The quick brown fox, 42 times", "a@example.com", "1' or 1=1 --", "%2e%2e/&lt;b&gt;"];
    // What a thread needs once is not of the value.
    let look = || values.iter().filter(|value| inspector.inspect(value.as_bytes(), Location::Form).is_some()).count();
    look();
    assert_eq!(measure(|| assert_eq!(look(), 2)).count_total, 0);
}

/// Twice the value takes about twice the time, whatever it is made of. Generous, for a debug build on a busy machine.
#[test]
fn the_time_grows_with_the_length_and_no_faster() {
    let inspector = Inspector::all(Sensitivity::Strict);
    for unit in WORST {
        let time = |bytes: usize| {
            let value = unit.repeat(bytes / unit.len());
            let look = || {
                let start = Instant::now();
                let _ = inspector.inspect(value.as_bytes(), Location::Query);
                start.elapsed()
            };
            (0..6).map(|_| look()).min().unwrap_or_default()
        };
        let (short, long) = (time(16 * 1024), time(64 * 1024));
        assert!(long < short * 10 + Duration::from_millis(20), "{unit:?}: {short:?}, {long:?}");
    }
}

/// What a detector could stumble over, again and again.
const WORST: &[&str] = &[
    "' or ",
    "*/;",
    "if ;",
    ";",
    "(",
    "or (((((",
    "/*",
    "/**/",
    "select ",
    "union select ",
    "%25",
    "<",
    "<a ",
    "<a on=",
    "&#",
    "&lt",
    "\\x3",
    "../",
    "..;/",
    "; ls ",
    "`",
    "`id` ",
    "$(",
    "${",
    "{{",
    "if ",
    "for %a in ",
    "javascript:",
    ":",
    "t:",
    "'",
    "\"",
    "--",
    "#",
    "not ",
    "a.",
    "0x",
    "<script",
    "/?",
    "'+'",
    "|(",
    "::",
    "<?xml ?><a b=\"",
    "\u{FF0F}",
    "alert(",
    "document.",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 400 } else { 4000 }))]
    #[test]
    fn no_bytes_make_it_panic_and_an_offset_is_inside(
        parts in vec(prop_oneof![select(WORST.to_vec()).prop_map(|part| part.as_bytes().to_vec()), vec(any::<u8>(), 0..12)], 0..40),
    ) {
        let value = parts.concat();
        for location in [Location::Path, Location::Header, Location::Json] {
            let scores = Inspector::all(Sensitivity::Strict).scores(&value, location);
            if let Some(verdict) = scores.verdict(Sensitivity::Strict) {
                prop_assert!(verdict.offset() <= value.len());
                prop_assert!(!verdict.rule().is_empty());
            }
        }
    }
}
