//! `half_open`: connections that only seem to be open.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject};

/// Connections that are open when it begins go silent, as when a firewall forgets them: what they carry is lost, and nobody says
/// so. New ones work. When it ends, those that it struck are reset.
///
/// ```toml
/// faults = [{ inject = "half_open" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HalfOpen {}

impl Inject for HalfOpen {
    const EXAMPLE: &'static str = "inject = \"half_open\"";

    fn act(&self) -> Act {
        Act::HalfOpen
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
