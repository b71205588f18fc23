//! The bounded local copy of every session. What Redis does not have yet ("dirty") is never dropped; of the rest, what was used
//! longest ago goes first.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use super::record::{Life, Record};
use super::resync::Rank;
use super::time::Time;
use super::version::Version;
use crate::settings::LocalSettings;

/// The local copy.
#[derive(Debug)]
pub struct LocalCopy {
    limits: LocalSettings,
    entries: BTreeMap<Arc<str>, Entry>,
    /// The sessions that may be dropped, by when they were last used.
    idle: BTreeMap<u64, Arc<str>>,
    /// Those that may be dropped when there are no others: Redis took them once, and may have forgotten them.
    marked: BTreeMap<u64, Arc<str>>,
    bytes: u64,
    dirty: u64,
    uses: u64,
    swept: Option<Arc<str>>,
    /// Sessions that lie on disk and that Redis has all of by now.
    arrived: Vec<Arc<str>>,
}

/// One session in the local copy.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The newest that is known of it.
    pub record: Record,
    /// The latest expiry that any copy of it may still believe in, in milliseconds since 1970.
    pub latest_expiry: u64,
    /// The version of the expiry that Redis says is over.
    pub over: Version,
    /// Redis lacks something that the record knows.
    pub dirty: bool,
    /// How many tasks are bringing it to Redis.
    pub pushes: u32,
    /// When Redis last said what it has stored.
    pub settled: Time,
    /// It was used since it became dirty.
    pub wanted: bool,
    /// Redis refused it, for a reason that trying again does not mend.
    pub refused: bool,
    /// It is dirty only because Redis may have forgotten it, and nobody has written to it since.
    pub marked: bool,
    /// It lies on disk, or is on its way there. Only what is dirty does.
    pub on_disk: bool,
    /// Facts up to this version carry Redis's time; newer ones the local clock's until Redis's is known.
    pub by_redis: Version,
    used: u64,
}

impl Entry {
    /// Whether the session is there, when it is `unix_ms` at Redis.
    pub fn life(&self, unix_ms: u64) -> Life {
        let life = self.record.life(unix_ms);
        let over = self.over != Version::NEVER && self.over == self.record.expiry.version;
        if life == Life::Alive && over { Life::Expired } else { life }
    }

    /// Takes in what is known elsewhere.
    pub fn merge(&mut self, record: &Record) {
        self.record.merge(record);
        self.latest_expiry = self.latest_expiry.max(record.expiry.unix_ms);
    }

    /// How urgent it is to bring it to Redis.
    pub fn rank(&self) -> Rank {
        if self.refused {
            return Rank::Refused;
        }
        if self.life(0) == Life::Destroyed {
            return Rank::Destroyed(self.record.destruction.unix_ms());
        }
        if self.wanted { Rank::Wanted } else { Rank::Expires(self.record.expiry.unix_ms) }
    }

    /// Whether a Redis that has forgotten must be told of it, when it is `unix_ms` there: it lives, or some copy may still
    /// believe so.
    pub fn matters(&self, unix_ms: u64, tombstone_ttl: Duration) -> bool {
        match self.life(unix_ms) {
            Life::Alive => true,
            Life::Destroyed | Life::Expired => !self.spent(unix_ms, tombstone_ttl),
            Life::Unknown => false,
        }
    }

    /// Whether nobody needs it any more: no copy anywhere can still believe that the session lives.
    fn spent(&self, unix_ms: u64, tombstone_ttl: Duration) -> bool {
        let ttl = u64::try_from(tombstone_ttl.as_millis()).unwrap_or(u64::MAX);
        match self.life(unix_ms) {
            Life::Alive => false,
            Life::Destroyed => self.record.destruction.unix_ms().saturating_add(ttl) < unix_ms,
            Life::Expired => self.latest_expiry.saturating_add(MARGIN_MS) < unix_ms,
            Life::Unknown => self.latest_expiry < unix_ms,
        }
    }

    fn droppable(&self) -> bool {
        !self.dirty && self.pushes == 0
    }

    fn bytes(&self, id: &str) -> u64 {
        LocalCopy::takes(id, self.record.value.payload.len())
    }
}

impl LocalCopy {
    /// An empty copy with these limits.
    pub fn new(limits: LocalSettings) -> Self {
        let (entries, idle, marked) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { limits, entries, idle, marked, bytes: 0, dirty: 0, uses: 0, swept: None, arrived: Vec::new() }
    }

    /// Sessions in it, those that are gone but not forgotten included.
    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes in it: ids, values, and what it takes to keep them.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sessions of which Redis lacks something.
    pub fn dirty(&self) -> u64 {
        self.dirty
    }

    /// What is known of a session.
    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// The id as the copy keeps it, so that it is kept once.
    pub fn id(&self, id: &str) -> Arc<str> {
        self.entries.get_key_value(id).map_or_else(|| Arc::from(id), |(id, _)| Arc::clone(id))
    }

    /// The ids of all sessions.
    pub fn ids(&self) -> Vec<Arc<str>> {
        self.entries.keys().cloned().collect()
    }

    /// What it takes to keep a session with a value of `payload` bytes.
    pub fn takes(id: &str, payload: usize) -> u64 {
        OVERHEAD_BYTES.saturating_add(id.len() as u64).saturating_add(payload as u64)
    }

    /// Drops what is too much after a session grew beyond the room that was made for it: it alone, if it is larger than all that
    /// may be kept.
    pub fn trim(&mut self, id: &str) {
        let alone = self.entries.get(id).filter(|entry| entry.droppable());
        if alone.is_some_and(|entry| entry.bytes(id) > self.limits.bytes) {
            self.remove(id);
        }
        while self.bytes > self.limits.bytes && self.drop_oldest("") {}
    }

    /// Makes room for a session with a value of `payload` bytes. Says whether there is.
    pub fn make_room(&mut self, id: &str, payload: usize) -> bool {
        let (has, sessions) = match self.entries.get(id) {
            Some(entry) => (entry.bytes(id), 0),
            None => (0, 1),
        };
        let wants = Self::takes(id, payload);
        let grows = wants.saturating_sub(has);
        // All others could go, and there would still be no room.
        if grows > 0 && wants > self.limits.bytes {
            return false;
        }
        loop {
            let fits =
                self.len() + sessions <= self.limits.sessions && self.bytes + grows <= self.limits.bytes;
            if fits || (grows == 0 && sessions == 0) {
                return true;
            }
            if !self.drop_oldest(id) {
                return false;
            }
        }
    }

    /// Changes what is known of a session, which counts as a use of it; adds it when it was not known.
    pub fn change<T>(&mut self, id: &str, change: impl FnOnce(&mut Entry) -> T) -> T {
        let id = self.id(id);
        self.uses += 1;
        let entry = self.entries.entry(Arc::clone(&id)).or_insert_with(|| {
            let entry = Entry::default();
            self.bytes += entry.bytes(&id);
            entry
        });
        self.idle.remove(&entry.used);
        self.marked.remove(&entry.used);
        self.bytes -= entry.bytes(&id);
        self.dirty -= u64::from(entry.dirty);
        let result = change(entry);
        entry.marked &= entry.dirty;
        entry.used = self.uses;
        self.bytes += entry.bytes(&id);
        self.dirty += u64::from(entry.dirty);
        if entry.on_disk && !entry.dirty {
            entry.on_disk = false;
            self.arrived.push(Arc::clone(&id));
        }
        if entry.droppable() {
            self.idle.insert(self.uses, id);
        } else if entry.marked && entry.pushes == 0 {
            self.marked.insert(self.uses, id);
        }
        result
    }

    /// The sessions on disk that Redis has all of by now, each told once.
    pub fn take_arrived(&mut self) -> Vec<Arc<str>> {
        let mut arrived = std::mem::take(&mut self.arrived);
        // What was written since lies there for another reason.
        arrived.retain(|id| !self.entries.get(id).is_some_and(|entry| entry.on_disk));
        arrived
    }

    /// Looks at the next `count` sessions, round and round, and drops those that nobody needs any more.
    pub fn sweep(&mut self, count: usize, unix_ms: u64, tombstone_ttl: Duration) {
        let from = self.swept.take().map_or(Bound::Unbounded, Bound::Excluded);
        let seen: Vec<_> = self.entries.range::<Arc<str>, _>((from, Bound::Unbounded)).take(count).collect();
        self.swept = if seen.len() < count { None } else { seen.last().map(|(id, _)| Arc::clone(id)) };
        let spent: Vec<Arc<str>> = seen
            .into_iter()
            .filter(|(_, entry)| entry.droppable() && entry.spent(unix_ms, tombstone_ttl))
            .map(|(id, _)| Arc::clone(id))
            .collect();
        spent.iter().for_each(|id| self.remove(id));
    }

    fn drop_oldest(&mut self, but: &str) -> bool {
        let oldest = self.idle.values().chain(self.marked.values()).find(|id| ***id != *but).cloned();
        oldest.as_ref().inspect(|id| self.remove(id)).is_some()
    }

    fn remove(&mut self, id: &str) {
        if let Some(entry) = self.entries.remove(id) {
            self.idle.remove(&entry.used);
            self.marked.remove(&entry.used);
            self.bytes -= entry.bytes(id);
            self.dirty -= u64::from(entry.dirty);
        }
    }
}

/// What keeping a session takes beyond its id and value: the record, and its place in the two maps.
const OVERHEAD_BYTES: u64 = 256;
const MARGIN_MS: u64 = 1000;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::core::record::Change;

    fn copy(sessions: u64, bytes: u64) -> LocalCopy {
        LocalCopy::new(LocalSettings { sessions, bytes })
    }

    fn put(copy: &mut LocalCopy, id: &str, dirty: bool) -> bool {
        if !copy.make_room(id, 3) {
            return false;
        }
        copy.change(id, |entry| {
            let create = Change::Create { payload: Bytes::from_static(b"abc"), expires_unix_ms: 100 };
            entry.record.apply(&create, Version::new(10, 0, 1));
            entry.latest_expiry = 100;
            entry.dirty = dirty;
        });
        true
    }

    fn ids(copy: &LocalCopy) -> Vec<String> {
        copy.ids().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut copy = copy(2, 1 << 20);
        put(&mut copy, "a", false);
        put(&mut copy, "b", false);
        copy.change("a", |_| ());
        assert!(put(&mut copy, "c", false));
        assert_eq!(ids(&copy), ["a", "c"]);
    }

    #[test]
    fn what_redis_lacks_is_never_dropped() {
        let mut copy = copy(2, 1 << 20);
        put(&mut copy, "a", true);
        put(&mut copy, "b", false);
        assert!(put(&mut copy, "c", true));
        assert!(!put(&mut copy, "d", true));
        assert!(put(&mut copy, "a", true), "a known session can still be written");
        assert_eq!((ids(&copy), copy.dirty()), (vec!["a".to_owned(), "c".to_owned()], 2));
    }

    #[test]
    fn bytes_are_bounded_and_counted() {
        let mut copy = copy(1000, 3 * (OVERHEAD_BYTES + 4));
        for id in ["a", "b", "c", "d"] {
            assert!(put(&mut copy, id, false));
        }
        assert_eq!((copy.len(), copy.bytes()), (3, 3 * (OVERHEAD_BYTES + 4)));
        assert!(!copy.make_room("e", 1 << 20));
        assert_eq!(copy.len(), 3, "what can never fit drives out nobody");
    }

    #[test]
    fn what_is_being_brought_to_redis_stays() {
        let mut copy = copy(1, 1 << 20);
        put(&mut copy, "a", false);
        copy.change("a", |entry| entry.pushes = 1);
        assert!(!put(&mut copy, "b", false));
        copy.change("a", |entry| entry.pushes = 0);
        assert!(put(&mut copy, "b", false));
    }

    #[test]
    fn a_sweep_drops_what_is_over_but_remembers_what_was_destroyed() {
        let mut copy = copy(10, 1 << 20);
        for id in ["a", "b", "c", "d"] {
            put(&mut copy, id, id == "d");
        }
        let ttl = Duration::from_secs(60);
        copy.change("b", |entry| entry.record.apply(&Change::Destroy, Version::new(20, 0, 1)));
        copy.change("c", |entry| entry.latest_expiry = 50_000);
        (0..3).for_each(|_| copy.sweep(2, 101 + MARGIN_MS, ttl));
        assert_eq!(ids(&copy), ["b", "c", "d"]);
        (0..3).for_each(|_| copy.sweep(2, 60_021, ttl));
        assert_eq!(ids(&copy), ["d"], "what Redis lacks is not swept");
    }
}
