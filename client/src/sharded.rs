//! Sessions over all nodes of a cluster: many clients, each with all its keys in one slot.
//!
//! A session belongs to the shard that its id says, for ever, and a shard to whichever node holds its slot. Every shard has a
//! breaker, a local copy, a resync and connections of its own. So a node that is away takes the shards along whose slots it
//! holds, and no other: their sessions go on at Redis.
//!
//! ```text
//! id -> shard 3 of 16 -> session:{3/16}:id -> its slot -> the node that holds it, as the cluster says
//! ```

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;

use crate::answer::{Ack, Cleared, Lookup, SessionError};
use crate::client::SessionClient;
use crate::endpoint::Endpoint;
use crate::environment::{Environment, StartError};
use crate::health_check::Health;
use crate::settings::{ReconfigureError, Settings, SettingsError};
use crate::stats::Stats;

/// As many shards there may be.
const SHARDS_MAX: u16 = 1024;

/// Session clients that share the sessions. Clones share everything.
#[derive(Clone)]
pub struct Sharded {
    shards: Arc<[SessionClient]>,
    /// Without the shards' hash tags.
    key_prefix: String,
}

impl Sharded {
    /// Starts a client for each of so many shards, from 1 to 1024. It must stay the same for as long as the sessions live, in all
    /// instances: with another number, ids belong to other shards, and nothing of what was written is found. `settings` are those
    /// of each shard; `environment` gives each what it takes from its surroundings, with a file of its own if it is to have one.
    ///
    /// # Errors
    ///
    /// As [`SessionClient::start`], when the prefix has braces, and when there are too many shards or none.
    pub fn start(
        settings: &Settings,
        endpoint: &Endpoint,
        shards: u16,
        mut environment: impl FnMut(u16) -> Environment,
    ) -> Result<Self, StartError> {
        settings.validate()?;
        let out_of_range =
            |key: &str, value: String, cure: String| SettingsError { key: key.to_owned(), value, cure };
        if !(1..=SHARDS_MAX).contains(&shards) {
            let cure = format!("from 1 to {SHARDS_MAX}");
            return Err(out_of_range("shards", shards.to_string(), cure).into());
        }
        let key_prefix = settings.key_prefix.clone();
        if key_prefix.contains(['{', '}']) {
            let cure = "no braces, for behind it comes the hash tag of each shard".to_owned();
            return Err(out_of_range("key_prefix", format!("{key_prefix:?}"), cure).into());
        }
        let start = |shard| {
            let settings = Settings { key_prefix: prefix_of(&key_prefix, shard, shards), ..settings.clone() };
            SessionClient::start(settings, endpoint.clone(), environment(shard))
        };
        let shards = (0..shards).map(start).collect::<Result<_, _>>()?;
        Ok(Self { shards, key_prefix })
    }

    /// The clients, in the order of their shards.
    pub fn shards(&self) -> &[SessionClient] {
        &self.shards
    }

    /// The number of the shard that a session belongs to.
    pub fn shard_of(&self, id: &str) -> usize {
        // The number of shards is a small one, and never 0.
        crc32c::crc32c(id.as_bytes()) as usize % self.shards.len()
    }

    /// The client that a session belongs to.
    pub fn of(&self, id: &str) -> &SessionClient {
        &self.shards[self.shard_of(id)]
    }

    /// As [`SessionClient::create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn create(&self, id: &str, value: Bytes, ttl: Duration) -> Result<Ack, SessionError> {
        self.of(id).create(id, value, ttl).await
    }

    /// As [`SessionClient::update`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn update(&self, id: &str, value: Bytes) -> Result<Ack, SessionError> {
        self.of(id).update(id, value).await
    }

    /// As [`SessionClient::touch`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn touch(&self, id: &str, ttl: Duration) -> Result<Ack, SessionError> {
        self.of(id).touch(id, ttl).await
    }

    /// As [`SessionClient::destroy`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn destroy(&self, id: &str) -> Result<Ack, SessionError> {
        self.of(id).destroy(id).await
    }

    /// As [`SessionClient::get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn get(&self, id: &str) -> Result<Lookup, SessionError> {
        self.of(id).get(id).await
    }

    /// As [`SessionClient::ttl`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn ttl(&self, id: &str) -> Result<Lookup<Duration>, SessionError> {
        self.of(id).ttl(id).await
    }

    /// How many sessions each shard has in Redis, as [`SessionClient::count`].
    pub async fn count(&self) -> Vec<Result<u64, SessionError>> {
        all(self.shards.iter().map(SessionClient::count)).await
    }

    /// Ends all sessions whose id matches a pattern, shard by shard, as [`SessionClient::clear`].
    pub async fn clear(&self, pattern: &str) -> Vec<Result<Cleared, SessionError>> {
        all(self.shards.iter().map(|shard| shard.clear(pattern))).await
    }

    /// How each shard is doing, as [`SessionClient::health_check`].
    pub async fn health_check(&self) -> Vec<Health> {
        all(self.shards.iter().map(SessionClient::health_check)).await
    }

    /// What each shard holds just now.
    pub fn stats(&self) -> Vec<Stats> {
        self.shards.iter().map(SessionClient::stats).collect()
    }

    /// Goes on with other settings in every shard, as [`SessionClient::reconfigure`].
    ///
    /// # Errors
    ///
    /// As there. Then nothing has changed.
    pub fn reconfigure(&self, settings: &Settings) -> Result<(), ReconfigureError> {
        let of = u16::try_from(self.shards.len()).unwrap_or(SHARDS_MAX);
        for (shard, client) in (0..of).zip(&*self.shards) {
            // Another prefix than before is refused by the first.
            let key_prefix = prefix_of(&settings.key_prefix, shard, of);
            client.reconfigure(Settings { key_prefix, ..settings.clone() })?;
        }
        Ok(())
    }

    /// What stands before a session's id and its shard's hash tag.
    pub fn key_prefix(&self) -> &str {
        &self.key_prefix
    }

    /// Ends all shards at once, as [`SessionClient::shutdown`].
    pub async fn shutdown(&self) {
        all(self.shards.iter().map(SessionClient::shutdown)).await;
    }
}

/// The number of shards is part of it: so what was written with another one is never taken for something of now.
fn prefix_of(prefix: &str, shard: u16, of: u16) -> String {
    format!("{prefix}{{{shard}/{of}}}:")
}

/// Does all at once, and gives the answers in their order.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut answers: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, answer) in futures.iter_mut().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(now) = future.as_mut().poll(context) {
                *answer = Some(now);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Cluster;
    use crate::connect_to;
    use crate::endpoint::Credentials;

    /// A cluster that nobody reaches.
    fn endpoint() -> Endpoint {
        let connect_to = connect_to::tcp(&Settings::default().keepalive);
        Cluster::new(Vec::new(), Credentials::default(), connect_to).into()
    }

    fn start(key_prefix: &str, shards: u16) -> Result<Sharded, StartError> {
        let settings = Settings { key_prefix: key_prefix.to_owned(), ..Settings::default() };
        Sharded::start(&settings, &endpoint(), shards, |_| Environment::new(1))
    }

    #[tokio::test]
    async fn a_session_stays_in_its_shard_whatever_is_built_anew() {
        let sharded = start("session:", 16).unwrap();
        let shards = ["", "a", "id-1", "id-2", "0123456789"].map(|id| sharded.shard_of(id));
        // CRC-32C, as others compute it too.
        assert_eq!(shards, [0, 0, 1, 5, 14]);
        assert_eq!(sharded.of("id-2").settings().key_prefix, "session:{5/16}:");
        let mut many = [0; 16];
        (0..16_000).for_each(|number| many[sharded.shard_of(&format!("id-{number}"))] += 1);
        assert!(many.iter().all(|many| (900..1100).contains(many)), "{many:?}");
    }

    #[tokio::test]
    async fn what_cannot_be_sharded_is_told() {
        let why = |key_prefix: &str, shards| start(key_prefix, shards).err().map(|error| error.to_string());
        assert_eq!(why("session:", 0).unwrap(), "shards is 0; from 1 to 1024");
        assert_eq!(why("session:", 1025).unwrap(), "shards is 1025; from 1 to 1024");
        let braces = why("session:{a}:", 2).unwrap();
        assert!(braces.starts_with("key_prefix is \"session:{a}:\"; no braces"), "{braces}");
        assert_eq!(why("", 1024), None);
    }

    #[tokio::test]
    async fn a_client_of_a_cluster_needs_all_its_keys_in_one_slot() {
        let error = SessionClient::start(Settings::default(), endpoint(), Environment::new(1)).err().unwrap();
        assert!(
            error.to_string().starts_with("key_prefix is \"session:\"; in a cluster it must have"),
            "{error}"
        );
        let settings = Settings { key_prefix: "session:{a}:".to_owned(), ..Settings::default() };
        assert!(SessionClient::start(settings, endpoint(), Environment::new(1)).is_ok());
    }

    #[tokio::test]
    async fn settings_change_in_all_shards_or_in_none() {
        let sharded = start("session:", 3).unwrap();
        let settings = Settings { deadline: Duration::from_secs(7), ..Settings::default() };
        sharded.reconfigure(&settings).unwrap();
        let other = Settings { key_prefix: "other:".to_owned(), ..Settings::default() };
        assert!(sharded.reconfigure(&other).is_err());
        let deadlines: Vec<Duration> =
            sharded.shards().iter().map(|shard| shard.settings().deadline).collect();
        assert_eq!(deadlines, [Duration::from_secs(7); 3]);
    }
}
