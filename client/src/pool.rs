//! A small bounded pool of multiplexed connections.
//!
//! A call shares the connection with the fewest calls in flight. Another one is opened only when all are busy, and one at a
//! time, by a task of its own: a caller that goes away does not undo the work, and whoever waits for it shares its failure. So
//! an outage brings no storm of connects.

mod follow;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout_at};

use crate::clock::Clock;
use crate::connection::{Connection, Greeting};
use crate::core::backoff::{Backoff, CALM};
use crate::core::time::Time;
use crate::endpoint::Endpoint;
use crate::error::CallError;
use crate::settings::Live;

/// Calls in flight from which on a connection counts as busy.
const BUSY: u32 = 16;

/// What an attempt that fails costs at least, so that refusals never spin.
const FAILED_DIAL_COSTS: Duration = Duration::from_millis(1);

/// Told of every connection that opens, before a call uses it.
pub(crate) type OnGreeting = Box<dyn Fn(&Greeting) + Send + Sync>;

/// Whether a new connection waits for its turn after trouble with the last ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It waits.
    Paced,
    /// It does not: the breaker's cool-down was wait enough.
    AtOnce,
}

/// The pool. Dropping it gives up every connection.
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    endpoint: Endpoint,
    settings: Arc<Live>,
    clock: Clock,
    on_greeting: OnGreeting,
    sockets: Arc<AtomicUsize>,
    state: Mutex<State>,
    /// Told whenever the opening of a connection has ended.
    dialled: Notify,
}

struct State {
    connections: Vec<Arc<Connection>>,
    /// The connection that is being opened: its number, and its task once there is one.
    dialling: Option<(u64, Option<AbortHandle>)>,
    dials: u64,
    /// The number of the newest connection that opened.
    newest: u64,
    /// The newest that there was when the end of one was last counted, and when that was.
    counted: (u64, Time),
    /// The last attempt that failed: its number, and how.
    failure: Option<(u64, NoConnection)>,
    backoff: Backoff,
    chance: ChaCha8Rng,
    closed: bool,
}

/// Why there is no connection to send on.
#[derive(Clone, Debug)]
pub(crate) struct NoConnection {
    /// Why.
    pub(crate) error: CallError,
    /// Another caller was given this same failure before: it is one, however many await the connection.
    pub(crate) shared: bool,
}

impl From<CallError> for NoConnection {
    fn from(error: CallError) -> Self {
        Self { error, shared: false }
    }
}

enum Pick {
    Use(Arc<Connection>),
    /// None is open; the attempt of this number is on its way.
    Await(u64),
}

impl Pool {
    pub(crate) fn new(
        endpoint: Endpoint,
        settings: Arc<Live>,
        clock: Clock,
        seed: u64,
        on_greeting: OnGreeting,
    ) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(1);
        let state = State {
            connections: Vec::new(),
            dialling: None,
            dials: 0,
            newest: 0,
            counted: (0, Time::START),
            failure: None,
            backoff: Backoff::default(),
            chance,
            closed: false,
        };
        Self(Arc::new(Shared {
            endpoint,
            settings,
            clock,
            on_greeting,
            sockets: Arc::default(),
            state: Mutex::new(state),
            dialled: Notify::new(),
        }))
    }

    /// Opens a connection that is not of the pool.
    pub(crate) async fn connection_beside(&self) -> Result<(Connection, Greeting), CallError> {
        if self.0.lock().closed {
            return Err(CallError::Closed);
        }
        self.0.open(0).await
    }

    /// A connection to send on, if there is one at once.
    pub(crate) fn ready(&self) -> Option<Arc<Connection>> {
        match self.0.pick(Urgency::Paced) {
            Ok(Pick::Use(connection)) if self.0.fresh(&connection) => Some(connection),
            Ok(Pick::Use(_) | Pick::Await(_)) | Err(_) => None,
        }
    }

    /// A connection to send on, opened if need be, by `deadline`.
    pub(crate) async fn connection(
        &self,
        deadline: Time,
        urgency: Urgency,
    ) -> Result<Arc<Connection>, NoConnection> {
        let shared = &self.0;
        while shared.clock.now() < deadline {
            // Before looking, so that no end is missed.
            let ended = shared.dialled.notified();
            match shared.pick(urgency)? {
                Pick::Use(connection) => {
                    if shared.fresh(&connection) || shared.check(&connection, deadline).await {
                        return Ok(connection);
                    }
                }
                Pick::Await(dial) => {
                    if timeout_at(shared.clock.instant(deadline), ended).await.is_ok()
                        && let Some(failure) = shared.failure_since(dial)
                    {
                        return Err(failure);
                    }
                }
            }
        }
        Err(CallError::TooLate.into())
    }

    /// Whether the end of a connection counts as a failure. Those that were open together end together when Redis, or what is
    /// before it, ends them: that is one failure, however many there were and however many calls they carried.
    pub(crate) fn count_end(&self, connection: &Connection) -> bool {
        let now = self.0.clock.now();
        let mut state = self.0.lock();
        let (newest, at) = state.counted;
        let counts = connection.number() > newest || now.since(at) >= self.0.settings.now().operation_timeout;
        if counts {
            state.counted = (state.newest, now);
        }
        counts
    }

    /// Whether it leads to one of several nodes that share the keys.
    pub(crate) fn is_cluster(&self) -> bool {
        self.0.endpoint.connect.is_cluster()
    }

    /// How many sockets are open.
    pub(crate) fn open(&self) -> usize {
        self.0.sockets.load(Ordering::Relaxed)
    }

    /// Gives up every connection, and the one that is being opened. Calls in flight may still get their replies.
    pub(crate) fn clear(&self) {
        let mut state = self.0.lock();
        let given_up = std::mem::take(&mut state.connections);
        let dialling = state.dialling.take();
        if let Some((dial, _)) = dialling {
            state.failure = Some((dial, CallError::Connect("given up".to_owned()).into()));
        }
        drop(state);
        drop(given_up);
        if let Some((_, Some(task))) = dialling {
            task.abort();
        }
        self.0.dialled.notify_waiters();
    }

    /// Gives up every connection, and opens no other.
    pub(crate) fn close(&self) {
        self.0.lock().closed = true;
        self.clear();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    async fn open(&self, number: u64) -> Result<(Connection, Greeting), CallError> {
        let settings = self.settings.now();
        Connection::open(number, &self.endpoint, &settings, &self.clock, &self.sockets).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The least busy connection. Begins to open another one if all are busy or there is none.
    fn pick(self: &Arc<Self>, urgency: Urgency) -> Result<Pick, CallError> {
        let mut state = self.lock();
        if state.closed {
            return Err(CallError::Closed);
        }
        let now = self.clock.now();
        state.remove_unusable(now);
        // There may have been more until the settings changed; calls in flight still get their replies.
        let most = self.settings.now().pool.connections as usize;
        state.connections.truncate(most);
        let least_busy =
            state.connections.iter().min_by_key(|connection| connection.in_flight()).map(Arc::clone);
        let room = state.connections.len() < most;
        let wait = match urgency {
            Urgency::Paced => state.backoff.wait(now),
            Urgency::AtOnce => Duration::ZERO,
        };
        let wanted = least_busy
            .as_ref()
            .is_none_or(|connection| room && connection.in_flight() >= BUSY && wait.is_zero());
        if wanted && state.dialling.is_none() {
            state.dials += 1;
            state.dialling = Some((state.dials, None));
            let dial = state.dials;
            drop(state);
            self.dial(dial, wait);
            return Ok(least_busy.map_or(Pick::Await(dial), Pick::Use));
        }
        let dial = state.dials;
        Ok(least_busy.map_or(Pick::Await(dial), Pick::Use))
    }

    /// Begins to open a connection. Not under the lock: a runtime that is shutting down drops the task at once.
    fn dial(self: &Arc<Self>, dial: u64, wait: Duration) {
        let dialling = Dialling { shared: Arc::clone(self), dial, result: None };
        let task = tokio::spawn(dialling.run(wait)).abort_handle();
        match &mut self.lock().dialling {
            Some((current, handle)) if *current == dial => *handle = Some(task),
            // Given up already.
            Some(_) | None => task.abort(),
        }
    }

    /// An attempt has ended. One that was given up meanwhile changes nothing.
    fn dial_ended(&self, dial: u64, result: Result<Connection, CallError>) {
        let mut state = self.lock();
        if state.dialling.take_if(|(current, _)| *current == dial).is_none() {
            return;
        }
        match result {
            Ok(connection) => {
                state.newest = connection.number();
                // The others lead to a primary that was replaced, and does not know it yet: what it still takes, it will lose.
                state.connections.retain(|other| {
                    (other.run_id(), other.leads_to()) == (connection.run_id(), connection.leads_to())
                });
                state.connections.push(Arc::new(connection));
            }
            Err(failure) => {
                state.failure = Some((dial, failure.into()));
                state.trouble(self.clock.now());
            }
        }
        drop(state);
        self.dialled.notify_waiters();
    }

    /// How the attempt of that number, or a later one, failed, if it left no connection to use.
    fn failure_since(&self, dial: u64) -> Option<NoConnection> {
        let mut state = self.lock();
        if state.connections.iter().any(|connection| connection.usable()) {
            return None;
        }
        let (_, failure) = state.failure.as_mut().filter(|(failed, _)| *failed >= dial)?;
        let told = failure.clone();
        failure.shared = true;
        Some(told)
    }

    /// Whether it can be used without asking for a sign of life.
    fn fresh(&self, connection: &Connection) -> bool {
        self.clock.now().since(connection.last_reply()) < self.settings.now().ping_after_idle
    }

    /// Asks a connection that was idle for long whether it is still there; one task asks for all. If not, it is given up.
    async fn check(&self, connection: &Connection, deadline: Time) -> bool {
        let turn = timeout_at(self.clock.instant(deadline), connection.checking.lock()).await;
        if turn.is_err() || !connection.usable() {
            return false;
        }
        if self.fresh(connection) {
            return true;
        }
        let left = deadline.since(self.clock.now());
        let whole = self.settings.now().operation_timeout;
        let limit = whole.min(left);
        match connection.send(&redis::cmd("PING"), limit).await {
            // The caller's time ran out, not the connection's.
            Err(CallError::Timeout) if limit < whole => false,
            Err(CallError::Timeout | CallError::Broken(_)) => {
                connection.give_up();
                false
            }
            // It was an answer.
            Ok(_) | Err(_) => true,
        }
    }
}

impl State {
    /// Drops connections that have ended or were given up. When one has gone silent, those that gave no sign of life since
    /// are not trusted either.
    fn remove_unusable(&mut self, now: Time) {
        if self.connections.iter().all(|connection| connection.usable()) {
            return;
        }
        let silent_since = self.connections.iter().filter_map(|connection| connection.gone_silent()).min();
        let (kept, removed) = std::mem::take(&mut self.connections).into_iter().partition(|connection| {
            connection.usable() && silent_since.is_none_or(|since| connection.last_reply() >= since)
        });
        self.connections = kept;
        if removed.iter().any(|connection: &Arc<Connection>| now.since(connection.opened()) < CALM) {
            self.trouble(now);
        }
    }

    fn trouble(&mut self, now: Time) {
        let random = self.chance.random();
        self.backoff.trouble(now, random);
    }
}

/// A connection that is being opened. However that ends, a panic included, those who wait are told.
struct Dialling {
    shared: Arc<Shared>,
    dial: u64,
    result: Option<Result<Connection, CallError>>,
}

impl Dialling {
    async fn run(mut self, wait: Duration) {
        sleep(wait).await;
        let shared = &self.shared;
        let opened = shared.open(self.dial).await;
        self.result = Some(match opened {
            Ok((connection, greeting)) => {
                (shared.on_greeting)(&greeting);
                Ok(connection)
            }
            Err(failure) => {
                sleep(FAILED_DIAL_COSTS).await;
                Err(failure)
            }
        });
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or_else(|| Err(CallError::Connect("given up".to_owned())));
        self.shared.dial_ended(self.dial, result);
    }
}
