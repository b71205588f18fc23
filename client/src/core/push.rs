//! Bringing a session to Redis: what is sent, what Redis answers, and what that means for the write that was to be brought.

use std::sync::Arc;

use bytes::Bytes;

use super::local::Entry;
use super::record::{Change, Record};
use super::time::Time;
use super::version::Version;

/// What is brought to Redis.
#[derive(Clone, Debug)]
pub struct Push {
    /// The session.
    pub id: Arc<str>,
    /// All that is known of it.
    pub record: Record,
    /// The latest expiry that any copy of it may still believe in, in milliseconds since 1970.
    pub latest_expiry: u64,
    /// What Redis holds instead of a session of ours, and is to be replaced.
    pub damaged: Bytes,
    /// The write that is brought, if this is for a write.
    pub write: Option<Written>,
}

/// A write, and what it was made upon.
#[derive(Clone, Debug)]
pub struct Written {
    /// The write.
    pub change: Change,
    /// Its version.
    pub version: Version,
    /// What the session was before.
    pub before: Record,
    /// Whether Redis lacked something before.
    pub was_dirty: bool,
}

/// What Redis answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// When it was asked.
    pub sent: Time,
    /// When it answered.
    pub received: Time,
    /// Whether it may have done before what it was asked: an earlier attempt went without a reply.
    pub repeated: bool,
    /// Its own time, in microseconds since 1970; nothing when that was damaged on its way.
    pub server_us: Option<u64>,
    /// What became of the session.
    pub fate: Fate,
    /// What Redis knows of it now.
    pub known: Record,
    /// Whether Redis wrote anything.
    pub wrote: bool,
}

/// What became of a session at Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It lives.
    Alive,
    /// It is destroyed.
    Destroyed,
    /// Its time is over.
    Expired,
    /// Redis knows nothing of it, and was told nothing.
    Absent,
    /// What Redis holds is not a session of ours, and nothing was brought to replace it.
    Damaged,
}

/// What an answer means for the write that was brought.
#[derive(Clone, Debug)]
pub enum Settled {
    /// Redis has it.
    Stored,
    /// The session is gone.
    Gone {
        /// An attempt that went without a reply may have written before it went. Otherwise the write did not happen.
        perhaps_written: bool,
    },
    /// Somebody whose clock is ahead wrote before it. It is to be brought again, under a newer version: who writes later wins.
    Again(Box<Push>),
}

impl Push {
    /// All that `entry` knows of a session.
    pub fn new(id: Arc<str>, entry: &Entry) -> Self {
        let (record, latest_expiry) = (entry.record.clone(), entry.latest_expiry);
        Self { id, record, latest_expiry, damaged: Bytes::new(), write: None }
    }

    /// Nothing: to ask what Redis knows of a session.
    pub fn question(id: &str) -> Self {
        Self::new(Arc::from(id), &Entry::default())
    }
}

impl Written {
    /// Takes the write back out of `record`, as far as nobody has written over it since.
    pub fn take_back(&self, record: &mut Record) {
        if record.creation == self.version {
            record.creation = self.before.creation;
        }
        if record.value.version == self.version {
            record.value = self.before.value.clone();
        }
        if record.expiry.version == self.version {
            record.expiry = self.before.expiry;
        }
        if record.destruction == self.version {
            *record = self.before.clone();
        }
    }
}

/// What an answer means for the write that was brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Stored,
    Gone,
    Again,
}

impl Fate {
    /// What it means for a write. `considered` is the newest of each fact that was sent or stored, `here` the newest version that
    /// this instance knew of the session before.
    /// A write that was `repeated` and is overruled may have stood already when somebody wrote over it: brought again, it would
    /// undo what is newer.
    pub(super) fn meaning(
        self,
        written: &Written,
        considered: &Record,
        here: Version,
        repeated: bool,
    ) -> Meaning {
        let overruled = !repeated && considered.overruled(&written.change, written.version, here).is_some();
        match (self, &written.change) {
            // A touch that lets a session end at once has done what it was to do.
            (Self::Expired, Change::Touch { .. }) if !overruled => Meaning::Stored,
            (Self::Alive, _) | (_, Change::Create { .. }) if overruled => Meaning::Again,
            (Self::Alive, _) | (_, Change::Create { .. } | Change::Destroy) => Meaning::Stored,
            (
                Self::Destroyed | Self::Expired | Self::Absent | Self::Damaged,
                Change::Update { .. } | Change::Touch { .. },
            ) => Meaning::Gone,
        }
    }
}
