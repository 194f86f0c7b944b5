//! The lines on their way to the thread that writes them: bounded in bytes, and never waited for.

use std::{
    mem,
    ops::Range,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tracing::Level;

use super::line::Form;
use crate::metrics::Counter;

/// How long the writer rests after it has written: what comes meanwhile is written together, and nobody has to wake it.
const REST: Duration = Duration::from_millis(10);

/// What is kept of a buffer once it is written.
const KEPT_CAPACITY: usize = 1024 * 1024;

/// Where a line goes beside the log of everything, and whether it is kept when others are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Error,
    Audit,
}

/// Lines, and which of them are more than plain.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) text: Vec<u8>,
    marks: Vec<(Range<usize>, Kind)>,
}

impl Batch {
    fn push(&mut self, line: &[u8], kind: Kind) {
        let start = self.text.len();
        self.text.extend_from_slice(line);
        if kind != Kind::Plain {
            self.marks.push((start..self.text.len(), kind));
        }
    }

    /// Only those of this kind.
    pub(super) fn only(&self, kind: Kind) -> Vec<u8> {
        let ranges = self.marks.iter().filter(|(_, marked)| *marked == kind);
        ranges.flat_map(|(range, _)| &self.text[range.clone()]).copied().collect()
    }

    fn clear(&mut self) {
        self.marks.clear();
        self.text.clear();
        self.text.shrink_to(KEPT_CAPACITY);
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    form: Form,
    /// In bytes.
    limit: usize,
    state: Mutex<State>,
    wake: Condvar,
    done: Condvar,
    pub(super) dropped: Count,
    pub(super) failed: Count,
}

#[derive(Debug, Default)]
struct State {
    coming: Batch,
    /// Bytes that are being written now.
    in_flight: usize,
    /// Bytes since the start.
    pushed: u64,
    written: u64,
    /// Lines dropped since the last that was not.
    dropping: u64,
    /// The writer sleeps until it is woken.
    is_asleep: bool,
    /// The writer is to come at once.
    is_urgent: bool,
    is_closed: bool,
}

impl Queue {
    pub(super) fn new(form: Form, limit: usize) -> Self {
        Self {
            form,
            limit,
            state: Mutex::default(),
            wake: Condvar::new(),
            done: Condvar::new(),
            dropped: Count::default(),
            failed: Count::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the line, or drops and counts it where there is no room.
    pub(super) fn push(&self, line: &[u8], kind: Kind) {
        let mut state = self.state();
        let ahead = state.coming.text.len() + state.in_flight;
        let is_plain = kind == Kind::Plain;
        let room = if is_plain { self.limit } else { self.limit + self.limit / 4 };
        if ahead + line.len() > room {
            if state.dropping == 0 {
                state.say(self.form, "the log cannot be written as fast as it grows: lines are dropped from here on");
            }
            state.dropping += 1;
            self.dropped.add(1);
            return;
        }
        state.take(line, kind);
        let is_urgent = !is_plain || ahead > self.limit / 2;
        if state.is_asleep || is_urgent && !state.is_urgent {
            state.is_urgent |= is_urgent;
            // Once is enough: whoever wakes says so.
            state.is_asleep = false;
            drop(state);
            self.wake.notify_one();
        }
    }

    /// For the writer: what there is, as soon as there is something. `false` when nothing will come any more.
    pub(super) fn next(&self, batch: &mut Batch) -> bool {
        batch.clear();
        let state = self.state();
        // Whoever has just written rests first.
        let rested = self.wake.wait_timeout_while(state, REST, |state| !state.is_urgent && !state.is_closed);
        let mut state = rested.unwrap_or_else(PoisonError::into_inner).0;
        while state.coming.text.is_empty() {
            if state.is_closed {
                return false;
            }
            state.is_asleep = true;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        (state.is_asleep, state.is_urgent) = (false, false);
        mem::swap(&mut state.coming, batch);
        state.in_flight = batch.text.len();
        if mem::take(&mut state.dropping) > 0 {
            let total = self.dropped.value();
            state.say(self.form, &format!("the log is written again: {total} lines have been dropped since the start"));
        }
        true
    }

    /// For the writer: done with that.
    pub(super) fn written(&self) {
        let mut state = self.state();
        state.written += mem::take(&mut state.in_flight) as u64;
        drop(state);
        self.done.notify_all();
    }

    /// Waits, not longer than this, until all that was pushed so far is written. Whether it is.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let mut state = self.state();
        let all = state.pushed;
        state.is_urgent = true;
        state.is_asleep = false;
        self.wake.notify_one();
        let waited = self.done.wait_timeout_while(state, patience, |state| state.written < all);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl State {
    fn take(&mut self, line: &[u8], kind: Kind) {
        self.coming.push(line, kind);
        self.pushed += line.len() as u64;
    }

    /// A line of the log about itself, for which there is always room.
    fn say(&mut self, form: Form, message: &str) {
        let mut line = Vec::new();
        form.own_line(&mut line, Level::WARN, message);
        self.take(&line, Kind::Plain);
    }
}

/// Counts, and tells a metric too once there is one.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64, OnceLock<Counter>);

impl Count {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
        if let Some(counter) = self.1.get() {
            counter.add(count);
        }
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// What was counted so far is the counter's first step; the first counter is the one that is told.
    pub(super) fn tell(&self, counter: &Counter) {
        let so_far = self.value();
        if let Ok(()) = self.1.set(counter.clone()) {
            counter.add(so_far);
        }
    }
}

/// Closed when nobody can push any more.
#[derive(Debug)]
pub(super) struct Door(pub(super) Arc<Queue>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.state().is_closed = true;
        self.0.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(limit: usize) -> Queue {
        Queue::new(Form::Json, limit)
    }

    fn texts(batch: &Batch) -> (String, String, String) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(&batch.text), text(&batch.only(Kind::Error)), text(&batch.only(Kind::Audit)))
    }

    #[test]
    fn lines_come_in_their_order_and_those_of_a_kind_once_more() {
        let queue = queue(1000);
        for (line, kind) in [("1\n", Kind::Plain), ("2\n", Kind::Error), ("3\n", Kind::Audit), ("4\n", Kind::Error)] {
            queue.push(line.as_bytes(), kind);
        }
        let mut batch = Batch::default();
        assert!(queue.next(&mut batch));
        assert_eq!(texts(&batch), ("1\n2\n3\n4\n".into(), "2\n4\n".into(), "3\n".into()));
    }

    #[test]
    fn a_full_queue_drops_plain_lines_first_counts_them_and_says_when_that_begins_and_ends() {
        let queue = queue(1000);
        let line = [b'x'; 250];
        (0..7).for_each(|_| queue.push(&line, Kind::Plain));
        assert_eq!(queue.dropped.value(), 3);
        let mut batch = Batch::default();
        assert!(queue.next(&mut batch));
        let (all, ..) = texts(&batch);
        assert_eq!((all.matches('x').count(), all.matches("are dropped").count()), (1000, 1));
        // Being written is not written: the room is still taken.
        queue.push(&line, Kind::Plain);
        assert_eq!(queue.dropped.value(), 4);
        queue.written();
        assert!(queue.next(&mut batch));
        let (all, ..) = texts(&batch);
        assert!(all.contains("3 lines have been dropped") && all.contains("are dropped"), "{all}");
        queue.written();
        queue.push(&line, Kind::Plain);
        assert!(queue.next(&mut batch));
        let (all, ..) = texts(&batch);
        assert!(all.contains("4 lines have been dropped") && all.ends_with('x'), "{all}");
        assert_eq!(queue.dropped.value(), 4);
    }

    #[test]
    fn errors_and_audits_have_room_of_their_own() {
        let queue = queue(100);
        let line = [b'x'; 25];
        (0..4).for_each(|_| queue.push(&line, Kind::Plain));
        queue.push(&line, Kind::Error);
        assert_eq!(queue.dropped.value(), 0);
        queue.push(&line, Kind::Audit);
        queue.push(&line, Kind::Plain);
        assert_eq!(queue.dropped.value(), 2);
    }

    #[test]
    fn who_counted_before_the_metric_came_is_not_forgotten() {
        let metrics = crate::metrics::MetricsLayer::new();
        let (count, counter) = (Count::default(), metrics.counter("lines_total", "Lines.").unwrap());
        count.add(3);
        count.tell(&counter);
        count.add(4);
        assert_eq!((count.value(), counter.value()), (7, 7));
    }

    #[test]
    fn a_closed_queue_is_written_out_and_then_over() {
        let queue = Arc::new(queue(100));
        queue.push(b"1\n", Kind::Plain);
        drop(Door(Arc::clone(&queue)));
        let mut batch = Batch::default();
        assert!(queue.next(&mut batch));
        assert!(!queue.next(&mut batch));
        assert!(batch.text.is_empty());
    }

    #[test]
    fn a_writer_that_never_comes_is_not_waited_for_longer_than_was_said() {
        let queue = queue(100);
        assert!(queue.flush(Duration::ZERO));
        queue.push(b"1\n", Kind::Plain);
        assert!(!queue.flush(Duration::ZERO));
    }
}
