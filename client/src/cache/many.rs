//! Many keys at once, each with its own answer.

use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Cache, or_miss};
use crate::answer::{Ack, Cleared, Lookup, SessionError};
use crate::core::glob;
use crate::error::CallError;
use crate::limits;
use crate::scan::{Clearing, Scan, Scanned};

/// Keys that are asked for at once. Redis gets them in one go, as they share its connections.
const AT_ONCE: usize = 64;

impl Cache {
    /// The values of keys, in their order: what [`get`](Self::get) says of each.
    pub async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Bytes>, SessionError>> {
        self.look_up_many(keys).await.into_iter().map(or_miss).collect()
    }

    /// What is known of keys, in their order: what [`look_up`](Self::look_up) says of each.
    pub async fn look_up_many(&self, keys: &[&str]) -> Vec<Result<Lookup<Bytes>, SessionError>> {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        self.each(keys, |cache, key| async move { cache.look_up(&key).await }).await
    }

    /// Writes values, each of which lives for `ttl`: what [`set`](Self::set) says of each, in their order. They are not one
    /// transaction: some may be written and others not.
    pub async fn set_many(&self, values: &[(&str, Bytes)], ttl: Duration) -> Vec<Result<Ack, SessionError>> {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        self.each(values, move |cache, (key, value)| async move { cache.set(&key, value, ttl).await }).await
    }

    /// Deletes all keys that match a pattern as Redis has them (`*`, `?`, `[a-z]`, `[^a]`, `\` for a literal), and says how many
    /// and what that survives. Redis is scanned, never blocked; a key that is written meanwhile may stay. If Redis is replaced
    /// meanwhile by another process, it begins again there; a user who may not ask for `INFO` does not notice that, and some
    /// keys may stay.
    ///
    /// # Errors
    ///
    /// When the pattern makes no sense, Redis cannot be scanned, or a key not be deleted. What was deleted until then stays
    /// deleted, and no such error is definite.
    pub async fn clear(&self, pattern: &str) -> Result<Cleared, SessionError> {
        limits::pattern(pattern)?;
        let (mut clearing, mut scan) = (Clearing::default(), Scan::new(self.sessions.store(), pattern));
        loop {
            let scanned = scan.next().await;
            match scanned.map_err(|error| clearing.failed(SessionError::of_redis(error)))? {
                Scanned::Ids(keys) => self.delete_all(keys, &mut clearing).await?,
                Scanned::Again => {}
                Scanned::End => break,
            }
        }
        // What Redis does not know yet.
        let here = self.sessions.local_ids();
        let here = here.into_iter().filter(|id| glob::matches(pattern.as_bytes(), id.as_bytes())).collect();
        self.delete_all(here, &mut clearing).await?;
        Ok(clearing.done())
    }

    async fn delete_all(&self, keys: Vec<String>, clearing: &mut Clearing) -> Result<(), SessionError> {
        let deleted = self
            .each(keys, |cache, key| async move {
                let known = cache.exists(&key).await?;
                Ok((cache.delete(&key).await?, known))
            })
            .await;
        // Those that failed come last: others beside them may have been deleted.
        let (deleted, failed): (Vec<_>, Vec<_>) = deleted.into_iter().partition(Result::is_ok);
        for one in deleted.into_iter().chain(failed) {
            match one {
                Ok((ack, known)) => clearing.took(Ok(ack), known)?,
                Err(error) => return Err(clearing.failed(error)),
            }
        }
        Ok(())
    }

    /// Does the same with many things, some at once, and gives what became of each, in their order.
    async fn each<T, A, F>(&self, things: Vec<T>, act: impl Fn(Self, T) -> F) -> Vec<Result<A, SessionError>>
    where
        A: Send + 'static,
        F: Future<Output = Result<A, SessionError>> + Send + 'static,
    {
        let mut results = Vec::with_capacity(things.len());
        results.resize_with(things.len(), || Err(SessionError::Call(CallError::Closed)));
        let mut running = JoinSet::new();
        for (index, thing) in things.into_iter().enumerate() {
            if running.len() >= AT_ONCE
                && let Some(Ok((index, result))) = running.join_next().await
            {
                results[index] = result;
            }
            let act = act(self.clone(), thing);
            running.spawn(async move { (index, act.await) });
        }
        while let Some(ended) = running.join_next().await {
            if let Ok((index, result)) = ended {
                results[index] = result;
            }
        }
        results
    }
}
