//! One call to Redis, with everything that makes it safe.
//!
//! In this order, from the outside in: the caller's deadline, the bound of calls in flight, the breaker (asked again at every
//! attempt), the retry and its budget, the pool, the operation timeout. A task of its own sends the breaker's probes: a user's
//! call never is one.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::futures::Notified;
use tokio::sync::{Semaphore, TryAcquireError};

use crate::clock::Clock;
use crate::connection::{Connection, Greeting};
use crate::core::breaker::{Breaker, Force, Outcome, Permit, Rejected, State};
use crate::core::retry::{Budget, Decision, Failed, Retries};
use crate::core::time::Time;
use crate::endpoint::Endpoint;
use crate::error::{Blame, CallError};
use crate::event::{Event, Observer};
use crate::guarded::{Guarded, Pending};
use crate::lock::{Mutex, lock};
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
    teller: Arc<Teller>,
    pool: Arc<Pool>,
    breaker: Guarded,
    budget: Mutex<Budget>,
    in_flight: Semaphore,
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
        let teller = Arc::new(Teller::new(observer));
        let pool = Pool::new(endpoint, settings.clone(), clock.clone(), seed, Box::new(on_greeting));
        let (pool, breaker) = (Arc::new(pool), Breaker::new(settings.breaker.clone()));
        let hung = Arc::clone(&pool);
        // What made it open may hang on these connections for ever; the probe opens its own.
        let on_open = move || hung.clear();
        let patience = settings.operation_timeout;
        let breaker = Guarded::new(breaker, patience, clock.clone(), seed, Arc::clone(&teller), on_open);
        let shared = Arc::new(Shared {
            budget: Mutex::new(Budget::new(&settings.retry)),
            in_flight: Semaphore::new(settings.pool.in_flight as usize),
            pool,
            breaker,
            settings,
            clock,
            teller,
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

    /// The breaker's state.
    pub fn state(&self) -> State {
        self.shared.breaker.state()
    }

    /// Decides over the breaker's head, or lets it decide again.
    pub(crate) fn force(&self, force: Force) {
        self.shared.breaker.force(force);
    }

    /// Ends when the breaker changes, counted from this call on.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.shared.breaker.changed()
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
        self.breaker.ask().map_err(rejected)
    }

    async fn attempt(&self, permit: Permit, command: &Cmd, deadline: Time) -> Result<Value, CallError> {
        let mut pending = self.breaker.pending(permit);
        let asked = pending.asked;
        let reply = self.send_permitted(&mut pending, command, deadline).await;
        let now = self.clock.now();
        let outcome = if pending.counted { Outcome::Neutral } else { self.outcome(&reply, now.since(asked)) };
        pending.record(outcome);
        let took = now.since(asked);
        if took > self.settings.slow_call {
            self.teller.push(Event::Slow { at: now, took });
        }
        if let Err(error) = &reply {
            self.teller.push(Event::Failed { at: now, command: name(command), error: error.clone() });
        }
        if reply.is_err() || took > self.settings.slow_call {
            self.breaker.tell();
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
                pending.ask_again().map_err(rejected)?;
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
            Err(CallError::Timeout | CallError::TooLate) => self.breaker.outcome_without_reply(waited),
            Err(error) => match error.blame() {
                Blame::Redis => Outcome::Failure,
                Blame::Nobody => Outcome::Neutral,
            },
        }
    }

    fn random(&self) -> f64 {
        self.breaker.random()
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
        let changed = shared.breaker.changed();
        let due = shared.breaker.next_deadline();
        let Some(due) = due else {
            changed.await;
            continue;
        };
        tokio::time::sleep_until(shared.clock.instant(due)).await;
        match shared.breaker.ask_probe() {
            Some(permit) => {
                let outcome = shared.probe().await;
                shared.breaker.record(permit, outcome);
            }
            // Timers are exact to a millisecond only.
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

fn rejected(Rejected { retry_after }: Rejected) -> CallError {
    CallError::Rejected { retry_after }
}

/// A command's name.
fn name(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(redis::Arg::Simple(name)) => String::from_utf8_lossy(name).into_owned(),
        Some(_) | None => String::new(),
    }
}

#[cfg(test)]
mod tests;
