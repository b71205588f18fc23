//! After the calm phase: what every reader sees of every session.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::nanos;
use super::player::Player;
use crate::history::{Event, FinalRead, Reader, Saw, SessionId};
use crate::load::Kind;
use crate::load::value::{self, Mark};
use crate::recorder::Recorder;
use crate::subject::{Instance, Request};
use crate::world::{World, WorldError};

/// After so many reads that nobody answered a reader is asked no more.
const HUNG: u32 = 2;

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
    /// How long one read may take.
    pub(super) patience: Duration,
    /// What no value in Redis may show, where values are to be encrypted.
    pub(super) marks: Option<HashSet<Mark>>,
}

/// Someone who is asked, and how often nobody answered.
struct Asked<'a> {
    reader: Reader,
    instance: &'a dyn Instance,
    hung: u32,
}

impl Readers<'_> {
    /// Reads every session through all of them, one session after the other so that an expiry in between blurs little.
    pub(super) async fn read_all(&self, sessions: u32, recorder: &Recorder) -> Result<(), WorldError> {
        let fresh = Asked { reader: Reader::Fresh, instance: self.fresh, hung: 0 };
        // Every fault is over, so somebody has each number.
        let lives: Vec<_> =
            self.players.iter().filter_map(|player| Some((player.number, player.now()?))).collect();
        let players = lives.iter().map(|(number, life)| Asked {
            reader: Reader::Instance(*number),
            instance: life.instance.as_ref(),
            hung: 0,
        });
        let mut all: Vec<Asked<'_>> = std::iter::once(fresh).chain(players).collect();
        for session in (0..sessions).map(SessionId) {
            let told = || self.key.replace("{session}", &session.to_string());
            let key = self.fresh.key(session).unwrap_or_else(told);
            let left = self.world.look(&key).await?;
            let plain = self.in_plain(&key).await?;
            recorder.record(Event::Final {
                reader: Reader::Redis,
                session,
                found: FinalRead::Key(left),
                plain,
            });
            for asked in &mut all {
                let found = self.ask(asked, session, recorder).await;
                recorder.record(Event::Final { reader: asked.reader, session, found, plain: None });
            }
        }
        Ok(())
    }

    /// Whether what Redis holds shows a value of the load; `None` where there is nothing to look at, or no reason to.
    async fn in_plain(&self, key: &str) -> Result<Option<bool>, WorldError> {
        let Some(marks) = &self.marks else { return Ok(None) };
        Ok(self.world.content(key).await?.map(|content| value::shows(&content, marks)))
    }

    /// Reads within the patience. Who has left too many reads unanswered is asked no more.
    async fn ask(&self, asked: &mut Asked<'_>, session: SessionId, recorder: &Recorder) -> FinalRead {
        let unanswered = |text: String| FinalRead::Error { code: "timeout".to_owned(), text };
        if asked.hung >= HUNG {
            return unanswered(format!("not asked any more: {HUNG} reads were not answered"));
        }
        let over = recorder.now() + nanos(self.patience);
        tokio::select! {
            biased;
            found = read(asked.instance, session) => found,
            () = recorder.until(over) => {
                asked.hung += 1;
                unanswered(format!("no answer within {:?}", self.patience))
            }
        }
    }
}

async fn read(instance: &dyn Instance, session: SessionId) -> FinalRead {
    let reply = instance.call(Request { kind: Kind::Get, session, value: None, ttl_ms: None }).await;
    match reply {
        Ok(done) => match done.saw {
            Saw::Value(seen) => FinalRead::Value(seen),
            Saw::Done | Saw::Replicated | Saw::Ttl(_) => FinalRead::Error {
                code: "internal".to_owned(),
                text: "the subject answered a get with something else".to_owned(),
            },
        },
        Err(error) => FinalRead::Error { code: error.code, text: error.text },
    }
}
