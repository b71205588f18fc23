//! Values that nobody reads but the client: encrypted before they leave it, for Redis, for the disk, and for its own copy.
//!
//! AES-256-GCM of `ring`. Every session has a key of its own, derived (HKDF-SHA256) from the one that was given, the key prefix and
//! the session's id: a value that was changed, or moved to another session or another prefix, does not open. It also makes
//! random nonces safe: they must not meet under one key, and one session is never written 2^32 times. Ids, times, lengths and
//! the order of writes stay readable, for Redis merges by them. A value grows by [`OVERHEAD`] bytes.
//!
//! ```text
//! f5 "se1" | number of the key (2 bytes) | check of the key (2) | nonce (12) | encrypted value | tag (16)
//! ```
//! The check tells a key that is another one here from a value that was changed: the first is put right by whoever runs the
//! client, and must not cost a session.

mod keys;
mod of_store;

use std::fmt;

use bytes::Bytes;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk};
use ring::rand::{SecureRandom as _, SystemRandom};
use thiserror::Error;

pub use keys::{KeysError, SealOptions};

/// Bytes of a key.
pub const KEY_LENGTH: usize = 32;

/// Bytes that an encrypted value is longer than the value.
pub const OVERHEAD: usize = HEAD + TAG;

/// What an encrypted value begins with, before the digit of its form. No text in UTF-8 has the first byte.
const MARK: &[u8] = b"\xf5se";
const FORM: u8 = b'1';
/// Mark, form, number and check: what is authenticated though it is readable.
const NAME: usize = MARK.len() + 1 + 2 + CHECK;
const CHECK: usize = 2;
const HEAD: usize = NAME + NONCE_LEN;
const TAG: usize = 16;

/// The keys that values are encrypted with; the first is for new values.
#[derive(Clone)]
pub struct Seal {
    keys: Vec<Key>,
    random: SystemRandom,
    plain: bool,
}

#[derive(Clone)]
struct Key {
    number: u16,
    check: [u8; CHECK],
    root: Prk,
}

/// Why a value cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The system gives no randomness.
    #[error("the system gives no randomness for a nonce")]
    NoRandomness,
    /// It was not encrypted.
    #[error(
        "a value is not encrypted: it was written before encryption was switched on, or by another; see read_plain"
    )]
    Plain,
    /// No key has its number.
    #[error(
        "a value is encrypted with key {0}, which this client lacks: give it beside the key for new values"
    )]
    NoKey(u16),
    /// The key of its number is another one here.
    #[error(
        "a value is encrypted with another key {0} than this client has under that number: give that one"
    )]
    OtherKey(u16),
    /// It was changed, or moved from another session or prefix.
    #[error("an encrypted value does not open: it was changed, or written for another session (key {0})")]
    Broken(u16),
    /// It was encrypted in a later form.
    #[error(
        "a value is encrypted in a later form: a newer version of this client wrote it, so use that one here too"
    )]
    Newer,
}

impl Seal {
    /// New values are encrypted with this key. Its number is written with each value, so that keys can be replaced: a new one gets
    /// a new number, and the old one stays for [reading](Self::and_key) until the last value written with it has expired.
    pub fn new(number: u16, key: &[u8; KEY_LENGTH]) -> Self {
        Self { keys: vec![Key::new(number, key)], random: SystemRandom::new(), plain: false }
    }

    /// Values may also have been encrypted with this one. Of two keys with one number the first counts.
    #[must_use]
    pub fn and_key(mut self, number: u16, key: &[u8; KEY_LENGTH]) -> Self {
        self.keys.push(Key::new(number, key));
        self
    }

    /// Values that were not encrypted are read too: those that were written before it was switched on. Whoever can write to
    /// Redis can then write values that are read.
    #[must_use]
    pub fn and_plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// The value, encrypted for the session `id` behind `prefix`.
    pub(crate) fn seal(&self, prefix: &str, id: &str, value: &[u8]) -> Result<Bytes, SealError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        let key = &self.keys[0];
        let mut sealed = Vec::with_capacity(OVERHEAD + value.len());
        sealed.extend_from_slice(MARK);
        sealed.push(FORM);
        sealed.extend_from_slice(&key.number.to_be_bytes());
        sealed.extend_from_slice(&key.check);
        let name = Aad::from(<[u8; NAME]>::try_from(&sealed[..]).unwrap_or_default());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.of_session(prefix, id).seal_in_place_separate_tag(nonce, name, &mut sealed[HEAD..]);
        // It fails only for values of gigabytes, which nothing holds.
        let tag = tag.map_err(|_| SealError::Broken(key.number))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed.into())
    }

    /// The value that was encrypted for this session.
    pub(crate) fn open(&self, prefix: &str, id: &str, sealed: &Bytes) -> Result<Bytes, SealError> {
        let Some(number) = sealed_with(sealed)? else {
            return if self.plain { Ok(sealed.clone()) } else { Err(SealError::Plain) };
        };
        let broken = || SealError::Broken(number);
        let (head, rest) = sealed.split_at_checked(HEAD).ok_or_else(broken)?;
        let (name, nonce) = head.split_at(NAME);
        let key = self.keys.iter().find(|key| key.number == number).ok_or(SealError::NoKey(number))?;
        if name[NAME - CHECK..] != key.check {
            return Err(SealError::OtherKey(number));
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let mut value = rest.to_vec();
        let opened = key.of_session(prefix, id).open_in_place(nonce, Aad::from(name), &mut value);
        let length = opened.map_err(|_| broken())?.len();
        value.truncate(length);
        Ok(value.into())
    }
}

/// The number of the key that a value is encrypted with; none if it is not.
fn sealed_with(value: &[u8]) -> Result<Option<u16>, SealError> {
    let Some([form, rest @ ..]) = value.strip_prefix(MARK) else { return Ok(None) };
    match (*form, rest) {
        (FORM, [high, low, ..]) => Ok(Some(u16::from_be_bytes([*high, *low]))),
        // Cut off within the number, which is nobody's.
        (FORM, _) => Err(SealError::Broken(0)),
        (b'2'..=b'9', _) => Err(SealError::Newer),
        _ => Ok(None),
    }
}

impl Key {
    fn new(number: u16, key: &[u8; KEY_LENGTH]) -> Self {
        // The key is random already, so there is nothing to extract.
        let root = Prk::new_less_safe(HKDF_SHA256, key);
        let mut check = [0; CHECK];
        let derived = root.expand(&[b"squall check 1"], Length(CHECK)).and_then(|okm| okm.fill(&mut check));
        derived.expect("so few bytes can be derived");
        Self { number, check, root }
    }

    /// The key of one session. Its name cannot be read in two ways: the prefix comes with its length.
    fn of_session(&self, prefix: &str, id: &str) -> LessSafeKey {
        let length = (prefix.len() as u64).to_be_bytes();
        let name = [&b"squall value 1"[..], &length, prefix.as_bytes(), id.as_bytes()];
        let derived = self.root.expand(&name, &AES_256_GCM).expect("a key of this length can be derived");
        LessSafeKey::new(UnboundKey::from(derived))
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Without the keys.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<u16> = self.keys.iter().map(|key| key.number).collect();
        f.debug_struct("Seal").field("keys", &numbers).field("plain", &self.plain).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
