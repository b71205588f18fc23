//! Lifetimes that are not what was asked for.

use std::sync::Arc;

use super::Described;
use super::answers::{Reply, found, served_by, touch, value_of, without_redis};
use super::host::Host;
use super::state::PerSession;
use super::wrong::Wrong;
use crate::history::{ServedBy, ValueSeen};
use crate::load::Kind;
use crate::subject::{BoxFuture, Request};

pub(super) const TTL_RESET_ON_UPDATE: Described = Described {
    name: "ttl-reset-on-update",
    check: "I9",
    wrong: "An update sets the TTL to its full length again.",
    known_from: "",
    needs: "updates, and looks at TTLs or final reads",
    shown_in: "ttl/kept-on-update",
    plant: |_| Box::<ResetsTtl>::default(),
};

pub(super) const KEY_WITHOUT_TTL: Described = Described {
    name: "key-without-ttl",
    check: "I9",
    wrong: "An update leaves a key in Redis that never expires.",
    known_from: "harbor-next#220, spring-session#2809",
    needs: "updates",
    shown_in: "reset/idle-connections",
    plant: |_| Box::new(Persists),
};

pub(super) const TTL_TOO_LONG: Described = Described {
    name: "ttl-too-long",
    check: "I7",
    wrong: "Sessions are given half as much again of the TTL that was asked for.",
    known_from: "connect-redis#259",
    needs: "a TTL shorter than the run",
    shown_in: "resync/expires-during-the-outage",
    plant: |_| Box::new(OtherTtl { numerator: 3, denominator: 2 }),
};

pub(super) const TTL_TOO_SHORT: Described = Described {
    name: "ttl-too-short",
    check: "I8",
    wrong: "Sessions are given half of the TTL that was asked for.",
    known_from: "",
    needs: "a TTL shorter than the run",
    shown_in: "resync/expires-during-the-outage",
    plant: |_| Box::new(OtherTtl { numerator: 1, denominator: 2 }),
};

pub(super) const FALLBACK_IGNORES_EXPIRY: Described = Described {
    name: "fallback-ignores-expiry",
    check: "I7",
    wrong: "The local copy knows no expiry: while Redis is away it serves sessions whose time is over.",
    known_from: "",
    needs: "a TTL shorter than an outage with gets",
    shown_in: "resync/expires-during-the-outage",
    plant: |_| Box::<NeverExpires>::default(),
};

/// The TTLs that sessions were given, in milliseconds.
#[derive(Default)]
struct ResetsTtl(PerSession<u64>);

impl Wrong for ResetsTtl {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let reply = host.call(request.clone()).await;
            self.0.learn(&request, &reply);
            let ttl_ms = self.0.of(request.session).filter(|_| request.kind == Kind::Update && reply.is_ok());
            if let Some(ttl_ms) = ttl_ms {
                // The update was done, whatever comes of the flaw.
                let _ = host.call(touch(request.session, ttl_ms)).await;
            }
            reply
        })
    }
}

struct Persists;

impl Wrong for Persists {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let reply = host.call(request.clone()).await;
            if request.kind == Kind::Update && served_by(&reply) == Some(ServedBy::Redis) {
                host.ask(&[&[b"PERSIST", host.key(request.session).as_bytes()]]).await;
            }
            reply
        })
    }
}

struct OtherTtl {
    numerator: u64,
    denominator: u64,
}

impl Wrong for OtherTtl {
    fn ask(&self, request: &mut Request) {
        request.ttl_ms = request.ttl_ms.map(|ms| ms.saturating_mul(self.numerator) / self.denominator);
    }
}

#[derive(Default)]
struct NeverExpires(PerSession<ValueSeen>);

impl Wrong for NeverExpires {
    fn answer(&self, _host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        if request.kind == Kind::Get && without_redis(&reply) && value_of(&reply).is_none() {
            return self.0.of(request.session).map_or(reply, |seen| found(Some(seen), ServedBy::Local));
        }
        self.0.learn(request, &reply);
        reply
    }
}
