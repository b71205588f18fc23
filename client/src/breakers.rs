//! The breakers, shared by all tasks of a client: every change is told once, in order, outside of every lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::clock::Clock;
use crate::core::breaker::{Force, Outcome, Rejected, State};
use crate::core::circuits::{Circuit, Circuits, Pass, Probe, Scope};
use crate::core::class::Class;
use crate::core::time::Time;
use crate::event::Event;
use crate::settings::BreakerSettings;
use crate::teller::Teller;

/// What is done as soon as the endpoint's breaker opens, before anybody is told.
pub(crate) type OnOpen = Box<dyn Fn() + Send + Sync>;

/// The breakers.
pub(crate) struct Breakers {
    clock: Clock,
    circuits: Mutex<Circuits>,
    on_open: OnOpen,
    /// Told after every change.
    changed: Notify,
}

impl Breakers {
    /// Closed ones.
    pub(crate) fn new(settings: &BreakerSettings, clock: Clock, on_open: OnOpen) -> Self {
        Self { clock, circuits: Mutex::new(Circuits::new(settings)), on_open, changed: Notify::new() }
    }

    /// See [`Circuits::ask`].
    pub(crate) fn ask(&self, class: Class) -> Result<Pass, Rejected> {
        self.lock().ask(self.clock.now(), class)
    }

    /// Records what came of a call. `random` is from 0 to 1.
    pub(crate) fn record(&self, pass: Pass, outcome: (Outcome, Scope), random: f64, teller: &Teller) {
        let mut circuits = self.lock();
        circuits.record(self.clock.now(), pass, outcome, random);
        self.tell(circuits, teller);
    }

    /// See [`Circuits::ask_probe`].
    pub(crate) fn ask_probe(&self, random: f64, teller: &Teller) -> Option<Probe> {
        let mut circuits = self.lock();
        let probe = circuits.ask_probe(self.clock.now(), random);
        self.tell(circuits, teller);
        probe
    }

    /// Records what came of a probe.
    pub(crate) fn record_probe(&self, probe: Probe, outcome: Outcome, random: f64, teller: &Teller) {
        let mut circuits = self.lock();
        circuits.record_probe(self.clock.now(), probe, outcome, random);
        self.tell(circuits, teller);
    }

    /// Decides over their head, or lets them decide again.
    pub(crate) fn force(&self, force: Force, teller: &Teller) {
        let mut circuits = self.lock();
        circuits.force(self.clock.now(), force);
        self.tell(circuits, teller);
        // A probe may be due without a change.
        self.changed.notify_waiters();
    }

    /// Goes on with other settings.
    pub(crate) fn apply(&self, settings: &BreakerSettings) {
        self.lock().apply(settings);
        self.changed.notify_waiters();
    }

    /// The state of the endpoint's.
    pub(crate) fn state(&self) -> State {
        self.lock().state()
    }

    /// The state of a class's own, if it has one.
    pub(crate) fn state_of(&self, class: Class) -> Option<State> {
        self.lock().state_of(class)
    }

    /// When a probe is due next.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.lock().next_deadline()
    }

    /// Ends when one changes, counted from this call on.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Tells what waits, and wakes those who await a change.
    pub(crate) fn told(&self, teller: &Teller) {
        if teller.tell() {
            self.changed.notify_waiters();
        }
    }

    /// Takes the changes into the order of events while they are still locked, then tells them.
    fn tell(&self, mut circuits: MutexGuard<'_, Circuits>, teller: &Teller) {
        let mut changed = false;
        while let Some((circuit, change)) = circuits.poll() {
            changed = true;
            if circuit == Circuit::Endpoint && change.to == State::Open {
                (self.on_open)();
            }
            teller.push(Event::of_breaker(circuit, change));
        }
        drop(circuits);
        if changed {
            self.told(teller);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Circuits> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
