//! `flush`: somebody removes everything.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, ServerAct};

/// Every key goes when it begins (`FLUSHALL`); the server runs on, and connections notice nothing.
///
/// ```toml
/// faults = [{ inject = "flush", for = "100ms" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flush {}

impl Inject for Flush {
    const EXAMPLE: &'static str = "inject = \"flush\"";

    fn act(&self) -> Act {
        Act::Server(ServerAct::Flush)
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
