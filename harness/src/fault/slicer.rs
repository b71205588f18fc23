//! `slicer`: bytes come in small pieces.

use std::time::Duration;

use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Bend, Inject, Problem, draw, range};
use crate::units::{Size, format_duration, length};

/// Chops what passes into small chunks, with a pause after each.
///
/// ```toml
/// faults = [{ inject.slicer = { average_size = "32 B", size_variation = "16 B", delay = "100us" } }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slicer {
    /// The average size of a chunk, 1 B to 1 MiB. It has no default: without it Toxiproxy crashes.
    pub average_size: Size,
    /// How far chance moves the size up or down; less than `average_size`.
    #[serde(default)]
    pub size_variation: Size,
    /// The pause after each chunk, in whole microseconds, 1 s at most.
    #[serde(with = "length", default)]
    pub delay: Duration,
}

impl Inject for Slicer {
    const EXAMPLE: &'static str =
        "inject.slicer = { average_size = \"32 B\", size_variation = \"16 B\", delay = \"100us\" }";

    fn act(&self) -> Act {
        Act::Bend(Bend::Slicer {
            average_size: self.average_size.0,
            size_variation: self.size_variation.0,
            delay: self.delay,
        })
    }

    fn drawn() -> SBoxedStrategy<Self> {
        (1_u64..200, 0_u64..100, draw::ms(0..6))
            .prop_map(|(average, variation, delay)| Self {
                average_size: Size(average),
                size_variation: Size(variation.min(average - 1)),
                delay,
            })
            .sboxed()
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        found.extend(range::size("average_size", self.average_size, 1, 1024 * 1024));
        if self.average_size.0 > 0 && self.size_variation >= self.average_size {
            found.push(Problem {
                key: "size_variation",
                what: format!("size_variation is {}", self.size_variation),
                cure: format!("it must be less than average_size, {}", self.average_size),
            });
        }
        let whole = self.delay.subsec_nanos().is_multiple_of(1000);
        if !whole || self.delay > Duration::from_secs(1) {
            found.push(Problem {
                key: "delay",
                what: format!("delay is {}", format_duration(self.delay)),
                cure: "it must be whole microseconds, 1s at most".to_owned(),
            });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slicer(average_size: u64, size_variation: u64) -> Slicer {
        let delay = Duration::from_micros(100);
        Slicer { average_size: Size(average_size), size_variation: Size(size_variation), delay }
    }

    #[test]
    fn sizes_that_would_crash_toxiproxy_are_refused() {
        assert_eq!(slicer(32, 16).problems(), []);
        assert_eq!(slicer(0, 0).problems()[0].key, "average_size");
        assert_eq!(slicer(32, 32).problems()[0].key, "size_variation");
    }
}
