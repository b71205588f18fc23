//! Reads that bring what they should not.

use std::sync::{Arc, Mutex, PoisonError};

use super::Described;
use super::answers::{Reply, found, served_by, value_of, without_redis, written};
use super::host::Host;
use super::state::{PerSession, Turns};
use super::wrong::Wrong;
use crate::history::{Saw, ServedBy, ValueSeen};
use crate::load::Kind;
use crate::subject::{Done, Request};

/// After so many shifted replies the connection is noticed to be out of step.
const SHIFTED: u32 = 20;

pub(super) const REPLY_SHIFTED_AFTER_TIMEOUT: Described = Described {
    name: "reply-shifted-after-timeout",
    check: "I2",
    wrong: "Uses a connection again on which a reply did not come in time, so that each get is given the reply of the one before.",
    known_from: "redis-py#2624, redis-rs#1252, jedis#909",
    needs: "an outage with gets, of two sessions",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::<Shifted>::default(),
};

pub(super) const FIRST_READ_AFTER_WRITE_IS_OLD: Described = Described {
    name: "first-read-after-write-is-old",
    check: "I3",
    wrong: "Writes go to the primary and reads to a replica that is one write behind.",
    known_from: "",
    needs: "gets of sessions that were written twice",
    shown_in: "ttl/kept-on-update",
    plant: |_| Box::<Behind>::default(),
};

pub(super) const READS_FROM_TWO_REPLICAS: Described = Described {
    name: "reads-from-two-replicas",
    check: "I4",
    wrong: "Reads by turns from a replica that is up to date and from one that is behind.",
    known_from: "",
    needs: "several gets of a session that is updated",
    shown_in: "ttl/kept-on-update",
    plant: |_| Box::<Alternates>::default(),
};

pub(super) const FALLBACK_COPY_NOT_REFRESHED: Described = Described {
    name: "fallback-copy-not-refreshed",
    check: "I4",
    wrong: "The local copy keeps what it first read of a session, so that an outage takes readers back.",
    known_from: "redisson#4653, redisson#1237",
    needs: "two instances that update the same sessions, and an outage with gets",
    shown_in: "fallback/outage-served-from-memory",
    plant: |_| Box::<FirstCopy>::default(),
};

/// The reply that nobody took, and how many more are shifted by it.
#[derive(Default)]
struct Shifted(Mutex<Option<(Saw, u32)>>);

impl Wrong for Shifted {
    fn answer(&self, _host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        if request.kind != Kind::Get {
            return reply;
        }
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if without_redis(&reply) {
            if let Some(seen) = value_of(&reply) {
                *held = Some((Saw::Value(Some(seen)), SHIFTED));
            }
            return reply;
        }
        match (reply, held.take()) {
            (Ok(Done { served_by, saw }), Some((shifted, left))) => {
                *held = (left > 1).then_some((saw, left - 1));
                Ok(Done { served_by, saw: shifted })
            }
            (reply, _) => reply,
        }
    }
}

/// The value of a session before the instance's last write, and whether the next read still sees it.
#[derive(Clone, Copy)]
struct Replica {
    latest: ValueSeen,
    before: Option<ValueSeen>,
}

#[derive(Default)]
struct Behind(PerSession<Replica>);

impl Wrong for Behind {
    fn answer(&self, _host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        let (session, known) = (request.session, self.0.of(request.session));
        match request.kind {
            Kind::Create | Kind::Update => {
                if let (Ok(_), Some(latest)) = (&reply, written(request)) {
                    self.0.set(session, Replica { latest, before: known.map(|known| known.latest) });
                }
                reply
            }
            Kind::Get => match (value_of(&reply), known) {
                (Some(latest), Some(Replica { before: Some(before), .. })) => {
                    self.0.set(session, Replica { latest, before: None });
                    found(Some(before), served_by(&reply).unwrap_or(ServedBy::Redis))
                }
                (Some(latest), _) => {
                    self.0.set(session, Replica { latest, before: None });
                    reply
                }
                (None, _) => reply,
            },
            Kind::Destroy => {
                self.0.forget(session);
                reply
            }
            Kind::Touch | Kind::Ttl => reply,
        }
    }
}

/// The two values of a session that were read last, the newer one first.
#[derive(Default)]
struct Alternates {
    values: PerSession<(ValueSeen, Option<ValueSeen>)>,
    turns: Turns,
}

impl Wrong for Alternates {
    fn answer(&self, _host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        let session = request.session;
        if request.kind == Kind::Destroy {
            self.values.forget(session);
        }
        let (Kind::Get, Some(seen)) = (request.kind, value_of(&reply)) else { return reply };
        match self.values.of(session) {
            Some((newer, Some(older))) if newer == seen && self.turns.every(2) => {
                found(Some(older), served_by(&reply).unwrap_or(ServedBy::Redis))
            }
            Some((newer, _)) if newer == seen => reply,
            known => {
                self.values.set(session, (seen, known.map(|(newer, _)| newer)));
                reply
            }
        }
    }
}

#[derive(Default)]
struct FirstCopy(PerSession<ValueSeen>);

impl Wrong for FirstCopy {
    fn answer(&self, _host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        let (session, seen) = (request.session, value_of(&reply));
        match (seen, self.0.of(session)) {
            (Some(_), Some(copy)) if without_redis(&reply) => return found(Some(copy), ServedBy::Local),
            (Some(_), Some(_)) => {}
            (Some(_), None) | (None, _) => self.0.learn(request, &reply),
        }
        reply
    }
}
