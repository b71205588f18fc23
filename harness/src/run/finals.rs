//! After the calm phase: what every reader sees of every session.

use std::sync::Arc;

use super::Player;
use crate::history::{Event, FinalRead, Reader, Saw, SessionId};
use crate::load::Kind;
use crate::recorder::Recorder;
use crate::subject::{Instance, Request};
use crate::world::{World, WorldError};

/// Everyone who looks at the sessions at the end.
pub(super) struct Readers<'a> {
    /// The instances of the run.
    pub(super) players: &'a [Arc<Player>],
    /// An instance that knows nothing but what Redis tells it.
    pub(super) fresh: &'a dyn Instance,
    /// Looks straight into Redis.
    pub(super) world: &'a dyn World,
    /// Where a session lies in Redis, with `{session}` for its name.
    pub(super) key: &'a str,
}

impl Readers<'_> {
    /// Reads every session through all of them, one session after the other so that an expiry in between blurs little.
    pub(super) async fn read_all(&self, sessions: u32, recorder: &Recorder) -> Result<(), WorldError> {
        for session in (0..sessions).map(SessionId) {
            let left = self.world.look(&self.key.replace("{session}", &session.to_string())).await?;
            recorder.record(Event::Final { reader: Reader::Redis, session, found: FinalRead::Key(left) });
            let found = read(self.fresh, session).await;
            recorder.record(Event::Final { reader: Reader::Fresh, session, found });
            for player in self.players {
                let found = read(player.instance.as_ref(), session).await;
                recorder.record(Event::Final { reader: Reader::Instance(player.number), session, found });
            }
        }
        Ok(())
    }
}

async fn read(instance: &dyn Instance, session: SessionId) -> FinalRead {
    let reply = instance.call(Request { kind: Kind::Get, session, value: None, ttl_ms: None }).await;
    match reply {
        Ok(done) => match done.saw {
            Saw::Value(seen) => FinalRead::Value(seen),
            Saw::Done | Saw::Ttl(_) => FinalRead::Error {
                code: "internal".to_owned(),
                text: "the subject answered a get with something else".to_owned(),
            },
        },
        Err(error) => FinalRead::Error { code: error.code, text: error.text },
    }
}
