//! The breaker of a Redis, and beside it one for each class of calls that has thresholds of its own.
//!
//! ```text
//! a write --> endpoint: closed? --> writes: closed? --> Redis       what ends a connection counts for the endpoint,
//! a read ---> endpoint: closed? ----------------------> Redis       a timeout or refusal of a write for the writes
//! ```
//!
//! While the endpoint's breaker is open nothing goes to Redis, and no class's breaker sends a probe. A class without thresholds
//! of its own counts for the endpoint alone.

use std::collections::VecDeque;

use super::breaker::{Breaker, Force, Outcome, Permit, Rejected, State, Transition};
use super::class::Class;
use super::time::Time;
use crate::settings::BreakerSettings;

/// Which of the breakers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Circuit {
    /// That of the endpoint.
    Endpoint,
    /// That of a class of calls.
    Class(Class),
}

/// What a call, or a probe, may tell about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The way to Redis: connections and logins.
    Endpoint,
    /// What this call asked for.
    Call,
}

/// The right to make one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what came of the call must be recorded"]
pub struct Pass {
    endpoint: Permit,
    class: Option<(Class, Permit)>,
}

/// The right to make one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what came of the probe must be recorded"]
pub struct Probe {
    circuit: Circuit,
    permit: Permit,
}

impl Probe {
    /// The breaker that it is for.
    pub fn circuit(&self) -> Circuit {
        self.circuit
    }
}

/// The breakers.
#[derive(Debug)]
pub struct Circuits {
    endpoint: Breaker,
    classes: Vec<(Class, Breaker)>,
    /// What the breakers that are gone have not told.
    gone: VecDeque<(Circuit, Transition)>,
    /// Generations of breakers that are gone.
    past: u64,
}

impl Circuits {
    /// Closed ones.
    pub fn new(settings: &BreakerSettings) -> Self {
        let own = |class| Some((class, Breaker::new(settings.of_class(settings.per_class.of(class)?))));
        let classes = Class::ALL.into_iter().filter_map(own).collect();
        Self { endpoint: Breaker::new(settings.clone()), classes, gone: VecDeque::new(), past: 0 }
    }

    /// The state of the endpoint's.
    pub fn state(&self) -> State {
        self.endpoint.state()
    }

    /// The state of a class's own, if it has one.
    pub fn state_of(&self, class: Class) -> Option<State> {
        self.classes.iter().find(|(of, _)| *of == class).map(|(_, breaker)| breaker.state())
    }

    /// Asks to make a call.
    ///
    /// # Errors
    ///
    /// When the endpoint's breaker, or that of the class, is not closed.
    pub fn ask(&self, now: Time, class: Class) -> Result<Pass, Rejected> {
        let endpoint = self.endpoint.ask(now)?;
        let own = self.classes.iter().find(|(of, _)| *of == class);
        let class = own.map(|(class, breaker)| Ok((*class, breaker.ask(now)?))).transpose()?;
        Ok(Pass { endpoint, class })
    }

    /// Records what came of a call. `random` is from 0 to 1.
    pub fn record(&mut self, now: Time, pass: Pass, (outcome, scope): (Outcome, Scope), random: f64) {
        let Some((class, permit)) = pass.class else {
            return self.endpoint.record(now, pass.endpoint, outcome, random);
        };
        let (for_endpoint, for_class) = match (outcome, scope) {
            (Outcome::Failure, Scope::Endpoint) => (Outcome::Failure, Outcome::Neutral),
            (Outcome::Failure, Scope::Call) => (Outcome::Neutral, Outcome::Failure),
            (Outcome::Slow, _) => (Outcome::Success, Outcome::Slow),
            (Outcome::Success | Outcome::Neutral, _) => (outcome, outcome),
        };
        self.endpoint.record(now, pass.endpoint, for_endpoint, random);
        if let Some(own) = self.own(class) {
            own.record(now, permit, for_class, random);
        }
    }

    /// Asks to make a probe; see [`Breaker::ask_probe`].
    pub fn ask_probe(&mut self, now: Time, random: f64) -> Option<Probe> {
        if self.endpoint.state() != State::Closed {
            let permit = self.endpoint.ask_probe(now, random)?;
            return Some(Probe { circuit: Circuit::Endpoint, permit });
        }
        self.classes.iter_mut().find_map(|(class, breaker)| {
            let permit = breaker.ask_probe(now, random)?;
            Some(Probe { circuit: Circuit::Class(*class), permit })
        })
    }

    /// Records what came of a probe.
    pub fn record_probe(&mut self, now: Time, probe: Probe, outcome: Outcome, random: f64) {
        let breaker = match probe.circuit {
            Circuit::Endpoint => Some(&mut self.endpoint),
            Circuit::Class(class) => self.own(class),
        };
        if let Some(breaker) = breaker {
            breaker.record(now, probe.permit, outcome, random);
        }
    }

    /// What somebody decided over the head of all of them.
    pub fn forced(&self) -> Force {
        self.endpoint.forced()
    }

    /// Decides over the head of all of them, or lets them decide again.
    pub fn force(&mut self, now: Time, force: Force) {
        self.endpoint.force(now, force);
        // Forced open, the endpoint's stops everything; theirs stay as they are, for afterwards.
        if force != Force::Open {
            self.classes.iter_mut().for_each(|(_, breaker)| breaker.force(now, force));
        }
    }

    /// Goes on with other settings; see [`Breaker::apply`]. A class that has no thresholds of its own any more loses its breaker,
    /// which closes by that.
    pub fn apply(&mut self, now: Time, settings: &BreakerSettings) {
        self.endpoint.apply(settings.clone());
        let mut before = std::mem::take(&mut self.classes);
        for class in Class::ALL {
            let known =
                before.iter().position(|(of, _)| *of == class).map(|place| before.swap_remove(place).1);
            let own = settings.per_class.of(class).map(|own| settings.of_class(own));
            match (known, own) {
                (Some(mut breaker), Some(own)) => {
                    breaker.apply(own);
                    self.classes.push((class, breaker));
                }
                (None, Some(own)) => {
                    let mut breaker = Breaker::from_generation(own, self.past);
                    if self.endpoint.forced() == Force::Closed {
                        breaker.force(now, Force::Closed);
                    }
                    self.classes.push((class, breaker));
                }
                (Some(mut breaker), None) => {
                    breaker.force(now, Force::Closed);
                    self.past = self.past.max(breaker.generation() + 1);
                    let told = std::iter::from_fn(|| breaker.poll());
                    self.gone.extend(told.map(|change| (Circuit::Class(class), change)));
                }
                (None, None) => {}
            }
        }
    }

    /// The next change of state that has not been told yet.
    pub fn poll(&mut self) -> Option<(Circuit, Transition)> {
        if let Some(gone) = self.gone.pop_front() {
            return Some(gone);
        }
        if let Some(change) = self.endpoint.poll() {
            return Some((Circuit::Endpoint, change));
        }
        self.classes.iter_mut().find_map(|(class, breaker)| Some((Circuit::Class(*class), breaker.poll()?)))
    }

    /// When [`ask_probe`](Self::ask_probe) should be asked next; `None` while all are closed.
    pub fn next_deadline(&self) -> Option<Time> {
        if self.endpoint.state() != State::Closed {
            return self.endpoint.next_deadline();
        }
        self.classes.iter().filter_map(|(_, breaker)| breaker.next_deadline()).min()
    }

    fn own(&mut self, class: Class) -> Option<&mut Breaker> {
        self.classes.iter_mut().find(|(of, _)| *of == class).map(|(_, breaker)| breaker)
    }
}

#[cfg(test)]
#[path = "circuits_tests.rs"]
mod tests;
