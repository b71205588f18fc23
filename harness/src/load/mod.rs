//! The load: operations to run, drawn from a seed before the run begins.

pub mod value;

use serde::{Deserialize, Serialize};

use crate::history::{SessionId, Write};

/// The kinds of operation on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Makes the session, replacing one that exists.
    Create,
    /// Reads its value; never changes the TTL.
    Get,
    /// Writes its value and keeps its TTL.
    Update,
    /// Sets a new TTL.
    Touch,
    /// Ends it.
    Destroy,
    /// Reads what is left of its TTL.
    Ttl,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Create, Self::Get, Self::Update, Self::Touch, Self::Destroy, Self::Ttl];

    /// The kind's name in scenarios, histories and the subject protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::Update => "update",
            Self::Touch => "touch",
            Self::Destroy => "destroy",
            Self::Ttl => "ttl",
        }
    }
}

/// One operation of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// When it starts, in nanoseconds since the start of the run.
    pub due: u64,
    /// What it does.
    pub kind: Kind,
    /// The session it is about.
    pub session: SessionId,
    /// The write that its value carries and the value's size in bytes (create, update).
    pub value: Option<(Write, u32)>,
    /// The TTL it sets, in milliseconds (create, touch).
    pub ttl_ms: Option<u64>,
}
