//! All sessions that Redis has, by SCAN: it is never blocked for long.

use std::collections::HashSet;

use redis::{FromRedisValue as _, Value};

use crate::answer::{Ack, Cleared, Level, SessionError};
use crate::client::SessionClient;
use crate::core::class::Class;
use crate::core::glob;
use crate::core::time::Time;
use crate::error::CallError;
use crate::keys::{self, COUNTED, beside};
use crate::limits;
use crate::lua::{self, LuaScript};
use crate::store::Store;

/// Keys that Redis looks at in one step.
const STEP: u32 = 512;

/// How often a scan begins at most. One failover may be noticed twice: as another process, and as one that has lost data.
const ROUNDS: u32 = 10;

impl SessionClient {
    /// Ends all sessions whose id matches a pattern as Redis has them (`*`, `?`, `[a-z]`, `[^a]`, `\` for a literal), and says how
    /// many there were and what that survives. A session that is created meanwhile may stay. If Redis is replaced meanwhile by
    /// another process, as by a failover, it begins again there. A user who may not ask for `INFO` does not notice that, and
    /// some sessions may stay.
    ///
    /// # Errors
    ///
    /// When the pattern makes no sense, Redis cannot be scanned, or a session not be ended. What was ended until then stays so,
    /// and no such error is definite.
    pub async fn clear(&self, pattern: &str) -> Result<Cleared, SessionError> {
        limits::pattern(pattern)?;
        // A scan may give a key twice.
        let (mut seen, mut clearing) = (HashSet::new(), Clearing::default());
        let mut scan = Scan::new(self.store(), pattern);
        loop {
            let scanned = scan.next().await;
            let ids = match scanned.map_err(|error| clearing.failed(SessionError::of_redis(error)))? {
                Scanned::Ids(ids) => ids,
                Scanned::Again => continue,
                Scanned::End => break,
            };
            for id in ids {
                // Another Redis may not have heard that it was ended.
                let ended = self.destroy(&id).await;
                clearing.took(ended, seen.insert(id))?;
            }
        }
        // What Redis does not know yet.
        for id in self.local_ids() {
            let here = glob::matches(pattern.as_bytes(), id.as_bytes()) && self.knows_alive(&id);
            if here {
                clearing.took(self.destroy(&id).await, !seen.contains(&id))?;
            }
        }
        Ok(clearing.done())
    }

    /// How many sessions Redis has. One may be counted twice while Redis grows its table. As with [`clear`](Self::clear), a Redis
    /// that is replaced meanwhile is counted from the start, if this user may ask for `INFO`.
    ///
    /// # Errors
    ///
    /// When Redis cannot be scanned.
    pub async fn count(&self) -> Result<u64, SessionError> {
        count(self.store()).await.map_err(SessionError::of_redis)
    }
}

/// A clearing in the making.
#[derive(Default)]
pub(crate) struct Clearing {
    count: u64,
    level: Option<Level>,
}

impl Clearing {
    /// Takes what the end of one brought; `counts` if there was one.
    pub(crate) fn took(
        &mut self,
        ended: Result<Ack, SessionError>,
        counts: bool,
    ) -> Result<(), SessionError> {
        let Ack { level, .. } = ended.map_err(|error| self.failed(error))?;
        self.count += u64::from(counts);
        self.level = Some(self.level.map_or(level, |least| least.min(level)));
        Ok(())
    }

    /// Why it does not go on. Once something was ended, nobody may take that for nothing done.
    pub(crate) fn failed(&self, error: SessionError) -> SessionError {
        if self.level.is_some() && error.definite() {
            return SessionError::Call(CallError::Broken(format!("a part was cleared before: {error}")));
        }
        error
    }

    /// What it came to.
    pub(crate) fn done(self) -> Cleared {
        Cleared { count: self.count, level: self.level.unwrap_or(Level::Redis) }
    }
}

/// How many sessions Redis has.
pub(crate) async fn count(store: &Store) -> Result<u64, CallError> {
    let (mut count, mut scan) = (0, Scan::new(store, "*"));
    loop {
        match scan.next().await? {
            Scanned::Ids(ids) => count += ids.len() as u64,
            Scanned::Again => count = 0,
            Scanned::End => return Ok(count),
        }
    }
}

/// A scan of all that one Redis has.
pub(crate) struct Scan<'a> {
    store: &'a Store,
    pattern: &'a str,
    at: At,
    /// Which Redis the cursors are of.
    changes: u64,
    /// How often it began.
    rounds: u32,
}

/// How far it is.
#[derive(Clone, Copy)]
enum At {
    Begin,
    Cursor(u64),
    End,
}

/// What a step of it brought.
pub(crate) enum Scanned {
    /// Some ids.
    Ids(Vec<String>),
    /// Another Redis answers, to which the cursors mean nothing: all ids come again.
    Again,
    /// There are no more.
    End,
}

impl<'a> Scan<'a> {
    /// Of the ids that match a pattern.
    pub(crate) fn new(store: &'a Store, pattern: &'a str) -> Self {
        Self { store, pattern, at: At::Begin, changes: 0, rounds: 0 }
    }

    /// The next step.
    pub(crate) async fn next(&mut self) -> Result<Scanned, CallError> {
        let generation = &self.store.memory.generation;
        let scanned = match self.at {
            At::Begin => {
                whole(self.store).await?;
                self.changes = generation.changes();
                self.ids_from(0).await?
            }
            At::Cursor(cursor) => self.ids_from(cursor).await?,
            At::End => {
                whole(self.store).await?;
                Scanned::End
            }
        };
        if generation.changes() == self.changes {
            return Ok(scanned);
        }
        self.rounds += 1;
        if self.rounds == ROUNDS {
            return Err(CallError::Broken("redis was replaced again and again".to_owned()));
        }
        self.at = At::Begin;
        Ok(Scanned::Again)
    }

    async fn ids_from(&mut self, cursor: u64) -> Result<Scanned, CallError> {
        let (next, ids) = step(self.store, cursor, self.pattern).await?;
        self.at = if next == 0 { At::End } else { At::Cursor(next) };
        Ok(Scanned::Ids(ids))
    }
}

/// An error where a node of a cluster is handing the slot on: it scans only what has not gone ahead. A scan names no key, so it
/// is not sent elsewhere; what asks for a key that is not there is.
pub(crate) async fn whole(store: &Store) -> Result<(), CallError> {
    let gateway = &store.script.gateway;
    if !gateway.is_cluster() {
        return Ok(());
    }
    let nowhere = format!("{}nowhere", keys::probe(&store.settings.now().key_prefix));
    match gateway.call(redis::cmd("GET").arg(nowhere), true, store.deadline()).await {
        Ok(_) => Ok(()),
        // The key is out of bounds for this user.
        Err(CallError::Auth(code)) if code == "NOPERM" => Ok(()),
        Err(error) => Err(error),
    }
}

/// The next ids that match a pattern, and where to go on; 0 is the end.
pub(crate) async fn step(store: &Store, cursor: u64, pattern: &str) -> Result<(u64, Vec<String>), CallError> {
    let settings = store.settings.now();
    let prefix = &settings.key_prefix;
    let mut command = redis::cmd("SCAN");
    command.arg(cursor).arg("MATCH").arg(literal(prefix) + pattern).arg("COUNT").arg(STEP);
    let deadline = store.deadline();
    let reply = store.script.gateway.call(&command, true, deadline).await?;
    let (next, found) =
        <(u64, Vec<Value>)>::from_redis_value(reply).map_err(|_| store.script.gateway.unexpected("SCAN"))?;
    // A key that is no text is none of ours, nor is one that no id of ours makes.
    let found = found.into_iter().filter_map(|key| String::from_redis_value(key).ok());
    let ids = found.filter_map(|key| key.strip_prefix(prefix.as_str()).map(str::to_owned));
    let ids: Vec<String> = ids.filter(|id| limits::id(prefix, id).is_ok()).collect();
    let ids = if prefix.is_empty() { only_ours(store, ids, deadline).await? } else { ids };
    Ok((next, ids))
}

/// Those under whose keys there is something of ours: with an empty prefix, the keys of all who share the database are found.
async fn only_ours(store: &Store, ids: Vec<String>, deadline: Time) -> Result<Vec<String>, CallError> {
    if ids.is_empty() {
        return Ok(ids);
    }
    let gateway = &store.script.gateway;
    let said = OURS
        .run(gateway, deadline, |command| {
            command.arg(2 * ids.len());
            ids.iter().for_each(|key| {
                command.arg(key).arg(beside(key, COUNTED));
            });
        })
        .await?;
    let ours = Vec::<u8>::from_redis_value(said.value).map_err(|_| gateway.unexpected("EVALSHA"))?;
    Ok(ids.into_iter().zip(ours).filter(|(_, ours)| *ours == 1).map(|(id, _)| id).collect())
}

static OURS: LuaScript = LuaScript::new(OURS_TEXT, || lua::hash(OURS_TEXT), Class::Upkeep);
const OURS_TEXT: &str = include_str!("ours.lua");

/// A text as a pattern that matches it alone.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::endpoint::Endpoint;
    use crate::environment::Environment;
    use crate::fake_redis::FakeRedis;
    use crate::settings::Settings;

    #[tokio::test(start_paused = true)]
    async fn the_cursor_of_a_redis_that_was_replaced_is_not_used_at_the_next() {
        let fake = FakeRedis::default();
        fake.set_delay(Duration::from_millis(10));
        fake.holds(0, &[(0, 7, &["session:a"]), (7, 0, &["session:b", "session:c"])]);
        // It has them all, and others behind the cursor of the one before.
        fake.holds(1, &[(0, 0, &["session:a", "session:b", "session:c"]), (7, 0, &["session:c"])]);
        let endpoint = Endpoint::new(Arc::new(fake.clone()));
        let client = SessionClient::start(Settings::default(), endpoint, Environment::new(1)).unwrap();
        let replaced = async {
            while fake.count("SCAN") == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            fake.restart();
        };
        let (counted, ()) = tokio::join!(client.count(), replaced);
        assert_eq!(counted, Ok(3));
        assert_eq!(fake.count("SCAN"), 3, "one at the first, two at the second");
    }

    #[test]
    fn a_prefix_matches_itself_alone() {
        for text in ["cache:", "a*b?[c-d]^\\", ""] {
            assert!(glob::matches(literal(text).as_bytes(), text.as_bytes()), "{text}");
        }
        assert!(!glob::matches(literal("a*:").as_bytes(), b"ab:"));
        assert!(!glob::matches(literal("[ab]").as_bytes(), b"a"));
    }
}
