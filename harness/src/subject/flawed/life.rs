//! Sessions that are there when they should not be, and not there when they should.

use std::sync::{Arc, Mutex, PoisonError};

use super::Described;
use super::answers::{Reply, destroy, done, found, says_gone, served_by, without_redis};
use super::host::Host;
use super::state::PerSession;
use super::wrong::Wrong;
use crate::history::{Saw, ServedBy, SessionId, ValueSeen};
use crate::load::Kind;
use crate::subject::{BoxFuture, Done, Request};

/// The TTL of a session of which none is known, in milliseconds.
const TTL_MS: u64 = 60_000;

/// So many reads still see what was destroyed.
const STILL_READ: u32 = 2;

pub(super) const UPDATE_REVIVES: Described = Described {
    name: "update-revives",
    check: "I6",
    wrong: "An update of a session that is gone makes it again.",
    known_from: "spring-session#1111, spring-session#2021",
    needs: "destroys, and updates after them",
    shown_in: "resync/destroyed-during-the-outage",
    plant: |_| Box::<Revives>::default(),
};

pub(super) const DESTROYER_STILL_READS: Described = Described {
    name: "destroyer-still-reads",
    check: "I6",
    wrong: "An instance goes on reading what it has itself destroyed, from its own memory.",
    known_from: "jedis#3825",
    needs: "gets of sessions that the instance has destroyed",
    shown_in: "resync/destroyed-during-the-outage",
    plant: |_| Box::<StillReads>::default(),
};

pub(super) const NO_SESSION_ANSWERED_OK: Described = Described {
    name: "no-session-answered-ok",
    check: "I6",
    wrong: "Says that all went well where Redis said that there is no such session.",
    known_from: "",
    needs: "destroys, and updates or touches after them",
    shown_in: "resync/destroyed-during-the-outage",
    plant: |_| Box::new(SaysOk),
};

pub(super) const ABSENT_WHILE_REDIS_IS_AWAY: Described = Described {
    name: "absent-while-redis-is-away",
    check: "I8",
    wrong: "Says that there is no such session when it cannot ask Redis, which logs users out.",
    known_from: "sourcegraph#37016",
    needs: "an outage with reads",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::new(SaysAbsent),
};

pub(super) const CLEANUP_DELETES_THE_WRONG_SESSION: Described = Described {
    name: "cleanup-deletes-the-wrong-session",
    check: "I8",
    wrong: "With a session that is destroyed goes the one that was used before it.",
    known_from: "spring-session#93",
    needs: "destroys, and two sessions",
    shown_in: "resync/destroyed-during-the-outage",
    plant: |_| Box::<DeletesTooMuch>::default(),
};

#[derive(Default)]
struct Revives(PerSession<u64>);

impl Wrong for Revives {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let reply = host.call(request.clone()).await;
            if let Some(ttl_ms) = request.ttl_ms {
                self.0.set(request.session, ttl_ms);
            }
            if request.kind != Kind::Update || !says_gone(&reply) {
                return reply;
            }
            let ttl_ms = self.0.of(request.session).unwrap_or(TTL_MS);
            host.call(Request { kind: Kind::Create, ttl_ms: Some(ttl_ms), ..request }).await
        })
    }
}

/// The values of sessions, and of those that the instance has destroyed, with how many reads still see them.
#[derive(Default)]
struct StillReads {
    values: PerSession<ValueSeen>,
    ghosts: PerSession<(ValueSeen, u32)>,
}

impl Wrong for StillReads {
    fn answer(&self, _host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        let session = request.session;
        match request.kind {
            Kind::Destroy if reply.is_ok() => {
                if let Some(seen) = self.values.of(session) {
                    self.ghosts.set(session, (seen, STILL_READ));
                }
            }
            Kind::Get if says_gone(&reply) => {
                if let Some((seen, left)) = self.ghosts.forget(session) {
                    if left > 1 {
                        self.ghosts.set(session, (seen, left - 1));
                    }
                    return found(Some(seen), served_by(&reply).unwrap_or(ServedBy::Local));
                }
            }
            Kind::Create => drop(self.ghosts.forget(session)),
            Kind::Destroy | Kind::Get | Kind::Update | Kind::Touch | Kind::Ttl => {}
        }
        self.values.learn(request, &reply);
        reply
    }
}

struct SaysOk;

impl Wrong for SaysOk {
    fn answer(&self, _host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        match request.kind {
            Kind::Update | Kind::Touch if says_gone(&reply) => done(ServedBy::Redis),
            Kind::Create | Kind::Get | Kind::Update | Kind::Touch | Kind::Destroy | Kind::Ttl => reply,
        }
    }
}

struct SaysAbsent;

impl Wrong for SaysAbsent {
    fn answer(&self, _host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        let absent = |saw| Ok(Done { served_by: ServedBy::Local, saw });
        match request.kind {
            Kind::Get if without_redis(&reply) => absent(Saw::Value(None)),
            Kind::Ttl if without_redis(&reply) => absent(Saw::Ttl(None)),
            Kind::Create | Kind::Get | Kind::Update | Kind::Touch | Kind::Destroy | Kind::Ttl => reply,
        }
    }
}

/// The session that was used last.
#[derive(Default)]
struct DeletesTooMuch(Mutex<Option<SessionId>>);

impl Wrong for DeletesTooMuch {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        let (session, kind) = (request.session, request.kind);
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(session);
        Box::pin(async move {
            let reply = host.call(request).await;
            if let (Kind::Destroy, Some(before)) = (kind, before.filter(|before| *before != session)) {
                // Nobody asked for it.
                let _ = host.call(destroy(before)).await;
            }
            reply
        })
    }
}
