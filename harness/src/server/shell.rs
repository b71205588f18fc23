//! The server as others hold it: serving streams, and suffering what is done to it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::acl::User;
use super::connection::Connection;
use super::db::Db;
use super::evict;
use super::session::Ending;
use super::settings::Policy;
use super::state::State;

/// Tells the time, in microseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How long a script runs before others are answered `-BUSY`, as Redis's default is.
const BUSY_AFTER: Duration = Duration::from_secs(5);

/// What a server is made of.
#[derive(Clone)]
pub struct Config {
    /// The version that it reports, as in `7.0.15`.
    pub version: String,
    /// Run ids, random commands and eviction come from it.
    pub seed: u64,
    /// Its clock.
    pub clock: Clock,
    /// The password of the user `default`, if it needs one.
    pub password: Option<String>,
}

impl Config {
    /// A server of this version, without a password.
    pub fn new(version: &str, seed: u64, clock: Clock) -> Self {
        Self { version: version.to_owned(), seed, clock, password: None }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("version", &self.version)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// Whether something keeps the server from serving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Occupied {
    #[default]
    No,
    /// A script runs: nothing is answered.
    Silent,
    /// It runs for long: nearly everything is answered `-BUSY`.
    Busy,
}

/// The state and what is done to it from outside.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) state: State,
    pub(crate) up: bool,
    pub(crate) paused: bool,
    /// Another process, so to speak: connections of an earlier one have ended.
    pub(crate) epoch: u64,
    /// Connections that were let in.
    pub(crate) admitted: usize,
    occupied: Occupied,
    skew_us: i64,
}

impl Inner {
    /// Whether commands are neither read nor answered for now.
    pub(crate) fn stalled(&self) -> bool {
        self.paused || self.occupied == Occupied::Silent
    }

    fn wake_all(&mut self) {
        self.state.sessions().for_each(super::session::Session::wake);
    }

    fn occupy(&mut self, occupied: Occupied) {
        self.occupied = occupied;
        self.state.busy = occupied == Occupied::Busy;
        self.wake_all();
    }

    fn end_process(&mut self, keep_data: bool, now: u64) {
        self.wake_all();
        self.epoch += 1;
        self.up = false;
        self.paused = false;
        self.admitted = 0;
        self.occupied = Occupied::No;
        self.state.restart(keep_data, now);
    }
}

pub(crate) struct Shared {
    inner: Mutex<Inner>,
    clock: Clock,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server's time, in microseconds since 1970.
    pub(crate) fn now(&self, inner: &Inner) -> u64 {
        (self.clock)().saturating_add_signed(inner.skew_us)
    }
}

/// An embedded Redis server. Copies are the same server.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// A server that is up and empty.
    pub fn new(config: Config) -> Self {
        let mut state = State::new(config.version, config.seed, (config.clock)());
        if let Some(password) = &config.password {
            state.require_password(password.as_bytes());
        }
        let inner = Inner {
            state,
            up: true,
            paused: false,
            epoch: 0,
            admitted: 0,
            occupied: Occupied::No,
            skew_us: 0,
        };
        Self { shared: Arc::new(Shared { inner: Mutex::new(inner), clock: config.clock }) }
    }

    /// Serves one connection until it ends. Returns at once when the server is down.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S) {
        let Some(mut connection) = Connection::open(Arc::clone(&self.shared)) else { return };
        std::future::poll_fn(|context| connection.poll(context, &mut stream)).await;
    }

    /// Stops answering, as a process does that is suspended: connections stay, and what is sent waits.
    pub fn pause(&self) {
        self.shared.lock().paused = true;
    }

    /// Goes on: what was sent meanwhile is done now.
    pub fn resume(&self) {
        let mut inner = self.shared.lock();
        inner.paused = false;
        inner.wake_all();
    }

    /// Ends the process at once: connections break, data is gone.
    pub fn kill(&self) {
        self.stop(false);
    }

    /// Ends the process in order. Data and its expiries stay for the next start, if they are kept.
    pub fn stop(&self, keep_data: bool) {
        let mut inner = self.shared.lock();
        let now = self.shared.now(&inner);
        inner.end_process(keep_data, now);
    }

    /// Starts the process again, as another one: it has a new run id and knows no script.
    pub fn start(&self) {
        let mut inner = self.shared.lock();
        if !inner.up {
            inner.up = true;
            inner.state.started = self.shared.now(&inner);
        }
    }

    /// Whether the process runs.
    pub fn is_up(&self) -> bool {
        self.shared.lock().up
    }

    /// Removes every key, as `FLUSHALL` does.
    pub fn flush(&self) {
        self.shared.lock().state.dbs.iter_mut().for_each(|db| {
            db.clear();
        });
    }

    /// Ends every connection, as `CLIENT KILL TYPE normal` does.
    pub fn kill_clients(&self) {
        self.shared.lock().state.end_sessions();
    }

    /// Changes a user by rules of the ACL, as `ACL SETUSER` does; one that is not there is made. What is no rule does nothing.
    pub fn set_user(&self, name: &str, rules: &[String]) {
        let users = &mut self.shared.lock().state.users;
        let user = users.0.entry(name.as_bytes().to_vec()).or_insert_with(User::new);
        for rule in rules {
            let _ = user.apply(rule.as_bytes());
        }
    }

    /// Makes it a replica of a primary that cannot be reached, as `REPLICAOF` does, or a primary again. Its data stay.
    pub fn demote(&self, replica: bool) {
        self.shared.lock().state.replica = replica;
    }

    /// Ends the connections of one user, as `CLIENT KILL USER` does.
    pub fn kill_user(&self, name: &str) {
        let mut inner = self.shared.lock();
        let of_user = inner.state.sessions().filter(|session| session.user == name.as_bytes());
        of_user.for_each(|session| session.end(Ending::Now));
    }

    /// Sets how many connections there may be; further ones are refused.
    pub fn set_max_clients(&self, most: usize) {
        self.shared.lock().state.settings.set("maxclients", &most.to_string());
    }

    /// Sets how much memory may be used, and what happens when it is. Zero is no limit.
    pub fn set_max_memory(&self, bytes: usize, policy: Policy) {
        let settings = &mut self.shared.lock().state.settings;
        settings.set("maxmemory", &bytes.to_string());
        settings.set("maxmemory-policy", policy.name());
    }

    /// Sets how much memory data may take, beyond what the server takes without any; what is over goes at once.
    pub fn set_max_data(&self, bytes: usize, policy: Policy) {
        let empty = {
            let state = &self.shared.lock().state;
            state.used_memory() - state.dbs.iter().map(Db::bytes).sum::<usize>()
        };
        self.set_max_memory(empty + bytes, policy);
        let mut inner = self.shared.lock();
        let now = self.shared.now(&inner);
        // Where nothing may go memory stays full, and commands that need more are refused.
        let _ = evict::make_room(&mut inner.state, now);
    }

    /// The memory used, about.
    pub fn used_memory(&self) -> usize {
        self.shared.lock().state.used_memory()
    }

    /// Evicts so many keys, by the policy that is set, or else any. How many went.
    pub fn evict(&self, count: usize) -> usize {
        evict::evict(&mut self.shared.lock().state, count)
    }

    /// Runs a script for so long: others wait, and after five seconds they are answered `-BUSY`. Ends early when dropped; a
    /// `SCRIPT KILL` ends the refusals.
    pub async fn block(&self, lasts: Duration) {
        let busy_after = lasts.min(BUSY_AFTER);
        self.block_with(busy_after, lasts.saturating_sub(busy_after)).await;
    }

    /// The same, silent and then busy for as long as is told.
    pub async fn block_with(&self, silent: Duration, busy: Duration) {
        let _blocking = Blocking(self);
        self.occupy(Occupied::Silent);
        tokio::time::sleep(silent).await;
        if !busy.is_zero() {
            self.occupy(Occupied::Busy);
            tokio::time::sleep(busy).await;
        }
    }

    fn occupy(&self, occupied: Occupied) {
        let mut inner = self.shared.lock();
        if inner.up {
            inner.occupy(occupied);
        }
    }

    /// Sets how far its clock is off, in microseconds. Keys expire by this clock.
    pub fn skew(&self, offset_us: i64) {
        self.shared.lock().skew_us = offset_us;
    }

    /// What it holds, seen from the side: `None` without the key, `Some(None)` without an expiry, else the milliseconds left.
    pub fn look(&self, key: &[u8]) -> Option<Option<u64>> {
        self.look_in(0, key)
    }

    /// The same in a database other than 0.
    pub fn look_in(&self, db: usize, key: &[u8]) -> Option<Option<u64>> {
        let mut inner = self.shared.lock();
        let now = self.shared.now(&inner);
        inner.state.dbs.get(db)?;
        inner.state.purge(db, now);
        let entry = inner.state.dbs[db].entry(key)?;
        Some(entry.expires().map(|when| when.saturating_sub(now / 1000)))
    }

    /// The bytes under a key of that database, of whatever type, one thing after the other; seen from the side.
    pub fn content_in(&self, db: usize, key: &[u8]) -> Option<Vec<u8>> {
        let mut inner = self.shared.lock();
        let now = self.shared.now(&inner);
        inner.state.dbs.get(db)?;
        inner.state.purge(db, now);
        Some(inner.state.dbs[db].entry(key)?.value.content())
    }

    /// The text under a key of database 0, seen from the side.
    pub fn text(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut inner = self.shared.lock();
        let now = self.shared.now(&inner);
        inner.state.purge(0, now);
        match &inner.state.dbs[0].entry(key)?.value {
            super::value::Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.shared.lock().state.connections()
    }

    /// How many commands it has run since it started.
    pub fn commands_processed(&self) -> u64 {
        self.shared.lock().state.stats.commands
    }

    /// How many keys expired since it started.
    pub fn expired_keys(&self) -> u64 {
        self.shared.lock().state.stats.expired
    }

    /// How many keys were evicted since it started.
    pub fn evicted_keys(&self) -> u64 {
        self.shared.lock().state.stats.evicted
    }

    /// Names this process of the server.
    pub fn run_id(&self) -> String {
        self.shared.lock().state.run_id.clone()
    }
}

/// A script that runs; it ends with this.
struct Blocking<'a>(&'a Server);

impl Drop for Blocking<'_> {
    fn drop(&mut self) {
        self.0.occupy(Occupied::No);
    }
}
