//! Tells the observer what happens, in order, outside of every lock.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::event::{Event, Observer};

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
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock, Weak};
    use std::time::Duration;

    use super::*;
    use crate::core::time::Time;

    fn slow(ms: u64) -> Event {
        Event::Slow { at: Time::START, took: Duration::from_millis(ms) }
    }

    #[test]
    fn an_observer_may_cause_events_and_they_come_after_those_that_wait() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let teller = Arc::new_cyclic(|teller: &Weak<Teller>| {
            let (teller, told) = (teller.clone(), Arc::clone(&told));
            let first = OnceLock::new();
            Teller::new(Arc::new(move |event: &Event| {
                told.lock().unwrap().push(event.clone());
                if first.set(()).is_ok() {
                    let teller = teller.upgrade().unwrap();
                    teller.push(slow(3));
                    assert!(!teller.tell());
                }
            }))
        });
        teller.push(slow(1));
        teller.push(slow(2));
        assert!(teller.tell());
        assert_eq!(*told.lock().unwrap(), [slow(1), slow(2), slow(3)]);
    }

    #[test]
    fn an_observer_that_panics_is_told_the_next_event_all_the_same() {
        let told = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&told);
        let teller = Teller::new(Arc::new(move |_: &Event| {
            *counted.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            panic!("the observer's own fault");
        }));
        teller.push(slow(1));
        teller.push(slow(2));
        assert!(teller.tell());
        assert_eq!(*told.lock().unwrap_or_else(PoisonError::into_inner), 2);
    }
}
