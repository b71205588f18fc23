//! What an instance says of itself and is not so.

use std::sync::Arc;

use super::Described;
use super::answers::Reply;
use super::host::Host;
use super::wrong::Wrong;
use crate::history::{Mode, Sample, ServedBy};
use crate::subject::{Done, Request, Said};

pub(super) const SAYS_LOCAL_FOR_EVER: Described = Described {
    name: "says-local-for-ever",
    check: "I18",
    wrong: "Once it has served from memory it says for ever that it does, though Redis serves again.",
    known_from: "",
    needs: "an outage that leaves the breaker closed, and operations after it",
    shown_in: "answers/out-of-memory",
    plant: |_| Box::new(LocalForEver),
};

pub(super) const SAYS_REDIS_SERVED_IT: Described = Described {
    name: "says-redis-served-it",
    check: "I18",
    wrong: "Says that Redis has answered what it has answered from memory.",
    known_from: "",
    needs: "an outage with operations",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::new(RedisServedIt),
};

pub(super) const SAYS_THAT_NOTHING_WAITS: Described = Described {
    name: "says-that-nothing-waits",
    check: "I18",
    wrong: "Its count of sessions that wait for the resync is always zero.",
    known_from: "",
    needs: "a total outage of some seconds with writes",
    shown_in: "ttl/extended-by-touch",
    plant: |_| Box::new(NothingWaits),
};

struct LocalForEver;

impl Wrong for LocalForEver {
    fn said(&self, host: &Arc<Host>, said: Said) {
        match said {
            Said::Mode(Mode::Redis) => {}
            Said::Mode(Mode::Local) | Said::Breaker { .. } | Said::Resync(_) => host.say(said),
        }
    }
}

struct RedisServedIt;

impl Wrong for RedisServedIt {
    fn answer(&self, _host: &Arc<Host>, _request: &Request, reply: Reply) -> Reply {
        reply.map(|done| Done { served_by: ServedBy::Redis, ..done })
    }
}

struct NothingWaits;

impl Wrong for NothingWaits {
    fn sample(&self, sample: Sample) -> Sample {
        Sample { dirty: sample.dirty.map(|_| 0), ..sample }
    }
}
