//! `refuse`: nobody listens.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject};

/// Closes the port: live connections are reset, new ones refused, until it ends.
///
/// ```toml
/// faults = [{ inject = "refuse", on = ["instance-1"] }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuse {}

impl Inject for Refuse {
    const EXAMPLE: &'static str = "inject = \"refuse\"";

    fn act(&self) -> Act {
        Act::Refuse
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
