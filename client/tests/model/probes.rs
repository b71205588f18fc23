//! Half-open: one probe at a time, whoever asks, and none that is lost for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shuttle::thread;

use crate::core::breaker::{Outcome, State};
use crate::orders::{in_every_order, in_many_orders};
use crate::stage::{COOL_DOWN, LEASE, Stage};

/// How many of so many threads that ask at the same time are given the probe.
fn given(threads: usize) -> usize {
    let stage = Arc::new(Stage::cooled_down());
    let asking = (0..threads).map(|_| {
        let stage = Arc::clone(&stage);
        thread::spawn(move || stage.breaker.ask_probe())
    });
    let asking: Vec<_> = asking.collect();
    let given = asking.into_iter().filter_map(|thread| thread.join().unwrap()).count();
    assert_eq!(stage.path(), [State::Open, State::HalfOpen]);
    given
}

#[test]
fn one_of_two_that_ask_for_the_probe_gets_it() {
    in_every_order(|| assert_eq!(given(2), 1));
}

#[test]
fn one_of_many_that_ask_for_the_probe_gets_it() {
    in_many_orders(|| assert_eq!(given(6), 1));
}

#[test]
fn probes_never_overlap_while_each_says_what_came_of_it() {
    in_many_orders(|| {
        let (stage, out) = (Arc::new(Stage::cooled_down()), Arc::new(AtomicU64::new(0)));
        let probing = [Outcome::Neutral, Outcome::Neutral, Outcome::Success].map(|outcome| {
            let (stage, out) = (Arc::clone(&stage), Arc::clone(&out));
            thread::spawn(move || {
                let Some(permit) = stage.breaker.ask_probe() else { return };
                assert_eq!(out.fetch_add(1, Ordering::SeqCst), 0, "two probes at once");
                thread::yield_now();
                out.fetch_sub(1, Ordering::SeqCst);
                stage.breaker.record_probe(permit, outcome);
            })
        });
        probing.into_iter().for_each(|thread| thread.join().unwrap());
        let path = stage.path();
        assert_eq!(path[..2], [State::Open, State::HalfOpen]);
        assert!(path.len() == 2 || path[2..] == [State::Closed], "{path:?}");
    });
}

#[test]
fn a_probe_that_is_lost_holds_nobody_up_once_its_lease_is_over() {
    in_many_orders(|| {
        let (stage, lost) = Stage::half_open();
        let stage = Arc::new(stage);
        let asking = (0..2).map(|_| {
            let stage = Arc::clone(&stage);
            thread::spawn(move || stage.breaker.ask_probe())
        });
        let asking: Vec<_> = asking.collect();
        let late = thread::spawn({
            let stage = Arc::clone(&stage);
            move || {
                stage.clock.go_on(LEASE);
                thread::yield_now();
                // It was not lost after all, only late: too late, if somebody has noticed.
                stage.breaker.record_probe(lost, Outcome::Neutral);
            }
        });
        late.join().unwrap();
        let mut out = asking.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>();
        // Whatever is out by now is lost too. Somebody asks when it is time to ask, and that is always soon.
        let mut asked = 0;
        while stage.breaker.state() != State::Closed {
            asked += 1;
            assert!(asked <= 4, "stuck: {:?}", stage.told());
            let due = stage.breaker.next_deadline().unwrap().since(stage.clock.now());
            assert!(due.as_millis() <= u128::from(COOL_DOWN.max(LEASE)), "{due:?}");
            stage.clock.go_on(u64::try_from(due.as_millis()).unwrap());
            if let Some(permit) = stage.breaker.ask_probe() {
                stage.breaker.record_probe(permit, Outcome::Success);
            }
        }
        out.drain(..).for_each(|old| stage.breaker.record_probe(old, Outcome::Failure));
        assert_eq!(stage.breaker.state(), State::Closed);
        stage.told();
    });
}
