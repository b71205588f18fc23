//! Keys as settings give them: as text, in a variable or a file.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use thiserror::Error;

use super::{KEY_LENGTH, Seal};

/// Whether values are encrypted, and with what. Not at all, unless there are keys. They are shown nowhere.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SealOptions {
    /// `NUMBER:KEY`, separated by commas, the one for new values first: `"2:base64,1:base64"`. A key has 32 bytes, as
    /// `openssl rand -base64 32` makes them.
    pub keys: Option<String>,
    /// Whether values are read too that were not encrypted.
    pub read_plain: bool,
}

/// Why keys are none. It says which, and never what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeysError {
    /// It is not a number and a key.
    #[error("encryption key {0} in the list is no NUMBER:KEY, with a number from 0 to 65535")]
    NoPair(usize),
    /// It is not base64 of so many bytes.
    #[error(
        "encryption key {0} in the list is no base64 of {KEY_LENGTH} bytes, as of openssl rand -base64 {KEY_LENGTH}"
    )]
    NoKey(usize),
    /// Two keys have one number.
    #[error("two encryption keys have the number {0}: each needs its own")]
    Twice(u16),
    /// Values that are not encrypted are to be read beside those that are, but there are no keys.
    #[error("values are to be read that were not encrypted, but there are no encryption keys: give them")]
    NoKeys,
}

impl SealOptions {
    /// The seal that they stand for, if there are keys.
    ///
    /// # Errors
    ///
    /// When the keys are none.
    pub fn seal(&self) -> Result<Option<Seal>, KeysError> {
        let Some(keys) = &self.keys else {
            return if self.read_plain { Err(KeysError::NoKeys) } else { Ok(None) };
        };
        let (mut seal, mut numbers) = (None::<Seal>, Vec::new());
        for (at, key) in (1..).zip(keys.split(',')) {
            let (number, key) = key.split_once(':').ok_or(KeysError::NoPair(at))?;
            let number: u16 = number.trim().parse().map_err(|_| KeysError::NoPair(at))?;
            let key = STANDARD.decode(key.trim()).ok().and_then(|key| <[u8; KEY_LENGTH]>::try_from(key).ok());
            let key = key.ok_or(KeysError::NoKey(at))?;
            if numbers.contains(&number) {
                return Err(KeysError::Twice(number));
            }
            numbers.push(number);
            seal = Some(seal.map_or_else(|| Seal::new(number, &key), |seal| seal.and_key(number, &key)));
        }
        Ok(seal.map(|seal| if self.read_plain { seal.and_plain() } else { seal }))
    }
}

/// Without the keys.
impl fmt::Debug for SealOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.as_ref().map(|_| "..");
        f.debug_struct("SealOptions").field("keys", &keys).field("read_plain", &self.read_plain).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const TWO: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

    fn seal(keys: &str) -> Result<Option<Seal>, KeysError> {
        SealOptions { keys: Some(keys.to_owned()), read_plain: false }.seal()
    }

    #[test]
    fn the_first_key_is_for_new_values_and_all_are_read() {
        let both = seal(&format!("2:{TWO}, 1:{ONE}\n")).unwrap().unwrap();
        let hidden = both.seal("", "s", b"value").unwrap();
        assert!(Seal::new(2, &[2; KEY_LENGTH]).open("", "s", &hidden).is_ok());
        let old = Seal::new(1, &[1; KEY_LENGTH]).seal("", "s", b"value").unwrap();
        assert!(both.open("", "s", &old).is_ok());
    }

    #[test]
    fn what_is_wrong_with_keys_is_told_without_them() {
        for (keys, expected) in [
            ("", KeysError::NoPair(1)),
            (ONE, KeysError::NoPair(1)),
            (&*format!("70000:{ONE}"), KeysError::NoPair(1)),
            (&*format!("1:{ONE},"), KeysError::NoPair(2)),
            (&*format!("1:{ONE},2:short"), KeysError::NoKey(2)),
            (&*format!("1:{}", &ONE[..40]), KeysError::NoKey(1)),
            (&*format!("1:{ONE},1:{TWO}"), KeysError::Twice(1)),
        ] {
            let error = seal(keys).expect_err(keys);
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("AQEB") && !error.to_string().contains("short"), "{error}");
        }
        assert_eq!(SealOptions { keys: None, read_plain: true }.seal().unwrap_err(), KeysError::NoKeys);
        assert!(SealOptions::default().seal().unwrap().is_none());
    }

    #[test]
    fn they_come_from_toml_and_are_not_shown() {
        let options: SealOptions = toml::from_str(&format!("keys = \"1:{ONE}\"\nread_plain = true")).unwrap();
        assert!(options.seal().unwrap().is_some());
        assert_eq!(format!("{options:?}"), "SealOptions { keys: Some(\"..\"), read_plain: true }");
        assert!(toml::from_str::<SealOptions>("key = \"1:a\"").is_err());
    }
}
