//! Operations that end late or never, and instances that do not come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::Described;
use super::answers::{Reply, unavailable, without_redis};
use super::host::Host;
use super::state::Turns;
use super::wrong::Wrong;
use crate::history::BreakerState;
use crate::load::Kind;
use crate::subject::{BoxFuture, Request, Said};

/// How often a read is tried again, and after how long each time.
const RETRIES: u32 = 16;
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// How often what is queued looks whether Redis is back.
const LOOKS_EVERY: Duration = Duration::from_millis(20);

pub(super) const NEVER_COMES_BACK: Described = Described {
    name: "never-comes-back",
    check: "I10",
    wrong: "After an outage that opened the breaker an instance answers nothing any more, until it is started anew.",
    known_from: "go-redis#3289, BasedHardware/omi#9541",
    needs: "an outage that opens the breaker",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::<NeverBack>::default(),
};

pub(super) const NEVER_RETURNS: Described = Described {
    name: "never-returns",
    check: "I15",
    wrong: "Every third get that Redis does not answer never ends.",
    known_from: "redis-rs#1955",
    needs: "an outage with gets",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::<NeverReturns>::default(),
};

pub(super) const RETRIES_PAST_ITS_DEADLINE: Described = Described {
    name: "retries-past-its-deadline",
    check: "I15",
    wrong: "Reads that Redis does not answer are tried 16 times more, half a second apart, whatever their deadline.",
    known_from: "redis-rs cluster by default",
    needs: "an outage of seconds with reads",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::new(RetriesReads),
};

pub(super) const QUEUES_UNTIL_REDIS_IS_BACK: Described = Described {
    name: "queues-until-redis-is-back",
    check: "I15",
    wrong: "While the breaker is open every operation waits in a queue.",
    known_from: "lettuce#813, valkey-glide#5716",
    needs: "a breaker that is open for seconds",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::new(Queues),
};

#[derive(Default)]
struct NeverBack(AtomicBool);

impl Wrong for NeverBack {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        if self.0.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(unavailable()));
        }
        host.call(request)
    }

    fn said(&self, host: &Arc<Host>, said: Said) {
        host.say(said);
        if let Said::Breaker { to: BreakerState::Open, .. } = said {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

#[derive(Default)]
struct NeverReturns(Turns);

impl Wrong for NeverReturns {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let kind = request.kind;
            let reply = host.call(request).await;
            if kind == Kind::Get && without_redis(&reply) && self.0.every(3) {
                std::future::pending::<()>().await;
            }
            reply
        })
    }
}

struct RetriesReads;

impl Wrong for RetriesReads {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let mut reply = host.call(request.clone()).await;
            if !matches!(request.kind, Kind::Get | Kind::Ttl) {
                return reply;
            }
            for _ in 0..RETRIES {
                if !without_redis(&reply) {
                    break;
                }
                sleep(RETRY_AFTER).await;
                reply = host.call(request.clone()).await;
            }
            reply
        })
    }
}

struct Queues;

impl Wrong for Queues {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            while host.breaker() != BreakerState::Closed {
                sleep(LOOKS_EVERY).await;
            }
            host.call(request).await
        })
    }
}
