//! The circuit breaker: stops calls to a Redis that is in trouble, and finds out with one probe at a time when it is back.
//!
//! ```text
//!     failures in a row, failure rate, slow calls             cool-down over, probe asked for
//! closed -------------------------------------> open ---------------------------------------> half-open
//!    ^                                            ^                                             |   |
//!    |                                            +------- probe failed, or its lease ended ----+   |
//!    +------------------------------------ enough probes in a row succeeded ------------------------+
//! ```
//!
//! Calls of users go through only while it is closed. Every permit carries the generation in which it was given; what comes
//! back with another generation changes nothing, so a late failure cannot reopen what a probe has closed.

use std::collections::VecDeque;
use std::time::Duration;

use super::time::Time;
use super::window::{Totals, Window};
use crate::settings::BreakerSettings;

/// A breaker's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls go through.
    Closed,
    /// Calls are rejected until the cool-down is over.
    Open,
    /// Calls are rejected; a probe decides.
    HalfOpen,
}

impl State {
    /// Its name in logs and health.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// What somebody decided over the breaker's head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Force {
    /// Nothing: it decides by itself.
    #[default]
    Auto,
    /// It stays open, and no probe is sent: Redis is left alone.
    Open,
    /// It stays closed: what fails is counted, and opens nothing.
    Closed,
}

/// The right to make one call, or one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what came of the call must be recorded"]
pub struct Permit {
    generation: u64,
    probe: bool,
}

/// The call is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// When asking again may help.
    pub retry_after: Duration,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Redis answered.
    Success,
    /// Redis answered, but slowly.
    Slow,
    /// Redis, or the way to it, failed.
    Failure,
    /// It says nothing about Redis: the caller went away, or asked for something wrong.
    Neutral,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub at: Time,
    /// The state left.
    pub from: State,
    /// The state entered.
    pub to: State,
    /// Why, in a few words.
    pub reason: &'static str,
}

/// The breaker. Time and randomness are arguments; changes of state come out of [`poll`](Self::poll).
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: State,
    generation: u64,
    failures_in_a_row: u32,
    window: Window,
    /// Open: when the cool-down ends. Half-open: when the lease of the probe ends, if one is out.
    deadline: Option<Time>,
    probes_succeeded: u32,
    /// Trips since it was last closed for a whole cool-down.
    trips: u32,
    closed_since: Time,
    force: Force,
    changes: VecDeque<Transition>,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            window: Window::new(settings.window),
            settings,
            state: State::Closed,
            generation: 0,
            failures_in_a_row: 0,
            deadline: None,
            probes_succeeded: 0,
            trips: 0,
            closed_since: Time::START,
            force: Force::Auto,
            changes: VecDeque::new(),
        }
    }

    /// A closed breaker that comes after others: permits of theirs, of generations below this one, are none of its own.
    pub(crate) fn from_generation(settings: BreakerSettings, generation: u64) -> Self {
        Self { generation, ..Self::new(settings) }
    }

    /// The generation of the permits that it gives now.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// What somebody decided over its head.
    pub(crate) fn forced(&self) -> Force {
        self.force
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Asks to make a call.
    pub fn ask(&self, now: Time) -> Result<Permit, Rejected> {
        match self.state {
            State::Closed => Ok(Permit { generation: self.generation, probe: false }),
            State::Open | State::HalfOpen => {
                let retry_after = self.deadline.map_or(Duration::ZERO, |deadline| deadline.since(now));
                Err(Rejected { retry_after })
            }
        }
    }

    /// Asks to make the probe. Turns an open breaker whose cool-down is over half-open. There is one probe at a time: its
    /// lease must have ended or its outcome been recorded before there is another.
    pub fn ask_probe(&mut self, now: Time, random: f64) -> Option<Permit> {
        if self.force == Force::Open {
            return None;
        }
        match self.state {
            State::Closed => return None,
            State::Open => {
                if self.deadline.is_some_and(|deadline| now < deadline) {
                    return None;
                }
                self.enter(State::HalfOpen, now, "the cool-down is over");
                self.probes_succeeded = 0;
            }
            State::HalfOpen => match self.deadline {
                Some(lease_end) if now < lease_end => return None,
                Some(_) => {
                    self.trip(now, random, "the probe's lease ended");
                    return None;
                }
                None => {}
            },
        }
        self.deadline = Some(now + self.settings.probe_lease);
        Some(Permit { generation: self.generation, probe: true })
    }

    /// Records what came of a call or probe. `random` is from 0 to 1 and jitters the cool-down if this opens the breaker.
    pub fn record(&mut self, now: Time, permit: Permit, outcome: Outcome, random: f64) {
        if permit.generation != self.generation {
            return;
        }
        match (self.state, permit.probe) {
            (State::Closed, false) => self.record_call(now, outcome, random),
            (State::HalfOpen, true) => self.record_probe(now, outcome, random),
            // A permit of this generation is of this state's kind: calls when closed, probes when half-open.
            (State::Closed, true) | (State::HalfOpen, false) | (State::Open, _) => {}
        }
    }

    /// Decides over its head, or lets it decide again: then an open breaker sends a probe at once.
    pub fn force(&mut self, now: Time, force: Force) {
        let was = std::mem::replace(&mut self.force, force);
        match force {
            Force::Open if self.state != State::Open => self.enter(State::Open, now, "forced open"),
            Force::Open => self.deadline = None,
            Force::Closed if self.state != State::Closed => self.close(now, "forced closed"),
            Force::Closed => {}
            Force::Auto if was == Force::Open => self.deadline = Some(now),
            Force::Auto => {}
        }
    }

    /// Goes on with other settings. What was counted stays, unless the window has another length; a cool-down or a lease that
    /// has begun ends as it would have.
    pub fn apply(&mut self, settings: BreakerSettings) {
        if settings.window != self.settings.window {
            self.window = Window::new(settings.window);
        }
        self.settings = settings;
    }

    /// The next change of state that has not been told yet.
    pub fn poll(&mut self) -> Option<Transition> {
        self.changes.pop_front()
    }

    /// When [`ask_probe`](Self::ask_probe) should be asked next; `None` while closed.
    pub fn next_deadline(&self) -> Option<Time> {
        match self.state {
            State::Closed => None,
            State::Open if self.force == Force::Open => None,
            State::Open | State::HalfOpen => self.deadline.or(Some(Time::START)),
        }
    }

    fn record_call(&mut self, now: Time, outcome: Outcome, random: f64) {
        let (failed, slow) = match outcome {
            Outcome::Neutral => return,
            Outcome::Success => (false, false),
            Outcome::Slow => (false, true),
            Outcome::Failure => (true, true),
        };
        self.window.count(now, failed, slow);
        self.failures_in_a_row = if failed { self.failures_in_a_row.saturating_add(1) } else { 0 };
        if !self.settings.enabled || self.force == Force::Closed {
            return;
        }
        if failed && self.failures_in_a_row >= self.settings.failures {
            self.trip(now, random, "failures in a row");
        } else if failed && self.rate_reached(now, self.settings.failure_rate, |totals| totals.failures) {
            self.trip(now, random, "failure rate");
        } else if slow
            && self.settings.slow_calls
            && self.rate_reached(now, self.settings.slow_rate, |totals| totals.slow)
        {
            self.trip(now, random, "slow calls");
        }
    }

    fn rate_reached(&mut self, now: Time, rate: f64, of: fn(Totals) -> u64) -> bool {
        let totals = self.window.totals(now);
        totals.calls >= u64::from(self.settings.min_calls) && of(totals) as f64 >= rate * totals.calls as f64
    }

    fn record_probe(&mut self, now: Time, outcome: Outcome, random: f64) {
        self.deadline = None;
        match outcome {
            // However slow it is, it is there; what it is worth, the calls will tell.
            Outcome::Success | Outcome::Slow => {
                self.probes_succeeded += 1;
                if self.probes_succeeded >= self.settings.probes {
                    self.close(now, "probes succeeded");
                }
            }
            Outcome::Failure => self.trip(now, random, "the probe failed"),
            // The probe did not take place: its slot is free again.
            Outcome::Neutral => {}
        }
    }

    fn close(&mut self, now: Time, reason: &'static str) {
        self.enter(State::Closed, now, reason);
        self.failures_in_a_row = 0;
        self.window.clear();
        self.closed_since = now;
    }

    fn trip(&mut self, now: Time, random: f64, reason: &'static str) {
        if self.state == State::Closed && now.since(self.closed_since) >= self.settings.cool_down {
            self.trips = 0;
        }
        let doubled = self.settings.cool_down.saturating_mul(1 << self.trips.min(20));
        let swing = 1.0 + self.settings.jitter * (2.0 * random.clamp(0.0, 1.0) - 1.0);
        let cool_down = doubled.min(self.settings.cool_down_max).mul_f64(swing);
        self.trips = self.trips.saturating_add(1);
        self.enter(State::Open, now, reason);
        self.deadline = Some(now + cool_down);
    }

    fn enter(&mut self, to: State, at: Time, reason: &'static str) {
        self.changes.push_back(Transition { at, from: self.state, to, reason });
        self.state = to;
        self.generation += 1;
        self.deadline = None;
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "breaker_model.rs"]
mod model;
