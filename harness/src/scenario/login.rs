//! Whether a scenario says as whom instances log in.

use std::fmt;

use serde::{Deserializer, de};

use super::document::root;
use super::file::Redis;
use super::sense::Sense;

/// The user that the harness itself is, where instances must log in.
pub const SIDE_USER: &str = "squall";

/// The last of Redis's databases.
const LAST_DATABASE: u32 = 15;
const LONGEST: usize = 64;

/// Tells what is wrong with user, password and database.
pub(super) fn check(sense: &mut Sense<'_, '_>, redis: &Redis) {
    let path = root("redis");
    if redis.database > LAST_DATABASE {
        let what = format!("there is no database {}", redis.database);
        sense.wrong(&path.key("database"), what, format!("it must be from 0 to {LAST_DATABASE}"));
    }
    let Some(user) = &redis.user else { return };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if user.is_empty() || user.len() > LONGEST || !user.chars().all(plain) {
        let shown: String = user.chars().take(LONGEST).collect();
        let cure = "use up to 64 letters, digits, hyphens, dots and underscores, such as \"web\"";
        sense.wrong(&path.key("user"), format!("{shown:?} is no name of a user"), cure);
    } else if user == SIDE_USER {
        sense.wrong(
            &path.key("user"),
            "that is the harness's own user",
            "choose another name, such as \"web\"",
        );
    } else if !redis.password {
        let cure = "add password = true; the password itself is made up from the seed";
        sense.wrong(&path.key("user"), "a user logs in with a password", cure);
    }
}

/// Reads whether there is a password. One that is written out is refused: it would stand in a file.
pub(super) fn made_up<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    deserializer.deserialize_any(MadeUp)
}

struct MadeUp;

impl de::Visitor<'_> for MadeUp {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    fn visit_bool<E: de::Error>(self, there_is_one: bool) -> Result<bool, E> {
        Ok(there_is_one)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<bool, E> {
        Err(E::custom(
            "a password stands in no file; write password = true, and one is made up from the seed",
        ))
    }
}
