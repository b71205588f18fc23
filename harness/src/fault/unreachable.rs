//! `unreachable`: the network between an instance and Redis is cut.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject};

/// A network partition. What live connections carry, either way, is held and delivered when the fault ends, as TCP sends again
/// what was not confirmed; opening a connection is not refused, but hangs.
///
/// ```toml
/// faults = [{ inject = "unreachable", on = ["instance-1"] }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unreachable {}

impl Inject for Unreachable {
    const EXAMPLE: &'static str = "inject = \"unreachable\"";

    fn act(&self) -> Act {
        Act::Unreachable
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
