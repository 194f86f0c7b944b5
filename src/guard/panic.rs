//! A panic as a value.

use std::{
    any::Any,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{Facts, Rejection, Response};

/// What a caught panic said. In a body it is the error that the stream ends with.
#[derive(Debug)]
pub(crate) struct Panic {
    pub(crate) message: String,
}

impl Panic {
    pub(super) fn respond(self, facts: Option<&Facts>) -> Response {
        Rejection::panicked(&self.message).respond_to(facts)
    }
}

impl fmt::Display for Panic {
    /// Without the message: whoever shows an error to a client would show that too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the response body panicked")
    }
}

impl std::error::Error for Panic {}

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
#[inline]
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(f)).map_err(Panic::from)
}
