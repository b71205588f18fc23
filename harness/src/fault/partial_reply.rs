//! `partial_reply`: a reply that breaks off.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Answer, Inject};

/// Redis carries the command out, half of its reply arrives, and the connection ends.
///
/// ```toml
/// faults = [{ inject = "partial_reply", match = { command = "GET" }, probability = 0.05 }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartialReply {}

impl Inject for PartialReply {
    const EXAMPLE: &'static str = "inject = \"partial_reply\"";

    fn act(&self) -> Act {
        Act::Answer(Answer::Partial)
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
