//! What is said of replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::Described;
use super::answers::Reply;
use super::host::Host;
use super::wrong::Wrong;
use crate::history::{Saw, ServedBy};
use crate::subject::{BoxFuture, Done, Request};

/// Replicas may not connect any more, and those that are connected are cut off.
const CUT_OFF: [&[&[u8]]; 2] =
    [&[b"ACL", b"SETUSER", b"default", b"-psync", b"-sync"], &[b"CLIENT", b"KILL", b"TYPE", b"replica"]];

pub(super) const REPLICAS_SAID_TO_HAVE_IT: Described = Described {
    name: "replicas-said-to-have-it",
    check: "I1",
    wrong: "Says that replicas have every write that Redis took, and has seen to it that they get none.",
    known_from: "",
    needs: "a primary with replicas that dies together with the instances",
    shown_in: "topology/sentinel-replicas-have-it",
    plant: |start| {
        start.settings["replicas"]["acknowledgements"] = json!(0);
        Box::<NeverWaits>::default()
    },
};

/// Whether replicas are cut off.
#[derive(Default)]
struct NeverWaits(AtomicBool);

impl Wrong for NeverWaits {
    fn call<'a>(&'a self, host: &'a Arc<Host>, request: Request) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            if !self.0.swap(true, Ordering::Relaxed) {
                let done = host.ask(&CUT_OFF).await.len() == CUT_OFF.len();
                self.0.store(done, Ordering::Relaxed);
            }
            let reply = host.call(request).await;
            reply.map(|done| match done {
                Done { served_by: ServedBy::Redis, saw: Saw::Done } => Done { saw: Saw::Replicated, ..done },
                other => other,
            })
        })
    }
}
