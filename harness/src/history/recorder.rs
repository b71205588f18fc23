//! Collects entries from every task of a run, in one order.

use std::sync::{Arc, Mutex, PoisonError};

use squall_client::Clock;

use super::{Entry, Event};

/// Where every part of a run records what happened. Clones record into the same history.
#[derive(Clone, Debug)]
pub struct Recorder {
    clock: Clock,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Recorder {
    /// An empty history whose times are those of `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { clock, entries: Arc::default() }
    }

    /// Records `event` now. The time is read under the lock, so times never go back.
    pub fn record(&self, event: Event) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let t = self.clock.now().as_nanos();
        entries.push(Entry { t, e: event });
    }

    /// The clock that the entries' times are read from.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Takes everything recorded so far.
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
