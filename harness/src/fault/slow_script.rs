//! `slow_script`: a script keeps the server busy.

use std::time::Duration;

use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, Problem, ServerAct, draw, range};
use crate::units::length;

/// Somebody's script keeps the server busy while it lasts: at first nothing is answered, then everything with `-BUSY`.
///
/// ```toml
/// faults = [{ inject.slow_script = { busy_after = "500ms" } }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowScript {
    /// How long nothing is answered, 1 ms to 1 h.
    #[serde(default = "half_a_second", with = "length")]
    pub busy_after: Duration,
}

fn half_a_second() -> Duration {
    Duration::from_millis(500)
}

impl Inject for SlowScript {
    const EXAMPLE: &'static str = "inject.slow_script = { busy_after = \"500ms\" }";

    fn act(&self) -> Act {
        Act::Server(ServerAct::Script { busy_after: self.busy_after })
    }

    fn drawn() -> SBoxedStrategy<Self> {
        draw::ms(1..1000).prop_map(|busy_after| Self { busy_after }).sboxed()
    }

    fn problems(&self) -> Vec<Problem> {
        range::whole_ms("busy_after", self.busy_after, Duration::from_millis(1)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_silent_for_half_a_second_unless_the_file_says_otherwise() {
        let busy_after = |text: &str| toml::from_str::<SlowScript>(text).unwrap().busy_after;
        assert_eq!(busy_after(""), Duration::from_millis(500));
        assert_eq!(busy_after("busy_after = \"2s\""), Duration::from_secs(2));
    }
}
