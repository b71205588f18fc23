//! What is known of a session: four facts, each with a version of its own, and how two pieces of knowledge become one.
//!
//! In Redis a living session is a string: a header of fixed width and the payload.
//!
//! ```text
//! S1 | created: 24 | value: 24 | expiry: 24 | expires: 12 | crc32c of the payload: 8 | payload
//! ```
//!
//! Versions and numbers are lower-case hexadecimal, so that the merge script can compare them as text. What outlives the
//! session, its destruction or an expiry that was brought forward, lies beside it in the [`Side`].

use bytes::Bytes;
use thiserror::Error;

use super::version::{Version, hex};

const TAG: &[u8] = b"S1";
const EXPIRES_LEN: usize = 12;
const CRC_LEN: usize = 8;

/// The length of the header that stands before the payload, in bytes.
pub const HEADER_LEN: usize = TAG.len() + 3 * Version::TEXT_LEN + EXPIRES_LEN + CRC_LEN;

/// The latest expiry that fits, in milliseconds since 1970.
const MAX_EXPIRES: u64 = (1 << 48) - 1;

/// What is known of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When it was created.
    pub created: Version,
    /// When it was destroyed; [`Version::NEVER`] if never.
    pub destroyed: Version,
    /// When its value was written.
    pub value_version: Version,
    /// Its value.
    pub value: Bytes,
    /// When its expiry was set.
    pub expiry_version: Version,
    /// When it expires, in milliseconds since 1970 by Redis's clock.
    pub expires_ms: u64,
}

/// A value in Redis that is not a whole record of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Corrupt {
    /// It was not written by this client.
    #[error("not a session of this client")]
    Foreign,
    /// It was written by this client, but its payload is not as it was.
    #[error("the session's checksum does not fit its payload")]
    Checksum,
}

impl Record {
    /// Whether it was created since it was destroyed, if ever.
    pub fn exists(&self) -> bool {
        self.created > self.destroyed
    }

    /// Whether it exists and has not expired at `unix_ms` by Redis's clock.
    pub fn alive(&self, unix_ms: u64) -> bool {
        self.exists() && unix_ms < self.expires_ms
    }

    /// The newer of each fact. The order of merging does not matter, nor does merging twice.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        // Two values of one version are one write; comparing them makes even a corrupted pair come out the same both ways.
        let value = (other.value_version, &other.value) > (self.value_version, &self.value);
        let expiry = (other.expiry_version, other.expires_ms) > (self.expiry_version, self.expires_ms);
        let (value_version, value) =
            if value { (other.value_version, other.value) } else { (self.value_version, self.value) };
        let (expiry_version, expires_ms) = if expiry {
            (other.expiry_version, other.expires_ms)
        } else {
            (self.expiry_version, self.expires_ms)
        };
        Self {
            created: self.created.max(other.created),
            destroyed: self.destroyed.max(other.destroyed),
            value_version,
            value,
            expiry_version,
            expires_ms,
        }
    }

    /// The newest of its versions.
    pub fn newest(&self) -> Version {
        self.created.max(self.destroyed).max(self.value_version).max(self.expiry_version)
    }

    /// Whether it says the same facts as `other`; values of one version are the same.
    pub fn same_facts(&self, other: &Self) -> bool {
        let facts =
            |record: &Self| (record.created, record.destroyed, record.value_version, record.expiry_version);
        facts(self) == facts(other)
    }

    /// Header and payload, as Redis holds them. The destruction is not part of it.
    pub fn encode(&self) -> Vec<u8> {
        let crc = crc32c::crc32c(&self.value);
        let header = format!(
            "S1{}{}{}{:012x}{crc:08x}",
            self.created,
            self.value_version,
            self.expiry_version,
            self.expires_ms.min(MAX_EXPIRES)
        );
        [header.as_bytes(), &self.value].concat()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(bytes: &Bytes) -> Result<Self, Corrupt> {
        let (record, crc) = Self::decode_header(bytes)?;
        let value = bytes.slice(HEADER_LEN..);
        if crc != u64::from(crc32c::crc32c(&value)) {
            return Err(Corrupt::Checksum);
        }
        Ok(Self { value, ..record })
    }

    /// Reads the header alone: every fact but the value itself, and the checksum that the payload should have.
    pub fn decode_header(bytes: &[u8]) -> Result<(Self, u64), Corrupt> {
        let header =
            bytes.get(..HEADER_LEN).and_then(|header| header.strip_prefix(TAG)).ok_or(Corrupt::Foreign)?;
        let (created, rest) = header.split_at(Version::TEXT_LEN);
        let (value, rest) = rest.split_at(Version::TEXT_LEN);
        let (expiry, rest) = rest.split_at(Version::TEXT_LEN);
        let (expires, crc) = rest.split_at(EXPIRES_LEN);
        let version = |text| Version::parse(text).map_err(|_| Corrupt::Foreign);
        let record = Self {
            created: version(created)?,
            destroyed: Version::NEVER,
            value_version: version(value)?,
            value: Bytes::new(),
            expiry_version: version(expiry)?,
            expires_ms: hex(expires).ok_or(Corrupt::Foreign)?,
        };
        Ok((record, hex(crc).ok_or(Corrupt::Foreign)?))
    }
}

/// What Redis remembers of a session beside its key: `destroyed: 24 | expiry: 24 | expires: 12`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// When it was destroyed.
    pub destroyed: Version,
    /// When its expiry was last brought forward.
    pub expiry_version: Version,
    /// To when.
    pub expires_ms: u64,
}

impl Side {
    /// Reads what the merge script wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        if bytes.len() != 2 * Version::TEXT_LEN + EXPIRES_LEN {
            return Err(Corrupt::Foreign);
        }
        let (destroyed, rest) = bytes.split_at(Version::TEXT_LEN);
        let (expiry, expires) = rest.split_at(Version::TEXT_LEN);
        let version = |text| Version::parse(text).map_err(|_| Corrupt::Foreign);
        Ok(Self {
            destroyed: version(destroyed)?,
            expiry_version: version(expiry)?,
            expires_ms: hex(expires).ok_or(Corrupt::Foreign)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::version::HybridClock;

    fn version() -> impl Strategy<Value = Version> {
        (0_u64..6, 0_u32..3)
            .prop_map(|(ms, writer)| if ms == 0 { Version::NEVER } else { HybridClock::new(writer).tick(ms) })
    }

    fn record() -> impl Strategy<Value = Record> {
        (version(), version(), version(), version(), any::<Vec<u8>>(), 0_u64..9).prop_map(
            |(created, destroyed, value_version, expiry_version, value, expires_ms)| Record {
                created,
                destroyed,
                value_version,
                value: value.into(),
                expiry_version,
                expires_ms,
            },
        )
    }

    proptest! {
        #[test]
        fn merging_is_commutative_associative_and_idempotent(a in record(), b in record(), c in record()) {
            prop_assert_eq!(a.clone().merge(b.clone()), b.clone().merge(a.clone()));
            prop_assert_eq!(a.clone().merge(b.clone()).merge(c.clone()), a.clone().merge(b.clone().merge(c)));
            prop_assert_eq!(a.clone().merge(b.clone()).merge(b.clone()), a.clone().merge(b));
        }

        #[test]
        fn what_is_written_is_read_back(record in record()) {
            let expected = Record { destroyed: Version::NEVER, ..record.clone() };
            prop_assert_eq!(Record::decode(&record.encode().into()), Ok(expected));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = Record::decode(&bytes.clone().into());
            let _ = Side::decode(&bytes);
        }
    }

    #[test]
    fn a_changed_payload_is_noticed() {
        let mut bytes = Record { value: "hello".into(), ..Record::default() }.encode();
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(Record::decode(&bytes.into()), Err(Corrupt::Checksum));
    }

    #[test]
    fn an_update_after_the_destruction_does_not_revive() {
        let mut clock = HybridClock::new(1);
        let created = clock.tick(1);
        let alive = Record { created, expires_ms: 100, ..Record::default() };
        let destroyed = Record { destroyed: clock.tick(2), ..alive.clone() };
        let updated = Record { value_version: clock.tick(3), ..alive };
        assert!(!updated.merge(destroyed).alive(4));
    }

    #[test]
    fn the_header_is_small() {
        const { assert!(HEADER_LEN <= 100) };
    }
}
