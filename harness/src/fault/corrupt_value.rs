//! `corrupt_value`: a value that is not what was written.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Answer, Inject};

/// Changes a byte of the value in the reply; its length and everything around it stay.
///
/// ```toml
/// faults = [{ inject = "corrupt_value", match = { command = "GET", key = "session:*" }, probability = 0.02 }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorruptValue {}

impl Inject for CorruptValue {
    const EXAMPLE: &'static str = "inject = \"corrupt_value\"";

    fn act(&self) -> Act {
        Act::Answer(Answer::Corrupt)
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
