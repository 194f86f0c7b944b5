//! Says of a value whether it looks like an attack: SQL injection, cross-site scripting, path traversal, command injection.
//!
//! **The rule.** A value is decoded as far as any decoder behind us might decode it, and each detector adds up what speaks for an
//! attack and takes off what speaks for prose. From 9 points it is refused by default, from 4 where the user said strict.
//! Nothing is ever rewritten. This is defence in depth: bound parameters, escaped output and checked paths are the defence.
//!
//! ```
//! use palisade::inspect::{Inspector, Location};
//!
//! let inspector = Inspector::new();
//! assert!(inspector.inspect(b"Tom & Jerry's \"best of\" <3", Location::Form).is_none());
//! assert!(inspector.inspect(b"../../../../etc/passwd", Location::Query).is_some());
//! ```
//!
//! What is inspected is a decoded leaf: the value of a query's parameter, a string of a JSON document. Code, SQL and markup that
//! a field is meant to hold look like what they are: switch their class off there.

mod canonical;
mod command;
mod escapes;
mod gate;
mod inspector;
mod sql;
mod traversal;
mod verdict;
mod words;
mod xml;
mod xss;

/// A score at which nothing more is looked for: whoever sends so much is no customer.
const PLENTY: i32 = 60;

pub use self::{
    inspector::Inspector,
    verdict::{Class, Location, Scores, Sensitivity, Verdict},
};
