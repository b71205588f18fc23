//! Everything that the server holds. Pure: the time comes with every command.

use std::collections::{BTreeMap, BTreeSet};

use super::acl::Users;
use super::db::Db;
use super::pace::Pace;
use super::random::Random;
use super::reply::Reply;
use super::script::Scripts;
use super::session::{Ending, Session};
use super::settings::Settings;

/// How many databases there are.
pub(crate) const DATABASES: usize = 16;

/// Memory that an empty server is said to use.
const BASE_MEMORY: usize = 900_000;

/// Counters for `INFO`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) connections: u64,
    pub(crate) rejected_connections: u64,
    pub(crate) commands: u64,
    pub(crate) pace: Pace,
    pub(crate) expired: u64,
    pub(crate) evicted: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) input_bytes: u64,
    pub(crate) output_bytes: u64,
    pub(crate) errors: u64,
}

/// The server's state.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) dbs: Vec<Db>,
    pub(crate) users: Users,
    pub(crate) settings: Settings,
    pub(crate) scripts: Scripts,
    pub(crate) stats: Stats,
    pub(crate) random: Random,
    pub(crate) version: String,
    pub(crate) run_id: String,
    /// When it started, in microseconds since 1970.
    pub(crate) started: u64,
    /// A script runs for long: nearly everything is answered `-BUSY`.
    pub(crate) busy: bool,
    /// It is a replica of a primary that cannot be reached: it takes no writes.
    pub(crate) replica: bool,
    /// Memory was full, and nothing could be evicted, when the current command began.
    pub(crate) full: bool,
    sessions: Vec<Option<Box<Session>>>,
    free_slots: Vec<usize>,
    next_id: u64,
    /// Who listens to what: slots of sessions by channel, and by pattern.
    pub(crate) channels: BTreeMap<Vec<u8>, BTreeSet<usize>>,
    pub(crate) patterns: BTreeMap<Vec<u8>, BTreeSet<usize>>,
}

impl State {
    /// A server that has just started.
    pub(crate) fn new(version: String, seed: u64, now: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            dbs: (0..DATABASES).map(|_| Db::default()).collect(),
            users: Users::new(),
            settings: Settings::new(),
            version,
            run_id: random.hex40(),
            random,
            started: now,
            next_id: 1,
            ..Self::default()
        }
    }

    /// What a restart does: another run id, no scripts, no connections, and no data unless it was kept.
    pub(crate) fn restart(&mut self, keep_data: bool, now: u64) {
        if !keep_data {
            self.dbs = (0..DATABASES).map(|_| Db::default()).collect();
        }
        self.scripts = Scripts::default();
        self.stats = Stats::default();
        self.run_id = self.random.hex40();
        self.started = now;
        self.busy = false;
        self.replica = false;
        self.next_id = 1;
        self.sessions.clear();
        self.free_slots.clear();
        self.channels.clear();
        self.patterns.clear();
    }

    /// A new session; where it lies.
    pub(crate) fn open(&mut self, now: u64) -> usize {
        let slot = self.free_slots.pop().unwrap_or(self.sessions.len());
        let session = Session {
            id: self.next_id,
            slot,
            user: super::acl::DEFAULT.to_vec(),
            authenticated: self.users.open(),
            since: now,
            last_active: now,
            ..Session::default()
        };
        self.next_id += 1;
        self.stats.connections += 1;
        match self.sessions.get_mut(slot) {
            Some(place) => *place = Some(Box::new(session)),
            None => self.sessions.push(Some(Box::new(session))),
        }
        slot
    }

    /// Forgets a session.
    pub(crate) fn close(&mut self, slot: usize) {
        let Some(mut session) = self.take(slot) else { return };
        self.forget_transaction(&mut session);
        self.forget_subscriptions(&mut session);
        self.free_slots.push(slot);
    }

    /// Takes a session out while its commands run; [`put_back`](Self::put_back) returns it.
    pub(crate) fn take(&mut self, slot: usize) -> Option<Box<Session>> {
        self.sessions.get_mut(slot).and_then(Option::take)
    }

    pub(crate) fn put_back(&mut self, session: Box<Session>) {
        let slot = session.slot;
        if let Some(place) = self.sessions.get_mut(slot) {
            *place = Some(session);
        }
    }

    pub(crate) fn session(&mut self, slot: usize) -> Option<&mut Session> {
        self.sessions.get_mut(slot)?.as_deref_mut()
    }

    /// Every session but the one whose commands run.
    pub(crate) fn sessions(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sessions.iter_mut().filter_map(|session| session.as_deref_mut())
    }

    /// How many sessions there are.
    pub(crate) fn connections(&self) -> usize {
        self.sessions.len() - self.free_slots.len()
    }

    /// Gives the user `default` a password; an empty one takes it away.
    pub(crate) fn require_password(&mut self, password: &[u8]) {
        let Some(user) = self.users.0.get_mut(super::acl::DEFAULT) else { return };
        let rule = if password.is_empty() { b"nopass".to_vec() } else { [b">", password].concat() };
        for rule in [b"resetpass".to_vec(), rule] {
            // These rules are fine.
            let _ = user.apply(&rule);
        }
        self.settings.set("requirepass", &String::from_utf8_lossy(password));
    }

    /// The memory used, about.
    pub(crate) fn used_memory(&self) -> usize {
        BASE_MEMORY + self.dbs.iter().map(Db::bytes).sum::<usize>() + self.scripts.bytes()
    }

    /// Removes what has expired in one database.
    pub(crate) fn purge(&mut self, db: usize, now: u64) {
        self.stats.expired += self.dbs[db].purge(now / 1000);
    }

    /// Removes what has expired in every database.
    pub(crate) fn purge_all(&mut self, now: u64) {
        for db in 0..self.dbs.len() {
            self.purge(db, now);
        }
    }

    /// Ends a transaction and what it watches.
    pub(crate) fn forget_transaction(&mut self, session: &mut Session) {
        session.queue = None;
        for watch in session.watching.drain(..) {
            self.dbs[watch.db].unwatch(&watch.key);
        }
    }

    /// Ends every subscription of a session.
    pub(crate) fn forget_subscriptions(&mut self, session: &mut Session) {
        let slot = session.slot;
        let listened =
            [(&mut self.channels, &mut session.channels), (&mut self.patterns, &mut session.patterns)];
        for (listeners, names) in listened {
            for name in std::mem::take(names) {
                remove_listener(listeners, &name, slot);
            }
        }
    }

    /// Sends a message to all who listen; how many. The current session is not among the others, so it is passed along.
    pub(crate) fn publish(&mut self, current: &mut Session, channel: &[u8], message: &[u8]) -> usize {
        let mut to: Vec<(usize, Reply)> = Vec::new();
        for slot in self.channels.get(channel).into_iter().flatten() {
            let parts = [&b"message"[..], channel, message];
            to.push((*slot, Reply::Push(parts.into_iter().map(Reply::bulk).collect())));
        }
        for (pattern, slots) in &self.patterns {
            if squall_client::core::glob::matches(pattern, channel) {
                let parts = [&b"pmessage"[..], pattern, channel, message];
                let push = Reply::Push(parts.into_iter().map(Reply::bulk).collect());
                to.extend(slots.iter().map(|slot| (*slot, push.clone())));
            }
        }
        for (slot, push) in &to {
            match self.session(*slot) {
                Some(session) => session.push(push),
                None => current.push(push),
            }
        }
        to.len()
    }

    /// Ends every session, as `CLIENT KILL TYPE normal` would.
    pub(crate) fn end_sessions(&mut self) {
        self.sessions().for_each(|session| session.end(Ending::Now));
    }
}

/// Removes one listener of a channel or pattern.
pub(crate) fn remove_listener(listeners: &mut BTreeMap<Vec<u8>, BTreeSet<usize>>, name: &[u8], slot: usize) {
    if let Some(slots) = listeners.get_mut(name) {
        slots.remove(&slot);
        if slots.is_empty() {
            listeners.remove(name);
        }
    }
}
