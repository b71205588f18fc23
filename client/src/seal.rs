//! Values that nobody reads but the client: encrypted before they leave it, for Redis, for the disk, and for its own copy.
//!
//! AES-256-GCM of `ring`, with a nonce that is drawn for every value and the session's id as associated data: a value that was
//! changed, or moved to another session, does not open. Ids, times and the order of writes stay readable, for Redis merges by
//! them. A value grows by 33 bytes.
//!
//! ```text
//! "sqe" | number of the key (2 bytes) | nonce (12) | encrypted value | tag (16)
//! ```

use std::fmt;

use bytes::Bytes;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use thiserror::Error;

use crate::answer::{Found, Lookup};
use crate::core::sessions::Write;

/// Bytes of a key.
pub const KEY_LENGTH: usize = 32;

const MAGIC: &[u8] = b"sqe";
const HEAD: usize = MAGIC.len() + 2 + NONCE_LEN;

/// The keys that values are encrypted with, and the one for new values.
pub struct Seal {
    keys: Vec<(u16, LessSafeKey)>,
    random: SystemRandom,
    plain: bool,
}

/// Why a value cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The system gives no randomness.
    #[error("the system gives no randomness for a nonce")]
    NoRandomness,
    /// It was not encrypted.
    #[error("a value is not encrypted: it was written before, or by another; see Seal::and_plain")]
    Plain,
    /// No key has its number.
    #[error("a value is encrypted with key {0}, which this client does not have: give it with Seal::and_key")]
    NoKey(u16),
    /// It was changed, belongs to another session, or the key is another.
    #[error("an encrypted value does not open: it was changed or moved, or key {0} is another here")]
    Broken(u16),
}

impl Seal {
    /// New values are encrypted with this key. Its number is written with each value, so that keys can be replaced: a new one gets
    /// a new number, and the old one stays for [reading](Self::and_key) until the last value written with it has expired.
    pub fn new(number: u16, key: &[u8; KEY_LENGTH]) -> Self {
        Self { keys: vec![(number, of(key))], random: SystemRandom::new(), plain: false }
    }

    /// Values may also have been encrypted with this one.
    #[must_use]
    pub fn and_key(mut self, number: u16, key: &[u8; KEY_LENGTH]) -> Self {
        self.keys.push((number, of(key)));
        self
    }

    /// Values that were not encrypted are read too: those that were written before it was switched on. Whoever can write to
    /// Redis can then write values that are read.
    #[must_use]
    pub fn and_plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// What is to be written, with its value encrypted.
    pub(crate) fn sealed(&self, id: &str, write: Write) -> Result<Write, SealError> {
        Ok(match write {
            Write::Create { payload, ttl } => Write::Create { payload: self.seal(id, &payload)?, ttl },
            Write::Update { payload } => Write::Update { payload: self.seal(id, &payload)? },
            Write::Touch { .. } | Write::Destroy => write,
        })
    }

    /// What was found, with its value opened.
    pub(crate) fn opened(&self, id: &str, lookup: Lookup) -> Result<Lookup, SealError> {
        Ok(match lookup {
            Lookup::Found { session: Found { value, ttl }, served_by } => {
                Lookup::Found { session: Found { value: self.open(id, &value)?, ttl }, served_by }
            }
            Lookup::Absent { .. } | Lookup::Unknown { .. } => lookup,
        })
    }

    /// The value, encrypted for this session.
    pub(crate) fn seal(&self, id: &str, value: &[u8]) -> Result<Bytes, SealError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        let (number, key) = &self.keys[0];
        let mut sealed = Vec::with_capacity(HEAD + value.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(&number.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(id), &mut sealed[HEAD..]);
        // It fails only for values of gigabytes, which nothing holds.
        let tag = tag.map_err(|_| SealError::Broken(*number))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed.into())
    }

    /// The value that was encrypted for this session.
    pub(crate) fn open(&self, id: &str, sealed: &Bytes) -> Result<Bytes, SealError> {
        let Some(head) = sealed.get(..HEAD).filter(|head| head.starts_with(MAGIC)) else {
            return if self.plain { Ok(sealed.clone()) } else { Err(SealError::Plain) };
        };
        let number = u16::from_be_bytes([head[MAGIC.len()], head[MAGIC.len() + 1]]);
        let nonce = Nonce::try_assume_unique_for_key(&head[MAGIC.len() + 2..]);
        let nonce = nonce.map_err(|_| SealError::Broken(number))?;
        let (_, key) =
            self.keys.iter().find(|(known, _)| *known == number).ok_or(SealError::NoKey(number))?;
        let mut value = sealed[HEAD..].to_vec();
        let opened = key.open_in_place(nonce, Aad::from(id), &mut value);
        let length = opened.map_err(|_| SealError::Broken(number))?.len();
        value.truncate(length);
        Ok(value.into())
    }
}

/// Without the keys.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<u16> = self.keys.iter().map(|(number, _)| *number).collect();
        f.debug_struct("Seal").field("keys", &numbers).field("plain", &self.plain).finish_non_exhaustive()
    }
}

fn of(key: &[u8; KEY_LENGTH]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key of this length is one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; KEY_LENGTH] = [7; KEY_LENGTH];

    #[test]
    fn what_is_sealed_opens_for_its_session_and_shows_nothing() {
        let seal = Seal::new(1, &KEY);
        let sealed = seal.seal("a", b"secret").unwrap();
        assert_eq!(sealed.len(), 6 + 33);
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(seal.open("a", &sealed).unwrap(), Bytes::from_static(b"secret"));
        assert_eq!(seal.open("b", &sealed), Err(SealError::Broken(1)));
        assert_ne!(seal.seal("a", b"secret").unwrap(), sealed, "each has a nonce of its own");
        assert!(!format!("{seal:?}").contains("7, 7"));
    }

    #[test]
    fn every_byte_that_changes_is_noticed() {
        let seal = Seal::new(1, &KEY);
        let sealed = seal.seal("a", b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.to_vec();
            changed[at] ^= 1;
            assert!(seal.open("a", &changed.into()).is_err(), "{at}");
            assert!(seal.open("a", &sealed.slice(..at)).is_err(), "{at}");
        }
    }

    #[test]
    fn a_key_is_replaced_while_values_of_the_old_one_live() {
        let old = Seal::new(1, &KEY).seal("a", b"1").unwrap();
        let new = Seal::new(2, &[8; KEY_LENGTH]);
        assert_eq!(new.open("a", &old), Err(SealError::NoKey(1)));
        let both = new.and_key(1, &KEY);
        assert_eq!(both.open("a", &old).unwrap(), Bytes::from_static(b"1"));
        let fresh = both.seal("a", b"2").unwrap();
        assert_eq!(Seal::new(2, &[8; KEY_LENGTH]).open("a", &fresh).unwrap(), Bytes::from_static(b"2"));
        assert_eq!(Seal::new(2, &KEY).open("a", &fresh), Err(SealError::Broken(2)));
    }

    #[test]
    fn a_value_that_is_not_encrypted_is_read_only_where_that_is_allowed() {
        let plain = Bytes::from_static(b"plain");
        assert_eq!(Seal::new(1, &KEY).open("a", &plain), Err(SealError::Plain));
        assert_eq!(Seal::new(1, &KEY).and_plain().open("a", &plain).unwrap(), plain);
    }
}
