//! A cache: values under keys, each for a while, and counters.
//!
//! It stands on the session client and keeps its promises: a write that Redis did not take goes on in memory, is brought later,
//! and never over a newer one; what was deleted stays deleted; nothing outlives its time. Beyond that a cache
//!
//! - takes "I cannot know", and a damaged value, for a miss;
//! - loads a value that is missing at most once at a time ([`Cache::get_or_set`]);
//! - counts exactly once, whatever is lost on the way ([`Cache::add`]);
//! - says of each of many keys what became of it ([`Cache::get_many`]).

mod counter;
mod counters;
mod flights;
mod many;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use counters::Count;
pub use flights::LoadError;
pub use tally::CacheStats;

use crate::answer::{Ack, Lookup, SessionError};
use crate::client::SessionClient;
use crate::endpoint::Endpoint;
use crate::environment::{Environment, StartError};
use crate::limits;
use crate::settings::Settings;
use crate::stats::Stats;
use counters::Counters;
use flights::Flights;
use tally::Tally;

/// A cache. Clones share everything.
#[derive(Clone)]
pub struct Cache {
    sessions: SessionClient,
    counters: Arc<Counters>,
    flights: Arc<Flights>,
    tally: Arc<Tally>,
}

impl Cache {
    /// Starts a cache with a client of its own.
    ///
    /// # Errors
    ///
    /// As [`SessionClient::start`].
    pub fn start(
        settings: Settings,
        endpoint: Endpoint,
        environment: Environment,
    ) -> Result<Self, StartError> {
        Ok(Self::over(SessionClient::start(settings, endpoint, environment)?))
    }

    /// A cache of what a client holds.
    pub fn over(sessions: SessionClient) -> Self {
        let counters = Counters::start(Arc::clone(sessions.store()));
        Self { sessions, counters, flights: Arc::default(), tally: Arc::default() }
    }

    /// The value of a key; `None` is a miss: there is none, or it cannot be known just now, or what Redis holds is damaged.
    ///
    /// # Errors
    ///
    /// When the key makes no sense, or the client is shut down.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, SessionError> {
        or_miss(self.look_up(key).await)
    }

    /// What is known of a key. Unlike [`get`](Self::get) it says who answered, and tells a key without a value from one of which
    /// nobody can know just now.
    ///
    /// # Errors
    ///
    /// As of [`SessionClient::get`].
    pub async fn look_up(&self, key: &str) -> Result<Lookup<Bytes>, SessionError> {
        let lookup = self.sessions.get(key).await;
        match &lookup {
            Ok(Lookup::Found { served_by, .. }) => self.tally.hit(*served_by),
            Ok(Lookup::Absent { .. }) => self.tally.miss(),
            Ok(Lookup::Unknown { .. }) => self.tally.unknown(),
            Err(SessionError::Corrupt(_) | SessionError::Sealed(_)) => self.tally.damaged(),
            Err(_) => {}
        }
        lookup.map(|lookup| lookup.map(|found| found.value))
    }

    /// The value of a key, or another one.
    ///
    /// # Errors
    ///
    /// As of [`get`](Self::get).
    pub async fn get_or(&self, key: &str, default: Bytes) -> Result<Bytes, SessionError> {
        Ok(self.get(key).await?.unwrap_or(default))
    }

    /// Writes a value that lives for `ttl`.
    ///
    /// # Errors
    ///
    /// As of [`SessionClient::create`].
    pub async fn set(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Ack, SessionError> {
        let ack = self.sessions.create(key, value, ttl).await?;
        self.tally.set();
        Ok(ack)
    }

    /// Deletes a key. It is fine if there is none.
    ///
    /// # Errors
    ///
    /// As of [`SessionClient::destroy`].
    pub async fn delete(&self, key: &str) -> Result<Ack, SessionError> {
        let ack = self.sessions.destroy(key).await?;
        self.tally.delete();
        Ok(ack)
    }

    /// Whether a key has a value, as far as can be known. This is no hit and no miss.
    ///
    /// # Errors
    ///
    /// As of [`get`](Self::get).
    pub async fn exists(&self, key: &str) -> Result<bool, SessionError> {
        Ok(self.ttl(key).await?.is_some())
    }

    /// What is left of the time of a key's value. This is no hit and no miss.
    ///
    /// # Errors
    ///
    /// As of [`get`](Self::get).
    pub async fn ttl(&self, key: &str) -> Result<Option<Duration>, SessionError> {
        match self.sessions.ttl(key).await {
            Ok(Lookup::Found { session, .. }) => Ok(Some(session)),
            Ok(Lookup::Absent { .. } | Lookup::Unknown { .. }) => Ok(None),
            Err(SessionError::Corrupt(_) | SessionError::Sealed(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The value of a key; if there is none, what `load` brings, which then lives in the cache for `ttl`.
    ///
    /// However many ask at once, `load` runs once, in a task of its own: a caller that goes away does not undo it. If the cache
    /// cannot hold what it brought, the callers get it all the same.
    ///
    /// # Errors
    ///
    /// As of [`get`](Self::get), when nothing may live for `ttl`, and what `load` said, to all who waited for it. The next to ask loads again.
    pub async fn get_or_set<F>(&self, key: &str, ttl: Duration, load: F) -> Result<Bytes, LoadError>
    where
        F: Future<Output = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        limits::ttl(ttl)?;
        if let Some(value) = self.get(key).await? {
            return Ok(value);
        }
        let (cache, owned) = (self.clone(), key.to_owned());
        let flight = async move {
            // Another flight may have landed since it was asked for.
            if let Ok(Some(value)) = cache.get(&owned).await {
                return Ok(value);
            }
            let value = load.await.map_err(|error| cache.tally.failed(LoadError::Load(error.into())))?;
            cache.tally.loaded();
            let _ = cache.set(&owned, value.clone(), ttl).await;
            Ok(value)
        };
        self.flights.board(key, flight).await
    }

    /// Adds to a counter, which begins at 0 and then lives for `ttl`, or for ever; less than 0 takes away. However often Redis is
    /// told because a reply was lost, it counts once; while Redis is away the count goes on here and is brought later, unless
    /// the counter's time is over by then.
    ///
    /// # Errors
    ///
    /// When Redis refuses it: the key holds something else, or the sum does not fit into 64 bits. Then nothing was counted.
    pub async fn add(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<Count, SessionError> {
        self.sessions.check_id(key)?;
        self.counters.add(key, by, ttl).await
    }

    /// What a counter stands at; 0 if there is none. While Redis is away, what is known here.
    ///
    /// # Errors
    ///
    /// When the key holds something else.
    pub async fn count(&self, key: &str) -> Result<Count, SessionError> {
        self.sessions.check_id(key)?;
        self.counters.add(key, 0, None).await
    }

    /// What happened so far.
    pub fn stats(&self) -> CacheStats {
        self.tally.read()
    }

    /// What the client below holds just now: breaker, connections, memory.
    pub fn client_stats(&self) -> Stats {
        self.sessions.stats()
    }

    /// Brings to Redis what it lacks, as far as that is possible within one deadline, and ends.
    pub async fn shutdown(&self) {
        self.counters.bring_all().await;
        self.sessions.shutdown().await;
    }
}

/// A cache takes "I cannot know", and a damaged value, for a miss.
fn or_miss(lookup: Result<Lookup<Bytes>, SessionError>) -> Result<Option<Bytes>, SessionError> {
    match lookup {
        Ok(Lookup::Found { session, .. }) => Ok(Some(session)),
        Ok(Lookup::Absent { .. } | Lookup::Unknown { .. }) => Ok(None),
        Err(SessionError::Corrupt(_) | SessionError::Sealed(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
