//! What flaws remember.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::answers::{Reply, says_gone, value_of, written};
use crate::history::{SessionId, ValueSeen};
use crate::load::Kind;
use crate::subject::Request;

/// Something for each session.
pub(super) struct PerSession<T>(Mutex<BTreeMap<SessionId, T>>);

impl<T> PerSession<T> {
    /// All of it. Not to be held while anything is awaited.
    pub(super) fn all(&self) -> MutexGuard<'_, BTreeMap<SessionId, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all of it.
    pub(super) fn take(&self) -> BTreeMap<SessionId, T> {
        std::mem::take(&mut *self.all())
    }
}

impl<T: Clone> PerSession<T> {
    /// That of a session.
    pub(super) fn of(&self, session: SessionId) -> Option<T> {
        self.all().get(&session).cloned()
    }

    /// Sets that of a session.
    pub(super) fn set(&self, session: SessionId, what: T) {
        self.all().insert(session, what);
    }

    /// Forgets that of a session, and returns it.
    pub(super) fn forget(&self, session: SessionId) -> Option<T> {
        self.all().remove(&session)
    }
}

impl<T> Default for PerSession<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl PerSession<ValueSeen> {
    /// Learns a session's value from an operation of the instance's own.
    pub(super) fn learn(&self, request: &Request, reply: &Reply) {
        let session = request.session;
        match request.kind {
            Kind::Create | Kind::Update if reply.is_ok() => {
                self.all().extend(written(request).map(|seen| (session, seen)));
            }
            Kind::Destroy if reply.is_ok() => drop(self.forget(session)),
            Kind::Get if says_gone(reply) => drop(self.forget(session)),
            Kind::Get => self.all().extend(value_of(reply).map(|seen| (session, seen))),
            Kind::Create | Kind::Update | Kind::Destroy | Kind::Touch | Kind::Ttl => {}
        }
    }
}

impl PerSession<u64> {
    /// Learns the TTL that a session was given, in milliseconds, from an operation of the instance's own.
    pub(super) fn learn(&self, request: &Request, reply: &Reply) {
        if reply.is_err() {
            return;
        }
        match request.kind {
            Kind::Create | Kind::Touch => {
                self.all().extend(request.ttl_ms.map(|ttl_ms| (request.session, ttl_ms)));
            }
            Kind::Destroy => drop(self.forget(request.session)),
            Kind::Get | Kind::Update | Kind::Ttl => {}
        }
    }
}

/// Counts turns.
#[derive(Default)]
pub(super) struct Turns(AtomicU64);

impl Turns {
    /// Takes a turn; whether it is every `nth`.
    pub(super) fn every(&self, nth: u64) -> bool {
        (self.0.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(nth)
    }
}
