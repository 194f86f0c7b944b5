//! The thread that writes: to stdout, to files, and where that fails to stderr.

use std::{
    io::{self, Write as _},
    sync::Arc,
    time::SystemTime,
};

use tracing::Level;

use super::{
    file::LogFile,
    line::Form,
    queue::{Batch, Kind, Queue},
};

/// Where lines end.
#[derive(Debug)]
pub(super) enum Sink {
    Stdout,
    File(LogFile),
}

/// A sink, and what goes there.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) name: &'static str,
    pub(super) sink: Sink,
    /// `None` is every line.
    pub(super) only: Option<Kind>,
    pub(super) is_failing: bool,
}

impl Outlet {
    pub(super) const fn new(name: &'static str, sink: Sink, only: Option<Kind>) -> Self {
        Self { name, sink, only, is_failing: false }
    }

    /// Writes; what could not be written is left.
    fn write(&mut self, lines: &mut &[u8]) -> io::Result<()> {
        match &mut self.sink {
            Sink::File(file) => file.write(lines, SystemTime::now()),
            Sink::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines).and_then(|()| stdout.flush())?;
                *lines = &[];
                Ok(())
            }
        }
    }
}

/// Writes until the queue is closed. Nothing that goes wrong here ends it.
pub(super) fn run(queue: &Arc<Queue>, form: Form, mut outlets: Vec<Outlet>) {
    let mut batch = Batch::default();
    while queue.next(&mut batch) {
        deliver(&batch, form, &mut outlets, queue, &mut io::stderr());
        queue.written();
    }
}

fn deliver(batch: &Batch, form: Form, outlets: &mut [Outlet], queue: &Queue, stderr: &mut impl io::Write) {
    let mut is_delivered = false;
    // Bytes at the end that nothing has taken.
    let mut left = batch.text.len();
    for outlet in outlets {
        let chosen = outlet.only.map(|kind| batch.only(kind));
        let mut lines = chosen.as_deref().unwrap_or(&batch.text);
        if lines.is_empty() {
            continue;
        }
        let written = outlet.write(&mut lines);
        let failed = lines.split_inclusive(|byte| *byte == b'\n').count();
        queue.failed.add(failed as u64);
        // Once when it begins and once when it is over, however long that lasts.
        let told = match (&written, outlet.is_failing) {
            (Err(error), false) => {
                Some((Level::ERROR, format!("the log cannot be written to {}: {error}", outlet.name)))
            }
            (Ok(()), true) => Some((Level::WARN, format!("the log is written to {} again", outlet.name))),
            _ => None,
        };
        if let Some((level, message)) = told {
            let mut line = Vec::new();
            form.own_line(&mut line, level, &message);
            let _ = stderr.write_all(&line);
        }
        outlet.is_failing = written.is_err();
        if outlet.only.is_none() {
            is_delivered |= written.is_ok();
            left = left.min(lines.len());
        }
    }
    if !is_delivered {
        let _ = stderr.write_all(&batch.text[batch.text.len() - left..]);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::logs::file::{LogFile, Retention, tests::Directory};

    const KEEP: Retention = Retention { bytes: 1000, files: 9, age: Duration::MAX };

    fn batch(queue: &Queue, line: &[u8], kind: Kind) -> Batch {
        let mut batch = Batch::default();
        queue.push(line, kind);
        assert!(queue.next(&mut batch));
        queue.written();
        batch
    }

    #[test]
    fn a_full_disk_is_told_once_on_stderr_where_the_lines_go_too() {
        let directory = Directory::new("falls-back");
        let path = directory.0.join("app.log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let file = || Sink::File(LogFile::open(&directory.0, "app", &KEEP, SystemTime::now()).unwrap());
        let queue = Queue::new(Form::Json, 1000);
        let mut outlets =
            vec![Outlet::new("app.log", file(), None), Outlet::new("errors.log", file(), Some(Kind::Error))];
        let mut stderr = Vec::new();
        for _ in 0..2 {
            deliver(&batch(&queue, b"a line\n", Kind::Plain), Form::Json, &mut outlets, &queue, &mut stderr);
        }
        let told = String::from_utf8(stderr).unwrap();
        assert_eq!(told.matches("cannot be written to app.log").count(), 1, "{told}");
        assert_eq!((told.matches("a line\n").count(), queue.failed.value()), (2, 2));

        std::fs::remove_file(&path).unwrap();
        outlets[0].sink = file();
        let mut stderr = Vec::new();
        deliver(&batch(&queue, b"a line\n", Kind::Plain), Form::Json, &mut outlets, &queue, &mut stderr);
        let told = String::from_utf8(stderr).unwrap();
        assert!(told.contains("written to app.log again") && !told.contains("a line"), "{told}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a line\n");
    }
}
