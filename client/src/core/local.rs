//! The local copy of every session: bounded, and never forgetting what Redis does not know yet.

use std::collections::BTreeMap;

use thiserror::Error;

use super::record::Record;
use super::resync::{DirtyMap, Urgency};
use crate::settings::LocalSettings;

/// What a session costs beside its id and value, in bytes, roughly.
const OVERHEAD: u64 = 256;

/// Every session that this instance knows of.
#[derive(Debug)]
pub struct Local {
    settings: LocalSettings,
    entries: BTreeMap<String, Entry>,
    /// Sessions by when they were last used: the front goes first when room is needed.
    by_use: BTreeMap<u64, String>,
    next_use: u64,
    bytes: u64,
    dirty: DirtyMap,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    used: u64,
}

/// The local copy is full of what Redis does not know yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the local copy is full of sessions that wait for Redis")]
pub struct Full;

impl Local {
    /// An empty copy.
    pub fn new(settings: LocalSettings) -> Self {
        let (entries, by_use, dirty) = (BTreeMap::new(), BTreeMap::new(), DirtyMap::default());
        Self { settings, entries, by_use, next_use: 0, bytes: 0, dirty }
    }

    /// What is known of a session.
    pub fn record(&self, id: &str) -> Option<&Record> {
        self.entries.get(id).map(|entry| &entry.record)
    }

    /// Learns what Redis said; returns all that is known now.
    pub fn learn(&mut self, id: &str, news: Record) -> Record {
        let merged = match self.entries.get(id) {
            Some(entry) => entry.record.clone().merge(news),
            None => news,
        };
        // What Redis knows need not be remembered when there is no room.
        if self.make_room(id, &merged).is_ok() {
            self.put(id, merged.clone());
        }
        merged
    }

    /// Learns what this instance did; it stays dirty until [`end`](Self::end) says that Redis knows.
    pub fn write(&mut self, id: &str, record: Record) -> Result<(), Full> {
        self.make_room(id, &record)?;
        self.dirty.mark(id, urgency(&record));
        self.put(id, record);
        Ok(())
    }

    /// Marks a session as dirty: Redis may not know it any more.
    pub fn mark(&mut self, id: &str) {
        if let Some(entry) = self.entries.get(id) {
            self.dirty.mark(id, urgency(&entry.record));
        }
    }

    /// Marks every session that existed at `unix_ms` and every destruction as dirty: Redis has forgotten.
    pub fn mark_all(&mut self, unix_ms: u64) {
        for (id, entry) in &self.entries {
            if !entry.record.exists() || entry.record.alive(unix_ms) {
                self.dirty.mark(id, urgency(&entry.record));
            }
        }
    }

    /// Begins to bring a session to Redis: what is to be brought, if it is known.
    pub fn begin(&mut self, id: &str) -> Option<Record> {
        let record = self.entries.get(id)?.record.clone();
        self.dirty.begin(id);
        Some(record)
    }

    /// Bringing a session ended. It is clean if Redis now knows every fact that is known here.
    pub fn end(&mut self, id: &str, redis_knows: Option<&Record>) {
        let known = self.entries.get(id).map(|entry| &entry.record);
        let clean = redis_knows.is_some_and(|theirs| known.is_none_or(|ours| ours.same_facts(theirs)));
        self.dirty.end(id, clean);
    }

    /// Forgets a session that Redis refuses for good.
    pub fn forget(&mut self, id: &str) {
        self.dirty.end(id, true);
        self.take(id);
    }

    /// What waits for Redis.
    pub fn dirty(&self) -> &DirtyMap {
        &self.dirty
    }

    /// How many sessions are remembered, the destroyed ones included.
    pub fn sessions(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes they take, roughly.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn make_room(&mut self, id: &str, record: &Record) -> Result<(), Full> {
        let old = self.entries.get(id).map(|entry| cost(id, &entry.record));
        let extra = cost(id, record).saturating_sub(old.unwrap_or(0));
        let one_more = u64::from(old.is_none());
        while self.entries.len() as u64 + one_more > self.settings.sessions
            || self.bytes + extra > self.settings.bytes
        {
            let clean =
                self.by_use.values().find(|other| *other != id && !self.dirty.contains(other)).cloned();
            self.take(&clean.ok_or(Full)?);
        }
        Ok(())
    }

    fn put(&mut self, id: &str, record: Record) {
        self.take(id);
        self.bytes += cost(id, &record);
        self.by_use.insert(self.next_use, id.to_owned());
        self.entries.insert(id.to_owned(), Entry { record, used: self.next_use });
        self.next_use += 1;
    }

    fn take(&mut self, id: &str) {
        if let Some(entry) = self.entries.remove(id) {
            self.by_use.remove(&entry.used);
            self.bytes -= cost(id, &entry.record);
        }
    }
}

fn cost(id: &str, record: &Record) -> u64 {
    OVERHEAD + 2 * id.len() as u64 + record.value.len() as u64
}

fn urgency(record: &Record) -> Urgency {
    if record.exists() { Urgency::Living { expires_ms: record.expires_ms } } else { Urgency::Destroyed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::version::HybridClock;

    fn local(sessions: u64) -> Local {
        Local::new(LocalSettings { sessions, bytes: 1 << 20 })
    }

    fn created(ms: u64) -> Record {
        let created = HybridClock::new(1).tick(ms);
        Record {
            created,
            value_version: created,
            expiry_version: created,
            expires_ms: 1000,
            ..Record::default()
        }
    }

    #[test]
    fn the_least_used_clean_session_goes_first_and_dirty_ones_never() {
        let mut local = local(2);
        local.write("dirty", created(1)).unwrap();
        local.learn("old", created(1));
        local.learn("new", created(1));
        assert!(local.record("old").is_none());
        assert!(local.record("dirty").is_some() && local.record("new").is_some());
        local.write("new", created(2)).unwrap();
        assert_eq!(local.write("one more", created(3)), Err(Full));
    }

    #[test]
    fn bytes_are_bounded_too_and_counted_back() {
        let mut local = Local::new(LocalSettings { sessions: 100, bytes: 1000 });
        let big = Record { value: vec![0; 600].into(), ..created(1) };
        local.learn("a", big.clone());
        local.learn("b", big);
        assert_eq!((local.sessions(), local.record("a").is_some()), (1, false));
        local.forget("b");
        assert_eq!(local.bytes(), 0);
    }

    #[test]
    fn a_write_during_its_own_flush_stays_dirty() {
        let mut local = local(9);
        local.write("a", created(1)).unwrap();
        let brought = local.begin("a").unwrap();
        local.write("a", created(2)).unwrap();
        local.end("a", Some(&brought));
        assert_eq!(local.dirty().most_urgent(9), ["a"]);
        let brought = local.begin("a").unwrap();
        local.end("a", Some(&brought));
        assert!(local.dirty().is_empty());
    }

    #[test]
    fn old_news_changes_nothing() {
        let mut local = local(9);
        local.learn("a", created(5));
        assert_eq!(local.learn("a", created(3)), created(5));
    }

    #[test]
    fn a_redis_that_forgot_gets_the_living_and_the_destroyed_but_not_the_expired() {
        let mut local = local(9);
        local.learn("living", created(1));
        local.learn("expired", Record { expires_ms: 10, ..created(1) });
        local.learn("destroyed", Record { destroyed: HybridClock::new(1).tick(7), ..created(1) });
        local.mark_all(500);
        assert_eq!(local.dirty().most_urgent(9), ["destroyed", "living"]);
    }
}
