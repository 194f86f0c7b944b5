//! One detector, fed with what it looks for.
#![no_main]

#[path = "../detector.rs"]
mod detector;

use libfuzzer_sys::fuzz_target;
use palisade::inspect::Class;

/// A byte from the upper half picks one of these, any other stands for itself.
const PARTS: [&str; 31] = [
    "'",
    "\"",
    "`",
    " or ",
    " and ",
    "1",
    "=",
    "(",
    ")",
    "--",
    "/*",
    "*/",
    "#",
    ";",
    "union",
    "select",
    "from",
    "null",
    "sleep(",
    "0x41",
    "@@a",
    ",",
    "||",
    "case",
    "when",
    "order by",
    "\\",
    "like",
    "{",
    "::",
    "waitfor delay",
];

fuzz_target!(|bytes: &[u8]| detector::fed(bytes, &PARTS, Class::SqlInjection));
