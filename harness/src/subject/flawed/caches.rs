//! A cache in front of the client that is told of too little.

use std::sync::Arc;
use std::time::Duration;

use squall_client::Time;

use super::Described;
use super::answers::{Reply, found, value_of, written};
use super::host::Host;
use super::state::PerSession;
use super::wrong::Wrong;
use crate::history::{ServedBy, ValueSeen};
use crate::load::Kind;
use crate::subject::{BoxFuture, Request};

pub(super) const OWN_WRITE_NOT_IN_OWN_CACHE: Described = Described {
    name: "own-write-not-in-own-cache",
    check: "I3",
    wrong: "Reads come from a cache for two seconds, which the instance's own writes do not reach.",
    known_from: "jedis#3825, rueidis#534",
    needs: "a get, a write and a get of one session within two seconds",
    shown_in: "ttl/kept-on-update",
    plant: |_| {
        Box::new(Cached {
            lives: Duration::from_secs(2),
            hears_own_writes: false,
            values: PerSession::default(),
        })
    },
};

pub(super) const CACHED_FOR_EVER: Described = Described {
    name: "cached-for-ever",
    check: "I10",
    wrong: "What was once read or written is served from a cache for ever, whatever other instances write.",
    known_from: "redisson#4653, redisson#5208",
    needs: "two instances that write the same sessions",
    shown_in: "breaker/opens-and-closes",
    plant: |_| {
        Box::new(Cached { lives: Duration::MAX, hears_own_writes: true, values: PerSession::default() })
    },
};

struct Cached {
    lives: Duration,
    hears_own_writes: bool,
    /// With the time since which it is there.
    values: PerSession<(ValueSeen, Time)>,
}

impl Cached {
    fn fresh(&self, host: &Host, request: &Request) -> Option<ValueSeen> {
        let (seen, since) = self.values.of(request.session).filter(|_| request.kind == Kind::Get)?;
        (host.now().since(since) < self.lives).then_some(seen)
    }
}

impl Wrong for Cached {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        if let Some(seen) = self.fresh(host, &request) {
            return Box::pin(std::future::ready(found(Some(seen), ServedBy::Redis)));
        }
        Box::pin(async move {
            let reply = host.call(request.clone()).await;
            self.answer(host, &request, reply)
        })
    }

    fn answer(&self, host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        let write = written(request).filter(|_| reply.is_ok() && self.hears_own_writes);
        if let Some(seen) = value_of(&reply).or(write) {
            self.values.set(request.session, (seen, host.now()));
        }
        if request.kind == Kind::Destroy && self.hears_own_writes {
            self.values.forget(request.session);
        }
        reply
    }
}
