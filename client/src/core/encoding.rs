//! How a session lies in Redis: a fixed-width header of 100 ASCII characters, then the value as it is.
//!
//! ```text
//! sq1; creation(24) check(2) expiry(24) when(12) check(2) value(24) check(8) payload...      the record
//! sq1; destruction(24) check(2) expiry(24) when(12) check(2)                                 its tombstone
//! ```
//! Versions, the expiry (milliseconds since 1970) and checks are lower-case hex, so that the merge script compares facts as
//! strings and moves each as a whole. Each fact has a check of its own (CRC-32C, of which the short ones keep the last byte)
//! over the session's id and the fact: a value that was read for another session is found out.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::record::{Expiry, Record, Value};
use super::version::{Version, hex, hex_digits};

/// Bytes that a record takes beyond its value.
pub const HEADER_LEN: usize = TAG.len() + CREATION_LEN + EXPIRY_LEN + VALUE_LEN;

/// Why bytes are not a record of this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    /// They do not begin with a header of ours.
    #[error("not a session of ours")]
    Foreign,
    /// They do, but are not what was written for this session.
    #[error("the session is damaged")]
    Changed,
    /// They begin with a header of a later form.
    #[error("a session of a later form")]
    Newer,
}

impl Damage {
    /// What it is, and what to do about it.
    pub fn cure(self) -> &'static str {
        match self {
            Self::Foreign => "it is no session, so create it anew, or find out who else writes there",
            Self::Changed => "the session was changed since it was written, so create it anew",
            Self::Newer => "a newer version of this client wrote the session, so use that one here too",
        }
    }
}

/// The bytes of a record. Its destruction is not among them: that is the tombstone's.
pub fn encode_record(id: &str, record: &Record) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER_LEN + record.value.payload.len());
    out.put_slice(TAG);
    let id = id_check(id);
    put_version(&mut out, id, record.creation);
    put_expiry(&mut out, id, record.expiry);
    let version = record.value.version.digits();
    out.put_slice(&version);
    let check = value_check(id, &version, &record.value.payload);
    out.put_slice(&hex_digits::<8>(check.into()));
    out.put_slice(&record.value.payload);
    out.freeze()
}

/// The record that `bytes` hold for the session `id`.
pub fn decode_record(id: &str, bytes: &Bytes) -> Result<Record, Damage> {
    if is_newer(bytes) {
        return Err(Damage::Newer);
    }
    let header = header(bytes, HEADER_LEN)?;
    let id = id_check(id);
    let (creation, rest) = header.split_at(CREATION_LEN);
    let (expiry, value) = rest.split_at(EXPIRY_LEN);
    let (version, check) = value.split_at(Version::TEXT_LEN);
    let payload = bytes.slice(HEADER_LEN..);
    if hex(check).ok_or(Damage::Foreign)? != u64::from(value_check(id, version, &payload)) {
        return Err(Damage::Changed);
    }
    Ok(Record {
        creation: version_of(id, creation)?,
        expiry: expiry_of(id, expiry)?,
        value: Value { version: Version::parse(version).ok_or(Damage::Foreign)?, payload },
        destruction: Version::NEVER,
    })
}

/// The bytes of what must be remembered of a session that is gone: its destruction and its expiry.
pub fn encode_tombstone(id: &str, record: &Record) -> Bytes {
    let mut out = BytesMut::with_capacity(TAG.len() + CREATION_LEN + EXPIRY_LEN);
    out.put_slice(TAG);
    let id = id_check(id);
    put_version(&mut out, id, record.destruction);
    put_expiry(&mut out, id, record.expiry);
    out.freeze()
}

/// What a tombstone remembers of the session `id`.
pub fn decode_tombstone(id: &str, bytes: &Bytes) -> Result<Record, Damage> {
    let header = header(bytes, TAG.len() + CREATION_LEN + EXPIRY_LEN)?;
    let id = id_check(id);
    let (destruction, expiry) = header.split_at(CREATION_LEN);
    let (destruction, expiry) = (version_of(id, destruction)?, expiry_of(id, expiry)?);
    Ok(Record { destruction, expiry, ..Record::default() })
}

/// The check of a session's id, with which the check of each of its facts begins.
pub fn id_check(id: &str) -> u32 {
    crc32c::crc32c(id.as_bytes())
}

/// Whether they begin with the mark of a form that this version does not know.
fn is_newer(bytes: &[u8]) -> bool {
    match bytes {
        [b's', b'q', form, b';', ..] => (b'2'..=b'9').contains(form),
        _ => false,
    }
}

fn header(bytes: &Bytes, len: usize) -> Result<&[u8], Damage> {
    let header = bytes.get(..len).ok_or(Damage::Foreign)?;
    header.strip_prefix(TAG).ok_or(Damage::Foreign)
}

fn put_version(out: &mut BytesMut, id: u32, version: Version) {
    put_checked(out, id, &version.digits());
}

fn put_expiry(out: &mut BytesMut, id: u32, expiry: Expiry) {
    let mut fact = [0; Version::TEXT_LEN + 12];
    let (version, unix_ms) = fact.split_at_mut(Version::TEXT_LEN);
    version.copy_from_slice(&expiry.version.digits());
    unix_ms.copy_from_slice(&hex_digits::<12>(expiry.unix_ms.min(EXPIRY_MAX)));
    put_checked(out, id, &fact);
}

fn put_checked(out: &mut BytesMut, id: u32, fact: &[u8]) {
    out.put_slice(fact);
    out.put_slice(&hex_digits::<2>(short_check(id, fact).into()));
}

fn version_of(id: u32, bytes: &[u8]) -> Result<Version, Damage> {
    Version::parse(checked(id, bytes)?).ok_or(Damage::Foreign)
}

fn expiry_of(id: u32, bytes: &[u8]) -> Result<Expiry, Damage> {
    let (version, unix_ms) = checked(id, bytes)?.split_at(Version::TEXT_LEN);
    let version = Version::parse(version).ok_or(Damage::Foreign)?;
    Ok(Expiry { version, unix_ms: hex(unix_ms).ok_or(Damage::Foreign)? })
}

fn checked(id: u32, bytes: &[u8]) -> Result<&[u8], Damage> {
    let (fact, check) = bytes.split_at(bytes.len() - SHORT_CHECK_LEN);
    let right = hex(check).ok_or(Damage::Foreign)? == u64::from(short_check(id, fact));
    if right { Ok(fact) } else { Err(Damage::Changed) }
}

fn short_check(id: u32, fact: &[u8]) -> u8 {
    crc32c::crc32c_append(id, fact).to_le_bytes()[0]
}

fn value_check(id: u32, version: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(id, version), payload)
}

const TAG: &[u8] = b"sq1;";
const SHORT_CHECK_LEN: usize = 2;
const CREATION_LEN: usize = Version::TEXT_LEN + SHORT_CHECK_LEN;
const EXPIRY_LEN: usize = Version::TEXT_LEN + 12 + SHORT_CHECK_LEN;
const VALUE_LEN: usize = Version::TEXT_LEN + 8;

/// The latest expiry that fits: the year 10889.
pub(crate) const EXPIRY_MAX: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(payload: Vec<u8>) -> Record {
        let at = |ms| Version::new(ms, 3, 0xdead_beef);
        Record {
            creation: at(1_795_000_000_000),
            expiry: Expiry { version: at(1_795_000_000_001), unix_ms: 1_795_000_600_000 },
            value: Value { version: at(1_795_000_000_002), payload: Bytes::from(payload) },
            destruction: Version::NEVER,
        }
    }

    proptest! {
        #[test]
        fn a_record_survives_being_written(payload: Vec<u8>) {
            let bytes = encode_record("s1", &record(payload.clone()));
            prop_assert_eq!(bytes.len(), payload.len() + 100);
            prop_assert_eq!(decode_record("s1", &bytes), Ok(record(payload)));
        }

        #[test]
        fn arbitrary_bytes_are_an_error_and_never_a_panic(bytes: Vec<u8>, tagged: bool) {
            let bytes = if tagged { [TAG, &bytes].concat() } else { bytes };
            prop_assert!(decode_record("s1", &Bytes::from(bytes.clone())).is_err());
            prop_assert!(decode_tombstone("s1", &Bytes::from(bytes)).is_err());
        }

        #[test]
        fn a_changed_value_is_found_out(payload in prop::collection::vec(0u8.., 1..100), at: prop::sample::Index, bit in 0u8..8) {
            let mut bytes = encode_record("s1", &record(payload)).to_vec();
            let at = HEADER_LEN + at.index(bytes.len() - HEADER_LEN);
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(decode_record("s1", &Bytes::from(bytes)), Err(Damage::Changed));
        }
    }

    #[test]
    fn every_flipped_bit_of_the_header_is_found_out() {
        let good = encode_record("s1", &record(b"value".to_vec()));
        for (at, bit) in (0..HEADER_LEN).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bytes = good.to_vec();
            bytes[at] ^= 1 << bit;
            assert!(decode_record("s1", &Bytes::from(bytes)).is_err(), "byte {at}, bit {bit}");
        }
    }

    #[test]
    fn a_record_of_another_session_is_found_out() {
        let bytes = encode_record("s1", &record(b"value".to_vec()));
        assert_eq!(decode_record("s2", &bytes), Err(Damage::Changed));
    }

    #[test]
    fn a_record_of_a_later_form_is_told_apart() {
        let mut bytes = encode_record("s1", &record(b"value".to_vec())).to_vec();
        bytes[2] = b'2';
        assert_eq!(decode_record("s1", &Bytes::from(bytes)), Err(Damage::Newer));
    }

    #[test]
    fn a_tombstone_survives_being_written() {
        let gone = Record { destruction: Version::new(7, 0, 1), ..record(Vec::new()) };
        let read = decode_tombstone("s1", &encode_tombstone("s1", &gone)).unwrap();
        assert_eq!((read.destruction, read.expiry), (gone.destruction, gone.expiry));
        assert_eq!(read.value, Value::default());
    }
}
