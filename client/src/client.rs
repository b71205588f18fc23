//! The session client.
//!
//! Every session that passes through is kept in a local copy, always. A write goes to the local copy first, under a new
//! version, and then to Redis by a merge that takes the newer of each fact; when Redis does not take it now, the write stays
//! accepted and the resync brings it later. A read asks Redis and merges the answer with the local copy, so what an instance
//! has seen never goes back; when Redis does not answer, the local copy does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::AbortHandle;

use crate::answer::{Ack, Found, Lookup, ServedBy, SessionError};
use crate::clock::Clock;
use crate::core::breaker::State;
use crate::core::record::{Corrupt, Record};
use crate::core::time::Time;
use crate::core::version::Version;
use crate::endpoint::Endpoint;
use crate::error::CallError;
use crate::event::{Event, Mode, Observer};
use crate::gateway::Gateway;
use crate::script::{self, Stored};
use crate::settings::{Fallback, Settings, SettingsError};
use crate::store::{Memory, Store};
use crate::sync;

/// The longest id, in bytes.
const MAX_ID: usize = 1024;

/// The largest value: Redis takes 512 MB, header included.
const MAX_VALUE: usize = 500 * 1024 * 1024;

/// The longest TTL: a hundred years.
const MAX_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What a client takes from its surroundings.
pub struct Environment {
    /// The clock.
    pub clock: Clock,
    /// Where all chance comes from.
    pub seed: u64,
    /// A number that no other instance on the same Redis has; versions carry it.
    pub writer: u32,
    /// Told of everything that happens.
    pub observer: Observer,
}

/// A session client. Clones share everything; the last one to go ends the client's tasks.
#[derive(Clone)]
pub struct SessionClient {
    store: Arc<Store>,
    resyncing: Option<Arc<AbortOnDrop>>,
}

/// What a client holds just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Connections that are open.
    pub connections: u64,
    /// Sessions in the local copy, the destroyed ones included.
    pub local_sessions: u64,
    /// Bytes that they take, roughly.
    pub local_bytes: u64,
    /// Sessions whose newest Redis does not know yet.
    pub dirty: u64,
}

/// A change to a session.
enum Change {
    Create { value: Bytes, ttl: Duration },
    Update { value: Bytes },
    Touch { ttl: Duration },
    Destroy,
}

impl SessionClient {
    /// Starts a client. It does not wait for Redis: one that is down is what the client is for. Must be called within a
    /// tokio runtime.
    pub fn start(
        settings: Settings,
        endpoint: Endpoint,
        environment: Environment,
    ) -> Result<Self, SettingsError> {
        settings.validate()?;
        let Environment { clock, seed, writer, observer } = environment;
        let memory = Arc::new(Memory::new(&settings, writer));
        let (greeted, greeting_clock) = (Arc::clone(&memory), clock.clone());
        let observer = tell_mode_too(observer, settings.fallback);
        let gateway = Gateway::start(
            settings.clone(),
            endpoint,
            clock.clone(),
            seed,
            Arc::clone(&observer),
            move |greeting| greeted.greeted(greeting, &greeting_clock),
        );
        let store = Arc::new(Store { settings, clock, observer, gateway, memory });
        let resyncing = store.settings.resync.enabled.then(|| {
            let task = tokio::spawn(sync::resync_whenever_due(Arc::clone(&store)));
            Arc::new(AbortOnDrop(task.abort_handle()))
        });
        Ok(Self { store, resyncing })
    }

    /// Makes a session that lives for `ttl`; one that exists is replaced.
    pub async fn create(&self, id: &str, value: Bytes, ttl: Duration) -> Result<Ack, SessionError> {
        self.write(id, Change::Create { value, ttl }).await
    }

    /// Writes a session's value and keeps its TTL.
    pub async fn update(&self, id: &str, value: Bytes) -> Result<Ack, SessionError> {
        self.write(id, Change::Update { value }).await
    }

    /// Lets a session live for `ttl` from now on.
    pub async fn touch(&self, id: &str, ttl: Duration) -> Result<Ack, SessionError> {
        self.write(id, Change::Touch { ttl }).await
    }

    /// Ends a session. It is fine if there is none.
    pub async fn destroy(&self, id: &str) -> Result<Ack, SessionError> {
        self.write(id, Change::Destroy).await
    }

    /// Reads a session with what is left of its TTL, and changes neither.
    pub async fn get(&self, id: &str) -> Result<Lookup, SessionError> {
        check_id(id)?;
        let deadline = self.deadline();
        let store = &*self.store;
        let stored = script::read(&store.gateway, &store.settings.key_prefix, id, deadline).await;
        match stored {
            Ok(Stored::Record(record)) => {
                let theirs = record.clone();
                let mut state = store.memory.lock();
                let known = state.learn(id, record);
                let redis_lacks = known.value_version > theirs.value_version
                    || known.expiry_version > theirs.expiry_version
                    || known.created > theirs.created
                    || !known.exists();
                if redis_lacks && !state.local.dirty().contains(id) {
                    // Redis went back behind what it had told: a failover, say.
                    state.local.mark(id);
                    store.memory.dirtied.notify_one();
                }
                drop(state);
                Ok(self.lookup(&known, ServedBy::Redis))
            }
            Ok(Stored::Nothing) => Ok(self.heal(id, deadline).await),
            Ok(Stored::Corrupt(corrupt)) => self.replace_corrupt(id, corrupt, deadline).await,
            Err(error) => Ok(self.serve_locally(id, error)),
        }
    }

    /// What the client holds just now.
    pub fn stats(&self) -> Stats {
        let state = self.store.memory.lock();
        Stats {
            connections: self.store.gateway.connections() as u64,
            local_sessions: state.local.sessions() as u64,
            local_bytes: state.local.bytes(),
            dirty: state.local.dirty().len() as u64,
        }
    }

    /// Brings to Redis what it does not know yet, as far as that is possible within one deadline, and ends.
    pub async fn shutdown(&self) {
        let deadline = self.deadline();
        if self.resyncing.is_some() {
            while self.store.gateway.state() == State::Closed && self.store.clock.now() < deadline {
                let ids = self.store.memory.lock().local.dirty().most_urgent(1);
                let Some(id) = ids.first() else { break };
                if !matches!(self.store.push(id, deadline).await, Some(Ok(_))) {
                    break;
                }
            }
        }
        self.store.gateway.close();
    }

    async fn write(&self, id: &str, change: Change) -> Result<Ack, SessionError> {
        check_id(id)?;
        check(&change)?;
        let deadline = self.deadline();
        if matches!(change, Change::Update { .. } | Change::Touch { .. }) {
            self.ensure_known(id, deadline).await?;
        }
        let must_live = matches!(change, Change::Update { .. } | Change::Touch { .. });
        let before = self.apply(id, change)?;
        match self.store.push(id, deadline).await {
            Some(Ok(merged)) if must_live && !merged.lives => Err(SessionError::NoSession),
            Some(Ok(_)) | None => Ok(Ack { served_by: ServedBy::Redis }),
            Some(Err(error)) => self.accept_locally(id, before, error),
        }
    }

    /// Makes sure that the local copy knows a living session of that id.
    async fn ensure_known(&self, id: &str, deadline: Time) -> Result<(), SessionError> {
        if self.known_alive(id) {
            return Ok(());
        }
        let store = &*self.store;
        let stored = script::read(&store.gateway, &store.settings.key_prefix, id, deadline).await;
        match stored {
            Ok(Stored::Record(record)) => {
                let known = store.memory.lock().learn(id, record);
                if known.alive(store.redis_now()) { Ok(()) } else { Err(SessionError::NoSession) }
            }
            Ok(Stored::Nothing) if self.known_alive(id) => Ok(()),
            Ok(Stored::Nothing) => Err(SessionError::NoSession),
            Ok(Stored::Corrupt(corrupt)) => {
                self.tell_corrupt();
                Err(SessionError::Corrupt(words(corrupt)))
            }
            Err(error) => Err(SessionError::Unavailable(error)),
        }
    }

    /// Writes to the local copy, under a new version; returns what it knew before.
    fn apply(&self, id: &str, change: Change) -> Result<Option<Record>, SessionError> {
        let store = &*self.store;
        let mut state = store.memory.lock();
        let version = state.tick(&store.clock);
        let now = state.offset.theirs(store.clock.unix_ms());
        let before = state.local.record(id).cloned();
        let mut record = before.clone().unwrap_or_default();
        match change {
            Change::Create { value, ttl } => {
                record.created = version;
                set_value(&mut record, version, value);
                set_expiry(&mut record, version, now, ttl);
            }
            Change::Update { value } => set_value(&mut record, version, value),
            Change::Touch { ttl } => set_expiry(&mut record, version, now, ttl),
            Change::Destroy => {
                record.destroyed = version;
                record.value = Bytes::new();
            }
        }
        state.local.write(id, record).map_err(|_| SessionError::Full)?;
        Ok(before)
    }

    /// Redis did not take a write that the local copy has.
    fn accept_locally(
        &self,
        id: &str,
        before: Option<Record>,
        error: CallError,
    ) -> Result<Ack, SessionError> {
        let refused = matches!(error, CallError::Refused(_));
        if !refused && self.store.settings.fallback == Fallback::Memory {
            return Ok(Ack { served_by: ServedBy::Local });
        }
        if error.definite() {
            let mut state = self.store.memory.lock();
            state.local.forget(id);
            if let Some(before) = before {
                state.local.learn(id, before);
            }
        }
        Err(SessionError::Call(error))
    }

    /// Redis holds nothing under the key. If the local copy knows a living session, Redis lost it, or another instance
    /// destroyed it: the merge tells which, and brings it back in the first case.
    async fn heal(&self, id: &str, deadline: Time) -> Lookup {
        if !self.known_alive(id) {
            return Lookup::Absent { served_by: ServedBy::Redis };
        }
        match self.store.push(id, deadline).await {
            Some(Ok(merged)) => self.lookup(&merged.record, ServedBy::Redis),
            Some(Err(error)) => self.serve_locally(id, error),
            None => Lookup::Absent { served_by: ServedBy::Redis },
        }
    }

    /// Redis holds something under the key that is not a session of ours, or not whole. The local copy replaces it.
    async fn replace_corrupt(
        &self,
        id: &str,
        corrupt: Corrupt,
        deadline: Time,
    ) -> Result<Lookup, SessionError> {
        self.tell_corrupt();
        if !self.known_alive(id) {
            return Err(SessionError::Corrupt(words(corrupt)));
        }
        Ok(self.heal(id, deadline).await)
    }

    fn serve_locally(&self, id: &str, error: CallError) -> Lookup {
        if self.store.settings.fallback == Fallback::None {
            return Lookup::Unknown { because: error };
        }
        let now = self.store.redis_now();
        let state = self.store.memory.lock();
        match state.local.record(id) {
            Some(record) if record.alive(now) => found(record, now, ServedBy::Local),
            Some(record) if !record.exists() => Lookup::Absent { served_by: ServedBy::Local },
            // Expired as far as is known here; another instance may have extended it.
            Some(_) | None => Lookup::Unknown { because: error },
        }
    }

    fn lookup(&self, record: &Record, served_by: ServedBy) -> Lookup {
        let now = self.store.redis_now();
        if record.alive(now) { found(record, now, served_by) } else { Lookup::Absent { served_by } }
    }

    fn known_alive(&self, id: &str) -> bool {
        let now = self.store.redis_now();
        self.store.memory.lock().local.record(id).is_some_and(|record| record.alive(now))
    }

    fn tell_corrupt(&self) {
        (self.store.observer)(&Event::Corrupt { at: self.store.clock.now() });
    }

    fn deadline(&self) -> Time {
        self.store.clock.now() + self.store.settings.deadline
    }
}

fn found(record: &Record, now: u64, served_by: ServedBy) -> Lookup {
    let ttl = Duration::from_millis(record.expires_ms.saturating_sub(now));
    Lookup::Found { session: Found { value: record.value.clone(), ttl }, served_by }
}

fn set_value(record: &mut Record, version: Version, value: Bytes) {
    record.value_version = version;
    record.value = value;
}

fn set_expiry(record: &mut Record, version: Version, now: u64, ttl: Duration) {
    record.expiry_version = version;
    record.expires_ms = now.saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
}

fn check_id(id: &str) -> Result<(), SessionError> {
    match id.len() {
        0 => Err(SessionError::Invalid("the id is empty")),
        1..=MAX_ID => Ok(()),
        _ => Err(SessionError::Invalid("the id is longer than 1 KiB")),
    }
}

fn check(change: &Change) -> Result<(), SessionError> {
    let (value, ttl) = match change {
        Change::Create { value, ttl } => (Some(value), Some(*ttl)),
        Change::Update { value } => (Some(value), None),
        Change::Touch { ttl } => (None, Some(*ttl)),
        Change::Destroy => (None, None),
    };
    if value.is_some_and(|value| value.len() > MAX_VALUE) {
        return Err(SessionError::Invalid("the value is larger than 500 MiB"));
    }
    if ttl.is_some_and(|ttl| ttl < Duration::from_millis(1) || ttl > MAX_TTL) {
        return Err(SessionError::Invalid("the TTL must be from 1 ms to 100 years"));
    }
    Ok(())
}

fn words(corrupt: Corrupt) -> &'static str {
    match corrupt {
        Corrupt::Foreign => "it was not written by this client",
        Corrupt::Checksum => "its checksum does not fit its payload",
    }
}

/// Follows the breaker: while it is not closed, the local copy serves.
fn tell_mode_too(observer: Observer, fallback: Fallback) -> Observer {
    Arc::new(move |event| {
        observer(event);
        let Event::Breaker { at, from, to, .. } = event else { return };
        let mode = match (from, to) {
            (State::Closed, State::Open) => Mode::Local,
            (_, State::Closed) => Mode::Redis,
            (_, State::Open | State::HalfOpen) => return,
        };
        if fallback == Fallback::Memory {
            observer(&Event::Mode { at: *at, to: mode });
        }
    })
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
