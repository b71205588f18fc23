//! The messages of the protocol, one JSON object a line. `docs/protocol.md` has them all with examples.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::history::{BreakerState, Capability, Mode, Resync, Sample, ServedBy, SessionId, Topic};
use crate::load::Through;
use crate::suggest;

/// What a subject is asked. The id comes back in the answer.
#[derive(Debug, Serialize)]
pub struct Ask<'a> {
    /// Names this request; no other of the same process has it.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub op: Op<'a>,
}

/// What to do.
#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op<'a> {
    /// Connect; the first message of all.
    Init {
        /// The instance's name, such as `instance-0`.
        instance: &'a str,
        /// Where Redis is, as `redis://HOST:PORT/DATABASE`; `rediss://` where TLS is to be spoken.
        redis: &'a str,
        /// Where TLS is to be spoken: the file (PEM) of the authority to trust.
        #[serde(skip_serializing_if = "Option::is_none")]
        ca: Option<&'a Path>,
        /// The `[client]` table with its profile resolved; durations are strings with units.
        settings: &'a serde_json::Value,
        /// Variables that say where Redis is, under the names of the profile's own system, where the client is to take it from there.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        environment: BTreeMap<&'static str, String>,
        /// The interface of the client that the operations are for; not said where that is the sessions themselves.
        #[serde(skip_serializing_if = "is_sessions")]
        through: Through,
        /// Whether it is to encrypt values, with a key of its own; not said where not.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        encrypted: bool,
        /// The folder for what is accepted without Redis, the same for all processes of this `instance`; not said where there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        disk: Option<&'a Path>,
    },
    /// Make the session, or replace it.
    Create {
        /// The session.
        session: SessionId,
        /// Its value.
        value: &'a RawValue,
        /// How long it lives.
        ttl_ms: u64,
    },
    /// Read the value.
    Get {
        /// The session.
        session: SessionId,
    },
    /// Replace the value and keep the TTL.
    Update {
        /// The session.
        session: SessionId,
        /// Its new value.
        value: &'a RawValue,
    },
    /// Set a new TTL.
    Touch {
        /// The session.
        session: SessionId,
        /// How long it lives from now on.
        ttl_ms: u64,
    },
    /// End the session.
    Destroy {
        /// The session.
        session: SessionId,
    },
    /// Read what is left of the TTL.
    Ttl {
        /// The session.
        session: SessionId,
    },
    /// Read several sessions.
    ReadMany {
        /// The sessions, each of them once.
        sessions: &'a [SessionId],
    },
    /// End all sessions.
    Clear,
    /// Tell of itself.
    Tell {
        /// What.
        of: Topic,
    },
    /// End the process.
    Shutdown,
}

impl Ask<'_> {
    /// The message as a line, with its end.
    pub fn line(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}

/// A line from a subject: an answer, which has an `id`, or an event.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// An answer.
    Answer {
        /// The request that it answers.
        id: u64,
        /// What became of it; what an `ok` must hold depends on the request.
        reply: Result<Reply, Refusal>,
    },
    /// Something that happened.
    Event(Told),
}

/// The content of an `ok`, not yet read.
#[derive(Debug)]
pub struct Reply(pub Box<RawValue>);

impl PartialEq for Reply {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// The content of an `error`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What kind of error: `no-session`, `unavailable`, `timeout`, `reset`, `refused`, `overloaded`, `invalid`, `internal`,
    /// or another word of that form.
    pub code: String,
    /// Whether the operation surely did not happen and never will.
    #[serde(default)]
    pub definite: bool,
    /// In the subject's own words.
    #[serde(default)]
    pub text: String,
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Told {
    /// The process gets ready, which takes a while: its interpreter starts, something is installed.
    Preparing {},
    /// The process is ready for `init`.
    Ready {},
    /// The breaker changed.
    Breaker {
        /// The state left.
        from: BreakerState,
        /// The state entered.
        to: BreakerState,
    },
    /// Who serves operations from now on.
    Mode {
        /// Who.
        to: Mode,
    },
    /// The resync started, finished or was interrupted.
    Resync {
        /// Which of them.
        what: ResyncStep,
        /// How many sessions there are to bring (started), were brought (finished), are left (interrupted).
        sessions: u64,
    },
    /// A measurement.
    Sample {
        /// Bytes that the local copy holds.
        local_bytes: Option<u64>,
        /// Sessions that the local copy holds.
        local_sessions: Option<u64>,
        /// Sessions that wait for the resync.
        dirty: Option<u64>,
    },
}

/// What a resync did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResyncStep {
    /// It began.
    Started,
    /// Nothing is left to bring.
    Finished,
    /// It was cut short and will start again.
    Interrupted,
}

impl ResyncStep {
    /// The history's word for it.
    pub(super) fn of(self, sessions: u64) -> Resync {
        match self {
            Self::Started => Resync::Started { sessions },
            Self::Finished => Resync::Finished { sessions },
            Self::Interrupted => Resync::Interrupted { sessions },
        }
    }
}

/// What `init`'s `ok` holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelloReply {
    /// The subject's name and version.
    pub name: String,
    /// Where a session lies in Redis, with `{session}` for its name.
    pub key: String,
    /// What it can do.
    #[serde(default)]
    pub can: Vec<String>,
    /// Settings that it does not have.
    #[serde(default)]
    pub ignored: Vec<String>,
}

impl HelloReply {
    /// What it can do, or the word that is none of those known.
    pub fn capabilities(&self) -> Result<Vec<Capability>, String> {
        let names = CAPABILITIES.map(|(name, _)| name);
        let named = |name: &String| {
            let found = CAPABILITIES.into_iter().find(|(known, _)| known == name);
            found.map(|(_, can)| can).ok_or_else(|| suggest::unknown("capability", name, &names))
        };
        self.can.iter().map(named).collect()
    }
}

/// Every capability with its name.
pub const CAPABILITIES: [(&str, Capability); 20] = [
    ("fallback", Capability::Fallback),
    ("breaker", Capability::Breaker),
    ("resync", Capability::Resync),
    ("ttl", Capability::Ttl),
    ("samples", Capability::Samples),
    ("metrics", Capability::Metrics),
    ("log", Capability::Log),
    ("health", Capability::Health),
    ("settings", Capability::Settings),
    ("sessions", Capability::Sessions),
    ("backup", Capability::Backup),
    ("refusals", Capability::Refusals),
    ("store", Capability::Store),
    ("cache", Capability::Cache),
    ("http", Capability::Http),
    ("read_many", Capability::ReadMany),
    ("clear", Capability::Clear),
    ("encryption", Capability::Encryption),
    ("environment", Capability::Environment),
    ("durable", Capability::Durable),
];

/// What the `ok` of a create, an update, a touch or a destroy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteReply {
    /// Who acknowledged it; Redis, when absent.
    #[serde(default = "redis")]
    pub served_by: ServedBy,
}

/// What the `ok` of a get holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueReply {
    /// The value; null means surely no such session.
    #[serde(deserialize_with = "raw")]
    pub value: Box<RawValue>,
    /// Who answered; Redis, when absent.
    #[serde(default = "redis")]
    pub served_by: ServedBy,
}

/// What the `ok` of a `read_many` holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValuesReply {
    /// What became of each session, in the order in which they were asked for: as in the answer to a get of it.
    pub sessions: Vec<OneOfMany>,
}

/// What became of one session of several.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OneOfMany {
    /// It was read.
    Ok(ValueReply),
    /// It was not.
    Error(Refusal),
}

/// What the `ok` of a tell holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TellReply {
    /// The lines.
    pub text: String,
}

/// What the `ok` of a ttl holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TtlReply {
    /// What is left; null means surely no such session.
    #[serde(deserialize_with = "present")]
    pub ttl_ms: Option<u64>,
    /// Who answered; Redis, when absent.
    #[serde(default = "redis")]
    pub served_by: ServedBy,
}

/// The measurement that an event carries.
pub(super) fn sample(told: Told) -> Option<Sample> {
    match told {
        Told::Sample { local_bytes, local_sessions, dirty } => {
            Some(Sample { local_bytes, local_sessions, dirty, ..Sample::default() })
        }
        Told::Preparing {}
        | Told::Ready {}
        | Told::Breaker { .. }
        | Told::Mode { .. }
        | Told::Resync { .. } => None,
    }
}

fn is_sessions(through: &Through) -> bool {
    *through == Through::Sessions
}

fn redis() -> ServedBy {
    ServedBy::Redis
}

/// Null is a value, and absence is not null.
fn raw<'de, D: Deserializer<'de>>(from: D) -> Result<Box<RawValue>, D::Error> {
    Box::<RawValue>::deserialize(from)
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Option::<u64>::deserialize(from)
}
