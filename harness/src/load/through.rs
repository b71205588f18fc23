//! The interface of the client through which the operations are made.

use serde::{Deserialize, Serialize};

use super::{Kind, Many};
use crate::history::Capability;

/// An interface of the client under test. Each is another way to the same sessions, with the same promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Through {
    /// Sessions as values with a TTL, which every client under test has.
    #[default]
    Sessions,
    /// Sessions with data and metadata: message counts, when they were used last.
    Store,
    /// A cache: values under keys.
    Cache,
    /// Routes over HTTP, beside the store of the same client.
    Http,
}

impl Through {
    /// Every interface.
    pub const ALL: [Self; 4] = [Self::Sessions, Self::Store, Self::Cache, Self::Http];

    /// Its name in scenarios and in the subject protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Store => "store",
            Self::Cache => "cache",
            Self::Http => "http",
        }
    }

    /// What a client must be able to do that has it; `None` where every client has it.
    pub fn needs(self) -> Option<Capability> {
        match self {
            Self::Sessions => None,
            Self::Store => Some(Capability::Store),
            Self::Cache => Some(Capability::Cache),
            Self::Http => Some(Capability::Http),
        }
    }

    /// Whether it has operations of this kind. A cache sets a value with its TTL, and neither of them alone.
    pub fn has(self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Cache, Kind::Update | Kind::Touch) => false,
            (Self::Cache, Kind::Create | Kind::Get | Kind::Destroy | Kind::Ttl) => true,
            (Self::Sessions | Self::Store | Self::Http, _) => true,
        }
    }

    /// Whether it has requests of this kind on several sessions.
    pub fn has_many(self, many: Many) -> bool {
        match (self, many) {
            (Self::Cache, Many::Read | Many::Clear) | (Self::Sessions | Self::Store, Many::Clear) => true,
            (Self::Sessions | Self::Store | Self::Http, _) => false,
        }
    }

    /// The names of the kinds of operation that it has, on one session and on several.
    pub fn kinds(self) -> Vec<&'static str> {
        self.kinds_of_one().into_iter().chain(self.kinds_of_many()).collect()
    }

    /// The names of the kinds of operation on one session that it has.
    pub fn kinds_of_one(self) -> Vec<&'static str> {
        Kind::ALL.into_iter().filter(|kind| self.has(*kind)).map(Kind::name).collect()
    }

    fn kinds_of_many(self) -> impl Iterator<Item = &'static str> {
        Many::ALL.into_iter().filter(move |many| self.has_many(*many)).map(Many::name)
    }
}
