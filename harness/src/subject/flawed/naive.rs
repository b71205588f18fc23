//! What is done after an outage by a client that does not merge: it writes what it remembers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Described;
use super::answers::{self, Reply, served_by, value_of, written};
use super::host::Host;
use super::state::PerSession;
use super::wrong::Wrong;
use crate::history::{Resync, ServedBy, SessionId, ValueSeen};
use crate::load::Kind;
use crate::subject::{Request, Said};

/// At once, nearly: others need not look first.
const SOON: &[Duration] = &[Duration::from_millis(50)];

/// Late enough for others to have read what the resync brought.
const LATER: &[Duration] = &[Duration::from_secs(1)];

/// Again and again, for as long as the clock is ahead.
const FOR_SECONDS: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(3)];

/// The TTL of a session of which none is known, in milliseconds.
const TTL_MS: u64 = 60_000;

pub(super) const RESYNC_OLDER_WINS: Described = Described {
    name: "resync-older-wins",
    check: "I1",
    wrong: "After an outage the instance writes the values of before it again, over those that were accepted since.",
    known_from: "",
    needs: "an outage with updates of sessions that were known before it",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Naive::boxed(older_values, SOON),
};

pub(super) const RESYNC_LOCAL_WINS: Described = Described {
    name: "resync-local-wins",
    check: "I11",
    wrong: "After an outage the instance writes what it had accepted over what others have written to Redis since.",
    known_from: "",
    needs: "two instances that update the same sessions, one of them cut off",
    shown_in: "resync/updated-by-two-instances",
    plant: |_| Naive::boxed(own_values, LATER),
};

pub(super) const CLOCK_AHEAD: Described = Described {
    name: "clock-ahead",
    check: "I11",
    wrong: "What was accepted in an outage bears times that are three seconds ahead, and stands against all that others write until then.",
    known_from: "Cassandra's last write wins",
    needs: "two instances that update the same sessions, one of them cut off",
    shown_in: "resync/updated-by-two-instances",
    plant: |_| Naive::boxed(own_values, FOR_SECONDS),
};

pub(super) const OFFLINE_QUEUE_LAST_FIRST: Described = Described {
    name: "offline-queue-last-first",
    check: "I5",
    wrong: "After an outage the instance sends what it had queued once more, the last write first.",
    known_from: "node-redis#601",
    needs: "an outage with several updates of a session, and reads after it",
    shown_in: "fallback/outage-served-from-memory",
    plant: |_| Naive::boxed(own_values_backwards, LATER),
};

pub(super) const RESYNC_REVIVES_DESTROYED: Described = Described {
    name: "resync-revives-destroyed",
    check: "I6",
    wrong: "The resync brings back sessions that were destroyed during the outage.",
    known_from: "spring-session#2308",
    needs: "an outage with destroys, and reads after it",
    shown_in: "resync/destroyed-during-the-outage",
    plant: |_| Naive::boxed(destroyed, SOON),
};

pub(super) const TTL_RESET_BY_RESYNC: Described = Described {
    name: "ttl-reset-by-resync",
    check: "I9",
    wrong: "The resync gives every session its full TTL again.",
    known_from: "",
    needs: "an outage with writes",
    shown_in: "ttl/survives-the-resync",
    plant: |_| Naive::boxed(full_ttls, SOON),
};

pub(super) const TTL_HALVED_BY_RESYNC: Described = Described {
    name: "ttl-halved-by-resync",
    check: "I9",
    wrong: "The resync gives every session half of its TTL.",
    known_from: "",
    needs: "an outage with writes",
    shown_in: "ttl/survives-the-resync",
    plant: |_| Naive::boxed(half_ttls, SOON),
};

/// What it does when a resync has finished.
type Harm = fn(&Remembered, &PerSession<u64>) -> Vec<Request>;

struct Naive {
    harm: Harm,
    waits: &'static [Duration],
    remembered: Mutex<Remembered>,
    ttls: PerSession<u64>,
}

#[derive(Default)]
struct Remembered {
    /// The values that Redis had, as far as the instance knows.
    in_redis: BTreeMap<SessionId, ValueSeen>,
    /// What was accepted locally, in order, each with what Redis had.
    accepted: Vec<(SessionId, ValueSeen, Option<ValueSeen>)>,
    /// What was destroyed locally, with the last value.
    destroyed: BTreeMap<SessionId, ValueSeen>,
}

impl Naive {
    fn boxed(harm: Harm, waits: &'static [Duration]) -> Box<dyn Wrong> {
        let (remembered, ttls) = Default::default();
        Box::new(Self { harm, waits, remembered, ttls })
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wrong for Naive {
    fn answer(&self, _host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        let mut remembered = self.remembered();
        match served_by(&reply) {
            Some(ServedBy::Redis) => remembered.by_redis(request, &reply),
            Some(ServedBy::Local) => remembered.locally(request),
            None => {}
        }
        drop(remembered);
        if request.kind != Kind::Destroy {
            self.ttls.learn(request, &reply);
        }
        reply
    }

    fn said(&self, host: &Arc<Host>, said: Said) {
        host.say(said);
        if let Said::Resync(Resync::Finished { sessions: 1.. }) = said {
            let mut remembered = self.remembered();
            let harm = (self.harm)(&remembered, &self.ttls);
            self.waits.iter().for_each(|wait| host.later(*wait, harm.clone()));
            remembered.accepted.clear();
            remembered.destroyed.clear();
        }
    }
}

impl Remembered {
    fn by_redis(&mut self, request: &Request, reply: &Reply) {
        let session = request.session;
        match request.kind {
            Kind::Create | Kind::Update => {
                self.in_redis.extend(written(request).map(|seen| (session, seen)));
                self.destroyed.remove(&session);
            }
            Kind::Get => self.in_redis.extend(value_of(reply).map(|seen| (session, seen))),
            Kind::Destroy => drop(self.in_redis.remove(&session)),
            Kind::Touch | Kind::Ttl => {}
        }
    }

    fn locally(&mut self, request: &Request) {
        let session = request.session;
        let had = self.in_redis.get(&session).copied();
        match request.kind {
            Kind::Create | Kind::Update => {
                self.accepted.extend(written(request).map(|seen| (session, seen, had)));
                self.destroyed.remove(&session);
            }
            Kind::Destroy => {
                let last = self.accepted.iter().rev().find(|(of, _, _)| *of == session);
                let last = last.map(|(_, seen, _)| *seen).or(had);
                self.destroyed.extend(last.map(|seen| (session, seen)));
                self.accepted.retain(|(of, _, _)| *of != session);
            }
            Kind::Get | Kind::Touch | Kind::Ttl => {}
        }
    }
}

fn older_values(remembered: &Remembered, _ttls: &PerSession<u64>) -> Vec<Request> {
    let older = remembered.accepted.iter().map(|(session, _, had)| answers::update(*session, (*had)?));
    older.flatten().collect()
}

fn own_values(remembered: &Remembered, _ttls: &PerSession<u64>) -> Vec<Request> {
    let last: BTreeMap<SessionId, ValueSeen> =
        remembered.accepted.iter().map(|(session, seen, _)| (*session, *seen)).collect();
    last.into_iter().filter_map(|(session, seen)| answers::update(session, seen)).collect()
}

fn own_values_backwards(remembered: &Remembered, _ttls: &PerSession<u64>) -> Vec<Request> {
    let all = remembered.accepted.iter().rev();
    all.filter_map(|(session, seen, _)| answers::update(*session, *seen)).collect()
}

fn destroyed(remembered: &Remembered, ttls: &PerSession<u64>) -> Vec<Request> {
    let again = |(session, seen): (&SessionId, &ValueSeen)| {
        answers::create(*session, *seen, ttls.of(*session).unwrap_or(TTL_MS))
    };
    remembered.destroyed.iter().filter_map(again).collect()
}

fn full_ttls(_remembered: &Remembered, ttls: &PerSession<u64>) -> Vec<Request> {
    ttls.all().iter().map(|(session, ttl_ms)| answers::touch(*session, *ttl_ms)).collect()
}

fn half_ttls(_remembered: &Remembered, ttls: &PerSession<u64>) -> Vec<Request> {
    ttls.all().iter().map(|(session, ttl_ms)| answers::touch(*session, ttl_ms / 2)).collect()
}
