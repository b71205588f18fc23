//! Requests on several sessions at once. A history has an operation for each of the sessions, all with the same beginning and
//! end, so that the checks judge them as they judge any other.

use super::Kind;
use crate::history::{Capability, SessionId};

/// A kind of request on several sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Many {
    /// Reads some sessions.
    Read,
    /// Ends all sessions.
    Clear,
}

impl Many {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Read, Self::Clear];

    /// Its name in scenarios, in the subject protocol, and as a capability.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read_many",
            Self::Clear => "clear",
        }
    }

    /// What it does to each session.
    pub fn kind(self) -> Kind {
        match self {
            Self::Read => Kind::Get,
            Self::Clear => Kind::Destroy,
        }
    }

    /// What a client must be able to do that has it.
    pub fn needs(self) -> Capability {
        match self {
            Self::Read => Capability::ReadMany,
            Self::Clear => Capability::Clear,
        }
    }

    /// How many sessions of a pool it is about.
    pub fn sessions(self, pool: u32) -> u32 {
        match self {
            Self::Read => READ_AT_ONCE.min(pool),
            Self::Clear => pool,
        }
    }
}

/// One request on several sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Several {
    /// What it does.
    pub what: Many,
    /// The sessions that it is about, no one of them twice.
    pub sessions: Vec<SessionId>,
}

/// Sessions that are read at once.
const READ_AT_ONCE: u32 = 8;
