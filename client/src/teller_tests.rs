//! What the observer is told, by one thread. Not in `teller.rs`: the model check compiles that with other locks.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use crate::core::time::Time;
use crate::event::Event;
use crate::teller::Teller;

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
