//! One multiplexed connection to Redis, and what is known of its health.

mod greeting;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue as _, Value};
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::address::Host;
use crate::clock::Clock;
use crate::core::health::Health;
use crate::core::time::Time;
use crate::endpoint::Endpoint;
use crate::error::CallError;
use crate::error::told::{NO_REDIS, stream_error};
use crate::settings::{Protocol, Settings};
use crate::tls;
use crate::watched::{Seen, Watched};
pub(crate) use greeting::Greeting;

/// A connection that is open, or was. Calls of many tasks share it; each reply finds its own call.
pub(crate) struct Connection {
    multiplexed: MultiplexedConnection,
    driver: AbortHandle,
    clock: Clock,
    number: u64,
    run_id: Arc<str>,
    leads_to: Option<Host>,
    /// It leads to one node of several, which may no longer hold the keys.
    of_cluster: bool,
    opened: Time,
    given_up: AtomicBool,
    in_flight: AtomicU32,
    health: Mutex<Health>,
    /// Held while it is asked for a sign of life.
    pub(crate) checking: AsyncMutex<()>,
}

impl Connection {
    /// Opens a connection, handshake and greeting included, within the connect timeout. `sockets` counts those that are open.
    pub(crate) async fn open(
        number: u64,
        endpoint: &Endpoint,
        settings: &Settings,
        clock: &Clock,
        sockets: &Arc<AtomicUsize>,
    ) -> Result<(Self, Greeting), CallError> {
        let seen = Arc::new(Seen::new(settings));
        let opening = async {
            let opened = endpoint.connect.connect_for(&settings.key_prefix, settings.connect_timeout);
            let (stream, leads_to) = opened.await?;
            let stream = Watched::new(stream, &seen);
            let socket = Counted::new(sockets);
            let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
            let made =
                MultiplexedConnection::new_with_config(&endpoint.info(settings.protocol), stream, config)
                    .await;
            let (multiplexed, driver) = made.map_err(|error| refused(&error, endpoint))?;
            let driver = tokio::spawn(async move {
                driver.await;
                drop(socket);
            });
            let now = clock.now();
            let mut connection = Self {
                multiplexed,
                driver: driver.abort_handle(),
                clock: clock.clone(),
                number,
                run_id: Arc::from(""),
                leads_to,
                of_cluster: endpoint.connect.is_cluster(),
                opened: now,
                given_up: AtomicBool::new(false),
                in_flight: AtomicU32::new(0),
                health: Mutex::new(Health::new(
                    now,
                    settings.operation_timeout,
                    settings.drop_after_timeouts,
                )),
                checking: AsyncMutex::new(()),
            };
            let mut greeting = connection.greet(endpoint, settings.protocol).await?;
            connection.run_id = greeting.run_id.as_str().into();
            if let (true, Some((host, port))) = (greeting.run_id.is_empty(), &connection.leads_to) {
                greeting.run_id = format!("{host}:{port}");
            }
            Ok((connection, greeting))
        };
        let opened = timeout(settings.connect_timeout, opening).await;
        let opened =
            opened.unwrap_or_else(|_| Err(CallError::Connect(endpoint.connect.stalled().to_owned())));
        match (opened, seen.first_error()) {
            (Err(CallError::Connect(_)), Some(error)) => Err(refused(&error, endpoint)),
            (opened, _) => opened,
        }
    }

    /// Sends one command and waits at most `limit` for its reply.
    pub(crate) async fn send(&self, command: &Cmd, limit: Duration) -> Result<Value, CallError> {
        let mut waiting = Waiting::new(self);
        let mut multiplexed = self.multiplexed.clone();
        let reply = match timeout(limit, multiplexed.send_packed_command(command)).await {
            Ok(Ok(Value::ServerError(error))) => Err(CallError::from(&redis::RedisError::from(error))),
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(CallError::from(&error)),
            Err(_) => Err(CallError::Timeout),
        };
        waiting.ended(&reply);
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

    /// Its number: a later one has a higher number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The process of Redis that it leads to; empty if its name is not known.
    pub(crate) fn run_id(&self) -> Arc<str> {
        Arc::clone(&self.run_id)
    }

    /// The server that it leads to, where another may take its place.
    pub(crate) fn leads_to(&self) -> Option<&Host> {
        self.leads_to.as_ref()
    }

    /// When it opened.
    pub(crate) fn opened(&self) -> Time {
        self.opened
    }

    /// When the last reply came.
    pub(crate) fn last_reply(&self) -> Time {
        self.health().last_reply()
    }

    /// If it was given up because it had gone silent: from when on it was.
    pub(crate) fn gone_silent(&self) -> Option<Time> {
        if self.given_up.load(Ordering::Relaxed) { self.health().silent_since() } else { None }
    }

    /// Sends nothing more on it.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether what was refused so is for another server: a demoted primary stays reachable and refuses for ever, as does a node
    /// that has handed its slot on, or that is cut off from the cluster. A new connection may reach the right one.
    fn is_elsewhere(&self, code: &str) -> bool {
        code == "READONLY" || (self.of_cluster && ["MOVED", "CLUSTERDOWN"].contains(&code))
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs in and learns what the client must know. The first commands go one by one: a server that answers with an error and
    /// ends the connection is heard.
    async fn greet(&self, endpoint: &Endpoint, protocol: Protocol) -> Result<Greeting, CallError> {
        let mut multiplexed = self.multiplexed.clone();
        for command in endpoint.login(protocol) {
            let reply = multiplexed.send_packed_command(&command).await.and_then(Value::extract_error);
            reply.map_err(|error| refused(&error, endpoint))?;
        }
        let asked = self.clock.now();
        let time = multiplexed.send_packed_command(&redis::cmd("TIME")).await.and_then(Value::extract_error);
        let answered = self.clock.now();
        let time = time.map_err(|error| refused(&error, endpoint))?;
        let (seconds, micros) = <(u64, u64)>::from_redis_value(time)
            .map_err(|_| CallError::Connect("handshake: TIME gave no time".to_owned()))?;
        let (server, replication) = self.ask_who_it_is(endpoint).await?;
        let server_us = seconds.saturating_mul(1_000_000).saturating_add(micros);
        let told = Told { server_us, asked, answered };
        let Some(told) = told.beside(&server, self.clock.now()) else {
            return Err(CallError::Connect(OTHER_TIME.to_owned()));
        };
        if field(&replication, "role:") == Some("slave") {
            // It would refuse every write; the primary may be known by this name again soon.
            return Err(CallError::NotNow("READONLY".to_owned()));
        }
        Ok(Greeting {
            server_us: told.server_us,
            asked: told.asked,
            answered: told.answered,
            run_id: field(&server, "run_id:").unwrap_or_default().to_owned(),
            up: field(&server, "uptime_in_seconds:").and_then(|up| up.parse().ok()).map(Duration::from_secs),
        })
    }

    /// What Redis says of itself, and of its role.
    async fn ask_who_it_is(&self, endpoint: &Endpoint) -> Result<(String, String), CallError> {
        let mut pipeline = redis::pipe();
        for (what, value) in [("LIB-NAME", env!("CARGO_PKG_NAME")), ("LIB-VER", env!("CARGO_PKG_VERSION"))] {
            // For operators to see; a Redis before 7.2 does not know it.
            pipeline.cmd("CLIENT").arg("SETINFO").arg(what).arg(value);
        }
        pipeline.cmd("INFO").arg("server").cmd("INFO").arg("replication");
        let mut multiplexed = self.multiplexed.clone();
        let replied = multiplexed.send_packed_commands(&pipeline, 0, 4).await;
        let replied: [Value; 4] = replied
            .map_err(|error| refused(&error, endpoint))?
            .try_into()
            .map_err(|_| CallError::Connect("handshake: not as many replies as questions".to_owned()))?;
        let [_, _, server, replication] = replied.map(Value::extract_error);
        Ok((info(server)?, info(replication)?))
    }
}

/// What `INFO` says; nothing where this user may not ask: it counts as dangerous, and many a user may do all that sessions need,
/// but not that.
fn info(said: Result<Value, redis::RedisError>) -> Result<String, CallError> {
    match said.map_err(|error| CallError::from(&error)) {
        Ok(text) => Ok(String::from_redis_value(text).unwrap_or_default()),
        Err(CallError::Auth(code)) if code == "NOPERM" => Ok(String::new()),
        Err(CallError::Refused(_)) => Ok(String::new()),
        Err(error) => Err(CallError::Connect(format!("handshake: {error}"))),
    }
}

/// A field of what `INFO` says; its name ends in a colon.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// What time it is at Redis, in microseconds since 1970, with our clock when it was asked and when the answer was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    server_us: u64,
    asked: Time,
    answered: Time,
}

impl Told {
    /// The better of what `TIME` told and what `INFO`, which was asked next, says of the server; nothing when they contradict each
    /// other: a digit that was damaged on its way would move every expiry. `INFO` is the better one when it was far quicker, as
    /// where a connection is accepted late. This user may not ask for it, and an old Redis does not tell.
    fn beside(self, server: &str, informed: Time) -> Option<Self> {
        let info_us = field(server, "server_time_usec:").and_then(|us| us.parse().ok());
        let Some(info_us) = info_us else { return Some(self) };
        let apart = Duration::from_micros(self.server_us.abs_diff(info_us));
        if apart > informed.since(self.asked) + TIMES_APART {
            return None;
        }
        let info = Self { server_us: info_us, asked: self.answered, answered: informed };
        let far_quicker = self.answered.since(self.asked) > info.answered.since(info.asked) + INFO_LAGS;
        Some(if far_quicker { info } else { self })
    }
}

/// How far the two may be apart, for the time that `INFO` names may be that of Redis's last look at its clock.
const TIMES_APART: Duration = Duration::from_secs(1);
/// By how much that look is in the past where Redis has nothing to do.
const INFO_LAGS: Duration = Duration::from_millis(100);

/// Versions and expiries need one time.
const OTHER_TIME: &str = "handshake: TIME and INFO name different times, so what answers has two clocks: set them alike, or \
                          take +info from this user";

/// Without Redis's time nothing can be written.
const NO_TIME: &str = "this user may not do what every client must: give it +auth, +select and +time";

/// A handshake that failed: nothing that a caller asked for was sent.
fn refused(error: &redis::RedisError, endpoint: &Endpoint) -> CallError {
    // A server that does not take the client's certificate says so only when it is first spoken to.
    if let Some(why) = stream_error(error).and_then(tls::failure) {
        return CallError::Tls(why);
    }
    match CallError::from(error) {
        CallError::Auth(code) if code == "NOPERM" => CallError::Connect(format!("handshake: {NO_TIME}")),
        auth @ CallError::Auth(_) => auth,
        CallError::Broken(why) if why == NO_REDIS => CallError::Connect(format!("handshake: {why}")),
        _ if error.kind() == redis::ErrorKind::AuthenticationFailed => {
            CallError::Auth("WRONGPASS".to_owned())
        }
        CallError::Broken(_) => CallError::Connect(format!("handshake: {}", endpoint.connect.hung_up())),
        other => CallError::Connect(format!("handshake: {other}")),
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A call whose reply is awaited. A caller that goes away tells the connection's health how long it had waited.
struct Waiting<'a> {
    connection: &'a Connection,
    sent: Time,
    ended: bool,
}

impl<'a> Waiting<'a> {
    fn new(connection: &'a Connection) -> Self {
        connection.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { connection, sent: connection.clock.now(), ended: false }
    }

    fn ended(&mut self, reply: &Result<Value, CallError>) {
        let connection = self.connection;
        match reply {
            // Nobody answered: dropping this tells so.
            Err(CallError::Timeout) => return,
            Err(CallError::Broken(_)) => connection.give_up(),
            Err(CallError::NotNow(code)) if connection.is_elsewhere(code) => connection.give_up(),
            Ok(_) | Err(_) => {
                connection.health().replied(connection.clock.now());
            }
        }
        self.ended = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let connection = self.connection;
        connection.in_flight.fetch_sub(1, Ordering::Relaxed);
        if !self.ended && connection.health().unanswered(self.sent, connection.clock.now()) {
            connection.give_up();
        }
    }
}

/// One of the sockets that are open.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(sockets: &Arc<AtomicUsize>) -> Self {
        sockets.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(sockets))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "redis_version:7.2.4\r\nserver_time_usec:1767225603250000\r\nuptime_in_seconds:3\r\n";

    fn ms(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn told(server_us: u64, asked: u64, answered: u64) -> Told {
        Told { server_us, asked: ms(asked), answered: ms(answered) }
    }

    #[test]
    fn a_time_that_info_contradicts_is_not_believed() {
        for time in [1_767_225_603_250_000, 1_767_225_603_000_000, 1_767_225_603_280_000] {
            let told = told(time, 10, 20);
            assert_eq!(told.beside(INFO, ms(30)), Some(told));
        }
        for time in [1_767_235_603_250_000, 1_767_225_601_250_000, 1_767_225_605_250_000] {
            let told = told(time, 10, 20);
            assert_eq!(told.beside(INFO, ms(30)), None);
            // Nothing there contradicts it.
            for info in ["", "server_time_usec:soon\r\n"] {
                assert_eq!(told.beside(info, ms(30)), Some(told));
            }
        }
    }

    #[test]
    fn where_a_connection_was_accepted_late_the_time_of_info_counts() {
        let late = told(1_767_225_603_249_000, 0, 1000);
        assert_eq!(late.beside(INFO, ms(1002)), Some(told(1_767_225_603_250_000, 1000, 1002)));
        // Both were slow: the line is, and TIME is no worse.
        assert_eq!(late.beside(INFO, ms(1950)), Some(late));
    }
}
