//! What the sessions of one client share: the local copy, its clock, the gateway, and how a session gets to Redis.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::connection::Greeting;
use crate::core::local::Local;
use crate::core::offset::Offset;
use crate::core::record::Record;
use crate::core::time::Time;
use crate::core::version::{HybridClock, Version};
use crate::error::CallError;
use crate::event::Observer;
use crate::gateway::Gateway;
use crate::script::{self, Merged};
use crate::settings::Settings;

/// Everything that a client's tasks share.
pub(crate) struct Store {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) observer: Observer,
    pub(crate) gateway: Gateway,
    pub(crate) memory: Arc<Memory>,
}

/// The part that the gateway's greetings reach too.
pub(crate) struct Memory {
    state: Mutex<State>,
    /// Told whenever something may wait for the resync.
    pub(crate) dirtied: Notify,
}

pub(crate) struct State {
    pub(crate) local: Local,
    pub(crate) offset: Offset,
    pub(crate) versions: HybridClock,
    run_id: Option<String>,
}

impl Memory {
    pub(crate) fn new(settings: &Settings, writer: u32) -> Self {
        let state = State {
            local: Local::new(settings.local.clone()),
            offset: Offset::default(),
            versions: HybridClock::new(writer),
            run_id: None,
        };
        Self { state: Mutex::new(state), dirtied: Notify::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection has opened: learns Redis's time, and whether it is another Redis, which may have forgotten everything.
    pub(crate) fn greeted(&self, greeting: &Greeting, clock: &Clock) {
        let mut state = self.lock();
        state.offset.measure(greeting.unix_ms, clock.unix_ms(), greeting.asked, greeting.answered);
        let before = state.run_id.replace(greeting.run_id.clone());
        if before.is_some_and(|before| before != greeting.run_id) {
            let now = state.offset.theirs(clock.unix_ms());
            state.local.mark_all(now);
            drop(state);
            self.dirtied.notify_one();
        }
    }
}

impl State {
    /// A version newer than all that this instance has seen.
    pub(crate) fn tick(&mut self, clock: &Clock) -> Version {
        let now = self.offset.theirs(clock.unix_ms());
        self.versions.tick(now)
    }

    /// Learns what Redis said; returns all that is known now.
    pub(crate) fn learn(&mut self, id: &str, news: Record) -> Record {
        self.versions.observe(news.newest());
        self.local.learn(id, news)
    }
}

impl Store {
    /// Milliseconds since 1970 by Redis's clock, as far as it is known.
    pub(crate) fn redis_now(&self) -> u64 {
        self.memory.lock().offset.theirs(self.clock.unix_ms())
    }

    /// Brings what is known of a session to Redis, and learns what Redis knew. The session stays dirty if that fails, or if
    /// it was written again meanwhile. Nothing known: `None`.
    pub(crate) async fn push(&self, id: &str, deadline: Time) -> Option<Result<Merged, CallError>> {
        let record = self.memory.lock().local.begin(id)?;
        let mut bringing = Bringing { memory: &self.memory, id, redis_knows: None };
        let tombstone_ms = u64::try_from(self.settings.resync.tombstone_ttl.as_millis()).unwrap_or(u64::MAX);
        let merged =
            script::merge(&self.gateway, &self.settings.key_prefix, id, &record, tombstone_ms, deadline)
                .await;
        if let Ok(merged) = &merged {
            self.memory.lock().learn(id, merged.record.clone());
            bringing.redis_knows = Some(merged.record.clone());
        }
        Some(merged)
    }
}

/// A session that is being brought. However that ends, a cancelled caller included, it is told to the local copy.
struct Bringing<'a> {
    memory: &'a Memory,
    id: &'a str,
    redis_knows: Option<Record>,
}

impl Drop for Bringing<'_> {
    fn drop(&mut self) {
        let mut state = self.memory.lock();
        state.local.end(self.id, self.redis_knows.as_ref());
        let waiting = state.local.dirty().waiting() > 0;
        drop(state);
        if waiting {
            self.memory.dirtied.notify_one();
        }
    }
}
