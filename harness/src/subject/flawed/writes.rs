//! Writes that are acknowledged and are not what was asked for.

use std::sync::Arc;
use std::time::Duration;

use super::Described;
use super::answers::{self, Reply, done};
use super::host::Host;
use super::state::{PerSession, Turns};
use super::wrong::Wrong;
use crate::history::{ServedBy, SessionId, ValueSeen};
use crate::load::Kind;
use crate::subject::{BoxFuture, Request};

/// How long a buffer holds a write back.
const BUFFERED: Duration = Duration::from_millis(300);

/// After how long an old write is sent again.
const SENT_AGAIN: Duration = Duration::from_secs(1);

/// To how many bytes a value is cut.
const CUT_TO: usize = 150;

pub(super) const DROPS_EVERY_FIFTH_UPDATE: Described = Described {
    name: "drops-every-fifth-update",
    check: "I1",
    wrong: "Acknowledges every fifth update and does nothing.",
    known_from: "tower-sessions#35, aspnet/Session#60",
    needs: "updates",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::<DropsUpdates>::default(),
};

pub(super) const WRITE_BEHIND: Described = Described {
    name: "write-behind",
    check: "I1",
    wrong: "Acknowledges updates before it writes them, and throws away what still waits when Redis goes away.",
    known_from: "hazelcast#15060, hazelcast#18670",
    needs: "updates",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::<WriteBehind>::default(),
};

pub(super) const VALUE_TRUNCATED: Described = Described {
    name: "value-truncated",
    check: "I2",
    wrong: "Cuts values off after 150 bytes, without a word.",
    known_from: "",
    needs: "values of more than 150 bytes",
    shown_in: "reset/idle-connections",
    plant: |_| Box::new(Truncates),
};

pub(super) const WRITES_TO_THE_WRONG_SESSION: Described = Described {
    name: "writes-to-the-wrong-session",
    check: "I2",
    wrong: "Writes every sixth update to the neighbour of the session that was meant.",
    known_from: "",
    needs: "updates, and two sessions",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::<WrongSession>::default(),
};

pub(super) const OLD_WRITE_SENT_AGAIN: Described = Described {
    name: "old-write-sent-again",
    check: "I5",
    wrong: "Sends an update again after the one that followed it, as if its reply had been lost.",
    known_from: "node-redis#601",
    needs: "several updates of a session, with reads between",
    shown_in: "ttl/kept-on-update",
    plant: |_| Box::<SendsAgain>::default(),
};

#[derive(Default)]
struct DropsUpdates(Turns);

impl Wrong for DropsUpdates {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        if request.kind == Kind::Update && self.0.every(5) {
            return Box::pin(std::future::ready(done(ServedBy::Redis)));
        }
        host.call(request)
    }
}

/// What waits to be written.
#[derive(Default)]
struct WriteBehind(Arc<PerSession<Request>>);

impl WriteBehind {
    fn hold(&self, host: &Arc<Host>, request: Request) {
        let session = request.session;
        self.0.set(session, request);
        let (waiting, writer) = (Arc::clone(&self.0), Arc::clone(host));
        host.spawn(async move {
            tokio::time::sleep(BUFFERED).await;
            let request = waiting.forget(session).filter(|_| !writer.away());
            if let Some(request) = request {
                // It was acknowledged long ago.
                let _ = writer.call(request).await;
            }
        });
    }
}

impl Wrong for WriteBehind {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        if request.kind != Kind::Update || host.away() {
            return host.call(request);
        }
        self.hold(host, request);
        Box::pin(std::future::ready(done(ServedBy::Redis)))
    }
}

struct Truncates;

impl Wrong for Truncates {
    fn ask(&self, request: &mut Request) {
        if let Some(value) = &mut request.value {
            value.truncate(CUT_TO);
        }
    }
}

#[derive(Default)]
struct WrongSession(Turns);

impl Wrong for WrongSession {
    fn ask(&self, request: &mut Request) {
        if request.kind == Kind::Update && self.0.every(6) {
            request.session = SessionId(request.session.0 ^ 1);
        }
    }
}

/// What was written last.
#[derive(Default)]
struct SendsAgain {
    last: PerSession<ValueSeen>,
    turns: Turns,
}

impl Wrong for SendsAgain {
    fn answer(&self, host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        let session = request.session;
        let before = self.last.of(session);
        match (request.kind, answers::written(request)) {
            (Kind::Create | Kind::Update, Some(seen)) if reply.is_ok() => self.last.set(session, seen),
            (Kind::Destroy, _) => drop(self.last.forget(session)),
            (Kind::Create | Kind::Update | Kind::Get | Kind::Touch | Kind::Ttl, _) => {}
        }
        if request.kind == Kind::Update && reply.is_ok() && self.turns.every(3) {
            let again = before.and_then(|before| answers::update(session, before));
            host.later(SENT_AGAIN, again.into_iter().collect());
        }
        reply
    }
}
