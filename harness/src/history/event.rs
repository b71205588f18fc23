//! The things that a history records.

use serde::{Deserialize, Serialize};

use super::{SessionId, Telling, Topic, ValueSeen, Write};
use crate::load::Kind;

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When, in nanoseconds since the start of the run.
    pub t: u64,
    /// What.
    pub e: Event,
}

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// An operation was handed to an instance.
    Invoke {
        /// Names the operation; its [`Event::Return`] has the same.
        id: u64,
        /// The instance asked.
        instance: u16,
        /// What was asked.
        op: Kind,
        /// The session it is about.
        session: SessionId,
        /// The write that its value carries (create, update).
        write: Option<Write>,
        /// The TTL asked for in milliseconds (create, touch).
        ttl_ms: Option<u64>,
        /// When the load meant it to start, in nanoseconds since the start of the run; a late start is not hidden.
        due: u64,
    },
    /// An operation ended.
    Return {
        /// The operation.
        id: u64,
        /// How.
        outcome: Outcome,
    },
    /// A fault began to strike, or ended. Recorded when the world has done it, not when it was told to.
    Fault {
        /// The fault's number in the plan.
        fault: u32,
        /// Its kind and parameters, for people.
        what: String,
        /// The instances it strikes; all of them for a fault of the server.
        instances: Vec<u16>,
        /// True when it began, false when it ended.
        on: bool,
        /// When the world was told to begin or end it, in nanoseconds since the start of the run. What happens between this
        /// and the entry's own time may or may not be struck.
        asked: u64,
        /// What it does to those it strikes.
        effect: Effect,
    },
    /// A phase began.
    Phase {
        /// The phase's name; `setup`, then those of the scenario, then `final`.
        name: String,
    },
    /// An instance said that its breaker changed.
    Breaker {
        /// The instance.
        instance: u16,
        /// The state left.
        from: BreakerState,
        /// The state entered.
        to: BreakerState,
    },
    /// An instance said who serves operations from now on.
    Mode {
        /// The instance.
        instance: u16,
        /// Who serves.
        to: Mode,
    },
    /// An instance told of its resync.
    Resync {
        /// The instance.
        instance: u16,
        /// What it told.
        what: Resync,
    },
    /// Something crossed the wire between an instance and Redis, as the recording tap saw it.
    Wire {
        /// The instance.
        instance: u16,
        /// The how-many-eth connection of that instance.
        connection: u32,
        /// What crossed.
        what: Wire,
    },
    /// A measurement of an instance.
    Sample {
        /// The instance.
        instance: u16,
        /// What was measured.
        what: Sample,
    },
    /// An instance was asked to tell of itself, and told it, or did not.
    Told {
        /// The instance.
        instance: u16,
        /// What it was asked for.
        of: Topic,
        /// The phase at whose end it was asked.
        phase: String,
        /// When it was asked, in nanoseconds since the start of the run.
        asked: u64,
        /// What came back.
        answer: Telling,
    },
    /// After the calm phase: what a session looks like.
    Final {
        /// Who looked.
        reader: Reader,
        /// The session.
        session: SessionId,
        /// What was there.
        found: FinalRead,
        /// Whether the text of a value of the load stands in plain in what Redis holds. Looked for by the reader `redis`, and only
        /// where values are to be encrypted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plain: Option<bool>,
    },
}

/// What a fault does to those it strikes, as far as the checks need to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// While it lasts no call of an instance that it strikes can succeed.
    pub total: bool,
    /// Redis forgets what it held.
    pub loses_data: bool,
    /// It strikes commands that match, each told by a [`Wire::Struck`]: without one it struck nothing.
    #[serde(default)]
    pub strikes_commands: bool,
    /// Redis stays the process that it was, with all that it held: nobody has a reason to bring it anything again. Where a history
    /// does not tell, no.
    #[serde(default)]
    pub spares_redis: bool,
    /// How far it puts Redis's clock off, in milliseconds: what expires by that clock may do so as much too soon or too late.
    #[serde(default)]
    pub clock_off_ms: u64,
    /// What replicas have outlives it, though it loses data.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spares_replicas: bool,
    /// The instances that it strikes are gone once it has begun, and others have taken their places once it has ended: they know
    /// nothing of what those knew but what Redis tells them, and what lies on disk. Absent where instances go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_instances: Option<End>,
}

/// How an instance ended that others were to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// At once, in the middle of everything.
    Killed,
    /// It was told to, and had the time for it.
    Orderly,
}

/// The code of a definite answer that is right where there is no such session: `update` and `touch` have no other.
pub const NO_SESSION: &str = "no-session";

/// How an operation ended. `failed` and `unknown` are never confused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It was acknowledged.
    Ok {
        /// Who acknowledged it.
        served_by: ServedBy,
        /// What it brought back.
        saw: Saw,
    },
    /// It surely did not happen and never will.
    Failed {
        /// The subject's error code, such as `no-session` or `unavailable`.
        code: String,
        /// The subject's words.
        text: String,
    },
    /// It may have happened, or may yet.
    Unknown {
        /// The subject's error code, such as `timeout`.
        code: String,
        /// The subject's words.
        text: String,
    },
}

/// What an acknowledged operation brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Saw {
    /// A write was acknowledged.
    Done,
    /// A write was acknowledged, and as many replicas as were asked for have it.
    Replicated,
    /// A value; `None` means surely no such session.
    Value(Option<ValueSeen>),
    /// What is left of the TTL in milliseconds; `None` means surely no such session.
    Ttl(Option<u64>),
}

/// Who answered an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServedBy {
    /// Redis did.
    Redis,
    /// The instance's own memory or disk did.
    Local,
}

/// Who serves an instance's operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Redis.
    Redis,
    /// The instance itself, without Redis.
    Local,
}

/// A breaker's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are rejected.
    Open,
    /// A limited number of probes goes through.
    HalfOpen,
}

/// What an instance tells of its resync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Resync {
    /// It started, with so many sessions to bring.
    Started {
        /// How many.
        sessions: u64,
    },
    /// It finished: nothing is left to bring.
    Finished {
        /// How many sessions it brought.
        sessions: u64,
    },
    /// It was cut short and will start again.
    Interrupted {
        /// How many sessions are left.
        sessions: u64,
    },
}

/// What the tap saw on one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Wire {
    /// The subject opened the connection.
    Opened,
    /// The connection ended; `by` says who ended it and how, such as `subject: end` or `redis: reset`.
    Closed {
        /// Who and how.
        by: String,
    },
    /// A command left the subject.
    Command {
        /// The command in capitals, such as `GET` or `EVALSHA`.
        name: String,
        /// Its first key, if it has one.
        key: Option<String>,
    },
    /// A reply reached the subject.
    Reply {
        /// Its kind.
        kind: ReplyKind,
    },
    /// A fault decided on a command or on the reply to it.
    Struck {
        /// The fault's number in the plan.
        fault: u32,
        /// What it decided, such as `drop_reply`.
        fate: String,
    },
    /// Bytes that are not RESP; the tap passes them on and reads no further on this connection.
    Garbled {
        /// True when the subject sent them.
        upstream: bool,
    },
}

/// The kind of a reply of Redis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ReplyKind {
    /// Any reply with a value.
    Value,
    /// A null.
    Null,
    /// An error, with its first word such as `LOADING`.
    Error(String),
    /// A push that answers no command.
    Push,
}

/// A measurement of an instance. What a subject cannot tell is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sample {
    /// Connections to Redis that are open, counted by the tap.
    pub connections: Option<u64>,
    /// Bytes that the instance's local copy holds.
    pub local_bytes: Option<u64>,
    /// Sessions that the instance's local copy holds.
    pub local_sessions: Option<u64>,
    /// Sessions that wait for the resync.
    pub dirty: Option<u64>,
    /// Operations that the load has handed over and that have not ended.
    pub in_flight: Option<u64>,
}

/// Who looked at a session after the calm phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reader {
    /// An instance that took part in the run.
    Instance(u16),
    /// A fresh instance that knows nothing but what Redis tells it.
    Fresh,
    /// A side connection straight to Redis, which sees only existence and PTTL.
    Redis,
}

/// What a final look at a session found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FinalRead {
    /// A value, read through an instance; `None` means surely no such session.
    Value(Option<ValueSeen>),
    /// What Redis says is left, straight from the key; `None` means that there is no such key.
    Key(Option<Left>),
    /// The look failed.
    Error {
        /// The error code.
        code: String,
        /// The words.
        text: String,
    },
}

/// How long a key lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// So many milliseconds (PTTL).
    Millis(u64),
    /// For ever: the key has no TTL.
    Forever,
}
