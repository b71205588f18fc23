//! What was accepted locally is kept apart and does not find its way: lost, forgotten, or served for ever.

use std::sync::Arc;

use super::Described;
use super::answers::{Reply, done, found, get, no_session, served_by, value_of, written};
use super::host::Host;
use super::state::PerSession;
use super::wrong::Wrong;
use crate::history::{Saw, ServedBy, ValueSeen};
use crate::load::Kind;
use crate::subject::{BoxFuture, Done, Request, Said};

pub(super) const RESYNC_LOSES_EVERY_OTHER: Described = Described {
    name: "resync-loses-every-other",
    check: "I1",
    wrong: "The resync leaves out what was accepted for every other session.",
    known_from: "hazelcast#14019",
    needs: "an outage with updates",
    shown_in: "resync/redis-restarted-with-its-data",
    plant: |_| Box::new(Discards { share: 2, kept: PerSession::default() }),
};

pub(super) const RESYNC_REDIS_WINS: Described = Described {
    name: "resync-redis-wins",
    check: "I1",
    wrong: "After an outage what Redis holds counts, though what was accepted locally is newer.",
    known_from: "",
    needs: "an outage with updates",
    shown_in: "resync/redis-restarted-with-its-data",
    plant: |_| Box::new(Discards { share: 1, kept: PerSession::default() }),
};

pub(super) const RESYNC_FORGETS_DESTROYS: Described = Described {
    name: "resync-forgets-destroys",
    check: "I6",
    wrong: "Redis is never told of what was destroyed during an outage.",
    known_from: "",
    needs: "an outage with destroys, and reads after it",
    shown_in: "resync/destroyed-during-the-outage",
    plant: |_| Box::<ForgetsDestroys>::default(),
};

pub(super) const OWN_COPY_AFTER_OUTAGE: Described = Described {
    name: "own-copy-after-outage",
    check: "I10",
    wrong: "After an outage an instance serves what it accepted meanwhile for ever, whatever others write.",
    known_from: "redisson#6065",
    needs: "an outage with updates, and updates of the same sessions by others after it",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::<OwnCopy>::default(),
};

/// Keeps updates of a share of the sessions to itself during an outage, and forgets them after it.
struct Discards {
    /// One session in so many.
    share: u32,
    kept: PerSession<ValueSeen>,
}

impl Discards {
    async fn during_outage(&self, host: &Host, request: Request) -> Reply {
        let session = request.session;
        match (request.kind, written(&request)) {
            (Kind::Update, Some(seen)) if session.0.is_multiple_of(self.share) => {
                let reply = host.call(get(session)).await;
                if value_of(&reply).is_none() {
                    return host.call(request).await;
                }
                self.kept.set(session, seen);
                done(ServedBy::Local)
            }
            (Kind::Get, _) => {
                let reply = host.call(request).await;
                match self.kept.of(session).filter(|_| value_of(&reply).is_some()) {
                    Some(kept) => found(Some(kept), ServedBy::Local),
                    None => reply,
                }
            }
            (Kind::Create | Kind::Destroy, _) => {
                self.kept.forget(session);
                host.call(request).await
            }
            (Kind::Update | Kind::Touch | Kind::Ttl, _) => host.call(request).await,
        }
    }
}

impl Wrong for Discards {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        if host.away() { Box::pin(self.during_outage(host, request)) } else { host.call(request) }
    }

    fn said(&self, host: &Arc<Host>, said: Said) {
        host.say(said);
        if !host.away() {
            self.kept.take();
        }
    }
}

#[derive(Default)]
struct ForgetsDestroys(PerSession<()>);

impl Wrong for ForgetsDestroys {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        let session = request.session;
        let gone = self.0.of(session).is_some();
        let own = match request.kind {
            Kind::Destroy if host.away() => {
                self.0.set(session, ());
                Some(done(ServedBy::Local))
            }
            Kind::Create => {
                self.0.forget(session);
                None
            }
            Kind::Get if gone => Some(found(None, ServedBy::Local)),
            Kind::Ttl if gone => Some(Ok(Done { served_by: ServedBy::Local, saw: Saw::Ttl(None) })),
            Kind::Update | Kind::Touch if gone => Some(no_session()),
            Kind::Destroy | Kind::Get | Kind::Ttl | Kind::Update | Kind::Touch => None,
        };
        match own {
            Some(reply) => Box::pin(std::future::ready(reply)),
            None => host.call(request),
        }
    }

    fn said(&self, host: &Arc<Host>, said: Said) {
        host.say(said);
        if !host.away() {
            self.0.take();
        }
    }
}

#[derive(Default)]
struct OwnCopy(PerSession<ValueSeen>);

impl Wrong for OwnCopy {
    fn answer(&self, _host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        let (session, locally) = (request.session, served_by(&reply) == Some(ServedBy::Local));
        match (request.kind, written(request)) {
            (Kind::Create | Kind::Update, Some(seen)) if locally => self.0.set(session, seen),
            (Kind::Create | Kind::Update | Kind::Destroy, _) => drop(self.0.forget(session)),
            (Kind::Get, _) if value_of(&reply).is_some() => {
                return match (self.0.of(session), served_by(&reply)) {
                    (Some(own), Some(served_by)) => found(Some(own), served_by),
                    (Some(_) | None, _) => reply,
                };
            }
            (Kind::Get | Kind::Touch | Kind::Ttl, _) => {}
        }
        reply
    }
}
