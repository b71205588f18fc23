//! `stall`: bytes are held, and come in the end.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Bend, Inject};

/// Holds every byte, and delivers it when the fault ends: nothing is lost, everything is late.
///
/// ```toml
/// faults = [{ inject = "stall", direction = "downstream" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {}

impl Inject for Stall {
    const EXAMPLE: &'static str = "inject = \"stall\"";

    fn act(&self) -> Act {
        Act::Bend(Bend::Hold)
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
