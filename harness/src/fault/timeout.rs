//! `timeout`: a black hole.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Bend, Inject};

/// A black hole: connections stay up and every byte is dropped. When it ends, the connections that it struck are ended too.
///
/// ```toml
/// faults = [{ inject = "timeout" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeout {}

impl Inject for Timeout {
    const EXAMPLE: &'static str = "inject = \"timeout\"";

    fn act(&self) -> Act {
        Act::Bend(Bend::Drop)
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
