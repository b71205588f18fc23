//! Users' calls: they pass only while it is closed, and what a call of earlier times brings changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use shuttle::thread;

use crate::core::breaker::{Outcome, State};
use crate::core::class::Class;
use crate::orders::{in_every_order, in_many_orders};
use crate::stage::{PATIENCE, Stage};

#[test]
fn what_calls_of_earlier_times_bring_changes_nothing() {
    in_many_orders(|| {
        let stage = Stage::new();
        let old = [stage.permit(), stage.permit(), stage.permit()];
        let [first, rest @ ..] = old;
        stage.ended(first, Outcome::Failure);
        stage.clock.go_on(crate::stage::COOL_DOWN);
        let stage = Arc::new(stage);
        let late = rest.map(|permit| {
            let stage = Arc::clone(&stage);
            thread::spawn(move || stage.ended(permit, Outcome::Failure))
        });
        let probing = thread::spawn({
            let stage = Arc::clone(&stage);
            move || {
                let probe = stage.breaker.ask_probe().unwrap();
                stage.breaker.record_probe(probe, Outcome::Success);
            }
        });
        late.into_iter().for_each(|thread| thread.join().unwrap());
        probing.join().unwrap();
        assert_eq!(stage.path(), [State::Open, State::HalfOpen, State::Closed]);
    });
}

/// A call passes or not; it must not if the breaker was surely not closed from before it was asked until after. A breaker that opens
/// may close again, too.
fn no_call_passes(callers: usize, closes: bool) {
    let stage = Arc::new(Stage::new());
    let permit = stage.permit();
    let closing = Arc::new(AtomicBool::new(false));
    let passed = Arc::new(AtomicU64::new(0));
    let calling = (0..callers).map(|_| {
        let (stage, closing, passed) = (Arc::clone(&stage), Arc::clone(&closing), Arc::clone(&passed));
        thread::spawn(move || {
            let open = stage.opened() == 1;
            let asked = stage.breaker.ask(Class::Reads);
            let surely_open = open && !closing.load(Ordering::SeqCst);
            assert!(asked.is_err() || !surely_open, "a call passed");
            passed.fetch_add(u64::from(asked.is_ok()), Ordering::SeqCst);
        })
    });
    let calling: Vec<_> = calling.collect();
    let closing = thread::spawn({
        let stage = Arc::clone(&stage);
        move || {
            stage.ended(permit, Outcome::Failure);
            if closes {
                stage.clock.go_on(crate::stage::COOL_DOWN);
                let probe = stage.breaker.ask_probe().unwrap();
                closing.store(true, Ordering::SeqCst);
                stage.breaker.record_probe(probe, Outcome::Success);
            }
        }
    });
    calling.into_iter().for_each(|thread| thread.join().unwrap());
    closing.join().unwrap();
    assert!(passed.load(Ordering::SeqCst) <= callers as u64);
    let path = [State::Open, State::HalfOpen, State::Closed];
    assert_eq!(stage.path(), path[..if closes { 3 } else { 1 }]);
}

#[test]
fn a_call_never_passes_while_it_is_not_closed() {
    in_every_order(|| no_call_passes(1, false));
    in_every_order(|| no_call_passes(1, true));
}

#[test]
fn no_call_of_many_passes_while_it_is_not_closed() {
    in_many_orders(|| no_call_passes(4, true));
}

#[test]
fn calls_whose_callers_go_away_open_it_only_if_they_had_waited_for_long() {
    in_every_order(|| {
        let stage = Arc::new(Stage::new());
        let calling = thread::spawn({
            let stage = Arc::clone(&stage);
            move || {
                let permit = stage.breaker.ask(Class::Reads).unwrap();
                let pending = stage.breaker.pending(permit, Class::Reads);
                thread::yield_now();
                let waited = stage.clock.now().since(pending.asked);
                drop(pending);
                waited.as_millis() >= u128::from(PATIENCE)
            }
        });
        let waiting = thread::spawn({
            let stage = Arc::clone(&stage);
            move || {
                stage.clock.go_on(PATIENCE);
                thread::yield_now();
            }
        });
        let waited = calling.join().unwrap();
        waiting.join().unwrap();
        assert_eq!(stage.breaker.state() == State::Open, waited);
        assert_eq!(stage.path().len(), usize::from(waited));
    });
}
