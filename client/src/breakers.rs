//! The breakers as all tasks of a client share them: behind one lock, every change told once and in order, every outcome recorded.
//!
//! `tests/model` compiles this very file, and `teller.rs`, with locks that try the orders in which threads can run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::clock::Clock;
use crate::core::breaker::{Force, Outcome, Rejected, State};
use crate::core::circuits::{Circuit, Circuits, Pass, Probe, Scope};
use crate::core::class::Class;
use crate::core::time::Time;
use crate::event::Event;
use crate::lock::{Mutex, MutexGuard, lock};
use crate::settings::BreakerSettings;
use crate::teller::Teller;

/// Breakers that tasks share.
pub(crate) struct Breakers {
    circuits: Mutex<Circuits>,
    /// Jitters the cool-down.
    chance: Mutex<ChaCha8Rng>,
    clock: Clock,
    teller: Arc<Teller>,
    /// Called when the endpoint's opens, before anybody can ask again.
    on_open: Box<dyn Fn() + Send + Sync>,
    /// Told after every change.
    changed: Notify,
    /// How long a call may wait for its reply, in nanoseconds: one that was given up after that is a failure.
    patience: AtomicU64,
}

impl Breakers {
    /// Shares breakers that nobody has asked yet.
    pub(crate) fn new(
        circuits: Circuits,
        patience: Duration,
        clock: Clock,
        seed: u64,
        teller: Arc<Teller>,
        on_open: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            circuits: Mutex::new(circuits),
            chance: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            clock,
            teller,
            on_open: Box::new(on_open),
            changed: Notify::new(),
            patience: AtomicU64::new(nanos(patience)),
        }
    }

    /// The state of the endpoint's.
    pub(crate) fn state(&self) -> State {
        lock(&self.circuits).state()
    }

    /// The state of a class's own, if it has one.
    pub(crate) fn state_of(&self, class: Class) -> Option<State> {
        lock(&self.circuits).state_of(class)
    }

    /// When [`ask_probe`](Self::ask_probe) should be asked next; `None` while all are closed.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        lock(&self.circuits).next_deadline()
    }

    /// Ends when one changes, counted from this call on.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// A number from 0 to 1, below 1.
    pub(crate) fn random(&self) -> f64 {
        lock(&self.chance).random()
    }

    /// Asks to make a call.
    pub(crate) fn ask(&self, class: Class) -> Result<Pass, Rejected> {
        lock(&self.circuits).ask(self.clock.now(), class)
    }

    /// Records what came of a call.
    pub(crate) fn record(&self, pass: Pass, outcome: (Outcome, Scope)) {
        let random = self.random();
        let mut circuits = lock(&self.circuits);
        circuits.record(self.clock.now(), pass, outcome, random);
        self.take_changes(circuits);
    }

    /// Asks to make a probe.
    pub(crate) fn ask_probe(&self) -> Option<Probe> {
        let random = self.random();
        let mut circuits = lock(&self.circuits);
        let probe = circuits.ask_probe(self.clock.now(), random);
        self.take_changes(circuits);
        probe
    }

    /// Records what came of a probe.
    pub(crate) fn record_probe(&self, probe: Probe, outcome: Outcome) {
        let random = self.random();
        let mut circuits = lock(&self.circuits);
        circuits.record_probe(self.clock.now(), probe, outcome, random);
        self.take_changes(circuits);
    }

    /// What somebody decided over the head of all of them.
    pub(crate) fn forced(&self) -> Force {
        lock(&self.circuits).forced()
    }

    /// Decides over their head, or lets them decide again.
    pub(crate) fn force(&self, force: Force) {
        let mut circuits = lock(&self.circuits);
        circuits.force(self.clock.now(), force);
        self.take_changes(circuits);
        // A probe may be due without a change.
        self.changed.notify_waiters();
    }

    /// Goes on with other settings. What changes by that is to be [told](Self::tell) after it.
    pub(crate) fn apply(&self, settings: &BreakerSettings, patience: Duration) {
        self.patience.store(nanos(patience), Ordering::Relaxed);
        let mut circuits = lock(&self.circuits);
        circuits.apply(self.clock.now(), settings);
        self.push_changes(&mut circuits);
        drop(circuits);
        self.changed.notify_waiters();
    }

    /// A call that has just been let pass.
    pub(crate) fn pending(&self, pass: Pass, class: Class) -> Pending<'_> {
        let asked = self.clock.now();
        Pending { breakers: self, pass: Some(pass), class, asked, unconnected: false, counted: false }
    }

    /// A call that its deadline or its caller cut short says nothing, unless it had waited for as long as one may.
    pub(crate) fn outcome_without_reply(&self, waited: Duration) -> Outcome {
        let patience = Duration::from_nanos(self.patience.load(Ordering::Relaxed));
        if waited >= patience { Outcome::Failure } else { Outcome::Neutral }
    }

    /// Takes the changes into the order of events while they are still locked, then tells them.
    fn take_changes(&self, mut circuits: MutexGuard<'_, Circuits>) {
        let changed = self.push_changes(&mut circuits);
        drop(circuits);
        if changed {
            self.tell();
        }
    }

    fn push_changes(&self, circuits: &mut Circuits) -> bool {
        let mut changed = false;
        while let Some((circuit, change)) = circuits.poll() {
            changed = true;
            if circuit == Circuit::Endpoint && change.to == State::Open {
                (self.on_open)();
            }
            self.teller.push(Event::of_breaker(circuit, change));
        }
        changed
    }

    /// Tells what waits to be told, and wakes who waits for a change.
    pub(crate) fn tell(&self) {
        if self.teller.tell() {
            self.changed.notify_waiters();
        }
    }
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

/// A call whose outcome the breakers await. A caller that goes away is no outcome, unless it had waited out the timeout.
pub(crate) struct Pending<'a> {
    breakers: &'a Breakers,
    pass: Option<Pass>,
    /// What kind of call it is.
    pub(crate) class: Class,
    /// When it was let pass; once it has waited for its connection, since then.
    pub(crate) asked: Time,
    /// It failed for want of a connection.
    pub(crate) unconnected: bool,
    /// Its connection ended, or could not be opened, and another call has told the breakers so.
    pub(crate) counted: bool,
}

impl Pending<'_> {
    /// Asks again: the breakers may have changed since.
    pub(crate) fn ask_again(&mut self) -> Result<(), Rejected> {
        self.pass = Some(self.breakers.ask(self.class)?);
        self.asked = self.breakers.clock.now();
        Ok(())
    }

    /// Records what came of it.
    pub(crate) fn record(&mut self, outcome: (Outcome, Scope)) {
        if let Some(pass) = self.pass.take() {
            self.breakers.record(pass, outcome);
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.pass.is_some() {
            let waited = self.breakers.clock.now().since(self.asked);
            self.record((self.breakers.outcome_without_reply(waited), Scope::Call));
        }
    }
}
