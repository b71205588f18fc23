//! A small bounded pool of multiplexed connections.
//!
//! A call shares the connection with the fewest calls in flight. Another one is opened only when all are busy. One connection
//! is opened at a time; whoever waits for it shares its failure, so an outage brings no storm of connects.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use crate::clock::Clock;
use crate::connection::{Connection, Greeting};
use crate::core::time::Time;
use crate::endpoint::Endpoint;
use crate::error::CallError;
use crate::settings::Settings;

/// Calls in flight from which on a connection counts as busy.
const BUSY: u32 = 16;

/// What an attempt that fails costs at least, so that refusals never spin.
const FAILED_DIAL_COSTS: Duration = Duration::from_millis(1);

/// Told of every connection that opens, before a call uses it.
pub(crate) type OnGreeting = Box<dyn Fn(&Greeting) + Send + Sync>;

pub(crate) struct Pool {
    endpoint: Endpoint,
    settings: Settings,
    clock: Clock,
    on_greeting: OnGreeting,
    connections: Mutex<Vec<Arc<Connection>>>,
    /// Held while a connection is opened; holds how the last failed attempt failed.
    dialling: AsyncMutex<Option<CallError>>,
    failed_dials: AtomicU64,
}

impl Pool {
    pub(crate) fn new(endpoint: Endpoint, settings: Settings, clock: Clock, on_greeting: OnGreeting) -> Self {
        Self {
            endpoint,
            settings,
            clock,
            on_greeting,
            connections: Mutex::default(),
            dialling: AsyncMutex::new(None),
            failed_dials: AtomicU64::new(0),
        }
    }

    /// A connection to send on, opened if need be, by `deadline`.
    pub(crate) async fn connection(&self, deadline: Time) -> Result<Arc<Connection>, CallError> {
        loop {
            let connection = self.pick_or_dial(deadline).await?;
            if connection.idle() < self.settings.ping_after_idle {
                return Ok(connection);
            }
            // Idle for long: who knows whether it is still there.
            let limit = self.settings.operation_timeout.min(deadline.since(self.clock.now()));
            match connection.send(&redis::cmd("PING"), limit).await {
                Ok(_) => return Ok(connection),
                Err(_) => connection.give_up(),
            }
        }
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.usable().len()
    }

    /// Gives up every connection; calls in flight on them end.
    pub(crate) fn clear(&self) {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn pick_or_dial(&self, deadline: Time) -> Result<Arc<Connection>, CallError> {
        let failed_before = self.failed_dials.load(Ordering::Relaxed);
        let usable = self.usable();
        let full = usable.len() >= self.settings.pool.connections as usize;
        let least_busy = usable.into_iter().min_by_key(|connection| connection.in_flight());
        let mut last_failure = match least_busy {
            Some(connection) if full || connection.in_flight() < BUSY => return Ok(connection),
            // Busy, but better than to wait for one that somebody else is opening.
            Some(connection) => match self.dialling.try_lock() {
                Ok(dialling) => dialling,
                Err(_) => return Ok(connection),
            },
            None => self.dialling_turn(deadline).await?,
        };
        if self.failed_dials.load(Ordering::Relaxed) != failed_before
            && let Some(failure) = last_failure.as_ref()
        {
            return Err(failure.clone());
        }
        if let Some(connection) = self.usable().into_iter().min_by_key(|connection| connection.in_flight())
            && connection.in_flight() < BUSY
        {
            return Ok(connection);
        }
        match self.dial(deadline).await {
            Ok(connection) => Ok(connection),
            Err(failure) => {
                *last_failure = Some(failure.clone());
                self.failed_dials.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(FAILED_DIAL_COSTS).await;
                Err(failure)
            }
        }
    }

    async fn dialling_turn(
        &self,
        deadline: Time,
    ) -> Result<tokio::sync::MutexGuard<'_, Option<CallError>>, CallError> {
        let turn = tokio::time::timeout_at(self.clock.instant(deadline), self.dialling.lock()).await;
        turn.map_err(|_| CallError::Connect("timed out".to_owned()))
    }

    async fn dial(&self, deadline: Time) -> Result<Arc<Connection>, CallError> {
        let left = deadline.since(self.clock.now());
        if left.is_zero() {
            return Err(CallError::TooLate);
        }
        let limit = self.settings.connect_timeout.min(left);
        let (connection, greeting) =
            Connection::open(&self.endpoint, &self.settings, &self.clock, limit).await?;
        (self.on_greeting)(&greeting);
        let connection = Arc::new(connection);
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&connection));
        Ok(connection)
    }

    fn usable(&self) -> Vec<Arc<Connection>> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| connection.usable());
        connections.clone()
    }
}
