//! More on the wire than was asked for.

use std::sync::Arc;

use redis_protocol::resp2::types::OwnedFrame;

use super::Described;
use super::answers::Reply;
use super::host::Host;
use super::state::Turns;
use super::wrong::Wrong;
use crate::load::Kind;
use crate::subject::{BoxFuture, Request};

/// How often one get is sent besides.
const TIMES: usize = 40;

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
