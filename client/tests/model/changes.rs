//! Every change is told, once, in order, by whichever thread; and who waits for one is woken.

use std::sync::Arc;

use shuttle::future::block_on;
use shuttle::thread;

use crate::core::breaker::{Force, Outcome, State};
use crate::core::class::Class;
use crate::orders::{in_every_order, in_many_orders};
use crate::stage::{COOL_DOWN, Stage};

#[test]
fn changes_of_two_threads_are_told_in_order() {
    in_every_order(|| {
        let stage = Arc::new(Stage::cooled_down());
        let forcing = thread::spawn({
            let stage = Arc::clone(&stage);
            move || stage.breaker.force(Force::Closed)
        });
        let _lost = stage.breaker.ask_probe();
        forcing.join().unwrap();
        let path = stage.path();
        assert_eq!((path[0], path[path.len() - 1]), (State::Open, State::Closed));
    });
}

#[test]
fn changes_of_many_threads_are_told_in_order_and_once() {
    in_many_orders(|| {
        let stage = Arc::new(Stage::lingering());
        let calling = (0..2).map(|_| {
            let stage = Arc::clone(&stage);
            thread::spawn(move || {
                for _ in 0..2 {
                    if let Ok(permit) = stage.breaker.ask(Class::Reads) {
                        stage.clock.go_on(1);
                        stage.ended(permit, Outcome::Failure);
                    }
                }
            })
        });
        let probing = (0..2).map(|_| {
            let stage = Arc::clone(&stage);
            thread::spawn(move || {
                stage.clock.go_on(COOL_DOWN);
                if let Some(permit) = stage.breaker.ask_probe() {
                    stage.breaker.record_probe(permit, Outcome::Success);
                }
            })
        });
        let running: Vec<_> = calling.chain(probing).collect();
        running.into_iter().for_each(|thread| thread.join().unwrap());
        let path = stage.path();
        let opened = path.iter().filter(|state| **state == State::Open).count();
        assert_eq!(stage.opened(), opened as u64);
    });
}

/// A thread looks, waits for the next change if there was none, and looks again.
fn waits_until_it_is_open(stage: &Stage) {
    loop {
        // Before looking, so that no change is missed.
        let changed = stage.breaker.changed();
        if stage.breaker.state() == State::Open {
            return;
        }
        block_on(changed);
    }
}

#[test]
fn who_waits_for_a_change_is_woken() {
    in_every_order(|| {
        let stage = Arc::new(Stage::new());
        let waiting = thread::spawn({
            let stage = Arc::clone(&stage);
            move || waits_until_it_is_open(&stage)
        });
        stage.ended(stage.permit(), Outcome::Failure);
        waiting.join().unwrap();
    });
}

#[test]
fn who_waits_is_woken_even_if_another_thread_tells_the_change() {
    in_many_orders(|| {
        let stage = Arc::new(Stage::lingering());
        let waiting = thread::spawn({
            let stage = Arc::clone(&stage);
            move || waits_until_it_is_open(&stage)
        });
        let telling = thread::spawn({
            let stage = Arc::clone(&stage);
            // It tells whatever waits, as a slow call does.
            move || stage.breaker.tell()
        });
        stage.ended(stage.permit(), Outcome::Failure);
        telling.join().unwrap();
        waiting.join().unwrap();
        assert_eq!(stage.path(), [State::Open]);
    });
}
