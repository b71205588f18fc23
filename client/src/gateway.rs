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

use crate::clock::Clock;
use crate::connection::{Connection, Greeting};
use crate::core::breaker::{Breaker, Force, Outcome, Permit, Rejected, State};
use crate::core::retry::{Budget, Decision, Failed, Retries};
use crate::core::time::Time;
use crate::endpoint::Endpoint;
use crate::error::told::ANOTHER_FORM;
use crate::error::{Blame, CallError};
use crate::event::{Event, Observer};
use crate::pool::{NoConnection, Pool, Urgency};
use crate::settings::Settings;
use crate::task::AbortOnDrop;
use crate::teller::Teller;

/// Sends calls to one Redis. Clones share everything.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
    /// Ends the probe task when the last clone goes.
    probing: Arc<AbortOnDrop>,
}

struct Shared {
    settings: Settings,
    clock: Clock,
    teller: Teller,
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
            pool: Pool::new(endpoint, settings.clone(), clock.clone(), seed, Box::new(on_greeting)),
            breaker: Mutex::new(Breaker::new(settings.breaker.clone())),
            budget: Mutex::new(Budget::new(&settings.retry)),
            chance: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            in_flight: Semaphore::new(settings.pool.in_flight as usize),
            changed: Notify::new(),
            settings,
            clock,
            teller: Teller::new(observer),
        });
        let probing = tokio::spawn(probe_whenever_due(Arc::clone(&shared))).abort_handle();
        Self { shared, probing: Arc::new(AbortOnDrop(probing)) }
    }

    /// Sends `command` and returns its reply by `deadline`. `repeatable`: applying it twice is the same as once.
    ///
    /// An error is definite only if no attempt may have been applied: what a retry says does not undo what an earlier attempt
    /// may have done.
    pub async fn call(&self, command: &Cmd, repeatable: bool, deadline: Time) -> Result<Value, CallError> {
        self.call_counted(command, repeatable, deadline).await.map(|(value, _)| value)
    }

    /// The same; beside the reply it tells whether an attempt before the one that was replied to may have been applied.
    pub(crate) async fn call_counted(
        &self,
        command: &Cmd,
        repeatable: bool,
        deadline: Time,
    ) -> Result<(Value, bool), CallError> {
        let shared = &*self.shared;
        let _slot = shared.in_flight.try_acquire().map_err(|full| match full {
            TryAcquireError::NoPermits => CallError::Overloaded,
            TryAcquireError::Closed => CallError::Closed,
        })?;
        let mut permit = shared.ask()?;
        lock(&shared.budget).earn(shared.clock.now());
        let mut retries = Retries::new(&shared.settings.retry, deadline, repeatable);
        let mut unknown = None;
        loop {
            let error = match shared.attempt(permit, command, deadline).await {
                Ok(value) => return Ok((value, unknown.is_some())),
                Err(error) => error,
            };
            let failed = Failed { transient: error.transient(), definite: error.definite() };
            let random = shared.random();
            let decision = retries.after(shared.clock.now(), failed, &mut lock(&shared.budget), random);
            if !failed.definite {
                unknown = Some(error.clone());
            }
            match decision {
                Decision::After(wait) => tokio::time::sleep(wait).await,
                Decision::GiveUp(_) => return Err(unknown.unwrap_or(error)),
            }
            permit = match shared.ask() {
                Ok(permit) => permit,
                Err(rejected) => return Err(unknown.unwrap_or(rejected)),
            };
        }
    }

    /// An answer to `command` was of another form than was asked for: nobody can say what was done, nor whose answers come next on
    /// these connections.
    pub(crate) fn unexpected(&self, command: &str) -> CallError {
        let (shared, error) = (&*self.shared, CallError::Broken(ANOTHER_FORM.to_owned()));
        let at = shared.clock.now();
        shared.teller.push(Event::Failed { at, command: command.to_owned(), error: error.clone() });
        if let Ok(permit) = shared.ask() {
            shared.record(permit, Outcome::Failure);
        }
        shared.pool.clear();
        shared.tell();
        error
    }

    /// The breaker's state.
    pub fn state(&self) -> State {
        lock(&self.shared.breaker).state()
    }

    /// Decides over the breaker's head, or lets it decide again.
    pub(crate) fn force(&self, force: Force) {
        let mut breaker = lock(&self.shared.breaker);
        breaker.force(self.shared.clock.now(), force);
        self.shared.take_changes(breaker);
        // A probe may be due without a change.
        self.shared.changed.notify_waiters();
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

    /// Gives up every connection and opens no other: every call from now on is answered `Closed`.
    pub(crate) fn close(&self) {
        self.shared.in_flight.close();
        self.probing.0.abort();
        self.shared.pool.close();
    }
}

impl Shared {
    fn ask(&self) -> Result<Permit, CallError> {
        let asked = lock(&self.breaker).ask(self.clock.now());
        asked.map_err(|Rejected { retry_after }| CallError::Rejected { retry_after })
    }

    async fn attempt(&self, permit: Permit, command: &Cmd, deadline: Time) -> Result<Value, CallError> {
        let asked = self.clock.now();
        let mut pending = Pending { shared: self, permit: Some(permit), asked, counted: false };
        let reply = self.send_permitted(&mut pending, command, deadline).await;
        let now = self.clock.now();
        let outcome = if pending.counted { Outcome::Neutral } else { self.outcome(&reply, now.since(asked)) };
        pending.record(outcome);
        let took = now.since(asked);
        if took > self.settings.slow_call {
            self.teller.push(Event::Slow { at: now, took });
        }
        if let Err(error) = &reply
            && !is_noscript(error)
        {
            self.teller.push(Event::Failed { at: now, command: name(command), error: error.clone() });
        }
        if reply.is_err() || took > self.settings.slow_call {
            self.tell();
        }
        reply
    }

    async fn send_permitted(
        &self,
        pending: &mut Pending<'_>,
        command: &Cmd,
        deadline: Time,
    ) -> Result<Value, CallError> {
        let connection = match self.pool.ready() {
            Some(connection) => connection,
            None => {
                let opened = self.pool.connection(deadline, Urgency::Paced).await;
                let connection = opened.map_err(|NoConnection { error, shared }| {
                    pending.counted = shared;
                    error
                })?;
                // The breaker may have opened while the connection was awaited.
                pending.permit = Some(self.ask()?);
                connection
            }
        };
        let reply = self.send_on(&connection, command, deadline).await;
        pending.counted = matches!(reply, Err(CallError::Broken(_))) && !self.pool.count_end(&connection);
        reply
    }

    async fn send_on(
        &self,
        connection: &Connection,
        command: &Cmd,
        deadline: Time,
    ) -> Result<Value, CallError> {
        let left = deadline.since(self.clock.now());
        if left.is_zero() {
            return Err(CallError::TooLate);
        }
        connection.send(command, self.settings.operation_timeout.min(left)).await
    }

    /// What the breaker is to learn from a call that ended so after `waited`.
    fn outcome(&self, reply: &Result<Value, CallError>, waited: Duration) -> Outcome {
        match reply {
            Ok(_) => Outcome::Success,
            Err(CallError::Timeout | CallError::TooLate) => self.outcome_without_reply(waited),
            Err(error) => match error.blame() {
                Blame::Redis => Outcome::Failure,
                Blame::Nobody => Outcome::Neutral,
            },
        }
    }

    /// A call that its deadline or its caller cut short says nothing, unless it had waited for as long as one may.
    fn outcome_without_reply(&self, waited: Duration) -> Outcome {
        if waited >= self.settings.operation_timeout { Outcome::Failure } else { Outcome::Neutral }
    }

    fn record(&self, permit: Permit, outcome: Outcome) {
        let random = self.random();
        let mut breaker = lock(&self.breaker);
        breaker.record(self.clock.now(), permit, outcome, random);
        self.take_changes(breaker);
    }

    /// Takes the breaker's changes into the order of events while it is still locked, then tells them.
    fn take_changes(&self, mut breaker: MutexGuard<'_, Breaker>) {
        let mut changed = false;
        while let Some(change) = breaker.poll() {
            changed = true;
            if change.to == State::Open {
                // What made it open may hang on these connections for ever; the probe opens its own.
                self.pool.clear();
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

    fn tell(&self) {
        if self.teller.tell() {
            self.changed.notify_waiters();
        }
    }

    fn random(&self) -> f64 {
        lock(&self.chance).random()
    }

    /// Whether Redis answers. It ends with the probe's lease at the latest.
    async fn probe(&self) -> Outcome {
        let deadline = self.clock.now() + self.settings.breaker.probe_lease;
        let probe = async {
            let opened = self.pool.connection(deadline, Urgency::AtOnce).await;
            let connection = opened.map_err(|none| none.error)?;
            self.send_on(&connection, &redis::cmd("PING"), deadline).await
        };
        match tokio::time::timeout_at(self.clock.instant(deadline), probe).await {
            Ok(Ok(_)) => Outcome::Success,
            // Redis answered; this user may not ask it, that is all.
            Ok(Err(error @ (CallError::Refused(_) | CallError::Auth(_) | CallError::NotNow(_))))
                if error.blame() == Blame::Nobody =>
            {
                Outcome::Success
            }
            Ok(Err(_)) | Err(_) => Outcome::Failure,
        }
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
            shared.take_changes(breaker);
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
    /// Its connection ended, or could not be opened, and another call has told the breaker so.
    counted: bool,
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
        if self.permit.is_some() {
            let waited = self.shared.clock.now().since(self.asked);
            self.record(self.shared.outcome_without_reply(waited));
        }
    }
}

/// Whether Redis only asks for a script's text: the next call sends it.
fn is_noscript(error: &CallError) -> bool {
    matches!(error, CallError::Refused(code) if code == "NOSCRIPT")
}

/// A command's name.
fn name(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(redis::Arg::Simple(name)) => String::from_utf8_lossy(name).into_owned(),
        Some(_) | None => String::new(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
