//! The two things that are asked of Redis about a session: what it holds, and to merge in what is known here.

use std::sync::Arc;

use bytes::Bytes;
use redis::{Cmd, Value};

use crate::clock::Clock;
use crate::core::class::Class;
use crate::core::encoding::{
    Damage, decode_record, decode_tombstone, encode_record, encode_tombstone, id_check,
};
use crate::core::push::{Answer, Fate, Push};
use crate::core::record::{Expiry, Record};
use crate::core::time::Time;
use crate::core::version::Version;
use crate::error::CallError;
use crate::gateway::{Gateway, Replied};
use crate::keys::{TOMBSTONE, beside, key};
use crate::lua::{self, LuaScript};

/// How to ask Redis about sessions.
pub(crate) struct Script {
    pub(crate) gateway: Gateway,
    pub(crate) clock: Clock,
    pub(crate) key_prefix: String,
    pub(crate) tombstone_ttl_ms: u64,
}

/// What Redis holds under a session's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// A session.
    Record(Record),
    /// Nothing.
    Nothing,
    /// Something that is not a session of ours, or not whole.
    Damaged(Bytes, Damage),
}

/// What the merge brought.
#[derive(Clone, Debug)]
pub(crate) enum Merged {
    /// An answer.
    Answer {
        /// What Redis answered.
        answer: Answer,
        /// The process of Redis that answered; empty if its name is not known.
        by: Arc<str>,
        /// The session's tombstone was damaged, and is removed; or its expiry was, and does not count.
        found_damage: bool,
    },
    /// The merge met a fact that is damaged: this is what Redis holds now.
    Damaged(Bytes),
}

impl Script {
    /// Reads what Redis holds of a session.
    pub(crate) async fn read(&self, id: &str, deadline: Time) -> Result<Stored, CallError> {
        let mut get = redis::cmd("GET");
        get.arg(key(&self.key_prefix, id));
        match self.gateway.call(&get, true, deadline).await {
            Ok(Value::Nil) => Ok(Stored::Nothing),
            Ok(reply) => {
                let bytes = bytes(reply).ok_or_else(|| self.gateway.unexpected("GET"))?;
                Ok(match decode_record(id, &bytes) {
                    Ok(record) => Stored::Record(record),
                    Err(damage) => Stored::Damaged(bytes, damage),
                })
            }
            Err(CallError::Refused(code)) if code == "WRONGTYPE" => {
                Ok(Stored::Damaged(Bytes::new(), Damage::Foreign))
            }
            Err(error) => Err(error),
        }
    }

    /// Merges what is known of a session into what Redis knows. Doing it twice, or late, changes nothing.
    pub(crate) async fn merge(&self, push: &Push, deadline: Time) -> Result<Merged, CallError> {
        let has_value = push.record.value.version != Version::NEVER;
        let record = if has_value { encode_record(&push.id, &push.record) } else { Bytes::new() };
        let sent = self.clock.now();
        let Replied { value, repeated, by } =
            MERGE.run(&self.gateway, deadline, |command| self.arguments(command, push, &record)).await?;
        let received = self.clock.now();
        let merged = answer(value, push, Asked { sent, received, repeated, by });
        merged.ok_or_else(|| self.gateway.unexpected("EVALSHA"))
    }

    fn arguments(&self, command: &mut Cmd, push: &Push, record: &Bytes) {
        let key = key(&self.key_prefix, &push.id);
        let tombstone = beside(&key, TOMBSTONE);
        let known_beside = if record.is_empty() { push.record.expiry } else { Expiry::default() };
        let beside =
            Record { destruction: push.record.destruction, expiry: known_beside, ..Record::default() };
        command.arg(2).arg(key).arg(tombstone);
        command.arg(&record[..]).arg(&encode_tombstone(&push.id, &beside)[..]);
        command.arg(push.latest_expiry).arg(self.tombstone_ttl_ms).arg(&push.damaged[..]);
        command.arg(id_check(&push.id));
    }
}

/// How Redis was asked.
struct Asked {
    sent: Time,
    received: Time,
    repeated: bool,
    by: Arc<str>,
}

fn answer(reply: Value, push: &Push, asked: Asked) -> Option<Merged> {
    let Asked { sent, received, repeated, by } = asked;
    let Value::Array(fields) = reply else { return None };
    let [server_us, fate, record, tombstone, wrote, found_damage] = <[Value; 6]>::try_from(fields).ok()?;
    let server_us = time_of(&bytes(server_us)?);
    let fate = fate_of(&bytes(fate)?)?;
    let (record, tombstone) = (bytes(record)?, bytes(tombstone)?);
    let mut known = match &record[..] {
        b"" => Record::default(),
        b"=" => Record { destruction: Version::NEVER, ..push.record.clone() },
        _ => match decode_record(&push.id, &record) {
            Ok(known) => known,
            Err(_) => return Some(Merged::Damaged(record)),
        },
    };
    if !tombstone.is_empty() {
        known.merge(&decode_tombstone(&push.id, &tombstone).ok()?);
    }
    let wrote = wrote != Value::Int(0);
    let answer = Answer { sent, received, repeated, server_us, fate, known, wrote };
    Some(Merged::Answer { answer, by, found_damage: found_damage != Value::Int(0) })
}

/// Redis's time, unless it is not as it was written.
fn time_of(text: &[u8]) -> Option<u64> {
    let (time, check) = str::from_utf8(text).ok()?.split_once(' ')?;
    let (time, check) = (time.parse().ok()?, check.parse::<u64>().ok()?);
    (time % TIME_CHECK == check).then_some(time)
}

/// A prime, so that no single digit can change unnoticed.
const TIME_CHECK: u64 = 9973;

fn fate_of(text: &[u8]) -> Option<Fate> {
    match text {
        b"alive" => Some(Fate::Alive),
        b"destroyed" => Some(Fate::Destroyed),
        b"expired" => Some(Fate::Expired),
        b"absent" => Some(Fate::Absent),
        b"damaged" => Some(Fate::Damaged),
        _ => None,
    }
}

fn bytes(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(bytes.into()),
        _ => None,
    }
}

/// It says itself what it does.
static MERGE: LuaScript = LuaScript::new(MERGE_TEXT, || lua::hash(MERGE_TEXT), Class::Writes);

const MERGE_TEXT: &str = include_str!("core/merge.lua");

#[cfg(test)]
mod tests {
    use super::time_of;

    #[test]
    fn a_time_with_a_damaged_byte_is_no_time() {
        let said = b"1767225603250000 1891";
        let time = 1_767_225_603_250_000;
        assert_eq!(said, format!("{time} {}", time % super::TIME_CHECK).as_bytes());
        assert_eq!(time_of(said), Some(time));
        for at in 0..said.len() {
            for damage in 1..=255 {
                let mut damaged = *said;
                damaged[at] ^= damage;
                assert_eq!(time_of(&damaged), None, "byte {at}: {damaged:?}");
            }
        }
        assert_eq!(time_of(b"1767225603250000"), None);
    }
}
