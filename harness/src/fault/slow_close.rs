//! `slow_close`: the end comes late.

use std::time::Duration;

use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Bend, Inject, Problem, draw, range};
use crate::units::length;

/// Delays the end of each connection.
///
/// ```toml
/// faults = [{ inject.slow_close = { delay = "200ms" } }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowClose {
    /// How long, 1 ms to 1 h.
    #[serde(with = "length")]
    pub delay: Duration,
}

impl Inject for SlowClose {
    const EXAMPLE: &'static str = "inject.slow_close = { delay = \"200ms\" }";

    fn act(&self) -> Act {
        Act::Bend(Bend::SlowClose { delay: self.delay })
    }

    fn drawn() -> SBoxedStrategy<Self> {
        draw::ms(1..2000).prop_map(|delay| Self { delay }).sboxed()
    }

    fn problems(&self) -> Vec<Problem> {
        range::whole_ms("delay", self.delay, Duration::from_millis(1)).into_iter().collect()
    }
}
