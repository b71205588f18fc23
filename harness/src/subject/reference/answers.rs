//! What the client answers, in the words of the harness.

use std::time::Duration;

use squall_client::{Ack, Cleared, Level, Lookup, ServedBy, SessionError};

use super::interface::Reply;
use crate::history::{self, Saw};
use crate::subject::{Done, OperationError};

/// Of a write.
pub(super) fn written(ack: Ack) -> Done {
    done(ack.served_by, if ack.level == Level::Replicas { Saw::Replicated } else { Saw::Done })
}

/// Of each of the sessions that were cleared.
pub(super) fn cleared(cleared: Result<Cleared, SessionError>, sessions: usize) -> Vec<Reply> {
    let reply = cleared.map_err(told).map(|cleared| match cleared.level {
        Level::Redis | Level::Replicas => done(ServedBy::Redis, Saw::Done),
        Level::Memory | Level::Disk => done(ServedBy::Local, Saw::Done),
    });
    vec![reply; sessions]
}

/// Of a read; `saw` says what is made of what it found.
pub(super) fn looked_up<T>(
    lookup: Result<Lookup<T>, SessionError>,
    saw: impl FnOnce(Option<T>) -> Saw,
) -> Reply {
    match lookup.map_err(told)? {
        Lookup::Found { session, served_by } => Ok(done(served_by, saw(Some(session)))),
        Lookup::Absent { served_by } => Ok(done(served_by, saw(None))),
        Lookup::Unknown { because } => Err(told(SessionError::Unavailable(because))),
    }
}

/// Of an operation that was acknowledged.
pub(super) fn done(served_by: ServedBy, saw: Saw) -> Done {
    let served_by = match served_by {
        ServedBy::Redis => history::ServedBy::Redis,
        ServedBy::Local => history::ServedBy::Local,
    };
    Done { served_by, saw }
}

/// Of one that was not.
pub(super) fn told(error: SessionError) -> OperationError {
    OperationError { code: error.code().to_owned(), definite: error.definite(), text: error.to_string() }
}

/// What is left of a TTL.
pub(super) fn left(ttl: Option<Duration>) -> Saw {
    Saw::Ttl(ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)))
}
