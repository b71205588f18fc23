//! Tests of the breakers of classes, on made-up time.

use std::time::Duration;

use super::*;
use crate::settings::{PerClass, Thresholds};

const MS: u64 = 1_000_000;

fn settings() -> BreakerSettings {
    let writes = Thresholds { failures: 2, ..Thresholds::default() };
    BreakerSettings {
        cool_down: Duration::from_secs(10),
        jitter: 0.0,
        per_class: PerClass { writes: Some(writes), ..PerClass::default() },
        ..BreakerSettings::default()
    }
}

fn at(ms: u64) -> Time {
    Time::from_nanos(ms * MS)
}

fn call(circuits: &mut Circuits, class: Class, outcome: Outcome, scope: Scope) {
    let pass = circuits.ask(at(1), class).expect("it is closed");
    circuits.record(at(1), pass, (outcome, scope), 0.5);
}

fn with_writes_stopped() -> Circuits {
    let mut circuits = Circuits::new(&settings());
    (0..2).for_each(|_| call(&mut circuits, Class::Writes, Outcome::Failure, Scope::Call));
    circuits
}

#[test]
fn writes_that_are_refused_stop_writes_and_nothing_else() {
    let circuits = with_writes_stopped();
    assert_eq!(circuits.state(), State::Closed);
    assert_eq!(circuits.state_of(Class::Writes), Some(State::Open));
    assert!(circuits.ask(at(2), Class::Writes).is_err());
    assert!(circuits.ask(at(2), Class::Reads).is_ok() && circuits.ask(at(2), Class::Upkeep).is_ok());
}

#[test]
fn connections_that_end_count_for_the_endpoint_whoever_used_them() {
    let mut circuits = Circuits::new(&settings());
    for class in [Class::Writes, Class::Reads, Class::Writes] {
        assert_eq!(circuits.state(), State::Closed);
        call(&mut circuits, class, Outcome::Failure, Scope::Endpoint);
    }
    assert_eq!(circuits.state(), State::Open);
    assert_eq!(circuits.state_of(Class::Writes), Some(State::Closed));
    assert!(Class::ALL.into_iter().all(|class| circuits.ask(at(2), class).is_err()));
}

#[test]
fn timeouts_of_a_class_without_thresholds_of_its_own_count_for_the_endpoint() {
    let mut circuits = Circuits::new(&settings());
    (0..3).for_each(|_| call(&mut circuits, Class::Reads, Outcome::Failure, Scope::Call));
    assert_eq!(circuits.state(), State::Open);
    assert_eq!(circuits.state_of(Class::Reads), None);
}

#[test]
fn a_probe_of_its_own_lets_a_class_go_on() {
    let mut circuits = with_writes_stopped();
    assert_eq!(circuits.next_deadline(), Some(at(10_001)));
    assert_eq!(circuits.ask_probe(at(10_000), 0.5), None);
    let probe = circuits.ask_probe(at(10_001), 0.5).expect("the cool-down is over");
    assert_eq!(probe.circuit(), Circuit::Class(Class::Writes));
    assert_eq!(circuits.ask_probe(at(10_002), 0.5), None);
    circuits.record_probe(at(10_003), probe, Outcome::Success, 0.5);
    assert!(circuits.ask(at(10_004), Class::Writes).is_ok());
    let told: Vec<_> = std::iter::from_fn(|| circuits.poll()).map(|(of, change)| (of, change.to)).collect();
    let writes = Circuit::Class(Class::Writes);
    assert_eq!(told, [(writes, State::Open), (writes, State::HalfOpen), (writes, State::Closed)]);
}

#[test]
fn while_the_endpoints_is_open_there_is_no_probe_but_its_own() {
    let mut circuits = with_writes_stopped();
    for _ in 0..3 {
        let pass = circuits.ask(at(9000), Class::Reads).expect("it is closed");
        circuits.record(at(9000), pass, (Outcome::Failure, Scope::Endpoint), 0.5);
    }
    assert_eq!(circuits.next_deadline(), Some(at(19_000)));
    assert_eq!(circuits.ask_probe(at(12_000), 0.5), None);
    let probe = circuits.ask_probe(at(19_000), 0.5).expect("the cool-down is over");
    assert_eq!(probe.circuit(), Circuit::Endpoint);
    assert_eq!(circuits.ask_probe(at(19_001), 0.5), None);
}

#[test]
fn thresholds_that_change_while_it_runs_hold_from_then_on() {
    let mut circuits = Circuits::new(&settings());
    call(&mut circuits, Class::Writes, Outcome::Failure, Scope::Call);
    let patient = Thresholds { failures: 5, ..Thresholds::default() };
    let per_class = PerClass { writes: Some(patient), reads: Some(patient), ..PerClass::default() };
    circuits.apply(at(2), &BreakerSettings { per_class, ..settings() });
    (0..3).for_each(|_| call(&mut circuits, Class::Writes, Outcome::Failure, Scope::Call));
    assert_eq!(circuits.state_of(Class::Writes), Some(State::Closed));
    assert_eq!(circuits.state_of(Class::Reads), Some(State::Closed));
    call(&mut circuits, Class::Writes, Outcome::Failure, Scope::Call);
    assert_eq!(circuits.state_of(Class::Writes), Some(State::Open));
    circuits.apply(at(2), &BreakerSettings { per_class: PerClass::default(), ..settings() });
    assert!(circuits.ask(at(2), Class::Writes).is_ok());
}

#[test]
fn forced_closed_every_class_goes_on() {
    let mut circuits = with_writes_stopped();
    circuits.force(at(2), Force::Closed);
    assert!(circuits.ask(at(2), Class::Writes).is_ok());
}

#[test]
fn a_class_that_loses_its_breaker_while_it_is_open_is_told_to_go_on() {
    let mut circuits = with_writes_stopped();
    let old = circuits.classes[0].1.generation();
    circuits.apply(at(2), &BreakerSettings { per_class: PerClass::default(), ..settings() });
    let told: Vec<_> = std::iter::from_fn(|| circuits.poll()).map(|(of, change)| (of, change.to)).collect();
    let writes = Circuit::Class(Class::Writes);
    assert_eq!(told, [(writes, State::Open), (writes, State::Closed)]);
    circuits.apply(at(3), &settings());
    assert!(circuits.classes[0].1.generation() > old);
    assert!(circuits.ask(at(3), Class::Writes).is_ok());
}

#[test]
fn a_breaker_that_comes_while_all_are_forced_closed_is_forced_too() {
    let mut circuits = Circuits::new(&BreakerSettings { per_class: PerClass::default(), ..settings() });
    circuits.force(at(1), Force::Closed);
    circuits.apply(at(1), &settings());
    (0..9).for_each(|_| call(&mut circuits, Class::Writes, Outcome::Failure, Scope::Call));
    assert!(circuits.ask(at(2), Class::Writes).is_ok());
}
