//! One detector, fed with what it looks for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade::inspect::{Class, Inspector, Location, Sensitivity};

/// A byte from the upper half picks one of these, any other stands for itself.
const PARTS: [&str; 30] = [
    "<",
    ">",
    "<script",
    "</script>",
    "<a ",
    "on",
    "onload=",
    "javascript:",
    "data:text/html",
    "&#",
    "&lt;",
    "\\x3c",
    "\\u003c",
    "alert(",
    "document.",
    "cookie",
    "{{",
    "}}",
    "[]",
    "!",
    "+ADw-",
    "style=",
    "url(",
    "<!--",
    "<![CDATA[",
    "<?xml",
    "\"",
    "'",
    "=",
    "\\101",
];

fuzz_target!(|bytes: &[u8]| {
    let mut value = Vec::new();
    for byte in bytes {
        match byte.checked_sub(128) {
            Some(part) => value.extend_from_slice(PARTS[usize::from(part) % PARTS.len()].as_bytes()),
            None => value.push(*byte),
        }
    }
    let inspector = Inspector::all(Sensitivity::Off).class(Class::Xss, Sensitivity::Strict);
    for location in [Location::Path, Location::Text] {
        if let Some(verdict) = inspector.inspect(&value, location) {
            assert_eq!(verdict.class(), Class::Xss);
            assert!(verdict.offset() <= value.len());
        }
    }
});
