//! More on the wire than was asked for.

use std::sync::Arc;
use std::time::Duration;

use redis_protocol::resp2::types::OwnedFrame;
use tokio::time::sleep;

use super::Described;
use super::answers::Reply;
use super::host::Host;
use super::state::Turns;
use super::wrong::Wrong;
use crate::history::BreakerState;
use crate::load::Kind;
use crate::subject::{BoxFuture, Request, Said};

/// How often one get is sent besides.
const TIMES: usize = 40;

/// How long it waits before it logs in again.
const LOGS_IN_EVERY: Duration = Duration::from_millis(20);

/// How often a command that was refused is sent again.
const AGAIN: u32 = 5;

pub(super) const ASKS_FORTY_TIMES: Described = Described {
    name: "asks-forty-times",
    check: "I16",
    wrong: "Sends every get forty times more and all at once, to have the quickest answer.",
    known_from: "",
    needs: "gets",
    shown_in: "reset/idle-connections",
    plant: |_| Box::new(AsksOften),
};

pub(super) const RETRIES_WHAT_IS_REFUSED_FOR_GOOD: Described = Described {
    name: "retries-what-is-refused-for-good",
    check: "I16",
    wrong: "Asks for every third session as a hash, which it is not, and asks five times more when Redis says so.",
    known_from: "projectbeskar/virtrigaud#70",
    needs: "gets of sessions that are there",
    shown_in: "reset/idle-connections",
    plant: |_| Box::<AsksInVain>::default(),
};

pub(super) const LOGS_IN_FOR_EVER: Described = Described {
    name: "logs-in-for-ever",
    check: "I16",
    wrong: "Takes every error for one that passes: once its breaker has opened it logs in again every 20 ms, until all is well.",
    known_from: "",
    needs: "a password that is changed",
    shown_in: "server/password-changed",
    plant: |_| Box::new(LogsIn),
};

struct LogsIn;

impl Wrong for LogsIn {
    fn said(&self, host: &Arc<Host>, said: Said) {
        if let Said::Breaker { from: BreakerState::Closed, to: BreakerState::Open } = said {
            let own = Arc::clone(host);
            host.spawn(async move {
                while own.breaker() != BreakerState::Closed {
                    // Let in or not, it goes on with the client's own connections.
                    drop(own.connection().await);
                    sleep(LOGS_IN_EVERY).await;
                }
            });
        }
        host.say(said);
    }
}

struct AsksOften;

impl Wrong for AsksOften {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            if request.kind == Kind::Get {
                let key = host.key(request.session);
                let get: &[&[u8]] = &[b"GET", key.as_bytes()];
                host.ask(&[get; TIMES]).await;
            }
            host.call(request).await
        })
    }
}

#[derive(Default)]
struct AsksInVain(Turns);

impl Wrong for AsksInVain {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            if request.kind == Kind::Get && self.0.every(3) {
                let key = host.key(request.session);
                for _ in 0..=AGAIN {
                    let reply = host.ask(&[&[b"HGETALL", key.as_bytes()]]).await.pop();
                    if !matches!(reply, Some(OwnedFrame::Error(_))) {
                        break;
                    }
                }
            }
            host.call(request).await
        })
    }
}
