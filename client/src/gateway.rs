//! One call to Redis, with everything that makes it safe.
//!
//! In this order, from the outside in: the caller's deadline, the bound of calls in flight, the breaker (asked again at every
//! attempt), the retry and its budget, the pool, the operation timeout. A task of its own sends the breaker's probes: a user's
//! call never is one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use redis::{Cmd, Value};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, Semaphore, TryAcquireError};
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::connection::Greeting;
use crate::core::breaker::{Breaker, Outcome, Permit, Rejected, State};
use crate::core::retry::{Budget, Decision, Failed, Retries};
use crate::core::time::Time;
use crate::endpoint::Endpoint;
use crate::error::{Blame, CallError};
use crate::event::{Event, Observer};
use crate::pool::Pool;
use crate::settings::Settings;

/// Sends calls to one Redis. Clones share everything.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
    /// Ends the probe task when the last clone goes.
    _probing: Arc<AbortOnDrop>,
}

struct Shared {
    settings: Settings,
    clock: Clock,
    observer: Observer,
    pool: Pool,
    breaker: Mutex<Breaker>,
    budget: Mutex<Budget>,
    chance: Mutex<ChaCha8Rng>,
    in_flight: Semaphore,
    /// Told after every change of the breaker.
    changed: Notify,
}

impl Gateway {
    /// A gateway to `endpoint`. Nothing is sent until the first call. Must be called within a tokio runtime.
    pub(crate) fn start(
        settings: Settings,
        endpoint: Endpoint,
        clock: Clock,
        seed: u64,
        observer: Observer,
        on_greeting: impl Fn(&Greeting) + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            pool: Pool::new(endpoint, settings.clone(), clock.clone(), Box::new(on_greeting)),
            breaker: Mutex::new(Breaker::new(settings.breaker.clone())),
            budget: Mutex::new(Budget::new(&settings.retry)),
            chance: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            in_flight: Semaphore::new(settings.pool.in_flight as usize),
            changed: Notify::new(),
            settings,
            clock,
            observer,
        });
        let probing = tokio::spawn(probe_whenever_due(Arc::clone(&shared))).abort_handle();
        Self { shared, _probing: Arc::new(AbortOnDrop(probing)) }
    }

    /// Sends `command` and returns its reply by `deadline`. `repeatable`: applying it twice is the same as once.
    pub async fn call(&self, command: &Cmd, repeatable: bool, deadline: Time) -> Result<Value, CallError> {
        let shared = &*self.shared;
        let _slot = shared.in_flight.try_acquire().map_err(|full| match full {
            TryAcquireError::NoPermits => CallError::Overloaded,
            TryAcquireError::Closed => CallError::Closed,
        })?;
        lock(&shared.budget).earn(shared.clock.now());
        let mut retries = Retries::new(&shared.settings.retry, deadline, repeatable);
        loop {
            let error = match self.attempt(command, deadline).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let failed = Failed { transient: error.transient(), definite: error.definite() };
            let random = shared.random();
            let decision = retries.after(shared.clock.now(), failed, &mut lock(&shared.budget), random);
            match decision {
                Decision::After(wait) => tokio::time::sleep(wait).await,
                Decision::GiveUp(_) => return Err(error),
            }
        }
    }

    /// The breaker's state.
    pub fn state(&self) -> State {
        lock(&self.shared.breaker).state()
    }

    /// Ends when the breaker changes, counted from this call on.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.shared.changed.notified()
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.shared.pool.open()
    }

    /// A number from 0 to 1, below 1.
    pub(crate) fn random(&self) -> f64 {
        self.shared.random()
    }

    /// Gives up every connection.
    pub(crate) fn close(&self) {
        self.shared.in_flight.close();
        self.shared.pool.clear();
    }

    async fn attempt(&self, command: &Cmd, deadline: Time) -> Result<Value, CallError> {
        let shared = &*self.shared;
        let asked = shared.clock.now();
        let permit = lock(&shared.breaker)
            .ask(asked)
            .map_err(|Rejected { retry_after }| CallError::Rejected { retry_after })?;
        let mut pending = Pending { shared, permit: Some(permit), asked };
        let reply = shared.send(command, deadline).await;
        pending.record(outcome_of(&reply));
        let now = shared.clock.now();
        let took = now.since(asked);
        if took > shared.settings.slow_call {
            (shared.observer)(&Event::Slow { at: now, took });
        }
        reply
    }
}

impl Shared {
    async fn send(&self, command: &Cmd, deadline: Time) -> Result<Value, CallError> {
        let connection = self.pool.connection(deadline).await?;
        let left = deadline.since(self.clock.now());
        if left.is_zero() {
            return Err(CallError::TooLate);
        }
        connection.send(command, self.settings.operation_timeout.min(left)).await
    }

    fn record(&self, permit: Permit, outcome: Outcome) {
        let random = self.random();
        let mut breaker = lock(&self.breaker);
        breaker.record(self.clock.now(), permit, outcome, random);
        self.tell_changes(&mut breaker);
    }

    /// Tells every change, in order: the breaker is locked meanwhile.
    fn tell_changes(&self, breaker: &mut Breaker) {
        while let Some(change) = breaker.poll() {
            if change.to == State::Open {
                // What made it open may hang on these connections for ever; the probe opens its own.
                self.pool.clear();
            }
            let event =
                Event::Breaker { at: change.at, from: change.from, to: change.to, reason: change.reason };
            (self.observer)(&event);
            self.changed.notify_waiters();
        }
    }

    fn random(&self) -> f64 {
        lock(&self.chance).random()
    }

    async fn probe(&self) -> Outcome {
        let limit = self.settings.breaker.probe_lease;
        let deadline = self.clock.now() + limit;
        let probe = self.send_probe(deadline);
        match tokio::time::timeout(limit, probe).await {
            Ok(reply) => outcome_of(&reply),
            Err(_) => Outcome::Failure,
        }
    }

    async fn send_probe(&self, deadline: Time) -> Result<Value, CallError> {
        self.send(&redis::cmd("PING"), deadline).await
    }
}

/// Sends a probe whenever the breaker has cooled down.
async fn probe_whenever_due(shared: Arc<Shared>) {
    loop {
        let changed = shared.changed.notified();
        let due = lock(&shared.breaker).next_deadline();
        let Some(due) = due else {
            changed.await;
            continue;
        };
        tokio::time::sleep_until(shared.clock.instant(due)).await;
        let random = shared.random();
        let permit = {
            let mut breaker = lock(&shared.breaker);
            let permit = breaker.ask_probe(shared.clock.now(), random);
            shared.tell_changes(&mut breaker);
            permit
        };
        match permit {
            Some(permit) => {
                let outcome = shared.probe().await;
                shared.record(permit, outcome);
            }
            // Timers are exact to a millisecond only.
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// A call whose outcome the breaker awaits. A caller that goes away is no outcome, unless it had waited out the timeout.
struct Pending<'a> {
    shared: &'a Shared,
    permit: Option<Permit>,
    asked: Time,
}

impl Pending<'_> {
    fn record(&mut self, outcome: Outcome) {
        if let Some(permit) = self.permit.take() {
            self.shared.record(permit, outcome);
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let waited = self.shared.clock.now().since(self.asked);
        let out_of_time = waited >= self.shared.settings.operation_timeout;
        self.record(if out_of_time { Outcome::Failure } else { Outcome::Neutral });
    }
}

fn outcome_of(reply: &Result<Value, CallError>) -> Outcome {
    match reply.as_ref().err().map(CallError::blame) {
        None => Outcome::Success,
        Some(Blame::Redis) => Outcome::Failure,
        Some(Blame::Nobody) => Outcome::Neutral,
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
