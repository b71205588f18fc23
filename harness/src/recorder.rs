//! Collects entries from every task of a run, in one order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use squall_client::{Clock, Time};

use crate::history::{Entry, Event};

/// Where every part of a run records what happened. Clones record into the same history.
#[derive(Clone, Debug)]
pub struct Recorder {
    clock: Clock,
    tape: Arc<Mutex<Tape>>,
    pulse: Pulse,
}

/// How far the history has come, to be read by another thread.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// The time of the latest entry, in nanoseconds since the start of the run.
    pub fn latest(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct Tape {
    start: Time,
    entries: Vec<Entry>,
}

impl Recorder {
    /// An empty history whose times are those of `clock`.
    pub fn new(clock: Clock) -> Self {
        Self::with_pulse(clock, Pulse::default())
    }

    /// The same, with a pulse for another thread to watch.
    pub fn with_pulse(clock: Clock, pulse: Pulse) -> Self {
        Self { clock, tape: Arc::default(), pulse }
    }

    /// The clock that it reads.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Calls this moment the start of the run. What was recorded before stands at time zero.
    pub fn start(&self) {
        let mut tape = self.tape();
        tape.start = self.clock.now();
        for entry in &mut tape.entries {
            entry.t = 0;
        }
    }

    /// Records `event` now. The time is read under the lock, so times never go back.
    pub fn record(&self, event: Event) {
        let mut tape = self.tape();
        let t = nanos(self.clock.now(), tape.start);
        tape.entries.push(Entry { t, e: event });
        self.pulse.0.store(t, Ordering::Relaxed);
    }

    /// Nanoseconds since the start of the run.
    pub fn now(&self) -> u64 {
        nanos(self.clock.now(), self.tape().start)
    }

    /// Waits until `due` nanoseconds after the start of the run.
    pub async fn until(&self, due: u64) {
        let start = self.tape().start;
        let due = start + std::time::Duration::from_nanos(due);
        tokio::time::sleep_until(self.clock.instant(due)).await;
    }

    /// Takes everything recorded so far.
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.tape().entries)
    }

    fn tape(&self) -> std::sync::MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nanos(now: Time, start: Time) -> u64 {
    u64::try_from(now.since(start).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Event;

    #[tokio::test(start_paused = true)]
    async fn what_came_before_the_start_stands_at_time_zero() {
        let recorder = Recorder::new(Clock::new(0));
        let phase = || Event::Phase { name: "x".to_owned() };
        tokio::time::advance(std::time::Duration::from_secs(2)).await;
        recorder.record(phase());
        recorder.start();
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        recorder.record(phase());
        let times: Vec<u64> = recorder.take().iter().map(|entry| entry.t).collect();
        assert_eq!(times, [0, 1_000_000]);
    }
}
