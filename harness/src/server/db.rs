//! One numbered database: keys with values, expiries, and the versions that `WATCH` compares.
//!
//! Keys whose expiry is over are removed by [`Db::purge`], which runs before every command: nobody ever sees one, as in Redis.

use std::collections::{BTreeMap, BTreeSet};

use super::key::{Key, Probe, Wanted};
use super::random::Random;
use super::value::{OVERHEAD, Value};

/// What lies under a key.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    /// The last millisecond since 1970 in which it can be read.
    expires: Option<u64>,
    /// When it was used last, in microseconds since 1970.
    accessed: u64,
    /// What it was counted with.
    bytes: usize,
}

impl Entry {
    pub(crate) fn expires(&self) -> Option<u64> {
        self.expires
    }

    pub(crate) fn accessed(&self) -> u64 {
        self.accessed
    }
}

/// A key that transactions watch.
#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    watchers: usize,
    version: u64,
}

/// A database.
#[derive(Debug, Default)]
pub(crate) struct Db {
    entries: BTreeMap<Key, Entry>,
    deadlines: BTreeSet<(u64, Key)>,
    watched: BTreeMap<Vec<u8>, Watched>,
    bytes: usize,
    changes: u64,
}

impl Db {
    /// Removes what has expired: Redis does so once the clock is past the expiry, not at it. How many keys went.
    pub(crate) fn purge(&mut self, now_ms: u64) -> u64 {
        let mut purged = 0;
        while let Some((when, key)) = self.deadlines.first() {
            if *when >= now_ms {
                break;
            }
            let key = key.clone();
            self.remove(key.bytes());
            purged += 1;
        }
        purged
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Keys that expire.
    pub(crate) fn expiring(&self) -> usize {
        self.deadlines.len()
    }

    /// The memory that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes so far.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn entry(&self, key: &[u8]) -> Option<&Entry> {
        self.entries.get(&Wanted::new(key) as &dyn Probe)
    }

    /// The value, noting that it was used.
    pub(crate) fn value(&mut self, key: &[u8], now: u64) -> Option<&mut Value> {
        let entry = self.entries.get_mut(&Wanted::new(key) as &dyn Probe)?;
        entry.accessed = now;
        Some(&mut entry.value)
    }

    /// The value, without noting that.
    pub(crate) fn peek(&mut self, key: &[u8]) -> Option<&mut Value> {
        self.entries.get_mut(&Wanted::new(key) as &dyn Probe).map(|entry| &mut entry.value)
    }

    /// Puts a value under a key, in place of what was there.
    pub(crate) fn set(&mut self, key: &[u8], value: Value, expires: Option<u64>, now: u64) {
        let bytes = value.bytes() + key.len() + 2 * OVERHEAD;
        self.bytes += bytes;
        let entry = Entry { value, expires: None, accessed: now, bytes };
        if let Some(old) = self.entries.get_mut(&Wanted::new(key) as &dyn Probe) {
            let old = std::mem::replace(old, entry);
            self.bytes -= old.bytes;
            if let Some(when) = old.expires {
                let key = Key::new(key);
                self.deadlines.remove(&(when, key));
            }
        } else {
            self.entries.insert(Key::new(key), entry);
        }
        self.expire(key, expires);
        self.changed(key);
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let (key, entry) = self.entries.remove_entry(&Wanted::new(key) as &dyn Probe)?;
        self.bytes -= entry.bytes;
        self.changed(key.bytes());
        if let Some(when) = entry.expires {
            self.deadlines.remove(&(when, key));
        }
        Some(entry)
    }

    /// Sets when a key expires, or that it does not. Does not count as a change by itself.
    pub(crate) fn expire(&mut self, key: &[u8], expires: Option<u64>) {
        let Some(entry) = self.entries.get_mut(&Wanted::new(key) as &dyn Probe) else { return };
        let old = std::mem::replace(&mut entry.expires, expires);
        if old == expires {
            return;
        }
        let key = Key::new(key);
        if let Some(when) = expires {
            self.deadlines.insert((when, key.clone()));
        }
        if let Some(when) = old {
            self.deadlines.remove(&(when, key));
        }
    }

    /// To be called when a value was changed in place: counts its memory anew, and removes it if nothing is left of it.
    pub(crate) fn modified(&mut self, key: &[u8]) {
        let Some(entry) = self.entries.get_mut(&Wanted::new(key) as &dyn Probe) else { return };
        if entry.value.is_empty() {
            self.remove(key);
            return;
        }
        let bytes = entry.value.bytes() + key.len() + 2 * OVERHEAD;
        self.bytes = self.bytes + bytes - entry.bytes;
        entry.bytes = bytes;
        self.changed(key);
    }

    /// Counts a change of a key.
    pub(crate) fn changed(&mut self, key: &[u8]) {
        self.changes += 1;
        if self.watched.is_empty() {
            return;
        }
        if let Some(watched) = self.watched.get_mut(key) {
            watched.version += 1;
        }
    }

    /// Removes everything; how many keys there were.
    pub(crate) fn clear(&mut self) -> usize {
        let keys: Vec<Vec<u8>> =
            self.watched.keys().filter(|key| self.entry(key).is_some()).cloned().collect();
        keys.iter().for_each(|key| self.changed(key));
        let count = self.entries.len();
        self.changes += count as u64;
        self.entries.clear();
        self.deadlines.clear();
        self.bytes = 0;
        count
    }

    /// Exchanges the keys of two databases; who watches a key that is in either learns of it.
    pub(crate) fn swap(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.watched, &mut other.watched);
        std::mem::swap(self, other);
        for swapped in [false, true] {
            let (db, before) = if swapped { (&mut *other, &*self) } else { (&mut *self, &*other) };
            let there = |key: &&Vec<u8>| db.entry(key).is_some() || before.entry(key).is_some();
            let keys: Vec<Vec<u8>> = db.watched.keys().filter(there).cloned().collect();
            keys.iter().for_each(|key| db.changed(key));
        }
    }

    /// Begins to watch a key; the version to compare with later.
    pub(crate) fn watch(&mut self, key: &[u8]) -> u64 {
        let watched = self.watched.entry(key.to_vec()).or_default();
        watched.watchers += 1;
        watched.version
    }

    /// The version of a key that is watched.
    pub(crate) fn version(&self, key: &[u8]) -> u64 {
        self.watched.get(key).map_or(0, |watched| watched.version)
    }

    /// Ends one watch of a key.
    pub(crate) fn unwatch(&mut self, key: &[u8]) {
        if let Some(watched) = self.watched.get_mut(key) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                self.watched.remove(key);
            }
        }
    }

    /// Every key, in the order of their hashes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        self.entries.iter().map(|(key, entry)| (key.bytes(), entry))
    }

    /// The keys from a cursor on, and the cursor after each.
    pub(crate) fn after_cursor(&self, cursor: u64) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.range(Key::lowest(cursor)..)
    }

    /// A key by chance.
    pub(crate) fn random(&self, random: &mut Random) -> Option<&Key> {
        let from = Key::lowest(random.next());
        let found = self.entries.range(from..).next().or_else(|| self.entries.first_key_value());
        found.map(|(key, _)| key)
    }

    /// A key that expires, by chance; about, for keys that expire soon after long gaps come up more often.
    pub(crate) fn random_expiring(&self, random: &mut Random) -> Option<&Key> {
        (0..16)
            .find_map(|_| {
                let key = self.random(random)?;
                self.entry(key.bytes()).is_some_and(|entry| entry.expires.is_some()).then_some(key)
            })
            .or_else(|| self.next_to_expire())
    }

    /// The key that expires first.
    pub(crate) fn next_to_expire(&self) -> Option<&Key> {
        self.deadlines.first().map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.as_bytes().to_vec())
    }

    #[test]
    fn a_key_is_readable_at_its_expiry_and_gone_after_it() {
        let mut db = Db::default();
        db.set(b"k", text("v"), Some(20), 0);
        assert_eq!(db.purge(20), 0);
        assert!(db.entry(b"k").is_some());
        assert_eq!(db.purge(21), 1);
        assert_eq!((db.len(), db.bytes(), db.expiring()), (0, 0, 0));
    }

    #[test]
    fn setting_anew_forgets_the_old_expiry() {
        let mut db = Db::default();
        db.set(b"k", text("v"), Some(20), 0);
        db.set(b"k", text("w"), None, 0);
        assert_eq!(db.expiring(), 0);
        db.expire(b"k", Some(5));
        db.expire(b"k", Some(7));
        assert_eq!((db.expiring(), db.entry(b"k").unwrap().expires()), (1, Some(7)));
        assert!(db.remove(b"k").is_some());
        assert_eq!((db.expiring(), db.bytes()), (0, 0));
    }

    #[test]
    fn a_watched_key_has_a_new_version_after_each_change() {
        let mut db = Db::default();
        let before = db.watch(b"k");
        db.set(b"other", text("v"), None, 0);
        assert_eq!(db.version(b"k"), before);
        db.set(b"k", text("v"), None, 0);
        let after = db.version(b"k");
        assert_ne!(after, before);
        db.clear();
        assert_ne!(db.version(b"k"), after);
        db.unwatch(b"k");
        assert!(db.watched.is_empty());
    }
}
