//! `slow_accept`: new connections are slow to start.

use std::time::Duration;

use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, Problem, draw, range};
use crate::units::length;

/// Connections that are opened while it lasts carry nothing at first, as when a busy server is slow to accept them.
///
/// ```toml
/// faults = [{ inject.slow_accept = { delay = "300ms" } }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowAccept {
    /// How long, 1 ms to 1 h.
    #[serde(with = "length")]
    pub delay: Duration,
}

impl Inject for SlowAccept {
    const EXAMPLE: &'static str = "inject.slow_accept = { delay = \"300ms\" }";

    fn act(&self) -> Act {
        Act::SlowAccept { delay: self.delay }
    }

    fn drawn() -> SBoxedStrategy<Self> {
        draw::ms(1..2000).prop_map(|delay| Self { delay }).sboxed()
    }

    fn problems(&self) -> Vec<Problem> {
        range::whole_ms("delay", self.delay, Duration::from_millis(1)).into_iter().collect()
    }
}
