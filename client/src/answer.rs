//! What the client answers, and why it may not.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use thiserror::Error;

use crate::error::CallError;
use crate::seal::SealError;

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub enum ServedBy {
    /// Redis: every instance sees it.
    Redis,
    /// This instance's memory: it survives Redis, not the process, and the resync brings it to Redis.
    Local,
}

/// What a write that was acknowledged survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub enum Level {
    /// Redis's absence, but not the end of this process.
    Memory,
    /// The end of this process, by force or not: it lies on this instance's disk, and the next process brings it to Redis.
    Disk,
    /// The loss of this instance: Redis has it, and keeps it as well as it is told to keep data.
    Redis,
    /// The loss of Redis: as many replicas as `replicas.acknowledgements` says have it too.
    Replicas,
}

impl Level {
    /// Its name in logs and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Redis => "redis",
            Self::Replicas => "replicas",
        }
    }
}

/// A write was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// By whom.
    pub served_by: ServedBy,
    /// What it survives.
    pub level: Level,
}

/// What a clearing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleared {
    /// How many there were.
    pub count: u64,
    /// What the end of each survives at least; [`Level::Redis`] if there was none.
    pub level: Level,
}

/// A session that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its value.
    pub value: Bytes,
    /// What is left of its TTL.
    pub ttl: Duration,
}

/// The answer to "is there such a session?". Only `Absent` may log a user out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<T = Found> {
    /// There is.
    Found {
        /// The session, or what was asked of it.
        session: T,
        /// Who says so.
        served_by: ServedBy,
    },
    /// There surely is none.
    Absent {
        /// Who says so.
        served_by: ServedBy,
    },
    /// Redis cannot be asked, and this instance does not know.
    Unknown {
        /// Why Redis cannot be asked.
        because: CallError,
    },
}

impl<T> Lookup<T> {
    /// The same answer with something else about the session that was found.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Found { session, served_by } => Lookup::Found { session: of(session), served_by },
            Self::Absent { served_by } => Lookup::Absent { served_by },
            Self::Unknown { because } => Lookup::Unknown { because },
        }
    }
}

/// Why a write was not accepted, or a read not answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SessionError {
    /// There is no such session.
    #[error("no such session")]
    NoSession,
    /// Redis cannot be asked, and this instance does not know the session. Nothing was written.
    #[error("redis is away and this instance does not know the session: {0}")]
    Unavailable(CallError),
    /// The local copy is full of what Redis does not know yet.
    #[error("the local copy is full of sessions that wait for redis: raise local.bytes or local.sessions")]
    Full,
    /// The session is larger than all that the local copy may hold, so it could not outlive an outage.
    #[error("the session takes {bytes} bytes, and the local copy holds {most} at most: raise local.bytes")]
    TooLarge {
        /// What it takes: value, id, and what is kept beside them.
        bytes: u64,
        /// The setting `local.bytes`.
        most: u64,
    },
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// What Redis holds under the key is not ours, or not whole.
    #[error("what redis holds is damaged or not ours: {0}")]
    Corrupt(&'static str),
    /// A value cannot be encrypted, or one that is encrypted does not open.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// The call failed, and there is no fallback.
    #[error(transparent)]
    Call(CallError),
}

impl SessionError {
    /// Why Redis could not be asked about more than one session.
    pub(crate) fn of_redis(error: CallError) -> Self {
        match error {
            CallError::Refused(_) | CallError::Auth(_) | CallError::Closed => Self::Call(error),
            error => Self::Unavailable(error),
        }
    }

    /// Whether the operation surely did not happen and never will.
    pub fn definite(&self) -> bool {
        match self {
            Self::NoSession | Self::Unavailable(_) | Self::Full | Self::TooLarge { .. } => true,
            Self::Invalid(_) | Self::Corrupt(_) | Self::Sealed(_) => true,
            Self::Call(error) => error.definite(),
        }
    }

    /// The code of the subject protocol.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSession => "no-session",
            Self::Unavailable(_) => "unavailable",
            Self::Full => "overloaded",
            Self::TooLarge { .. } | Self::Invalid(_) | Self::Corrupt(_) | Self::Sealed(_) => "invalid",
            Self::Call(error) => error.code(),
        }
    }
}
