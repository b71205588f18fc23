//! Breakers that do not keep to the rules.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::Described;
use super::answers::{Reply, says_gone};
use super::host::Host;
use super::state::Turns;
use super::wrong::Wrong;
use crate::history::{BreakerState, SessionId};
use crate::load::Kind;
use crate::subject::{BoxFuture, Request, Said};

/// So many calls go out at once when the breaker is half-open.
const STAMPEDE: u32 = 20;

/// How long the breaker that opened for nothing stays so.
const OPEN_FOR: Duration = Duration::from_secs(1);

pub(super) const SENDS_WHILE_OPEN: Described = Described {
    name: "sends-while-open",
    check: "I13",
    wrong: "Gets are sent to Redis although the breaker is open.",
    known_from: "",
    needs: "an open breaker, gets, and connections that open meanwhile",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::new(SendsWhileOpen),
};

pub(super) const HALF_OPEN_STAMPEDE: Described = Described {
    name: "half-open-stampede",
    check: "I13",
    wrong: "As soon as the breaker is half-open twenty calls go out at once.",
    known_from: "Polly#216, tower-resilience#407",
    needs: "connections that open and do not answer, when the breaker tries again",
    shown_in: "breaker/stays-open",
    plant: |_| Box::new(Stampede),
};

pub(super) const SKIPS_HALF_OPEN: Described = Described {
    name: "skips-half-open",
    check: "I13",
    wrong: "The breaker goes from open to closed without being half-open.",
    known_from: "",
    needs: "an outage that opens the breaker",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::new(SkipsHalfOpen),
};

pub(super) const OPENS_FOR_NOTHING: Described = Described {
    name: "opens-for-nothing",
    check: "I13",
    wrong: "The breaker counts answers that there is no such session as failures, and opens at the third.",
    known_from: "",
    needs: "reads or updates of sessions that are gone, while all is well",
    shown_in: "resync/destroyed-during-the-outage",
    plant: |_| Box::<OpensForNothing>::default(),
};

pub(super) const BREAKER_SAYS_NOTHING: Described = Described {
    name: "breaker-says-nothing",
    check: "I14",
    wrong: "The breaker works, and tells nobody that it has opened.",
    known_from: "",
    needs: "a total outage of some seconds",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::new(SaysNothing),
};

struct SendsWhileOpen;

impl Wrong for SendsWhileOpen {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        if request.kind == Kind::Get && host.breaker() == BreakerState::Open {
            send_get(host, request.session);
        }
        host.call(request)
    }
}

/// Sends a get over a connection of the flaw's own.
fn send_get(host: &Arc<Host>, session: SessionId) {
    let sender = Arc::clone(host);
    host.spawn(async move {
        sender.ask(&[&[b"GET", sender.key(session).as_bytes()]]).await;
    });
}

struct Stampede;

impl Wrong for Stampede {
    fn said(&self, host: &Arc<Host>, said: Said) {
        host.say(said);
        if let Said::Breaker { to: BreakerState::HalfOpen, .. } = said {
            (0..STAMPEDE).for_each(|session| send_get(host, SessionId(session)));
        }
    }
}

struct SkipsHalfOpen;

impl Wrong for SkipsHalfOpen {
    fn said(&self, host: &Arc<Host>, said: Said) {
        match said {
            Said::Breaker { to: BreakerState::HalfOpen, .. }
            | Said::Breaker { from: BreakerState::HalfOpen, to: BreakerState::Open } => {}
            Said::Breaker { from: BreakerState::HalfOpen, to } => {
                host.say(Said::Breaker { from: BreakerState::Open, to });
            }
            Said::Breaker { .. } | Said::Mode(_) | Said::Resync(_) => host.say(said),
        }
    }
}

/// The answers that it takes for failures, and whether it has opened.
#[derive(Default)]
struct OpensForNothing {
    absent: Turns,
    opened: AtomicBool,
}

impl Wrong for OpensForNothing {
    fn answer(&self, host: &Arc<Host>, _request: &Request, reply: Reply) -> Reply {
        let third = says_gone(&reply) && host.breaker() == BreakerState::Closed && self.absent.every(3);
        if third && !self.opened.swap(true, Ordering::Relaxed) {
            let change = |from, to| Said::Breaker { from, to };
            host.say(change(BreakerState::Closed, BreakerState::Open));
            let later = Arc::clone(host);
            host.spawn(async move {
                sleep(OPEN_FOR).await;
                later.say(change(BreakerState::Open, BreakerState::HalfOpen));
                later.say(change(BreakerState::HalfOpen, BreakerState::Closed));
            });
        }
        reply
    }
}

struct SaysNothing;

impl Wrong for SaysNothing {
    fn said(&self, host: &Arc<Host>, said: Said) {
        match said {
            Said::Breaker { .. } => {}
            Said::Mode(_) | Said::Resync(_) => host.say(said),
        }
    }
}
