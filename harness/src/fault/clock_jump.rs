//! `clock_jump`: the server's clock is set.

use std::time::Duration;

use proptest::arbitrary::any;
use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, Problem, ServerAct, draw, range};
use crate::units::length;

/// The server's clock jumps when it begins, and back when it ends. Keys expire by this clock.
///
/// ```toml
/// faults = [{ inject.clock_jump = { by = "1h", backward = true } }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockJump {
    /// How far, 1 ms to 1 h.
    #[serde(with = "length")]
    pub by: Duration,
    /// Whether into the past; into the future otherwise.
    #[serde(default)]
    pub backward: bool,
}

impl Inject for ClockJump {
    const EXAMPLE: &'static str = "inject.clock_jump = { by = \"1h\", backward = true }";

    fn act(&self) -> Act {
        Act::Server(ServerAct::ClockJump { by: self.by, backward: self.backward })
    }

    fn drawn() -> SBoxedStrategy<Self> {
        (draw::ms(1..3_600_000), any::<bool>()).prop_map(|(by, backward)| Self { by, backward }).sboxed()
    }

    fn problems(&self) -> Vec<Problem> {
        range::whole_ms("by", self.by, Duration::from_millis(1)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_forward_unless_the_file_says_otherwise() {
        let jump: ClockJump = toml::from_str("by = \"1h\"").unwrap();
        let by = Duration::from_secs(3600);
        assert_eq!(jump.act(), Act::Server(ServerAct::ClockJump { by, backward: false }));
        assert_eq!(ClockJump { by: Duration::ZERO, backward: true }.problems().len(), 1);
    }
}
