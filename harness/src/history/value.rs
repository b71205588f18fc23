//! Names of sessions and writes, and what was found when a value was read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A session of the load's pool, written `s17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

/// A write that no other write equals, written `INSTANCE-NUMBER` such as `0-17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Write {
    /// The instance that was asked to write.
    pub instance: u16,
    /// The how-many-eth operation of that instance it was.
    pub number: u64,
}

/// What a read of a session's value brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueSeen {
    /// The write that the value names, if one could be made out.
    pub write: Option<Write>,
    /// The session that the value says it was written for.
    pub session: Option<SessionId>,
    /// Whether every byte is as that write wrote it.
    pub intact: bool,
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl FromStr for SessionId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix('s').and_then(|digits| digits.parse().ok());
        number.map(Self).ok_or_else(|| format!("not a session: {text:?} (expected the form s17)"))
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.instance, self.number)
    }
}

impl FromStr for Write {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('-');
        let write = parts.and_then(|(instance, number)| {
            Some(Self { instance: instance.parse().ok()?, number: number.parse().ok()? })
        });
        write.ok_or_else(|| format!("not a write: {text:?} (expected the form 0-17)"))
    }
}

/// Looks at a text where it lies: a long history has millions of names.
struct Text<T>(fn(&str) -> Result<T, String>);

impl<T> de::Visitor<'_> for Text<T> {
    type Value = Result<T, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok((self.0)(text))
    }
}

/// Both names are strings in a history, as they are in the subject protocol.
macro_rules! as_string {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text(str::parse))?.map_err(de::Error::custom)
            }
        }
    };
}

as_string!(SessionId);
as_string!(Write);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_being_written_and_read() {
        assert_eq!("s17".parse(), Ok(SessionId(17)));
        assert_eq!(SessionId(17).to_string(), "s17");
        assert_eq!("3-90".parse(), Ok(Write { instance: 3, number: 90 }));
        assert_eq!(Write { instance: 3, number: 90 }.to_string(), "3-90");
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        for text in ["", "s", "17", "s-1", "s1x"] {
            assert!(text.parse::<SessionId>().is_err(), "{text}");
        }
        for text in ["", "-", "1-", "-1", "70000-1", "1-2-3"] {
            assert!(text.parse::<Write>().is_err(), "{text}");
        }
    }
}
