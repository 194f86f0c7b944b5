//! Panics as lines: what the standard library prints has many, and whatever secrets the message had.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic::{self, PanicHookInfo},
};

/// From now on, in place of the hook that there is.
pub(super) fn tell() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let backtrace = Backtrace::capture();
        let text = info.payload().downcast_ref::<&str>().copied();
        let text = text.or_else(|| info.payload().downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("with a value that is no text");
        tracing::error!(
            target: "palisade::panic",
            location = info.location().map(tracing::field::display),
            thread = std::thread::current().name(),
            // Only where `RUST_BACKTRACE` asks for it.
            backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(&backtrace)),
            "{message}"
        );
    }));
}
