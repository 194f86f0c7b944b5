//! One detector, fed with what it looks for.
#![no_main]

#[path = "../detector.rs"]
mod detector;

use libfuzzer_sys::fuzz_target;
use palisade::inspect::Class;

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

fuzz_target!(|bytes: &[u8]| detector::fed(bytes, &PARTS, Class::PathTraversal));
