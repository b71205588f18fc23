//! `pause`: the server stands still.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, ServerAct};

/// Stops the server without ending it (SIGSTOP): connections stay, nothing answers, until the fault ends.
///
/// ```toml
/// faults = [{ inject = "pause" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {}

impl Inject for Pause {
    const EXAMPLE: &'static str = "inject = \"pause\"";

    fn act(&self) -> Act {
        Act::Server(ServerAct::Pause)
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
