//! Resyncs that bring all again, and that count wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis_protocol::resp2::types::OwnedFrame;
use tokio::time::sleep;

use super::Described;
use super::answers::{Reply, served_by};
use super::host::Host;
use super::state::PerSession;
use super::wrong::Wrong;
use crate::history::{Resync, ServedBy};
use crate::load::Kind;
use crate::subject::{Request, Said};

/// How long after a resync the next begins.
const PAUSE: Duration = Duration::from_millis(300);

/// How long one of those takes that never end.
const TAKES: Duration = Duration::from_millis(20);

pub(super) const RESYNC_TWICE: Described = Described {
    name: "resync-twice",
    check: "I12",
    wrong: "When a resync has finished, it brings everything a second time.",
    known_from: "",
    needs: "an outage with writes",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::<Twice>::default(),
};

pub(super) const RESYNC_NEVER_ENDS: Described = Described {
    name: "resync-never-ends",
    check: "I12",
    wrong: "After the first resync another one begins again and again, with as many sessions.",
    known_from: "",
    needs: "an outage with writes, and quiet after it",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::<NeverEnds>::default(),
};

pub(super) const RESYNC_COUNTS_TOO_MUCH: Described = Described {
    name: "resync-counts-too-much",
    check: "I12",
    wrong: "A resync says that it has brought four times as many sessions as there were to bring.",
    known_from: "",
    needs: "an outage with writes",
    shown_in: "breaker/opens-and-closes",
    plant: |_| Box::new(CountsTooMuch),
};

/// The sessions that were changed locally.
#[derive(Default)]
struct Twice(PerSession<()>);

impl Wrong for Twice {
    fn answer(&self, _host: &Arc<Host>, request: &Request, reply: Reply) -> Reply {
        match request.kind {
            Kind::Create | Kind::Update | Kind::Touch if served_by(&reply) == Some(ServedBy::Local) => {
                self.0.set(request.session, ());
            }
            Kind::Destroy => drop(self.0.forget(request.session)),
            Kind::Create | Kind::Update | Kind::Touch | Kind::Get | Kind::Ttl => {}
        }
        reply
    }

    fn said(&self, host: &Arc<Host>, said: Said) {
        host.say(said);
        let Said::Resync(Resync::Finished { sessions: sessions @ 1.. }) = said else { return };
        let (changed, again) = (self.0.take(), Arc::clone(host));
        host.spawn(async move {
            sleep(PAUSE).await;
            again.say(Said::Resync(Resync::Started { sessions }));
            for session in changed.into_keys() {
                write_again(&again, again.key(session).as_bytes()).await;
            }
            again.say(Said::Resync(Resync::Finished { sessions }));
        });
    }
}

/// Writes to a key what it holds.
async fn write_again(host: &Host, key: &[u8]) {
    if let Some(OwnedFrame::BulkString(value)) = host.ask(&[&[b"GET", key]]).await.pop() {
        host.ask(&[&[b"SET", key, &value, b"XX", b"KEEPTTL"]]).await;
    }
}

/// Whether it has begun.
#[derive(Default)]
struct NeverEnds(AtomicBool);

impl Wrong for NeverEnds {
    fn said(&self, host: &Arc<Host>, said: Said) {
        host.say(said);
        let Said::Resync(Resync::Finished { sessions: sessions @ 1.. }) = said else { return };
        if self.0.swap(true, Ordering::Relaxed) {
            return;
        }
        let again = Arc::clone(host);
        host.spawn(async move {
            loop {
                sleep(PAUSE).await;
                again.say(Said::Resync(Resync::Started { sessions }));
                sleep(TAKES).await;
                again.say(Said::Resync(Resync::Finished { sessions }));
            }
        });
    }
}

struct CountsTooMuch;

impl Wrong for CountsTooMuch {
    fn said(&self, host: &Arc<Host>, said: Said) {
        host.say(match said {
            Said::Resync(Resync::Finished { sessions }) => {
                Said::Resync(Resync::Finished { sessions: sessions * 4 })
            }
            Said::Resync(Resync::Started { .. } | Resync::Interrupted { .. })
            | Said::Breaker { .. }
            | Said::Mode(_) => said,
        });
    }
}
