//! One call to Redis, with everything that makes it safe.
//!
//! In this order, from the outside in: the caller's deadline, the bound of calls in flight, the breaker (asked again at every
//! attempt), the retry and its budget, the pool, the operation timeout. A task of its own sends the breaker's probes: a user's
//! call never is one.

mod probe;

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::futures::Notified;
use tokio::sync::{Semaphore, TryAcquireError};

use crate::breakers::{Breakers, Pending};
use crate::clock::Clock;
use crate::connect::Asking;
use crate::connection::{Connection, Greeting};
use crate::core::breaker::{Force, Outcome, Rejected, State};
use crate::core::circuits::{Circuits, Pass, Scope};
use crate::core::class::Class;
use crate::core::retry::{Budget, Decision, Failed, Retries};
use crate::core::time::Time;
use crate::endpoint::Endpoint;
use crate::error::told::ANOTHER_FORM;
use crate::error::{Blame, CallError};
use crate::event::{Event, Observer};
use crate::lock::{Mutex, lock};
use crate::lua;
use crate::pool::{NoConnection, Pool, Urgency};
use crate::settings::{Live, Settings};
use crate::task::AbortOnDrop;
use crate::teller::Teller;

/// Sends calls to one Redis. Clones share everything.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
    /// Ends the probe task when the last clone goes.
    probing: Arc<AbortOnDrop>,
}

/// A reply.
pub(crate) struct Replied {
    /// What Redis said.
    pub(crate) value: Value,
    /// Whether an attempt before the one that was replied to may have been applied.
    pub(crate) repeated: bool,
    /// The process of Redis that replied; empty if its name is not known.
    pub(crate) by: Arc<str>,
}

struct Shared {
    settings: Arc<Live>,
    clock: Clock,
    teller: Arc<Teller>,
    pool: Arc<Pool>,
    breakers: Breakers,
    budget: Mutex<Budget>,
    in_flight: Semaphore,
    /// How the last call or probe failed that Redis was to blame for.
    last_failure: Mutex<Option<CallError>>,
}

impl Gateway {
    /// A gateway to `endpoint`. Nothing is sent until the first call. Must be called within a tokio runtime.
    pub(crate) fn start(
        settings: Arc<Live>,
        endpoint: Endpoint,
        clock: Clock,
        seed: u64,
        observer: Observer,
        on_greeting: impl Fn(&Greeting) + Send + Sync + 'static,
    ) -> Self {
        let now = settings.now();
        let pool =
            Arc::new(Pool::new(endpoint, Arc::clone(&settings), clock.clone(), seed, Box::new(on_greeting)));
        let opened = Arc::clone(&pool);
        // What made it open may hang on these connections for ever; the probe opens its own.
        let on_open = move || opened.clear();
        let (teller, circuits) = (Arc::new(Teller::new(observer)), Circuits::new(&now.breaker));
        let patience = now.operation_timeout;
        let breakers = Breakers::new(circuits, patience, clock.clone(), seed, Arc::clone(&teller), on_open);
        let shared = Arc::new(Shared {
            pool,
            breakers,
            budget: Mutex::new(Budget::new(&now.retry)),
            in_flight: Semaphore::new(now.pool.in_flight as usize),
            last_failure: Mutex::default(),
            settings,
            clock,
            teller,
        });
        let probing = tokio::spawn(probe::whenever_due(Arc::clone(&shared))).abort_handle();
        Self { shared, probing: Arc::new(AbortOnDrop(probing)) }
    }

    /// Sends `command` and returns its reply by `deadline`. `repeatable`: applying it twice is the same as once.
    ///
    /// An error is definite only if no attempt may have been applied: what a retry says does not undo what an earlier attempt
    /// may have done.
    pub async fn call(&self, command: &Cmd, repeatable: bool, deadline: Time) -> Result<Value, CallError> {
        self.call_counted(command, Class::of(name(command)), repeatable, deadline)
            .await
            .map(|replied| replied.value)
    }

    /// The same, and who replied.
    pub(crate) async fn call_counted(
        &self,
        command: &Cmd,
        class: Class,
        repeatable: bool,
        deadline: Time,
    ) -> Result<Replied, CallError> {
        let shared = &*self.shared;
        let _slot = shared.in_flight.try_acquire().map_err(|full| match full {
            TryAcquireError::NoPermits => CallError::Overloaded,
            TryAcquireError::Closed => CallError::Closed,
        })?;
        let mut pass = shared.ask(class)?;
        lock(&shared.budget).earn(shared.clock.now());
        let mut retries = Retries::new(shared.settings.now().retry.attempts(class), deadline, repeatable);
        let mut unknown = None;
        loop {
            let error = match shared.attempt((pass, class), command, deadline).await {
                Ok((value, by)) => return Ok(Replied { value, repeated: unknown.is_some(), by }),
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
            pass = match shared.ask(class) {
                Ok(pass) => pass,
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
        if let Ok(pass) = shared.ask(Class::of(command.as_bytes())) {
            shared.breakers.record(pass, (Outcome::Failure, Scope::Endpoint));
        }
        shared.pool.clear();
        shared.breakers.tell();
        error
    }

    /// How the last call or probe failed that Redis was to blame for.
    pub(crate) fn last_failure(&self) -> Option<CallError> {
        lock(&self.shared.last_failure).clone()
    }

    /// The breaker's state.
    pub fn state(&self) -> State {
        self.shared.breakers.state()
    }

    /// The state of the breaker of a class of calls, if it has one of its own.
    pub fn state_of(&self, class: Class) -> Option<State> {
        self.shared.breakers.state_of(class)
    }

    /// Whether calls of a class are let through just now.
    pub(crate) fn lets_through(&self, class: Class) -> bool {
        self.shared.breakers.ask(class).is_ok()
    }

    /// Decides over the breaker's head, or lets it decide again.
    pub(crate) fn force(&self, force: Force) {
        self.shared.breakers.force(force);
    }

    /// Goes on with these settings. What changes by that is to be [told](Self::tell) after it.
    pub(crate) fn apply(&self, settings: &Settings) {
        lock(&self.shared.budget).apply(&settings.retry);
        self.shared.breakers.apply(&settings.breaker, settings.operation_timeout);
    }

    /// Tells what waits to be told.
    pub(crate) fn tell(&self) {
        self.shared.breakers.tell();
    }

    /// Ends when the breaker changes, counted from this call on.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.shared.breakers.changed()
    }

    /// Opens a connection beside the pool, for what would keep others waiting.
    pub(crate) async fn connection_beside(&self) -> Result<(Connection, Greeting), CallError> {
        if self.state() != State::Closed {
            return Err(CallError::Rejected { retry_after: Duration::ZERO });
        }
        self.shared.pool.connection_beside().await
    }

    /// Whether it leads to one of several nodes that share the keys.
    pub(crate) fn is_cluster(&self) -> bool {
        self.shared.pool.is_cluster()
    }

    /// Leaves a server whose place another has taken, as those say who know.
    pub(crate) async fn follow(&self, asking: Asking, deadline: Time) {
        self.shared.pool.follow(asking, deadline).await;
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
    fn ask(&self, class: Class) -> Result<Pass, CallError> {
        self.breakers.ask(class).map_err(rejected)
    }

    /// The reply, and the process that gave it.
    async fn attempt(
        &self,
        (pass, class): (Pass, Class),
        command: &Cmd,
        deadline: Time,
    ) -> Result<(Value, Arc<str>), CallError> {
        let mut pending = self.breakers.pending(pass, class);
        let asked = pending.asked;
        let reply = self.send_permitted(&mut pending, command, deadline).await;
        let now = self.clock.now();
        let took = now.since(asked);
        let slow = took > self.settings.now().slow_call;
        let outcome =
            if pending.counted { Outcome::Neutral } else { self.outcome(&reply, now.since(pending.asked)) };
        let scope = if pending.unconnected { Scope::Endpoint } else { scope(&reply) };
        pending.record((outcome, scope));
        if slow {
            self.teller.push(Event::Slow { at: now, took });
        }
        if let Err(error) = &reply
            && !lua::is_unknown(error)
        {
            self.blame(error);
            self.teller.push(Event::Failed { at: now, command: shown(command), error: error.clone() });
        }
        if reply.is_err() || slow {
            self.breakers.tell();
        }
        reply
    }

    async fn send_permitted(
        &self,
        pending: &mut Pending<'_>,
        command: &Cmd,
        deadline: Time,
    ) -> Result<(Value, Arc<str>), CallError> {
        let connection = match self.pool.ready() {
            Some(connection) => connection,
            None => {
                let opened = self.pool.connection(deadline, Urgency::Paced).await;
                let connection = opened.map_err(|NoConnection { error, shared }| {
                    (pending.counted, pending.unconnected) = (shared, true);
                    error
                })?;
                // The breaker may have opened while the connection was awaited.
                pending.ask_again().map_err(rejected)?;
                connection
            }
        };
        let reply = self.send_on(&connection, command, deadline).await;
        pending.counted = matches!(reply, Err(CallError::Broken(_))) && !self.pool.count_end(&connection);
        reply.map(|value| (value, connection.run_id()))
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
        connection.send(command, self.settings.now().operation_timeout.min(left)).await
    }

    /// What the breaker is to learn from a call that ended so after `waited`.
    fn outcome<T>(&self, reply: &Result<T, CallError>, waited: Duration) -> Outcome {
        match reply {
            Ok(_) if waited > self.settings.now().slow_call => Outcome::Slow,
            Ok(_) => Outcome::Success,
            Err(CallError::Timeout | CallError::TooLate) => self.breakers.outcome_without_reply(waited),
            Err(error) => match error.blame() {
                Blame::Redis => Outcome::Failure,
                Blame::Nobody => Outcome::Neutral,
            },
        }
    }

    fn blame(&self, error: &CallError) {
        if error.blame() == Blame::Redis {
            *lock(&self.last_failure) = Some(error.clone());
        }
    }

    fn random(&self) -> f64 {
        self.breakers.random()
    }
}

fn rejected(Rejected { retry_after }: Rejected) -> CallError {
    CallError::Rejected { retry_after }
}

/// What a call that ended so tells about.
fn scope<T>(reply: &Result<T, CallError>) -> Scope {
    match reply {
        Ok(_)
        | Err(CallError::Timeout | CallError::TooLate | CallError::NotNow(_) | CallError::Refused(_)) => {
            Scope::Call
        }
        Err(_) => Scope::Endpoint,
    }
}

/// A command's name.
fn name(command: &Cmd) -> &[u8] {
    match command.args_iter().next() {
        Some(redis::Arg::Simple(name)) => name,
        Some(_) | None => b"",
    }
}

fn shown(command: &Cmd) -> String {
    String::from_utf8_lossy(name(command)).into_owned()
}

#[cfg(test)]
mod tests;
