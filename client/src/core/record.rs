//! A session as four facts, each with a version of its own: that it was created, its value, when it expires, and that it was
//! destroyed. Merging two records takes the newer of each fact, so an extension made on one side and an update made on the other
//! both survive, in whatever order and however often they meet.

use bytes::Bytes;

use super::version::Version;

/// All that is known of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When it was last created. A session that exists is created anew.
    pub creation: Version,
    /// When it expires.
    pub expiry: Expiry,
    /// What it holds.
    pub value: Value,
    /// When it was last destroyed.
    pub destruction: Version,
}

/// When a session expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry {
    /// When this was decided.
    pub version: Version,
    /// The point in time, by Redis's clock, in milliseconds since 1970.
    pub unix_ms: u64,
}

/// What a session holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    /// When it was written; [`Version::NEVER`] when the value is not known.
    pub version: Version,
    /// The bytes.
    pub payload: Bytes,
}

/// A write to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Creates it, or replaces the one that exists.
    Create {
        /// What it holds.
        payload: Bytes,
        /// When it expires, by Redis's clock, in milliseconds since 1970.
        expires_unix_ms: u64,
    },
    /// Writes its value. The expiry stays.
    Update {
        /// What it holds from now on.
        payload: Bytes,
    },
    /// Sets its expiry. The value stays.
    Touch {
        /// When it expires, by Redis's clock, in milliseconds since 1970.
        expires_unix_ms: u64,
    },
    /// Destroys it.
    Destroy,
}

/// Whether a session is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It is, as far as the record knows.
    Alive,
    /// It was destroyed after it was last created.
    Destroyed,
    /// Its time is over. Somebody else may have extended it.
    Expired,
    /// The record does not know enough to say.
    Unknown,
}

impl Record {
    /// What the record says of the session when it is `unix_ms` at Redis.
    pub fn life(&self, unix_ms: u64) -> Life {
        if self.destruction >= self.creation && self.destruction != Version::NEVER {
            return Life::Destroyed;
        }
        if self.value.version == Version::NEVER || self.creation == Version::NEVER {
            return Life::Unknown;
        }
        if self.expiry.unix_ms <= unix_ms { Life::Expired } else { Life::Alive }
    }

    /// Takes the newer of each fact.
    pub fn merge(&mut self, other: &Self) {
        self.creation = self.creation.max(other.creation);
        self.expiry = self.expiry.max(other.expiry);
        if other.value > self.value {
            self.value = other.value.clone();
        }
        self.destruction = self.destruction.max(other.destruction);
    }

    /// The newest version of any of its facts.
    pub fn newest(&self) -> Version {
        self.creation.max(self.expiry.version).max(self.value.version).max(self.destruction)
    }

    /// Whether it knows something about a session that `other` does not. A destruction counts only while it stands.
    pub fn ahead_of(&self, other: &Self) -> bool {
        let destroyed = self.destruction >= self.creation && self.destruction != Version::NEVER;
        if destroyed {
            return self.destruction > other.destruction && self.destruction >= other.creation;
        }
        self.creation > other.creation
            || self.expiry.version > other.expiry.version
            || self.value.version > other.value.version
    }

    /// Writes to the session.
    pub fn apply(&mut self, change: &Change, version: Version) {
        match change {
            Change::Create { payload, expires_unix_ms } => {
                self.creation = version;
                self.expiry = Expiry { version, unix_ms: *expires_unix_ms };
                self.value = Value { version, payload: payload.clone() };
            }
            Change::Update { payload } => self.value = Value { version, payload: payload.clone() },
            Change::Touch { expires_unix_ms } => {
                self.expiry = Expiry { version, unix_ms: *expires_unix_ms };
            }
            Change::Destroy => {
                self.destruction = version;
                self.bury();
            }
        }
    }

    /// Drops what a destroyed session held. Only its creation and destruction still matter: whoever creates it again writes all
    /// other facts anew.
    pub fn bury(&mut self) {
        self.value = Value::default();
        self.expiry = Expiry::default();
    }

    /// The newest foreign version, if there is one, of a fact that `change`, made at `version`, was to write and did not get to
    /// keep. Facts of the same writer are later writes of this very instance, and do not count, unless they are newer than `here`,
    /// the newest that it knew itself: then a process wrote them that had its number before.
    pub fn overruled(&self, change: &Change, version: Version, here: Version) -> Option<Version> {
        let foreign = |fact: &Version| fact.writer() != version.writer() || *fact > here;
        let facts = match change {
            Change::Create { .. } => {
                [self.creation, self.value.version, self.expiry.version, self.destruction]
            }
            Change::Update { .. } => [self.value.version; 4],
            Change::Touch { .. } => [self.expiry.version; 4],
            Change::Destroy => [self.creation; 4],
        };
        // No create destroys, so a destruction of the same version is not this one's either.
        let tied = matches!(change, Change::Create { .. }) && self.destruction == version;
        let newer = facts.into_iter().filter(|fact| *fact > version && foreign(fact)).max();
        newer.or(tied.then_some(version))
    }

    /// Moves by `ms` what was written before Redis's clock was known, which is what is newer than `known`. It stays newer. An
    /// expiry comes `early` milliseconds sooner, as far as that leaves half of what was given.
    pub(crate) fn shift(&mut self, ms: i64, early: u64, known: Version) {
        let versions = [self.creation, self.expiry.version, self.value.version, self.destruction];
        let Some(oldest) = versions.into_iter().filter(|version| *version > known).min() else { return };
        let room = i64::try_from(oldest.unix_ms().saturating_sub(known.unix_ms())).unwrap_or(i64::MAX);
        // All by the same, so that they keep their order.
        let by = if known == Version::NEVER { ms } else { ms.max(1 - room) };
        let shifted = |version: Version| if version > known { version.shifted(by) } else { version };
        if self.expiry.version > known {
            let given = self.expiry.unix_ms.saturating_sub(self.expiry.version.unix_ms());
            let sooner = self.expiry.unix_ms - early.min(given / 2);
            self.expiry.unix_ms = sooner.saturating_add_signed(ms);
        }
        self.creation = shifted(self.creation);
        self.expiry.version = shifted(self.expiry.version);
        self.value.version = shifted(self.value.version);
        self.destruction = shifted(self.destruction);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version() -> impl Strategy<Value = Version> {
        (0u64..4, 0u32..3).prop_map(|(ms, writer)| Version::new(ms, 0, writer))
    }

    fn record() -> impl Strategy<Value = Record> {
        let value = (version(), prop::collection::vec(0u8..3, 0..2));
        (version(), (version(), 0u64..3), value, version()).prop_map(
            |(creation, expiry, value, destruction)| Record {
                creation,
                expiry: Expiry { version: expiry.0, unix_ms: expiry.1 },
                value: Value { version: value.0, payload: Bytes::from(value.1) },
                destruction,
            },
        )
    }

    fn merged(a: &Record, b: &Record) -> Record {
        let mut merged = a.clone();
        merged.merge(b);
        merged
    }

    proptest! {
        #[test]
        fn merge_does_not_care_about_order_grouping_or_repetition(a in record(), b in record(), c in record()) {
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &a), a);
        }

        #[test]
        fn nothing_is_ahead_of_a_merge(a in record(), b in record()) {
            prop_assert!(!a.ahead_of(&merged(&a, &b)));
        }

        #[test]
        fn what_was_destroyed_stays_so_whatever_older_writes_come_late(
            record in record(), late in record(), at in 0u64..3
        ) {
            let mut gone = record;
            let newest = merged(&gone, &late).newest();
            gone.apply(&Change::Destroy, Version::new(newest.unix_ms() + 1, 0, 9));
            gone.merge(&late);
            prop_assert_eq!(gone.life(at), Life::Destroyed);
        }
    }

    fn at(ms: u64, writer: u32) -> Version {
        Version::new(ms, 0, writer)
    }

    fn created(ms: u64) -> Record {
        let mut record = Record::default();
        record.apply(
            &Change::Create { payload: Bytes::from_static(b"a"), expires_unix_ms: ms + 100 },
            at(ms, 1),
        );
        record
    }

    #[test]
    fn an_update_here_and_an_extension_there_both_survive() {
        let (mut here, mut there) = (created(10), created(10));
        here.apply(&Change::Update { payload: Bytes::from_static(b"b") }, at(20, 1));
        there.apply(&Change::Touch { expires_unix_ms: 500 }, at(15, 2));
        here.merge(&there);
        assert_eq!(here.value.payload, "b");
        assert_eq!(here.expiry.unix_ms, 500);
    }

    #[test]
    fn a_session_lives_until_its_expiry() {
        assert_eq!(created(10).life(109), Life::Alive);
        assert_eq!(created(10).life(110), Life::Expired);
        assert_eq!(Record::default().life(0), Life::Unknown);
    }

    #[test]
    fn a_destroyed_session_can_be_created_again() {
        let mut record = created(10);
        record.apply(&Change::Destroy, at(20, 1));
        assert_eq!(record.life(21), Life::Destroyed);
        record.merge(&created(30));
        assert_eq!(record.life(31), Life::Alive);
    }

    #[test]
    fn only_what_somebody_else_wrote_later_overrules() {
        let update = Change::Update { payload: Bytes::new() };
        let mut record = created(10);
        record.apply(&update, at(20, 2));
        let touch = Change::Touch { expires_unix_ms: 1 };
        assert_eq!(record.overruled(&update, at(15, 1), at(20, 1)), Some(at(20, 2)));
        assert_eq!(record.overruled(&touch, at(15, 1), at(20, 1)), None);
        assert_eq!(record.overruled(&update, at(15, 2), at(20, 2)), None, "it was this one");
        assert_eq!(record.overruled(&update, at(15, 2), at(19, 2)), Some(at(20, 2)), "it had its number");
        record.apply(&Change::Destroy, at(30, 2));
        let create = Change::Create { payload: Bytes::new(), expires_unix_ms: 99 };
        assert_eq!(record.overruled(&create, at(30, 2), at(30, 2)), Some(at(30, 2)));
        assert_eq!(record.overruled(&create, at(31, 2), at(31, 2)), None);
        assert_eq!(record.overruled(&Change::Destroy, at(30, 2), at(30, 2)), None, "it was this one");
    }
}
