//! The reference client with a flaw planted in it, to see that the checks catch it.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::{BoxFuture, Done, Instance, OperationError, Request, Start, Started, Subject};
use crate::history::{Sample, SessionId};
use crate::load::Kind;
use crate::world;

/// A planted flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// What is accepted locally never gets to Redis.
    ResyncOff,
    /// The breaker never opens.
    BreakerNeverOpens,
    /// An update sets the TTL to its full length again.
    TtlResetOnUpdate,
}

impl Flaw {
    /// Every flaw.
    pub const ALL: [Self; 3] = [Self::ResyncOff, Self::BreakerNeverOpens, Self::TtlResetOnUpdate];

    /// The name that the program takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResyncOff => "resync-off",
            Self::BreakerNeverOpens => "breaker-never-opens",
            Self::TtlResetOnUpdate => "ttl-reset-on-update",
        }
    }
}

impl FromStr for Flaw {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|flaw| flaw.name() == name);
        found.ok_or_else(|| crate::suggest::unknown("flaw", name, &Self::ALL.map(Self::name)))
    }
}

/// A subject with a flaw.
pub struct Flawed {
    sound: Arc<dyn Subject>,
    flaw: Flaw,
}

impl Flawed {
    /// Plants `flaw` in `sound`.
    pub fn new(sound: Arc<dyn Subject>, flaw: Flaw) -> Self {
        Self { sound, flaw }
    }
}

impl Subject for Flawed {
    fn start(&self, mut start: Start) -> BoxFuture<'_, Started> {
        match self.flaw {
            Flaw::ResyncOff => start.settings["resync"]["enabled"] = json!(false),
            Flaw::BreakerNeverOpens => start.settings["breaker"]["enabled"] = json!(false),
            Flaw::TtlResetOnUpdate => {}
        }
        let resets_ttl = self.flaw == Flaw::TtlResetOnUpdate;
        Box::pin(async move {
            let (instance, mut hello) = self.sound.start(start).await?;
            hello.name = format!("{} with {}", hello.name, self.flaw.name());
            if !resets_ttl {
                return Ok((instance, hello));
            }
            Ok((Box::new(ResetsTtl { sound: instance, ttls: Mutex::default() }) as Box<dyn Instance>, hello))
        })
    }

    fn unsupported(&self, world: world::Kind) -> Option<String> {
        self.sound.unsupported(world)
    }
}

/// Touches each session after it was updated, with the TTL that it was created with.
struct ResetsTtl {
    sound: Box<dyn Instance>,
    ttls: Mutex<BTreeMap<SessionId, u64>>,
}

impl ResetsTtl {
    async fn perform(&self, request: Request) -> Result<Done, OperationError> {
        let (kind, session, ttl_ms) = (request.kind, request.session, request.ttl_ms);
        let done = self.sound.call(request).await?;
        let ttl_ms = {
            let mut ttls = self.ttls.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Kind::Create, Some(ttl_ms)) = (kind, ttl_ms) {
                ttls.insert(session, ttl_ms);
            }
            ttls.get(&session).copied()
        };
        if kind == Kind::Update && ttl_ms.is_some() {
            let touch = Request { kind: Kind::Touch, session, value: None, ttl_ms };
            // The update was done, whatever comes of the flaw.
            let _ = self.sound.call(touch).await;
        }
        Ok(done)
    }
}

impl Instance for ResetsTtl {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Done, OperationError>> {
        Box::pin(self.perform(request))
    }

    fn sample(&self) -> Sample {
        self.sound.sample()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.sound.shutdown()
    }

    fn broken(&self) -> BoxFuture<'_, String> {
        self.sound.broken()
    }
}
