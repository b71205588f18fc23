//! Tests of the breaker, on made-up time.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn settings() -> BreakerSettings {
    BreakerSettings {
        failures: 3,
        cool_down: Duration::from_secs(10),
        cool_down_max: Duration::from_secs(30),
        jitter: 0.0,
        probe_lease: Duration::from_secs(2),
        ..BreakerSettings::default()
    }
}

fn at(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

fn call(breaker: &mut Breaker, ms: u64, outcome: Outcome) {
    let permit = breaker.ask(at(ms)).expect("the breaker is closed");
    breaker.record(at(ms), permit, outcome, 0.5);
}

fn tripped() -> Breaker {
    let mut breaker = Breaker::new(settings());
    (0..3).for_each(|ms| call(&mut breaker, ms, Outcome::Failure));
    breaker
}

#[test]
fn the_third_failure_in_a_row_opens_it() {
    let mut breaker = Breaker::new(settings());
    for outcome in [Outcome::Failure, Outcome::Failure, Outcome::Success, Outcome::Failure, Outcome::Failure]
    {
        call(&mut breaker, 0, outcome);
    }
    assert_eq!(breaker.state(), State::Closed);
    call(&mut breaker, 1, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.ask(at(1)), Err(Rejected { retry_after: Duration::from_secs(10) }));
}

#[test]
fn two_failures_in_three_open_it_by_their_rate() {
    let mut breaker = Breaker::new(BreakerSettings { min_calls: 20, ..settings() });
    let cycle = [Outcome::Failure, Outcome::Failure, Outcome::Success];
    let opened = cycle.iter().cycle().take(30).position(|outcome| {
        call(&mut breaker, 0, *outcome);
        breaker.state() == State::Open
    });
    assert_eq!(opened, Some(19));
}

#[test]
fn neutral_outcomes_never_open_it() {
    let mut breaker = Breaker::new(settings());
    (0..100).for_each(|ms| call(&mut breaker, ms, Outcome::Neutral));
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn one_probe_at_a_time_and_its_success_closes() {
    let mut breaker = tripped();
    assert_eq!(breaker.ask_probe(at(9_000), 0.5), None);
    let probe = breaker.ask_probe(at(10_002), 0.5).expect("the cool-down is over");
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.ask_probe(at(10_003), 0.5), None);
    assert!(breaker.ask(at(10_003)).is_err());
    breaker.record(at(10_100), probe, Outcome::Success, 0.5);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_probe_that_hangs_loses_its_lease_and_opens_it_again() {
    let mut breaker = tripped();
    let hung = breaker.ask_probe(at(10_002), 0.5).expect("the cool-down is over");
    assert_eq!(breaker.ask_probe(at(12_002), 0.5), None);
    assert_eq!(breaker.state(), State::Open);
    breaker.record(at(12_100), hung, Outcome::Success, 0.5);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_probe_that_did_not_take_place_frees_its_slot() {
    let mut breaker = tripped();
    let probe = breaker.ask_probe(at(10_002), 0.5).expect("the cool-down is over");
    breaker.record(at(10_003), probe, Outcome::Neutral, 0.5);
    assert!(breaker.ask_probe(at(10_004), 0.5).is_some());
}

#[test]
fn repeated_trips_double_the_cool_down_up_to_its_cap() {
    let mut breaker = tripped();
    let mut now = at(2);
    for seconds in [10, 20, 30, 30] {
        let due = breaker.next_deadline().expect("it is open");
        assert_eq!(due.since(now), Duration::from_secs(seconds));
        let probe = breaker.ask_probe(due, 0.5).expect("the cool-down is over");
        breaker.record(due, probe, Outcome::Failure, 0.5);
        now = due;
    }
}

#[test]
fn the_cool_down_starts_small_again_after_it_was_closed_for_long() {
    let mut breaker = tripped();
    let probe = breaker.ask_probe(at(10_002), 0.5).expect("the cool-down is over");
    breaker.record(at(10_002), probe, Outcome::Success, 0.5);
    (30_000..30_003).for_each(|ms| call(&mut breaker, ms, Outcome::Failure));
    assert_eq!(breaker.next_deadline(), Some(at(40_002)));
}

#[test]
fn a_late_failure_from_before_the_trip_changes_nothing() {
    let mut breaker = Breaker::new(settings());
    let late = breaker.ask(at(0)).expect("the breaker is closed");
    (0..3).for_each(|ms| call(&mut breaker, ms, Outcome::Failure));
    let probe = breaker.ask_probe(at(10_002), 0.5).expect("the cool-down is over");
    breaker.record(at(10_002), late, Outcome::Failure, 0.5);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.record(at(10_003), probe, Outcome::Success, 0.5);
    breaker.record(at(10_004), late, Outcome::Failure, 0.5);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn switched_off_it_never_opens() {
    let mut breaker = Breaker::new(BreakerSettings { enabled: false, ..settings() });
    (0..100).for_each(|ms| call(&mut breaker, ms, Outcome::Failure));
    assert_eq!(breaker.state(), State::Closed);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u16),
    Ask,
    AskProbe,
    Record(u8, Outcome),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Neutral)];
    prop_oneof![
        any::<u16>().prop_map(Step::Wait),
        Just(Step::Ask),
        Just(Step::AskProbe),
        (any::<u8>(), outcome).prop_map(|(which, outcome)| Step::Record(which, outcome)),
    ]
}

proptest! {
    #[test]
    fn transitions_are_legal_and_probes_come_one_at_a_time(steps in prop::collection::vec(step(), 0..300)) {
        let mut breaker = Breaker::new(settings());
        let (mut now, mut state, mut permits, mut leases) = (at(0), State::Closed, Vec::new(), Vec::<(Time, Permit)>::new());
        for step in steps {
            match step {
                Step::Wait(ms) => now = now + Duration::from_millis(ms.into()),
                Step::Ask => match breaker.ask(now) {
                    Ok(permit) => { prop_assert_eq!(breaker.state(), State::Closed); permits.push(permit); }
                    Err(_) => prop_assert_ne!(breaker.state(), State::Closed),
                },
                Step::AskProbe => if let Some(permit) = breaker.ask_probe(now, 0.5) {
                    prop_assert_eq!(breaker.state(), State::HalfOpen);
                    prop_assert!(leases.iter().all(|(end, _)| *end <= now));
                    leases.push((now + settings().probe_lease, permit));
                    permits.push(permit);
                },
                Step::Record(which, outcome) if !permits.is_empty() => {
                    let permit = permits.remove(usize::from(which) % permits.len());
                    leases.retain(|(_, leased)| *leased != permit);
                    breaker.record(now, permit, outcome, 0.5);
                }
                Step::Record(..) => {}
            }
            while let Some(change) = breaker.poll() {
                prop_assert_eq!(change.from, state);
                let legal = matches!((change.from, change.to), (State::Closed, State::Open) | (State::Open, State::HalfOpen)
                    | (State::HalfOpen, State::Open | State::Closed));
                prop_assert!(legal, "{:?}", change);
                state = change.to;
            }
            prop_assert_eq!(state, breaker.state());
        }
    }
}

#[test]
fn forced_open_it_sends_no_probe_and_once_let_go_sends_one_at_once() {
    for mut breaker in [Breaker::new(settings()), tripped()] {
        breaker.force(at(5), Force::Open);
        assert_eq!((breaker.state(), breaker.next_deadline()), (State::Open, None));
        assert!(breaker.ask(at(6)).is_err() && breaker.ask_probe(at(1_000_000), 0.5).is_none());
        breaker.force(at(7), Force::Auto);
        let probe = breaker.ask_probe(at(7), 0.5).expect("a probe is due");
        breaker.record(at(8), probe, Outcome::Success, 0.5);
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn a_probe_that_was_out_when_it_was_forced_open_changes_nothing() {
    let mut breaker = tripped();
    let probe = breaker.ask_probe(at(20_000), 0.5).expect("a probe is due");
    breaker.force(at(20_001), Force::Open);
    breaker.record(at(20_002), probe, Outcome::Success, 0.5);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn forced_closed_it_opens_on_nothing_and_once_let_go_it_does_again() {
    let mut breaker = tripped();
    breaker.force(at(5), Force::Closed);
    (6..60).for_each(|ms| call(&mut breaker, ms, Outcome::Failure));
    assert_eq!(breaker.state(), State::Closed);
    breaker.force(at(60), Force::Auto);
    call(&mut breaker, 61, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open, "what failed meanwhile was counted");
}
