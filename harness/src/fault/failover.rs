//! `failover`: the server is no primary any more.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, ServerAct};

/// While it lasts the server is a replica of one that cannot be reached (`REPLICAOF`): connections stay open, reads are answered,
/// writes are answered `READONLY`. When it ends the server is the primary again, with what it had.
///
/// ```toml
/// faults = [{ inject = "failover" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failover {}

impl Inject for Failover {
    const EXAMPLE: &'static str = "inject = \"failover\"";

    fn act(&self) -> Act {
        Act::Server(ServerAct::Demote)
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
