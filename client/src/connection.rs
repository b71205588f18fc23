//! One multiplexed connection to Redis, and what is known of its health.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Value};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::core::time::Time;
use crate::endpoint::Endpoint;
use crate::error::CallError;
use crate::settings::Settings;

/// A connection that is open, or was. Calls of many tasks share it; each reply finds its own call.
pub(crate) struct Connection {
    multiplexed: MultiplexedConnection,
    driver: AbortHandle,
    clock: Clock,
    drop_after_timeouts: u32,
    given_up: AtomicBool,
    timeouts_in_a_row: AtomicU32,
    in_flight: AtomicU32,
    last_reply_nanos: AtomicU64,
}

/// What Redis says of itself when a connection opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// Redis's own clock, in microseconds since 1970, when it answered.
    pub(crate) server_us: u64,
    /// Our clock when it was asked and when the answer was there.
    pub(crate) asked: Time,
    /// See `asked`.
    pub(crate) answered: Time,
    /// Names this process of Redis: another one may have forgotten everything.
    pub(crate) run_id: String,
}

impl Connection {
    /// Opens a connection, handshake and greeting included, within `limit`.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        settings: &Settings,
        clock: &Clock,
        limit: Duration,
    ) -> Result<(Self, Greeting), CallError> {
        let opening = async {
            let stream = endpoint
                .connect
                .connect()
                .await
                .map_err(|error| CallError::Connect(error.kind().to_string()))?;
            let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
            let made = MultiplexedConnection::new_with_config(&endpoint.info(), stream, config).await;
            let (multiplexed, driver) = made.map_err(|error| refused(&error))?;
            let connection = Self {
                multiplexed,
                driver: tokio::spawn(driver).abort_handle(),
                clock: clock.clone(),
                drop_after_timeouts: settings.drop_after_timeouts,
                given_up: AtomicBool::new(false),
                timeouts_in_a_row: AtomicU32::new(0),
                in_flight: AtomicU32::new(0),
                last_reply_nanos: AtomicU64::new(clock.now().as_nanos()),
            };
            let greeting = connection.greet().await?;
            Ok((connection, greeting))
        };
        timeout(limit, opening).await.unwrap_or_else(|_| Err(CallError::Connect("timed out".to_owned())))
    }

    /// Sends one command and waits at most `limit` for its reply.
    pub(crate) async fn send(&self, command: &Cmd, limit: Duration) -> Result<Value, CallError> {
        let _counted = InFlight::new(&self.in_flight);
        let mut multiplexed = self.multiplexed.clone();
        let reply = match timeout(limit, multiplexed.send_packed_command(command)).await {
            Ok(Ok(Value::ServerError(error))) => Err(CallError::from(&redis::RedisError::from(error))),
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(CallError::from(&error)),
            Err(_) => Err(CallError::Timeout),
        };
        self.learn(&reply);
        reply
    }

    /// Whether calls can still be sent on it.
    pub(crate) fn usable(&self) -> bool {
        !self.given_up.load(Ordering::Relaxed) && !self.driver.is_finished()
    }

    /// Calls whose reply is awaited.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How long ago the last reply came.
    pub(crate) fn idle(&self) -> Duration {
        self.clock.now().since(Time::from_nanos(self.last_reply_nanos.load(Ordering::Relaxed)))
    }

    /// Sends nothing more on it.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    fn learn(&self, reply: &Result<Value, CallError>) {
        match reply {
            Err(CallError::Timeout) => {
                let timeouts = self.timeouts_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
                if timeouts >= self.drop_after_timeouts {
                    self.give_up();
                }
                return;
            }
            Err(CallError::Broken(_)) => return self.give_up(),
            // A demoted primary stays reachable and refuses for ever; a new connection may reach the new one.
            Err(CallError::NotNow(code)) if code == "READONLY" => self.give_up(),
            Ok(_) | Err(_) => {}
        }
        self.timeouts_in_a_row.store(0, Ordering::Relaxed);
        self.last_reply_nanos.store(self.clock.now().as_nanos(), Ordering::Relaxed);
    }

    async fn greet(&self) -> Result<Greeting, CallError> {
        let mut multiplexed = self.multiplexed.clone();
        let mut pipeline = redis::pipe();
        pipeline.cmd("INFO").arg("server").cmd("TIME");
        let asked = self.clock.now();
        let replied = pipeline.query_async::<(String, (u64, u64))>(&mut multiplexed).await;
        let answered = self.clock.now();
        let (info, (seconds, micros)) = replied.map_err(|error| refused(&error))?;
        let run_id = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default();
        Ok(Greeting {
            server_us: seconds * 1_000_000 + micros,
            asked,
            answered,
            run_id: run_id.trim().to_owned(),
        })
    }
}

/// A handshake that failed: nothing that a caller asked for was sent.
fn refused(error: &redis::RedisError) -> CallError {
    match CallError::from(error) {
        auth @ CallError::Auth(_) => auth,
        _ if error.kind() == redis::ErrorKind::AuthenticationFailed => {
            CallError::Auth("WRONGPASS".to_owned())
        }
        other => CallError::Connect(format!("handshake: {other}")),
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

struct InFlight<'a>(&'a AtomicU32);

impl<'a> InFlight<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
