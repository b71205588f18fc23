//! How findings name times, operations and readers.

use super::index::{Ending, Index, Operation, OperationId};
use super::reads::{Read, View};
use crate::history::{Reader, ServedBy};
use crate::load::Kind;

/// `12.345 s`.
pub(crate) fn seconds(nanos: u64) -> String {
    let millis = nanos.saturating_add(500_000) / 1_000_000;
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

/// `update 0-17 of s3 by instance-0 at 12.345 s, acknowledged by Redis at 12.346 s`.
pub(crate) fn operation(index: &Index<'_>, id: OperationId) -> String {
    let operation = index.operation(id);
    let end = operation.end.map_or(operation.invoke.t, |end| end.t);
    let ending = match operation.ending {
        Ending::Acknowledged { by: ServedBy::Redis, .. } => "acknowledged by Redis at ",
        Ending::Acknowledged { by: ServedBy::Local, .. } => "acknowledged locally at ",
        Ending::NoSession | Ending::Failed => "failed at ",
        Ending::Unknown => "with unknown outcome at ",
        Ending::Missing => "which never returned since ",
    };
    format!("{} at {}, {ending}{}", name(index, operation), seconds(operation.invoke.t), seconds(end))
}

/// `update 0-17 of s3 by instance-0`.
pub(crate) fn name(index: &Index<'_>, operation: &Operation) -> String {
    let Operation { kind, session, instance, write, ttl, .. } = operation;
    let write = write.map(|write| format!(" {write}")).unwrap_or_default();
    let ttl = match ttl {
        Some(ttl) if *kind == Kind::Touch || *kind == Kind::Create => {
            format!(" with a TTL of {}", seconds(*ttl))
        }
        Some(_) | None => String::new(),
    };
    format!("{}{write} of {session} by {}{ttl}", kind.name(), index.who(*instance))
}

/// Who read, how and when: `instance-1, answered by Redis at 30.002 s`.
pub(crate) fn reader(index: &Index<'_>, read: &Read) -> String {
    let at = seconds(read.to.t);
    match read.reader {
        Reader::Redis => format!("Redis itself at {at}, after the run"),
        Reader::Fresh => format!("a fresh instance at {at}, after the run"),
        Reader::Instance(number) if read.is_final() => {
            format!("{} at {at}, after the run", index.who(number))
        }
        Reader::Instance(number) => {
            let served = read.operation.get().and_then(|id| index.operation(id).served_by());
            let by = match (served, read.view) {
                (None, View::Redis | View::Own) => "",
                (Some(ServedBy::Redis), _) => ", answered by Redis",
                (Some(ServedBy::Local), _) => ", answered locally",
            };
            format!("{}{by} at {at}", index.who(number))
        }
    }
}
