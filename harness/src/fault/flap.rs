//! `flap`: refuses and accepts in turn.

use std::time::Duration;

use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, Problem, Stretch, draw, range};
use crate::units::length;

/// The least time that a port stays as it is.
const LEAST: Duration = Duration::from_millis(100);

/// Closes the port and opens it in turn, again and again while it lasts, closed first. Each time it closes counts as a fault of
/// its own, so that checks know when Redis could be reached.
///
/// ```toml
/// faults = [{ inject.flap = { up = "1s", down = "500ms" } }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flap {
    /// How long it accepts, 100 ms to 1 h.
    #[serde(with = "length")]
    pub up: Duration,
    /// How long it refuses, 100 ms to 1 h.
    #[serde(with = "length")]
    pub down: Duration,
}

impl Inject for Flap {
    const EXAMPLE: &'static str = "inject.flap = { up = \"1s\", down = \"500ms\" }";

    fn act(&self) -> Act {
        Act::Refuse
    }

    fn drawn() -> SBoxedStrategy<Self> {
        (draw::ms(100..2000), draw::ms(100..2000)).prop_map(|(up, down)| Self { up, down }).sboxed()
    }

    fn stretches(&self, lasts: Duration) -> Vec<Stretch> {
        let round = (self.up + self.down).max(LEAST);
        let starts = std::iter::successors(Some(Duration::ZERO), |start| Some(*start + round));
        starts.take_while(|start| *start < lasts).map(|start| (start, lasts.min(start + self.down))).collect()
    }

    fn problems(&self) -> Vec<Problem> {
        [("up", self.up), ("down", self.down)]
            .into_iter()
            .filter_map(|(key, length)| range::whole_ms(key, length, LEAST))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_closed_and_its_last_turn_may_be_cut_short() {
        let ms = Duration::from_millis;
        let flap = Flap { up: ms(1000), down: ms(500) };
        let turns = [(ms(0), ms(500)), (ms(1500), ms(2000)), (ms(3000), ms(3200))];
        assert_eq!(flap.stretches(ms(3200)), turns);
        assert_eq!(flap.stretches(ms(3000)), turns[..2]);
    }

    #[test]
    fn a_port_stays_as_it_is_for_a_while() {
        assert_eq!(Flap { up: Duration::ZERO, down: Duration::from_millis(99) }.problems().len(), 2);
    }
}
