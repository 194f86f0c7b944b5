//! One detector, fed with what it looks for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade::inspect::{Class, Inspector, Location, Sensitivity};

/// A byte from the upper half picks one of these, any other stands for itself.
const PARTS: [&str; 24] = [
    "../",
    "..\\",
    "..;/",
    "....//",
    "%2e",
    "%252e",
    "%c0%af",
    "%u002f",
    "0x2e",
    "etc/passwd",
    "/etc/",
    "C:",
    "file:",
    "\\",
    "/",
    ".",
    "\0",
    "\u{FF0F}",
    "\u{FF0E}",
    "{FILE}",
    "boot.ini",
    "Li4v",
    "2f",
    ".ssh/",
];

fuzz_target!(|bytes: &[u8]| {
    let mut value = Vec::new();
    for byte in bytes {
        match byte.checked_sub(128) {
            Some(part) => value.extend_from_slice(PARTS[usize::from(part) % PARTS.len()].as_bytes()),
            None => value.push(*byte),
        }
    }
    let inspector = Inspector::all(Sensitivity::Off).class(Class::PathTraversal, Sensitivity::Strict);
    for location in [Location::Path, Location::Text] {
        if let Some(verdict) = inspector.inspect(&value, location) {
            assert_eq!(verdict.class(), Class::PathTraversal);
            assert!(verdict.offset() <= value.len());
        }
    }
});
