//! An attack, each byte of it encoded in a way of its own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade::inspect::{Class, Inspector, Location};

const ATTACK: &str = "../../../../etc/passwd";

fuzz_target!(|ways: [u8; ATTACK.len()]| {
    let mut value = Vec::new();
    for (byte, way) in ATTACK.bytes().zip(ways) {
        match way % 8 {
            0 => value.push(byte),
            1 => value.extend(format!("%{byte:02x}").bytes()),
            2 => value.extend(format!("%{byte:02X}").bytes()),
            3 => value.extend(format!("%25{byte:02x}").bytes()),
            4 => value.extend(format!("%u00{byte:02x}").bytes()),
            5 => value.extend(char::from_u32(u32::from(byte) + 0xFEE0).into_iter().collect::<String>().bytes()),
            6 => value.extend([0xC0 | byte >> 6, 0x80 | byte & 0x3F]),
            _ => value.extend(format!("%{:02x}%{:02x}", 0xC0 | byte >> 6, 0x80 | byte & 0x3F).bytes()),
        }
    }
    let verdict = Inspector::new().inspect(&value, Location::Query).expect("an attack, however encoded");
    assert_eq!(verdict.class(), Class::PathTraversal);
});
