//! One detector, fed with what it looks for: what every target of one class does.

use palisade::inspect::{Class, Inspector, Location, Sensitivity};

/// A byte from the upper half picks a part, any other stands for itself.
pub fn fed(bytes: &[u8], parts: &[&str], class: Class) {
    let mut value = Vec::new();
    for byte in bytes {
        match byte.checked_sub(128) {
            Some(part) => value.extend_from_slice(parts[usize::from(part) % parts.len()].as_bytes()),
            None => value.push(*byte),
        }
    }
    let inspector = Inspector::all(Sensitivity::Off).class(class, Sensitivity::Strict);
    for location in [Location::Path, Location::Text] {
        if let Some(verdict) = inspector.inspect(&value, location) {
            assert_eq!(verdict.class(), class);
            assert!(verdict.offset() <= value.len());
        }
    }
}
