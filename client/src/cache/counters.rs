//! Counters that count exactly once, and go on while Redis is away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{FromRedisValue as _, Value};
use tokio::sync::Mutex as AsyncMutex;

use super::counter::{Counter, Delta};
use crate::answer::{ServedBy, SessionError};
use crate::core::breaker::State;
use crate::core::class::Class;
use crate::core::time::Time;
use crate::error::CallError;
use crate::error::told::NO_NUMBER;
use crate::keys::{COUNTED, beside, key};
use crate::limits;
use crate::lua::{self, LuaScript};
use crate::settings::Fallback;
use crate::store::Store;
use crate::task::AbortOnDrop;

/// What a counter stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The sum.
    pub value: i64,
    /// What is left of its time; `None` if it lives for ever, or does not live.
    pub ttl: Option<Duration>,
    /// Who says so. What only this instance knows leaves out what others have counted meanwhile.
    pub served_by: ServedBy,
}

/// All counters of an instance.
pub(super) struct Counters {
    shared: Arc<Shared>,
    _bringing: AbortOnDrop,
}

struct Shared {
    store: Arc<Store>,
    counters: Mutex<HashMap<String, Arc<AsyncMutex<Counter>>>>,
}

impl Counters {
    /// No counters yet, and the task that brings to Redis what it lacks.
    pub(super) fn start(store: Arc<Store>) -> Arc<Self> {
        let runtime = store.runtime.clone();
        let shared = Arc::new(Shared { store, counters: Mutex::default() });
        let bringing = runtime.spawn(bring_whenever_due(Arc::clone(&shared)));
        Arc::new(Self { shared, _bringing: AbortOnDrop(bringing.abort_handle()) })
    }

    /// Counts.
    pub(super) async fn add(&self, id: &str, by: i64, ttl: Option<Duration>) -> Result<Count, SessionError> {
        // Redis would refuse it only after it had counted, and the counter would live for ever.
        ttl.map_or(Ok(()), limits::ttl)?;
        let shared = &*self.shared;
        let clock = &shared.store.clock;
        let deadline = clock.now() + shared.store.settings.now().deadline;
        let counter = shared.counter(id)?;
        let locked = tokio::time::timeout_at(clock.instant(deadline), counter.lock()).await;
        let mut counter = locked.map_err(|_| SessionError::Call(CallError::TooLate))?;
        if by != 0 && !counter.add(clock.now(), by, ttl) {
            return Err(SessionError::Invalid("the sum does not fit into 64 bits"));
        }
        let brought = shared.bring(id, &mut counter, deadline).await;
        let error = match brought {
            Ok((value, ttl)) => return Ok(Count { value, ttl, served_by: ServedBy::Redis }),
            Err(error) => error,
        };
        if refuses(&error, shared.store.settings.now().fallback) {
            if error.definite() {
                counter.take_back(by);
            }
            if is_no_counter(&error) {
                shared.store.tell_damaged();
                return Err(SessionError::Corrupt(NO_COUNTER));
            }
            return Err(SessionError::Call(error));
        }
        shared.store.serving.local();
        let (value, ttl) = counter.estimate(clock.now());
        Ok(Count { value, ttl, served_by: ServedBy::Local })
    }

    /// Brings to Redis what it lacks, as far as that is possible within one deadline.
    pub(super) async fn bring_all(&self) {
        self.shared.bring_all().await;
    }
}

/// Whether an error is told to the caller, and not made good for later.
fn refuses(error: &CallError, fallback: Fallback) -> bool {
    fallback == Fallback::None || matches!(error, CallError::Refused(_) | CallError::Closed)
}

/// Whether the key holds something else.
fn is_no_counter(error: &CallError) -> bool {
    matches!(error, CallError::Refused(name) if name == "WRONGTYPE" || name == NO_NUMBER)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<AsyncMutex<Counter>>>> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counter(&self, id: &str) -> Result<Arc<AsyncMutex<Counter>>, SessionError> {
        let mut counters = self.lock();
        if let Some(counter) = counters.get(id) {
            return Ok(Arc::clone(counter));
        }
        let most = usize::try_from(self.store.settings.now().local.sessions).unwrap_or(usize::MAX);
        if counters.len() >= most {
            // One that is locked is in use.
            counters.retain(|_, counter| counter.try_lock().map_or(true, |counter| counter.waits()));
            if counters.len() >= most {
                return Err(SessionError::Full);
            }
        }
        Ok(Arc::clone(counters.entry(id.to_owned()).or_default()))
    }

    /// Tells Redis all that it lacks of a counter, and says what that stands at.
    async fn bring(
        &self,
        id: &str,
        counter: &mut Counter,
        deadline: Time,
    ) -> Result<(i64, Option<Duration>), CallError> {
        let store = &*self.store;
        store.synchronise(deadline).await?;
        let mut last = None;
        loop {
            let now = store.clock.now();
            let number = || store.memory.lock().next_version(now).to_string();
            let Some(delta) = counter.next(now, number) else { break };
            let (value, left) = match self.tell(id, &delta, deadline).await {
                Ok(counted) => counted,
                Err(error) => {
                    if error.definite() {
                        counter.not_told()
                    } else {
                        counter.perhaps_told()
                    }
                    return Err(error);
                }
            };
            counter.counted(store.clock.now(), value, left);
            last = Some((value, left));
        }
        store.serving.redis();
        match last {
            Some(last) => Ok(last),
            None => self.ask(id, counter, deadline).await,
        }
    }

    async fn tell(
        &self,
        id: &str,
        delta: &Delta,
        deadline: Time,
    ) -> Result<(i64, Option<Duration>), CallError> {
        let store = &*self.store;
        let key = key(&store.settings.now().key_prefix, id);
        let counted_key = beside(&key, COUNTED);
        let writer = store.writer.to_string();
        let left = delta.ends.map(|ends| ends.since(store.clock.now()).as_millis().max(1).to_string());
        let counted = COUNT
            .run(&store.script.gateway, deadline, |command| {
                command.arg(2).arg(&key).arg(&counted_key).arg(&writer).arg(&delta.number).arg(delta.by);
                command.arg(left.as_deref().unwrap_or_default());
            })
            .await?;
        let (count, left, _) = <(i64, i64, i64)>::from_redis_value(counted.value)
            .map_err(|_| store.script.gateway.unexpected("EVALSHA"))?;
        Ok((count, milliseconds(left)))
    }

    async fn ask(
        &self,
        id: &str,
        counter: &mut Counter,
        deadline: Time,
    ) -> Result<(i64, Option<Duration>), CallError> {
        let store = &*self.store;
        let key = key(&store.settings.now().key_prefix, id);
        let mut get = redis::cmd("GET");
        let reply = store.script.gateway.call(get.arg(&key), true, deadline).await?;
        let value = match reply {
            Value::Nil => 0,
            Value::BulkString(text) => {
                whole(&text).ok_or_else(|| CallError::Refused(NO_NUMBER.to_owned()))?
            }
            _ => return Err(store.script.gateway.unexpected("GET")),
        };
        let mut pttl = redis::cmd("PTTL");
        let reply = store.script.gateway.call(pttl.arg(&key), true, deadline).await?;
        let left =
            milliseconds(i64::from_redis_value(reply).map_err(|_| store.script.gateway.unexpected("PTTL"))?);
        counter.counted(store.clock.now(), value, left);
        Ok((value, left))
    }

    async fn bring_all(&self) {
        let counters: Vec<_> =
            self.lock().iter().map(|(id, counter)| (id.clone(), Arc::clone(counter))).collect();
        let deadline = self.store.deadline();
        for (id, counter) in counters {
            // One that is locked is being brought.
            let Ok(mut counter) = counter.try_lock() else { continue };
            if !counter.waits() {
                continue;
            }
            match self.bring(&id, &mut counter, deadline).await {
                Ok(_) => {}
                Err(CallError::Refused(_)) => {
                    // Nothing will ever make it count there.
                    counter.next(self.store.clock.now(), String::new);
                    counter.give_up();
                    self.store.tell_damaged();
                }
                Err(_) => return,
            }
        }
    }

    fn waits(&self) -> bool {
        self.lock().values().any(|counter| counter.try_lock().map_or(true, |counter| counter.waits()))
    }
}

/// Brings what Redis lacks whenever it can be reached, for ever.
async fn bring_whenever_due(shared: Arc<Shared>) {
    loop {
        let changed = shared.store.script.gateway.changed();
        if shared.store.script.gateway.state() == State::Closed && shared.waits() {
            shared.bring_all().await;
        }
        let _ = tokio::time::timeout(LOOK_EVERY, changed).await;
    }
}

fn milliseconds(left: i64) -> Option<Duration> {
    u64::try_from(left).ok().map(Duration::from_millis)
}

fn whole(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

const NO_COUNTER: &str = "it is no counter, so delete the key, or count under another";

/// How often it is looked whether something waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// It says itself what it does.
static COUNT: LuaScript = LuaScript::new(COUNT_TEXT, || lua::hash(COUNT_TEXT), Class::Writes);

const COUNT_TEXT: &str = include_str!("count.lua");
