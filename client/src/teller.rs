//! Tells the observer what happens, in order, outside of every lock.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::event::{Event, Observer};
use crate::lock::{Mutex, MutexGuard, lock};

/// Events that wait for the observer. One task tells at a time; an observer may call the client, even what makes new events.
pub(crate) struct Teller {
    observer: Observer,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Event>,
    telling: bool,
}

impl Teller {
    pub(crate) fn new(observer: Observer) -> Self {
        Self { observer, queue: Mutex::default() }
    }

    /// Takes an event into the order. To be called under the lock of what has changed, and followed by
    /// [`tell`](Self::tell) after it.
    pub(crate) fn push(&self, event: Event) {
        self.lock().waiting.push_back(event);
    }

    /// Tells everything that waits, unless somebody else is doing so. Returns whether all is told.
    pub(crate) fn tell(&self) -> bool {
        let mut queue = self.lock();
        if queue.telling {
            return false;
        }
        while let Some(event) = queue.waiting.pop_front() {
            queue.telling = true;
            drop(queue);
            // An observer that panics must take neither the caller nor the breaker's probes with it. The panic has been
            // printed by then.
            let _told = catch_unwind(AssertUnwindSafe(|| (self.observer)(&event)));
            queue = self.lock();
        }
        queue.telling = false;
        true
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }
}
