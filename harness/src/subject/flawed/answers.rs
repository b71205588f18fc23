//! Requests and replies as flaws read and make them.

use bytes::Bytes;

use crate::history::{NO_SESSION, Saw, ServedBy, SessionId, ValueSeen};
use crate::load::{Kind, value};
use crate::subject::{Done, OperationError, Request};

/// How an operation ended.
pub(super) type Reply = Result<Done, OperationError>;

/// The size of a value that a flaw writes again.
const SIZE: u32 = 200;

/// A write was acknowledged.
pub(super) fn done(served_by: ServedBy) -> Reply {
    Ok(Done { served_by, saw: Saw::Done })
}

/// A value was found, or that there is none.
pub(super) fn found(seen: Option<ValueSeen>, served_by: ServedBy) -> Reply {
    Ok(Done { served_by, saw: Saw::Value(seen) })
}

/// There is surely no such session.
pub(super) fn no_session() -> Reply {
    error(NO_SESSION, "there is no such session")
}

/// Redis is away, and nothing is known here.
pub(super) fn unavailable() -> Reply {
    error("unavailable", "Redis is away")
}

fn error(code: &str, text: &str) -> Reply {
    Err(OperationError { code: code.to_owned(), definite: true, text: text.to_owned() })
}

/// The value that a reply brought, if it brought one.
pub(super) fn value_of(reply: &Reply) -> Option<ValueSeen> {
    match reply {
        Ok(Done { saw: Saw::Value(seen), .. }) => *seen,
        Ok(Done { saw: Saw::Done | Saw::Replicated | Saw::Ttl(_), .. }) | Err(_) => None,
    }
}

/// Who acknowledged it, if anybody did.
pub(super) fn served_by(reply: &Reply) -> Option<ServedBy> {
    reply.as_ref().ok().map(|done| done.served_by)
}

/// Whether a reply says that there is no such session.
pub(super) fn says_gone(reply: &Reply) -> bool {
    match reply {
        Ok(Done { saw: Saw::Value(None) | Saw::Ttl(None), .. }) => true,
        Ok(Done { saw: Saw::Done | Saw::Replicated | Saw::Value(Some(_)) | Saw::Ttl(Some(_)), .. }) => false,
        Err(error) => error.code == NO_SESSION,
    }
}

/// Whether Redis did not answer.
pub(super) fn without_redis(reply: &Reply) -> bool {
    match reply {
        Ok(done) => done.served_by == ServedBy::Local,
        Err(error) => error.code != NO_SESSION,
    }
}

/// The value that a request writes.
pub(super) fn written(request: &Request) -> Option<ValueSeen> {
    request.value.as_deref().map(value::seen)
}

/// A request for the value.
pub(super) fn get(session: SessionId) -> Request {
    Request { kind: Kind::Get, session, value: None, ttl_ms: None }
}

/// A request to write a value again.
pub(super) fn update(session: SessionId, seen: ValueSeen) -> Option<Request> {
    Some(Request { kind: Kind::Update, session, value: Some(bytes(seen)?), ttl_ms: None })
}

/// A request to make a session again, with a value that it had.
pub(super) fn create(session: SessionId, seen: ValueSeen, ttl_ms: u64) -> Option<Request> {
    Some(Request { kind: Kind::Create, session, value: Some(bytes(seen)?), ttl_ms: Some(ttl_ms) })
}

/// A request to let a session live for so long.
pub(super) fn touch(session: SessionId, ttl_ms: u64) -> Request {
    Request { kind: Kind::Touch, session, value: None, ttl_ms: Some(ttl_ms) }
}

/// A request to end a session.
pub(super) fn destroy(session: SessionId) -> Request {
    Request { kind: Kind::Destroy, session, value: None, ttl_ms: None }
}

/// A value that is that write's.
fn bytes(seen: ValueSeen) -> Option<Bytes> {
    Some(value::value(seen.write?, seen.session?, SIZE))
}
