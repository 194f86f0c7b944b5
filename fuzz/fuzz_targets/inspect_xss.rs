//! One detector, fed with what it looks for.
#![no_main]

#[path = "../detector.rs"]
mod detector;

use libfuzzer_sys::fuzz_target;
use palisade::inspect::Class;

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

fuzz_target!(|bytes: &[u8]| detector::fed(bytes, &PARTS, Class::Xss));
