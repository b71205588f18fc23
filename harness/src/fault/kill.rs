//! `kill`: the server dies.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, ServerAct};

/// Ends the server at once (SIGKILL). It starts again, empty, when the fault ends.
///
/// ```toml
/// faults = [{ inject = "kill" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {}

impl Inject for Kill {
    const EXAMPLE: &'static str = "inject = \"kill\"";

    fn act(&self) -> Act {
        Act::Server(ServerAct::Kill)
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
