//! How a session that Redis lacks lies on disk: all that a restarted instance needs to bring it to Redis after all.
//!
//! ```text
//! sd1; check(8) redis's-time-up-to(24) latest-expiry(12) tombstone(68) record...
//! ```
//! Hex as in Redis; the check (CRC-32C) is over the session's id and all that follows it.

use bytes::{BufMut, Bytes, BytesMut};

use super::encoding::{Damage, decode_record, decode_tombstone, encode_record, encode_tombstone};
use super::record::{Expiry, Record};
use super::version::{Version, hex, hex_digits};

/// What lies on disk of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// All that is known of it.
    pub record: Record,
    /// The latest expiry that any copy of it may still believe in, in milliseconds since 1970.
    pub latest_expiry: u64,
    /// Facts up to this version carry Redis's time; newer ones that of a clock that was never compared with it.
    pub by_redis: Version,
}

impl Saved {
    /// Its bytes.
    pub fn encode(&self, id: &str) -> Bytes {
        let known = self.record.value.version != Version::NEVER;
        let record = if known { encode_record(id, &self.record) } else { Bytes::new() };
        // The record has the expiry, if there is one.
        let expiry = if known { Expiry::default() } else { self.record.expiry };
        let grave = Record { destruction: self.record.destruction, expiry, ..Record::default() };
        let mut rest = BytesMut::with_capacity(HEADER_LEN + record.len());
        rest.put_slice(&self.by_redis.digits());
        rest.put_slice(&hex_digits::<12>(self.latest_expiry));
        rest.put_slice(&encode_tombstone(id, &grave));
        rest.put_slice(&record);
        let mut out = BytesMut::with_capacity(HEADER_LEN + rest.len());
        out.put_slice(TAG);
        out.put_slice(&hex_digits::<8>(check(id, &rest).into()));
        out.put_slice(&rest);
        out.freeze()
    }

    /// What `bytes` hold of the session `id`.
    ///
    /// # Errors
    ///
    /// When they are not what was saved of it.
    pub fn decode(id: &str, bytes: &Bytes) -> Result<Self, Damage> {
        let header = bytes.get(..HEADER_LEN).ok_or(Damage::Foreign)?;
        let header = header.strip_prefix(TAG).ok_or(Damage::Foreign)?;
        let (found, header) = header.split_at(CHECK_LEN);
        if hex(found).ok_or(Damage::Foreign)? != u64::from(check(id, &bytes[TAG.len() + CHECK_LEN..])) {
            return Err(Damage::Changed);
        }
        let (by_redis, latest_expiry) = header.split_at(Version::TEXT_LEN);
        let (by_redis, latest_expiry) = (Version::parse(by_redis), hex(&latest_expiry[..12]));
        let grave = decode_tombstone(id, &bytes.slice(TOMBSTONE_AT..HEADER_LEN))?;
        let record = bytes.slice(HEADER_LEN..);
        let mut record = if record.is_empty() { Record::default() } else { decode_record(id, &record)? };
        record.merge(&grave);
        Ok(Self {
            record,
            latest_expiry: latest_expiry.ok_or(Damage::Foreign)?,
            by_redis: by_redis.ok_or(Damage::Foreign)?,
        })
    }
}

fn check(id: &str, rest: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(id.as_bytes()), rest)
}

const TAG: &[u8] = b"sd1;";
const CHECK_LEN: usize = 8;
const TOMBSTONE_AT: usize = TAG.len() + CHECK_LEN + Version::TEXT_LEN + 12;
const HEADER_LEN: usize = TOMBSTONE_AT + 68;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::record::Value;

    fn saved(payload: Option<Vec<u8>>, destroyed: u64) -> Saved {
        let at = |ms| Version::new(ms, 3, 7);
        let value = payload.map_or_else(Value::default, |payload| Value {
            version: at(1_795_000_000_002),
            payload: Bytes::from(payload),
        });
        let known = value.version != Version::NEVER;
        Saved {
            record: Record {
                creation: if known { at(1_795_000_000_000) } else { Version::NEVER },
                expiry: Expiry { version: at(1_795_000_000_001), unix_ms: 1_795_000_600_000 },
                value,
                destruction: if destroyed == 0 { Version::NEVER } else { at(destroyed) },
            },
            latest_expiry: 1_795_000_700_000,
            by_redis: at(1_795_000_000_001),
        }
    }

    proptest! {
        #[test]
        fn what_was_saved_is_read_again(payload: Option<Vec<u8>>, destroyed in 0u64..1 << 40) {
            let saved = saved(payload, destroyed);
            prop_assert_eq!(Saved::decode("s1", &saved.encode("s1")), Ok(saved));
        }

        #[test]
        fn arbitrary_bytes_are_an_error_and_never_a_panic(bytes: Vec<u8>, tagged: bool) {
            let bytes = if tagged { [TAG, &bytes].concat() } else { bytes };
            prop_assert!(Saved::decode("s1", &Bytes::from(bytes)).is_err());
        }
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_is_found_out() {
        let good = saved(Some(b"value".to_vec()), 5).encode("s1");
        assert_eq!(Saved::decode("s2", &good), Err(Damage::Changed));
        for (at, bit) in (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bytes = good.to_vec();
            bytes[at] ^= 1 << bit;
            assert!(Saved::decode("s1", &Bytes::from(bytes)).is_err(), "byte {at}, bit {bit}");
        }
        for length in 0..good.len() {
            assert!(Saved::decode("s1", &good.slice(..length)).is_err(), "{length} bytes");
        }
    }
}
