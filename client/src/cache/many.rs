//! Many keys at once, each with its own answer.

use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::Cache;
use crate::answer::{Ack, SessionError};
use crate::core::glob;
use crate::error::CallError;
use crate::limits;
use crate::scan;

/// Keys that are asked for at once. Redis gets them in one go, as they share its connections.
const AT_ONCE: usize = 64;

impl Cache {
    /// The values of keys, in their order: what [`get`](Self::get) says of each.
    pub async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Bytes>, SessionError>> {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        self.each(keys, |cache, key| async move { cache.get(&key).await }).await
    }

    /// Writes values, each of which lives for `ttl`: what [`set`](Self::set) says of each, in their order. They are not one
    /// transaction: some may be written and others not.
    pub async fn set_many(&self, values: &[(&str, Bytes)], ttl: Duration) -> Vec<Result<Ack, SessionError>> {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        self.each(values, move |cache, (key, value)| async move { cache.set(&key, value, ttl).await }).await
    }

    /// Deletes all keys that match a pattern as Redis has them (`*`, `?`, `[a-z]`, `[^a]`, `\` for a literal), and says how many.
    /// Redis is scanned, never blocked; a key that is written meanwhile may stay.
    ///
    /// # Errors
    ///
    /// When the pattern makes no sense, Redis cannot be scanned, or a key not be deleted. What was deleted until then stays deleted.
    pub async fn clear(&self, pattern: &str) -> Result<u64, SessionError> {
        limits::pattern(pattern)?;
        let mut cleared = 0;
        let mut cursor = 0;
        loop {
            let (next, keys) =
                scan::step(self.sessions.store(), cursor, pattern).await.map_err(SessionError::of_redis)?;
            cleared += self.delete_all(keys).await?;
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        // What Redis does not know yet.
        let here = self.sessions.local_ids();
        let here = here.into_iter().filter(|id| glob::matches(pattern.as_bytes(), id.as_bytes())).collect();
        Ok(cleared + self.delete_all(here).await?)
    }

    async fn delete_all(&self, keys: Vec<String>) -> Result<u64, SessionError> {
        let deleted = self
            .each(keys, |cache, key| async move {
                let known = cache.exists(&key).await?;
                cache.delete(&key).await.map(|_| known)
            })
            .await;
        deleted.into_iter().try_fold(0, |count, known| Ok(count + u64::from(known?)))
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
