//! Whose sessions: an index in Redis, a sorted set for each user, scored by when the sessions expire.
//!
//! It lies in another cluster slot than the sessions, so it is never changed together with them: what it says is asked of each
//! session, and what it lacks the sweep brings: sessions that were written while Redis was away, and all of them after Redis has
//! lost its data.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use redis::{FromRedisValue as _, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::payload::{self, About};
use super::{Session, SessionStore};
use crate::answer::{Lookup, SessionError};
use crate::core::breaker::State;
use crate::core::class::Class;
use crate::core::sessions::Look;
use crate::core::time::Time;
use crate::error::CallError;
use crate::limits;
use crate::lua::{self, LuaScript};
use crate::scan;
use crate::store::Store;

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// Sessions that Redis has.
    pub total_sessions: u64,
    /// Users who have some.
    pub active_users: u64,
}

/// Sessions of which the index may not know.
#[derive(Debug, Default)]
pub(super) struct Missing(Mutex<Ids>);

#[derive(Debug, Default)]
struct Ids {
    ids: BTreeSet<Arc<str>>,
    /// The last one that was brought, or tried: those that Redis refuses must not keep others waiting.
    tried: Option<Arc<str>>,
    /// As of which mark all that live here were put among them; nothing before the first time.
    filled: Option<Option<Time>>,
}

impl Missing {
    /// The index may not know this session.
    pub(super) fn add(&self, id: &str) {
        self.lock().ids.insert(Arc::from(id));
    }

    /// The next to bring. At the start, and after a loss of Redis's data, all that live here are among them.
    fn next(&self, store: &Store) -> Vec<Arc<str>> {
        let sessions = store.memory.lock();
        let mut missing = self.lock();
        if missing.filled != Some(sessions.marked()) {
            missing.filled = Some(sessions.marked());
            missing.ids.extend(sessions.local().ids());
        }
        drop(sessions);
        let from = missing.tried.take().map_or(Bound::Unbounded, Bound::Excluded);
        let ids: Vec<Arc<str>> =
            missing.ids.range::<Arc<str>, _>((from, Bound::Unbounded)).take(AT_ONCE).cloned().collect();
        ids.iter().for_each(|id| drop(missing.ids.take(id)));
        missing.tried = ids.last().cloned();
        ids
    }

    fn is_empty(&self) -> bool {
        self.lock().ids.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Serialize + DeserializeOwned> SessionStore<T> {
    /// All sessions of a user that live. While Redis is away, those that this instance knows.
    ///
    /// # Errors
    ///
    /// When it is no name of a user, and as [`SessionClient::get`](crate::SessionClient::get). A session whose data are of another form, or do not open, is left out.
    pub async fn of_user(&self, user: &str) -> Result<Vec<Session<T>>, SessionError> {
        limits::user(user)?;
        let store = self.client().store();
        let ids = match indexed(store, user).await {
            Ok(ids) => ids,
            Err(CallError::Closed) => return Err(SessionError::Call(CallError::Closed)),
            Err(error) => {
                if is_no_index(&error) {
                    store.tell_damaged();
                }
                known_here(store, user)
            }
        };
        let mut sessions = Vec::new();
        for id in ids {
            match self.get(&id).await {
                Ok(Lookup::Found { session, .. }) if session.user.as_deref() == Some(user) => {
                    sessions.push(session);
                }
                Ok(Lookup::Found { .. } | Lookup::Absent { .. }) | Err(SessionError::Invalid(_)) => {
                    forget(store, user, &id).await;
                }
                Ok(Lookup::Unknown { .. }) | Err(SessionError::Corrupt(_) | SessionError::Sealed(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sessions)
    }

    /// How many sessions and users there are. Redis is scanned, never blocked.
    ///
    /// # Errors
    ///
    /// When Redis cannot be asked.
    pub async fn statistics(&self) -> Result<Statistics, SessionError> {
        let store = self.client().store();
        let total_sessions = scan::count(store).await.map_err(SessionError::of_redis)?;
        let mut command = redis::cmd("ZCOUNT");
        command.arg(users_key(store)).arg(format!("({}", store.unix_ms())).arg("+inf");
        let active_users = number(ask(store, &command).await.map_err(|error| not_indexed(store, error))?);
        Ok(Statistics { total_sessions, active_users })
    }

    /// Removes users from the index whose sessions have all expired, and says how many. The sessions themselves Redis removes.
    ///
    /// # Errors
    ///
    /// When Redis cannot be asked.
    pub async fn cleanup(&self) -> Result<u64, SessionError> {
        let store = self.client().store();
        let mut command = redis::cmd("ZREMRANGEBYSCORE");
        command.arg(users_key(store)).arg("-inf").arg(store.unix_ms());
        ask(store, &command).await.map(number).map_err(|error| not_indexed(store, error))
    }
}

/// Whether something else lies where the index should.
fn is_no_index(error: &CallError) -> bool {
    matches!(error, CallError::Refused(name) if name == "WRONGTYPE")
}

/// Why the index of all users does not answer.
fn not_indexed(store: &Store, error: CallError) -> SessionError {
    if is_no_index(&error) {
        store.tell_damaged();
        return SessionError::Corrupt("the index of users is none, so delete its key, and it is made again");
    }
    SessionError::of_redis(error)
}

/// Notes whose session it is, by `end`. Says whether Redis took it.
pub(super) async fn index(store: &Store, user: &str, id: &str, expires: u64, end: Time) -> bool {
    let noted = INDEX.run(&store.script.gateway, end, |command| {
        command.arg(1).arg(index_key(store, user)).arg(id).arg(expires);
    });
    if noted.await.is_err() {
        return false;
    }
    let mut command = redis::cmd("ZADD");
    command.arg(users_key(store)).arg("GT").arg(expires).arg(user);
    store.script.gateway.call(&command, true, end).await.is_ok()
}

/// What is known here about a session that lives, and when it expires.
pub(super) fn known(store: &Store, id: &str) -> Option<(About, u64)> {
    let sessions = store.memory.lock();
    match sessions.look(store.clock.now(), id) {
        Look::Alive { payload, left } => {
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            drop(sessions);
            let value = store.open_value(id, &payload).ok()?;
            payload::decode_about(&value).map(|about| (about, store.unix_ms().saturating_add(left)))
        }
        Look::Destroyed | Look::Expired | Look::Unknown => None,
    }
}

/// Brings to the index what it may lack, for as long as there is a client.
pub(super) async fn sweep(store: Weak<Store>, missing: Arc<Missing>) {
    let mut wait = EVERY;
    loop {
        tokio::time::sleep(wait).await;
        let Some(store) = store.upgrade() else { return };
        wait = if bring(&store, &missing).await { EVERY } else { (wait * 2).min(REFUSED_WAIT) };
    }
}

/// Brings all of it, if Redis is there. Says whether it took all that was tried.
async fn bring(store: &Store, missing: &Missing) -> bool {
    while store.script.gateway.state() == State::Closed {
        let ids = missing.next(store);
        if ids.is_empty() && missing.is_empty() {
            break;
        }
        let mut refused = Vec::new();
        for id in ids {
            let Some((about, expires)) = known(store, &id) else { continue };
            let Some(user) = about.user else { continue };
            if !index(store, &user, &id, expires, store.deadline()).await {
                refused.push(id);
            }
        }
        refused.iter().for_each(|id| missing.add(id));
        if !refused.is_empty() {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
    }
    true
}

async fn indexed(store: &Store, user: &str) -> Result<Vec<String>, CallError> {
    let mut command = redis::cmd("ZRANGEBYSCORE");
    command.arg(index_key(store, user)).arg(format!("({}", store.unix_ms())).arg("+inf");
    let reply = ask(store, &command).await?;
    let ids = Vec::<Value>::from_redis_value(reply)
        .map_err(|_| store.script.gateway.unexpected("ZRANGEBYSCORE"))?;
    // What is no text is no id of ours.
    Ok(ids.into_iter().filter_map(|id| String::from_redis_value(id).ok()).collect())
}

fn known_here(store: &Store, user: &str) -> Vec<String> {
    let ids = store.memory.lock().local().ids();
    let of_user =
        |id: &Arc<str>| known(store, id).is_some_and(|(about, _)| about.user.as_deref() == Some(user));
    ids.into_iter().filter(of_user).map(|id| id.to_string()).collect()
}

async fn forget(store: &Store, user: &str, id: &str) {
    // If it fails, time forgets it.
    let _forgotten = ask(store, redis::cmd("ZREM").arg(index_key(store, user)).arg(id)).await;
}

async fn ask(store: &Store, command: &redis::Cmd) -> Result<Value, CallError> {
    store.script.gateway.call(command, true, store.deadline()).await
}

fn number(reply: Value) -> u64 {
    u64::from_redis_value(reply).unwrap_or(0)
}

fn index_key(store: &Store, user: &str) -> String {
    format!("squall:user:{}{user}", store.settings.now().key_prefix)
}

fn users_key(store: &Store) -> String {
    format!("squall:users:{}", store.settings.now().key_prefix)
}

static INDEX: LuaScript = LuaScript::new(INDEX_TEXT, || lua::hash(INDEX_TEXT), Class::Upkeep);
const INDEX_TEXT: &str = include_str!("index.lua");
const EVERY: Duration = Duration::from_secs(1);
/// Between one lot and the next, so that the users of Redis notice nothing.
const PAUSE: Duration = Duration::from_millis(20);
const AT_ONCE: usize = 20;
/// The longest wait after Redis refused some.
const REFUSED_WAIT: Duration = Duration::from_secs(30);
