//! Brings one record to Redis by the merge script, and reads one from there.

use std::sync::LazyLock;

use bytes::Bytes;
use redis::{Cmd, Script, Value};

use crate::core::record::{Corrupt, HEADER_LEN, Record, Side};
use crate::core::time::Time;
use crate::error::CallError;
use crate::gateway::Gateway;

/// The script's text; `core/merge.lua` says what it does.
const MERGE: &str = include_str!("core/merge.lua");

static HASH: LazyLock<String> = LazyLock::new(|| Script::new(MERGE).get_hash().to_owned());

/// What Redis knows of a session after a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Merged {
    /// All facts, as far as Redis knows them: the newer of its own and of those that were brought.
    pub(crate) record: Record,
    /// Whether the session lives in Redis now.
    pub(crate) lives: bool,
    /// Whether anything was written.
    pub(crate) wrote: bool,
}

/// What Redis holds under a session's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// A record.
    Record(Record),
    /// Nothing.
    Nothing,
    /// Something that is not a whole record of ours.
    Corrupt(Corrupt),
}

/// Where a session lies in Redis, and where what outlives it does. Both are in one cluster slot.
fn keys(prefix: &str, id: &str) -> (String, String) {
    let key = format!("{prefix}{id}");
    let side = format!("{{{key}}}:side");
    (key, side)
}

/// Reads what Redis holds of a session.
pub(crate) async fn read(
    gateway: &Gateway,
    prefix: &str,
    id: &str,
    deadline: Time,
) -> Result<Stored, CallError> {
    let mut get = redis::cmd("GET");
    get.arg(keys(prefix, id).0);
    match gateway.call(&get, true, deadline).await? {
        Value::Nil => Ok(Stored::Nothing),
        Value::BulkString(bytes) => Ok(match Record::decode(&Bytes::from(bytes)) {
            Ok(record) => Stored::Record(record),
            Err(corrupt) => Stored::Corrupt(corrupt),
        }),
        _ => Err(unexpected()),
    }
}

/// Merges `record` into what Redis knows of the session. Doing it twice is the same as once.
pub(crate) async fn merge(
    gateway: &Gateway,
    prefix: &str,
    id: &str,
    record: &Record,
    tombstone_ms: u64,
    deadline: Time,
) -> Result<Merged, CallError> {
    let command = |by: &str, script: &str| {
        let (key, side) = keys(prefix, id);
        let mut command = redis::cmd(by);
        command.arg(script).arg(2).arg(key).arg(side);
        command.arg(record.encode()).arg(record.destroyed.to_string()).arg(tombstone_ms);
        command
    };
    let by_hash: Cmd = command("EVALSHA", &HASH);
    let reply = match gateway.call(&by_hash, true, deadline).await {
        // A Redis that restarted has forgotten its scripts; EVAL loads it again.
        Err(CallError::Refused(code)) if code == "NOSCRIPT" => {
            gateway.call(&command("EVAL", MERGE), true, deadline).await?
        }
        reply => reply?,
    };
    merged(reply, record).ok_or_else(unexpected)
}

fn merged(reply: Value, brought: &Record) -> Option<Merged> {
    let Value::Array(fields) = reply else { return None };
    let mut fields = fields.into_iter();
    let (verdict, wrote) = (text(fields.next()?)?, fields.next()? == Value::Int(1));
    let side = Side::decode(&text(fields.next()?)?).ok()?;
    let beside = Record {
        destroyed: side.destroyed,
        expiry_version: side.expiry_version,
        expires_ms: side.expires_ms,
        ..Record::default()
    };
    if &verdict[..] != b"live" {
        return Some(Merged { record: brought.clone().merge(beside), lives: false, wrote });
    }
    let bytes = text(fields.next()?)?;
    let record = if bytes.len() == HEADER_LEN && !brought.value.is_empty() {
        let (header, _) = Record::decode_header(&bytes).ok()?;
        Record { value: brought.value.clone(), ..header }
    } else {
        Record::decode(&bytes).ok()?
    };
    Some(Merged { record: record.merge(beside), lives: true, wrote })
}

fn text(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(bytes.into()),
        _ => None,
    }
}

fn unexpected() -> CallError {
    CallError::Refused("an answer of another form than was asked for".to_owned())
}
