//! Says of values whether they look like an attack.

mod engine;

pub use self::engine::{Class, Inspector, Location, Scores, Sensitivity, Verdict};
