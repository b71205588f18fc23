//! `client_kill`: the server ends its clients' connections.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, ServerAct};

/// The server ends the connection of every normal client when it begins, once (`CLIENT KILL TYPE normal`). New ones work.
///
/// ```toml
/// faults = [{ inject = "client_kill", for = "100ms" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientKill {}

impl Inject for ClientKill {
    const EXAMPLE: &'static str = "inject = \"client_kill\"";

    fn act(&self) -> Act {
        Act::Server(ServerAct::KillClients)
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
