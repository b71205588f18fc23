//! All that one instance knows of its sessions, and every decision about them: what a write changes, what Redis's answers mean,
//! what still has to be brought to Redis.
//!
//! A write is dirty before anybody sees it, and becomes clean only when Redis has said that it stores nothing older: so a write
//! during its own flush stays dirty. All that is learnt is merged by version, so nothing that was seen goes back, and a write
//! that arrives late, or twice, does no harm.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::local::LocalCopy;
use super::offset::ServerClock;
use super::push::{Answer, Fate, Meaning, Push, Settled, Written};
use super::record::{Change, Life, Record};
use super::resync::{Queue, Rank};
use super::time::Time;
use super::version::{HybridClock, Version};
use crate::settings::{Fallback, Settings};

pub use saving::DiskChange;

mod loss;
mod saving;

/// The sessions of one instance.
#[derive(Debug)]
pub struct Sessions {
    server: ServerClock,
    versions: HybridClock,
    local: LocalCopy,
    queue: Queue,
    tombstone_ttl: Duration,
    fallback: Fallback,
    /// When everything was last marked as lacking in Redis.
    marked: Option<Time>,
    /// When Redis was last found to have lost its data.
    lost_until: Option<Time>,
}

/// A write that a user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Creates a session, or replaces it.
    Create {
        /// What it holds.
        payload: Bytes,
        /// How long it lives.
        ttl: Duration,
    },
    /// Writes its value.
    Update {
        /// What it holds from now on.
        payload: Bytes,
    },
    /// Sets how long it lives from now on.
    Touch {
        /// How long.
        ttl: Duration,
    },
    /// Destroys it.
    Destroy,
}

/// Why a write was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The instance knows no such session that lives.
    Missing,
    /// The local copy is full of what Redis lacks.
    Full,
}

/// What the instance knows of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It lives.
    Alive {
        /// What it holds.
        payload: Bytes,
        /// How long it lives on.
        left: Duration,
    },
    /// It was destroyed.
    Destroyed,
    /// Its time is over, unless somebody else extended it.
    Expired,
    /// Nothing.
    Unknown,
}

impl Sessions {
    /// No sessions yet. `writer` is this instance's own; `unix_ms` is the local wall time at `now`.
    pub fn new(settings: &Settings, writer: u32, now: Time, unix_ms: u64) -> Self {
        Self {
            server: ServerClock::new(now, unix_ms),
            versions: HybridClock::new(writer),
            local: LocalCopy::new(settings.local.clone()),
            queue: Queue::default(),
            tombstone_ttl: settings.resync.tombstone_ttl,
            fallback: settings.fallback,
            marked: None,
            lost_until: None,
        }
    }

    /// The local copy.
    pub fn local(&self) -> &LocalCopy {
        &self.local
    }

    /// Whether Redis's clock is known. Before that nothing may be sent to Redis: it would carry expiries and versions of
    /// another clock.
    pub fn synchronised(&self) -> bool {
        self.server.synchronised()
    }

    /// What time it is at Redis, as far as is known, in milliseconds since 1970.
    pub fn unix_ms(&self, now: Time) -> u64 {
        self.server.unix_ms(now)
    }

    /// A version that is newer than every one that this instance has made or seen.
    pub fn next_version(&mut self, now: Time) -> Version {
        self.versions.tick(self.server.unix_ms(now), Version::NEVER)
    }

    /// Redis said what time it is there (microseconds since 1970). The first time, all that was written by the local clock is
    /// put right.
    pub fn synchronise(&mut self, sent: Time, received: Time, server_us: u64) {
        let first = !self.server.synchronised();
        let moved = self.server.sample(sent, received, server_us);
        if !first {
            return;
        }
        self.versions.shift(moved);
        let early = self.server.error_ms(received);
        for id in self.local.ids() {
            self.local.change(&id, |entry| {
                entry.record.shift(moved, early, entry.by_redis);
                // Too late does no harm, too early would.
                let all = entry.by_redis == Version::NEVER;
                entry.latest_expiry =
                    entry.latest_expiry.saturating_add_signed(if all { moved } else { moved.max(0) });
            });
        }
    }

    /// Begins a write: it stands in the local copy from now on (unless there is no fallback: then once Redis has it). It is to
    /// be brought to Redis, and [released](Self::release) however that ends.
    pub fn write(&mut self, now: Time, id: &str, write: &Write) -> Result<Push, Refusal> {
        let (needs_session, payload) = match write {
            Write::Create { payload, .. } => (false, payload.len()),
            Write::Update { payload } => (true, payload.len()),
            Write::Touch { .. } => (true, 0),
            Write::Destroy => (false, 0),
        };
        if needs_session && self.life(now, id) != Life::Alive {
            return Err(Refusal::Missing);
        }
        if !self.local.make_room(id, payload) {
            return Err(Refusal::Full);
        }
        let expires = |ttl: &Duration| self.server.end_of(now, *ttl);
        let change = match write {
            Write::Create { payload, ttl } => {
                Change::Create { payload: payload.clone(), expires_unix_ms: expires(ttl) }
            }
            Write::Update { payload } => Change::Update { payload: payload.clone() },
            Write::Touch { ttl } => Change::Touch { expires_unix_ms: expires(ttl) },
            Write::Destroy => Change::Destroy,
        };
        self.begin(id);
        Ok(self.apply(now, id, change))
    }

    /// Redis holds this record of the session, as it said to a question of `sent`.
    pub fn learn(&mut self, now: Time, sent: Time, id: &str, stored: &Record) -> Look {
        let wall = self.server.unix_ms(now);
        self.versions.observe(wall, stored.newest());
        if self.local.entry(id).is_none() && !self.local.make_room(id, stored.value.payload.len()) {
            return look(stored, stored.life(wall), wall);
        }
        let fresh = self.fresh(sent);
        let id = self.local.id(id);
        self.local.change(&id, |entry| {
            entry.merge(stored);
            entry.wanted = true;
            let redis_lacks = entry.record.ahead_of(stored);
            if entry.pushes == 0 && !redis_lacks && fresh {
                entry.dirty = false;
            } else if entry.pushes == 0 && redis_lacks && sent > entry.settled {
                // Redis went back behind what it had told: a failover to a replica that lagged.
                entry.dirty = true;
            }
        });
        self.place(&id);
        let look = self.look(now, &id);
        self.local.trim(&id);
        look
    }

    /// What the instance knows of a session.
    pub fn look(&self, now: Time, id: &str) -> Look {
        let wall = self.server.unix_ms(now);
        self.local.entry(id).map_or(Look::Unknown, |entry| look(&entry.record, entry.life(wall), wall))
    }

    /// As [`look`](Self::look), for a user: the session counts as used.
    pub fn use_and_look(&mut self, now: Time, id: &str) -> Look {
        let Some(entry) = self.local.entry(id) else { return Look::Unknown };
        let promote = entry.dirty && !entry.wanted;
        self.local.change(id, |entry| entry.wanted = true);
        if promote {
            self.place(&self.local.id(id));
        }
        self.look(now, id)
    }

    /// All that is known of a session, to be brought to Redis and then [released](Self::release).
    pub fn push(&mut self, id: &str) -> Push {
        self.begin(id);
        let entry = self.local.entry(id).cloned().unwrap_or_default();
        Push::new(self.local.id(id), &entry)
    }

    /// The most urgent sessions that wait, at most `count`, each to be brought to Redis and then released. Those that Redis
    /// refused before wait until `refused_too`.
    pub fn next_pushes(&mut self, count: usize, refused_too: bool) -> Vec<Push> {
        let mut pushes = Vec::new();
        while pushes.len() < count
            && self.queue.first().is_some_and(|rank| refused_too || rank != Rank::Refused)
        {
            let Some((id, _)) = self.queue.pop() else { break };
            // It may have been dropped to make room.
            if self.local.entry(&id).is_some() {
                pushes.push(self.push(&id));
            }
        }
        pushes
    }

    /// How many sessions wait to be brought; with those that Redis refused before, or without.
    pub fn waiting(&self, refused_too: bool) -> u64 {
        let waiting = self.queue.len();
        (if refused_too { waiting } else { waiting - self.queue.refused() }) as u64
    }

    /// Redis answered a push.
    pub fn settle(&mut self, push: &Push, answer: &Answer) -> Settled {
        if let Some(server_us) = answer.server_us {
            self.synchronise(answer.sent, answer.received, server_us);
        }
        let wall = self.server.unix_ms(answer.received);
        self.versions.observe(wall, answer.known.newest());
        let mut considered = push.record.clone();
        considered.merge(&answer.known);
        let fresh = self.fresh(answer.sent);
        let here = self.local.change(&push.id, |entry| {
            let here = entry.record.newest().max(push.record.newest());
            entry.merge(&answer.known);
            match answer.fate {
                Fate::Destroyed if entry.record.life(wall) == Life::Destroyed => {
                    entry.record.bury();
                }
                Fate::Expired if entry.record.expiry.version <= answer.known.expiry.version => {
                    entry.over = entry.record.expiry.version;
                }
                Fate::Alive | Fate::Destroyed | Fate::Expired | Fate::Absent | Fate::Damaged => {}
            }
            if fresh && answer.fate != Fate::Damaged {
                entry.dirty = entry.record.ahead_of(&considered);
                entry.refused = false;
            }
            entry.settled = answer.received;
            here
        });
        let Some(written) = &push.write else { return Settled::Stored };
        match answer.fate.meaning(written, &considered, here, answer.repeated) {
            Meaning::Stored => Settled::Stored,
            Meaning::Gone => {
                self.local.change(&push.id, |entry| written.take_back(&mut entry.record));
                Settled::Gone { perhaps_written: answer.repeated }
            }
            Meaning::Again => {
                let again = self.apply(answer.received, &push.id, written.change.clone());
                Settled::Again(Box::new(again))
            }
        }
    }

    /// Bringing a session to Redis ended, one way or another. `refused`: Redis refused it for good.
    pub fn release(&mut self, id: &Arc<str>, refused: bool) {
        self.local.change(id, |entry| {
            entry.pushes = entry.pushes.saturating_sub(1);
            entry.refused |= refused;
            entry.wanted &= entry.dirty;
        });
        self.place(id);
        self.local.trim(id);
    }

    /// A write is refused: takes it back, as far as nobody has written over it since.
    pub fn undo(&mut self, push: &Push) {
        let Some(written) = &push.write else { return };
        self.local.change(&push.id, |entry| {
            written.take_back(&mut entry.record);
            if !entry.record.ahead_of(&written.before) {
                entry.dirty = written.was_dirty;
            }
        });
    }

    fn life(&self, now: Time, id: &str) -> Life {
        let wall = self.server.unix_ms(now);
        self.local.entry(id).map_or(Life::Unknown, |entry| entry.life(wall))
    }

    /// Whether an answer to what was sent then says what Redis knows now.
    fn fresh(&self, sent: Time) -> bool {
        self.marked.is_none_or(|at| sent > at)
    }

    fn begin(&mut self, id: &str) {
        self.local.change(id, |entry| entry.pushes += 1);
        self.queue.remove(&self.local.id(id));
    }

    fn apply(&mut self, now: Time, id: &str, change: Change) -> Push {
        let wall = self.server.unix_ms(now);
        let (versions, at_once) = (&mut self.versions, self.fallback == Fallback::Memory);
        let key = self.local.id(id);
        self.local.change(id, |entry| {
            let seen = entry.record.newest();
            versions.observe(wall, seen);
            let version = versions.tick(wall, seen);
            let (before, was_dirty) = (entry.record.clone(), entry.dirty);
            let mut after = entry.clone();
            after.record.apply(&change, version);
            after.latest_expiry = after.latest_expiry.max(after.record.expiry.unix_ms);
            let mut push = Push::new(key, &after);
            push.write = Some(Written { change, version, before, was_dirty });
            if at_once {
                (entry.record, entry.latest_expiry) = (after.record, after.latest_expiry);
                (entry.dirty, entry.wanted, entry.refused, entry.marked) = (true, true, false, false);
            }
            push
        })
    }

    /// Gives a session its place among those that wait, if it has to wait.
    fn place(&mut self, id: &Arc<str>) {
        let waits = self.local.entry(id).filter(|entry| entry.dirty && entry.pushes == 0);
        match waits {
            Some(entry) => self.queue.insert(id, entry.rank()),
            None => self.queue.remove(id),
        }
    }
}

fn look(record: &Record, life: Life, wall: u64) -> Look {
    match life {
        Life::Alive => Look::Alive {
            payload: record.value.payload.clone(),
            left: Duration::from_millis(record.expiry.unix_ms.saturating_sub(wall)),
        },
        Life::Destroyed => Look::Destroyed,
        Life::Expired => Look::Expired,
        Life::Unknown => Look::Unknown,
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
