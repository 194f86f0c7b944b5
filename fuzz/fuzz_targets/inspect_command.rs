//! One detector, fed with what it looks for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade::inspect::{Class, Inspector, Location, Sensitivity};

/// A byte from the upper half picks one of these, any other stands for itself.
const PARTS: [&str; 32] = [
    ";",
    "|",
    "&",
    "`",
    "$(",
    "${",
    "{",
    "}",
    ")",
    "<(",
    "id",
    "cat ",
    "ls -la",
    "/bin/",
    "/dev/tcp/",
    "() {",
    "IFS",
    "%",
    "if ",
    "for %a in (",
    "==",
    "{{",
    "<?php",
    "system(",
    "'",
    "\\",
    "\n",
    "$@",
    "/e?c/",
    "jndi:",
    "cmd /c",
    "hklm\\",
];

fuzz_target!(|bytes: &[u8]| {
    let mut value = Vec::new();
    for byte in bytes {
        match byte.checked_sub(128) {
            Some(part) => value.extend_from_slice(PARTS[usize::from(part) % PARTS.len()].as_bytes()),
            None => value.push(*byte),
        }
    }
    let inspector = Inspector::all(Sensitivity::Off).class(Class::CommandInjection, Sensitivity::Strict);
    for location in [Location::Path, Location::Text] {
        if let Some(verdict) = inspector.inspect(&value, location) {
            assert_eq!(verdict.class(), Class::CommandInjection);
            assert!(verdict.offset() <= value.len());
        }
    }
});
