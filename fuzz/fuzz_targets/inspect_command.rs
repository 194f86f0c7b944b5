//! One detector, fed with what it looks for.
#![no_main]

#[path = "../detector.rs"]
mod detector;

use libfuzzer_sys::fuzz_target;
use palisade::inspect::Class;

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

fuzz_target!(|bytes: &[u8]| detector::fed(bytes, &PARTS, Class::CommandInjection));
