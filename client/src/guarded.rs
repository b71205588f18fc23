//! The breaker as all tasks of a client share it: behind a lock, every change told once and in order, every outcome recorded.
//!
//! `tests/model` compiles this very file, and `teller.rs`, with locks that try the orders in which threads can run.

use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::clock::Clock;
use crate::core::breaker::{Breaker, Force, Outcome, Permit, Rejected, State};
use crate::core::time::Time;
use crate::event::Event;
use crate::lock::{Mutex, MutexGuard, lock};
use crate::teller::Teller;

/// A breaker that tasks share.
pub(crate) struct Guarded {
    breaker: Mutex<Breaker>,
    /// Jitters the cool-down.
    chance: Mutex<ChaCha8Rng>,
    clock: Clock,
    teller: Arc<Teller>,
    /// Called when it opens, before anybody can ask again.
    on_open: Box<dyn Fn() + Send + Sync>,
    /// Told after every change.
    changed: Notify,
    /// How long a call may wait for its reply: one that was given up after that is a failure.
    patience: Duration,
}

impl Guarded {
    /// Shares a breaker that nobody has asked yet.
    pub(crate) fn new(
        breaker: Breaker,
        patience: Duration,
        clock: Clock,
        seed: u64,
        teller: Arc<Teller>,
        on_open: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            breaker: Mutex::new(breaker),
            chance: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            clock,
            teller,
            on_open: Box::new(on_open),
            changed: Notify::new(),
            patience,
        }
    }

    /// The state.
    pub(crate) fn state(&self) -> State {
        lock(&self.breaker).state()
    }

    /// When [`ask_probe`](Self::ask_probe) should be asked next; `None` while closed.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        lock(&self.breaker).next_deadline()
    }

    /// Ends when it changes, counted from this call on.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// A number from 0 to 1, below 1.
    pub(crate) fn random(&self) -> f64 {
        lock(&self.chance).random()
    }

    /// Asks to make a call.
    pub(crate) fn ask(&self) -> Result<Permit, Rejected> {
        lock(&self.breaker).ask(self.clock.now())
    }

    /// Asks to make the probe.
    pub(crate) fn ask_probe(&self) -> Option<Permit> {
        let random = self.random();
        let mut breaker = lock(&self.breaker);
        let permit = breaker.ask_probe(self.clock.now(), random);
        self.take_changes(breaker);
        permit
    }

    /// Records what came of a call or probe.
    pub(crate) fn record(&self, permit: Permit, outcome: Outcome) {
        let random = self.random();
        let mut breaker = lock(&self.breaker);
        breaker.record(self.clock.now(), permit, outcome, random);
        self.take_changes(breaker);
    }

    /// Decides over its head, or lets it decide again.
    pub(crate) fn force(&self, force: Force) {
        let mut breaker = lock(&self.breaker);
        breaker.force(self.clock.now(), force);
        self.take_changes(breaker);
        // A probe may be due without a change.
        self.changed.notify_waiters();
    }

    /// A call that has just been permitted.
    pub(crate) fn pending(&self, permit: Permit) -> Pending<'_> {
        Pending { guarded: self, permit: Some(permit), asked: self.clock.now(), counted: false }
    }

    /// A call that its deadline or its caller cut short says nothing, unless it had waited for as long as one may.
    pub(crate) fn outcome_without_reply(&self, waited: Duration) -> Outcome {
        if waited >= self.patience { Outcome::Failure } else { Outcome::Neutral }
    }

    /// Takes the breaker's changes into the order of events while it is still locked, then tells them.
    fn take_changes(&self, mut breaker: MutexGuard<'_, Breaker>) {
        let mut changed = false;
        while let Some(change) = breaker.poll() {
            changed = true;
            if change.to == State::Open {
                (self.on_open)();
            }
            self.teller.push(Event::Breaker {
                at: change.at,
                from: change.from,
                to: change.to,
                reason: change.reason,
            });
        }
        drop(breaker);
        if changed {
            self.tell();
        }
    }

    /// Tells what waits to be told, and wakes who waits for a change.
    pub(crate) fn tell(&self) {
        if self.teller.tell() {
            self.changed.notify_waiters();
        }
    }
}

/// A call whose outcome the breaker awaits. A caller that goes away is no outcome, unless it had waited out the timeout.
pub(crate) struct Pending<'a> {
    guarded: &'a Guarded,
    permit: Option<Permit>,
    /// When it was permitted first.
    pub(crate) asked: Time,
    /// Its connection ended, or could not be opened, and another call has told the breaker so.
    pub(crate) counted: bool,
}

impl Pending<'_> {
    /// Asks again: the breaker may have changed since.
    pub(crate) fn ask_again(&mut self) -> Result<(), Rejected> {
        self.permit = Some(self.guarded.ask()?);
        Ok(())
    }

    /// Records what came of it.
    pub(crate) fn record(&mut self, outcome: Outcome) {
        if let Some(permit) = self.permit.take() {
            self.guarded.record(permit, outcome);
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.permit.is_some() {
            let waited = self.guarded.clock.now().since(self.asked);
            self.record(self.guarded.outcome_without_reply(waited));
        }
    }
}
