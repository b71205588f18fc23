//! What breakers did in a run, to compare real time with virtual time: what one does against a real Redis must be something that it
//! does there too, with the seed of the run or with one of some others.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use crate::history::{BreakerState, Event, History};

/// Seeds beside that of the run with which virtual time shows what breakers do, where one did something else in real time.
pub(super) const SEEDS: RangeInclusive<u64> = 1..=8;

/// What each breaker of a run did, in words.
pub(super) type Behaviour = BTreeSet<String>;

/// What virtual time has shown, by the name of the scenario; nothing where it cannot run it.
#[derive(Clone, Default)]
pub(super) struct Shown(Arc<Mutex<BTreeMap<String, Option<Behaviour>>>>);

impl Shown {
    /// Takes over what virtual time showed of `scenario`.
    pub(super) fn keep(&self, scenario: &str, behaviour: Option<Behaviour>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(scenario.to_owned(), behaviour);
    }

    /// What virtual time showed of `scenario`, where it was run.
    pub(super) fn of(&self, scenario: &str) -> Option<Option<Behaviour>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(scenario).cloned()
    }
}

/// What the breakers did in `real`, and not in any run of virtual time, in words; nothing when there is nothing of the kind.
pub(super) fn difference(real: &Behaviour, virtual_time: &Behaviour) -> Option<String> {
    let words = |behaviours: Vec<&str>| behaviours.join(" or ");
    let unheard: Vec<&str> = real.difference(virtual_time).map(String::as_str).collect();
    let known = words(virtual_time.iter().map(String::as_str).collect());
    (!unheard.is_empty()).then(|| format!("a breaker {}; in virtual time it {known}", words(unheard)))
}

/// What the breakers of all instances did.
pub(super) fn of(history: &History) -> Behaviour {
    (0..history.head.instances).map(|instance| one(history, instance)).collect()
}

/// What an instance's breaker did. How often a probe failed is chance and does not count.
fn one(history: &History, instance: u16) -> String {
    let mut states = vec![BreakerState::Closed];
    for entry in &history.entries {
        let Event::Breaker { instance: of, to, .. } = &entry.e else { continue };
        if *of != instance {
            continue;
        }
        if *to == BreakerState::Open && states.last() == Some(&BreakerState::HalfOpen) {
            states.pop();
        } else {
            states.push(*to);
        }
    }
    let trips = states.iter().filter(|state| **state == BreakerState::Open).count();
    match (trips, states.last()) {
        (0, _) => "stays closed".to_owned(),
        (_, Some(BreakerState::Closed)) => "opens and closes".to_owned(),
        (_, last) => format!("opens and ends {last:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaviour(words: &[&str]) -> Behaviour {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_virtual_time_has_shown_is_no_difference() {
        let both = behaviour(&["stays closed", "opens and closes"]);
        assert_eq!(difference(&behaviour(&["stays closed"]), &both), None);
    }

    #[test]
    fn what_virtual_time_has_not_shown_is_told() {
        let told = difference(&behaviour(&["opens and closes"]), &behaviour(&["stays closed"]));
        assert_eq!(told.as_deref(), Some("a breaker opens and closes; in virtual time it stays closed"));
    }
}
