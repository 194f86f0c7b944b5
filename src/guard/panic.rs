//! A panic as a value.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{Facts, Kind, Rejection, Response};

/// What a caught panic said.
pub(super) struct Panic {
    pub(super) message: String,
}

impl Panic {
    pub(super) fn respond(self, facts: Option<&Facts>) -> Response {
        Rejection::new(Kind::InternalError).cause(format!("panicked: {}", self.message)).respond_to(facts)
    }
}

impl From<Box<dyn Any + Send>> for Panic {
    fn from(payload: Box<dyn Any + Send>) -> Self {
        let message = match payload.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(payload) => payload.downcast::<String>().map_or_else(
                |stranger| {
                    // Its destructor could panic again.
                    mem::forget(stranger);
                    "with a value that is no text".to_owned()
                },
                |text| *text,
            ),
        };
        Self { message }
    }
}

/// Runs `f`; a panic in it becomes a value.
///
/// What a panicking guard or handler leaves half done is its own: palisade's state is atomics and finished values.
pub(super) fn caught<T>(f: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(f)).map_err(Panic::from)
}
